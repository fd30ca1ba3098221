//! Groups, and the symmetric keys that stand in them and at the top level.

use super::{Resolver, check, number};
use crate::finding::{Finding, Place, SourceId, Step};
use crate::inventory::KeyType;
use crate::inventory::draft::DraftGroup;
use crate::inventory::model::{External, ExternalServer, Group, GroupId, HostId, IdentityBits, SymmetricKey};
use crate::inventory::range::Pattern;
use crate::inventory::raw::{OneOrMany, RawExternal, RawSymmetricKey};

impl Resolver<'_> {
    /// Resolves `groups`. Their settings stay in the draft, for the hosts.
    pub fn groups(&mut self) {
        let mut groups = std::mem::take(&mut self.draft.groups);
        for (at, (name, draft)) in groups.iter_mut().enumerate() {
            self.by_group.insert(name.clone(), GroupId(number(at)));
            let group = self.group(name, draft);
            self.inventory.groups.push(group);
        }
        self.draft.groups = groups;
    }

    fn group(&mut self, name: &str, draft: &mut DraftGroup) -> Group {
        let source = draft.source;
        let base = [Step::from("groups"), Step::from(name)];
        if !check::is_name(std::iter::once(name), 0) {
            let finding = check::bad_name("group", name);
            self.problem(finding.at(draft.span.place(source), ""));
        }
        let raw = std::mem::take(&mut draft.group);
        let id = GroupId(number(self.inventory.groups.len()));
        let trusted = self.trusted(raw.trusted, source, &base);
        let external = raw
            .external
            .map(|external| self.external(external, id, source, &base));
        let agent = raw
            .agent
            .and_then(|name| self.host_named(&name, || below(source, &base, &["agent"])));
        let bits = IdentityBits::default();
        let given = raw.identity_key.unwrap_or_default();
        for (key_id, key) in raw.symmetric_keys.unwrap_or_default() {
            let path: Vec<_> = base
                .iter()
                .cloned()
                .chain([Step::from("symmetric_keys")])
                .collect();
            self.key(&key_id, key, Some(id), source, path);
        }
        Group {
            name: name.into(),
            source,
            identity: raw.identity.map(|OneOrMany(schemes)| schemes).unwrap_or_default(),
            trusted,
            identity_bits: IdentityBits {
                iff: given.iff.unwrap_or(bits.iff),
                gq: given.gq.unwrap_or(bits.gq),
                mv: given.mv.unwrap_or(bits.mv),
            },
            mv_clients: raw.mv.and_then(|mv| mv.clients),
            external,
            agent,
            idents: None,
        }
    }

    /// Trusted hosts by name and range.
    fn trusted(
        &mut self,
        names: Option<OneOrMany<Box<str>>>,
        source: SourceId,
        base: &[Step],
    ) -> Vec<HostId> {
        let mut trusted = Vec::new();
        for (i, name) in names
            .map(|OneOrMany(names)| names)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let place = || {
                let path = base.iter().cloned().chain([Step::from("trusted"), Step::from(i)]);
                Place::value(source, path.collect())
            };
            let pattern = match Pattern::parse(name) {
                Ok(pattern) => pattern,
                Err(error) => {
                    self.problem(Finding::error("range-invalid", error.to_string()).at(place(), ""));
                    continue;
                }
            };
            if pattern.count() > self.inventory.hosts.len() as u64 && !pattern.is_plain() {
                let message = "this range has more names than the inventory has hosts";
                self.problem(Finding::error("range-too-large", message).at(place(), ""));
                continue;
            }
            let mut missing = None;
            pattern.for_each(|name| match self.inventory.find(name) {
                Some(host) => trusted.push(host),
                None => {
                    missing.get_or_insert_with(|| name.to_owned());
                }
            });
            if let Some(name) = missing {
                let finding = self.unknown_host(&name, place());
                self.problem(finding);
            }
        }
        trusted
    }

    fn external(&mut self, raw: RawExternal, group: GroupId, source: SourceId, base: &[Step]) -> External {
        let mut servers = Vec::with_capacity(raw.servers.len());
        for (name, address) in raw.servers {
            let place = |name: &str| {
                let path = base
                    .iter()
                    .cloned()
                    .chain(["external", "servers", name].map(Step::from));
                Place::key(source, path.collect())
            };
            if !check::is_name(std::iter::once(&*name), 0) {
                self.problem(check::bad_name("server", &name).at(place(&name), ""));
            } else if let Some(host) = self.inventory.find(&name) {
                let finding = Finding::error(
                    "duplicate-host",
                    format!("'{name}' is a host of this inventory, too"),
                )
                .at(place(&name), "an external server here")
                .at(self.inventory.entry(host).place(&[]), "a host here")
                .help("give the external server another name");
                self.problem(finding);
            }
            if !check::is_address(&address) {
                let path = ["external", "servers", &name];
                self.problem(check::bad_value("an address", &address, source, base, &path));
            }
            if self
                .external
                .insert(name.clone(), (group, number(servers.len())))
                .is_some()
            {
                let message = format!("external server '{name}' is in two groups");
                self.problem(Finding::error("duplicate-host", message).at(place(&name), "the second one"));
            }
            servers.push(ExternalServer { name, address });
        }
        let directory = self.directory(source);
        External {
            servers,
            parameters: raw.parameters.iter().map(|file| directory.join(file)).collect(),
        }
    }

    /// The directory of an inventory file, which relative paths in it start from.
    pub fn directory(&self, source: SourceId) -> std::path::PathBuf {
        super::directory::of_file(self.sources, source)
    }

    /// Symmetric keys of the top level; those of groups are there already.
    pub fn keys(&mut self) {
        for (source, id, key) in std::mem::take(&mut self.draft.keys) {
            self.key(&id, key, None, source, vec![Step::from("symmetric_keys")]);
        }
    }

    fn key(
        &mut self,
        id: &str,
        raw: RawSymmetricKey,
        group: Option<GroupId>,
        source: SourceId,
        mut path: Vec<Step>,
    ) {
        path.push(Step::from(id));
        let place = Place::key(source, path.clone());
        let Ok(number) = id.parse() else {
            let message = format!(
                "expected a key id (a number), found '{}'",
                crate::inventory::yaml::clip(id)
            );
            self.problem(Finding::error("value-invalid", message).at(place, ""));
            return;
        };
        let same = |key: &&SymmetricKey| key.group == group || key.group.is_none() || group.is_none();
        let first = self
            .inventory
            .keys
            .with_id(number)
            .find(same)
            .map(|first| first.place.clone());
        if let Some(first) = first {
            let finding = Finding::error("duplicate-key", format!("symmetric key {number} is given twice"))
                .at(place, "given again here")
                .at(first, "first given here")
                .help("a key file has room for one key per id: choose another id");
            self.problem(finding);
            return;
        }
        let restrict = raw
            .restrict
            .map(|OneOrMany(addresses)| addresses)
            .unwrap_or_default();
        if let Some(bad) = restrict
            .iter()
            .find(|address| !check::is_word(address) || address.contains(','))
        {
            self.problem(check::bad_value("an address", bad, source, &path, &["restrict"]));
        }
        let kind = raw.kind.unwrap_or_else(|| KeyType::Aes128Cmac.into());
        if !check::is_word(kind.text()) {
            self.problem(check::bad_value(
                "a type of key",
                kind.text(),
                source,
                &path,
                &["type"],
            ));
        }
        self.inventory.keys.push(SymmetricKey {
            id: number,
            kind,
            value: raw
                .value
                .map(|value| super::settings::password(value, &self.directory(source))),
            group,
            restrict,
            succeeds: None,
            place,
        });
    }
}

fn below(source: SourceId, base: &[Step], below: &[&str]) -> Place {
    Place::value(
        source,
        base.iter()
            .cloned()
            .chain(below.iter().map(|&key| Step::from(key)))
            .collect(),
    )
}
