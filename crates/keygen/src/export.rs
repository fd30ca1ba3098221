//! The decision's part about standard output and MV's revocations.

use std::collections::BTreeSet;

use super::{Choice, Content, Error, ExportPlan, GroupState, Kept, Note, decide::Run};
use keytrail_media::{GroupKey, GroupScheme, MediaKind, MediaName};

impl Run<'_, '_> {
    pub(super) fn update_mv(&mut self) {
        let Some(Choice::Keep(kept)) = self.decision.group_keys.get(&GroupScheme::Mv) else {
            if self.options.updates_mv() {
                self.no_group_key(&[GroupScheme::Mv]);
            }
            return;
        };
        let kept = *kept;
        self.decision.revoked.clone_from(&kept.value.revoked);
        if !self.options.updates_mv() {
            return;
        }
        let mut after: BTreeSet<usize> = &kept.value.revoked | &self.options.revoke;
        after = &after - &self.options.readmit;
        self.check_clients(kept, &after);
        self.decision.revoked = after;
        self.replace(GroupScheme::Mv, kept, Content::GroupKey(GroupScheme::Mv));
        self.replace(GroupScheme::Mv, kept, Content::MvServerKey);
        let kind = MediaKind::ServerKey(GroupScheme::Mv);
        if let Some(server) = self.decision.files.last().map(|file| file.path.clone()) {
            let owner = self.owner.to_owned();
            self.link(kind, &owner, &server);
        }
        let text = match self.decision.revoked.len() {
            0 => "no MV client is shut out any more".to_owned(),
            _ => format!("shut out from now on: MV client {}", list(&self.decision.revoked)),
        };
        let text = format!(
            "{text}; give every server of {} the new server key (-q) and restart it",
            self.owner
        );
        self.decision.notes.push(Note::Info(text));
    }

    fn check_clients(&mut self, kept: &Kept<GroupState>, after: &BTreeSet<usize>) {
        let GroupKey::Mv(authority) = &kept.value.key else {
            return;
        };
        let clients = authority.clients();
        for number in self.options.revoke.union(&self.options.readmit) {
            self.errors.take(authority.client(*number));
        }
        if after.len() == clients {
            self.errors.push(Error::refused(
                format!("shutting out all {clients} MV clients"),
                "nobody could authenticate any more",
                "leave one in, or make a new MV key with -V",
            ));
        }
    }

    pub(super) fn export(&mut self) {
        if !self.options.exports() {
            return;
        }
        let only = self.options.export.scheme;
        let wanted: Vec<GroupScheme> = GroupScheme::ALL
            .into_iter()
            .filter(|scheme| only.is_none_or(|only| only == *scheme))
            .collect();
        let schemes: Vec<GroupScheme> = wanted
            .iter()
            .copied()
            .filter(|scheme| self.decision.group_keys.contains_key(scheme))
            .collect();
        if schemes.is_empty() {
            self.no_group_key(&wanted);
        }
        for scheme in schemes {
            let stamp = match &self.decision.group_keys[&scheme] {
                Choice::Keep(kept) => kept.stamp,
                Choice::Make(_) => self.decision.stamp,
            };
            let client = self.options.export.client.unwrap_or(1);
            let parameters = self
                .options
                .export
                .parameters
                .then_some(MediaKind::ClientParameters(scheme));
            let server = self.options.export.server_key.is_some();
            let server = server.then_some(MediaKind::ServerKey(scheme));
            if parameters.is_some() && scheme == GroupScheme::Mv {
                self.check_exported_client(client);
            }
            for kind in [parameters, server].into_iter().flatten() {
                if let Some(name) = self.errors.take(MediaName::new(kind, self.owner, stamp)) {
                    self.decision.exports.push(ExportPlan { name, client });
                }
            }
        }
        if self.options.export.client.is_some() && !self.decision.group_keys.contains_key(&GroupScheme::Mv) {
            self.errors.push(Error::refused(
                "--client",
                "only MV has client keys of their own",
                "leave it away",
            ));
        }
    }

    fn check_exported_client(&mut self, client: usize) {
        let problem = match &self.decision.group_keys[&GroupScheme::Mv] {
            Choice::Make((_, clients)) if !(1..=*clients).contains(&client) => Some(Error::refused(
                format!("MV client {client}"),
                format!("the new key has clients 1 to {clients}"),
                "use one of those",
            )),
            Choice::Keep(kept) => match &kept.value.key {
                GroupKey::Mv(authority) => authority.client(client).err().map(Error::from),
                _ => None,
            },
            Choice::Make(_) => None,
        };
        if let Some(error) = problem {
            self.errors.push(error);
        }
        if self.decision.revoked.contains(&client) {
            self.errors.push(Error::refused(
                format!("parameters of MV client {client}"),
                "this client is shut out, its file would never authenticate",
                "choose another with --client, or let it in again with --readmit",
            ));
        }
    }

    fn no_group_key(&mut self, schemes: &[GroupScheme]) {
        let words: Vec<&str> = schemes.iter().map(|scheme| scheme.upper()).collect();
        let unlinked = self.present.names.iter().find(|name| {
            let parsed = name.parse::<MediaName>();
            parsed.is_ok_and(|parsed| {
                parsed.owner == self.owner && schemes.iter().any(|s| parsed.kind == MediaKind::GroupKey(*s))
            })
        });
        let help = match unlinked {
            Some(file) => {
                let link = file
                    .parse::<MediaName>()
                    .map(|name| name.link())
                    .unwrap_or_default();
                format!("{file} is here, but no link leads to it: ln -s {file} {link}")
            }
            None => format!(
                "make one with -I, -G or -V, run in the directory of its trusted agent, or name the right group (here: {})",
                self.owner
            ),
        };
        self.errors.push(Error::refused(
            format!("{} key of {}", words.join(", "), self.owner),
            "there is none in this directory",
            help,
        ));
    }
}

fn list(numbers: &BTreeSet<usize>) -> String {
    let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    words.join(", ")
}
