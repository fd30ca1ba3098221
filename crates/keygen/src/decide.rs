//! The decision: options and what is there in, what to keep, make, write, link and export out. No key is made here.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Choice, Content, Decision, Error, Errors, Existing, FilePlan, GroupState, Kept, Link, Note, Options,
    Present, Result, error::Collector,
};
use keytrail_media::{
    Dialect, Filestamp, GroupScheme, KeyAlgorithm, MediaKind, MediaName, SignatureScheme, host_key::RsaKey,
};

/// Decides. `now` is in Unix seconds.
///
/// # Errors
/// All that keeps the run from happening.
pub fn decide<'a>(
    options: &Options,
    present: &Present,
    existing: &'a Existing,
    now: i64,
) -> Result<Decision<'a>> {
    let mut run = Run {
        options,
        present,
        existing,
        owner: existing.owner(options),
        errors: Collector::default(),
        decision: Decision {
            stamp: Filestamp(0),
            now,
            host_key: None,
            sign_key: None,
            group_keys: BTreeMap::new(),
            revoked: BTreeSet::new(),
            certificate: None,
            files: Vec::new(),
            settle: Vec::new(),
            links: Vec::new(),
            exports: Vec::new(),
            notes: Vec::new(),
        },
    };
    run.choose_keys();
    let followed = run.new_files().into_iter().map(|(kind, owner, _)| (kind, owner));
    let stamp = present.stamp_after(now, followed);
    run.decision.stamp = run.errors.take(stamp).unwrap_or(Filestamp(0));
    run.choose_certificate();
    run.write_files();
    run.update_mv();
    run.export();
    match present.settle(&run.decision.links) {
        Ok(settle) => run.decision.settle = settle,
        Err(Errors(errors)) => errors.into_iter().for_each(|error| run.errors.push(error)),
    }
    run.advise();
    run.errors.finish(run.decision)
}

/// A decision on its way.
pub(super) struct Run<'a, 'o> {
    pub(super) options: &'o Options,
    pub(super) present: &'o Present,
    pub(super) existing: &'a Existing,
    pub(super) owner: &'o str,
    pub(super) errors: Collector,
    pub(super) decision: Decision<'a>,
}

impl<'o> Run<'_, 'o> {
    fn choose_keys(&mut self) {
        let (generate, existing) = (&self.options.generate, self.existing);
        if self.options.makes_certificate() {
            let bits = generate.bits.unwrap_or(RsaKey::DEFAULT_BITS);
            let host_key = existing.host_key.as_ref();
            self.decision.host_key = Some(host_key.map_or(Choice::Make(bits), Choice::Keep));
            let recipe = generate.sign_key.map(|algorithm| {
                let usual = match algorithm {
                    KeyAlgorithm::Rsa => RsaKey::DEFAULT_BITS,
                    KeyAlgorithm::Dsa => Options::DEFAULT_DSA_BITS,
                };
                Choice::Make((algorithm, generate.bits.unwrap_or(usual)))
            });
            let kept = existing.sign_key.as_ref().map(Choice::Keep);
            self.decision.sign_key = recipe.or(kept);
        }
        for (scheme, kept) in &existing.group_keys {
            self.decision.group_keys.insert(*scheme, Choice::Keep(kept));
        }
        for scheme in &generate.group_keys {
            let recipe = (self.options.identity_bits(*scheme), generate.mv_clients);
            self.decision.group_keys.insert(*scheme, Choice::Make(recipe));
        }
    }

    /// New files: kind, owner, content.
    fn new_files(&self) -> Vec<(MediaKind, &'o str, Content)> {
        let options: &'o Options = self.options;
        let host = options.host.as_str();
        let mut files = Vec::new();
        if let Some(Choice::Make(_)) = self.decision.host_key {
            files.push((MediaKind::HostKey, host, Content::HostKey));
        }
        if let Some(Choice::Make((algorithm, _))) = self.decision.sign_key {
            files.push((MediaKind::SignKey(algorithm), host, Content::SignKey));
        }
        for (scheme, choice) in &self.decision.group_keys {
            if let Choice::Make(_) = choice {
                files.push((
                    MediaKind::GroupKey(*scheme),
                    self.owner,
                    Content::GroupKey(*scheme),
                ));
                if *scheme == GroupScheme::Mv {
                    files.push((MediaKind::ServerKey(*scheme), self.owner, Content::MvServerKey));
                }
            }
        }
        if self.options.makes_certificate() {
            let any = MediaKind::Certificate(SignatureScheme::RSA_SHA256);
            files.push((any, host, Content::Certificate));
        }
        files
    }

    fn write_files(&mut self) {
        let stamp = self.decision.stamp;
        for (kind, owner, content) in self.new_files() {
            let kind = match (content, &self.decision.certificate) {
                (Content::Certificate, Some(plan)) => MediaKind::Certificate(plan.scheme),
                _ => kind,
            };
            let name = match MediaName::new(kind, owner, stamp) {
                Ok(name) => name,
                Err(error) => {
                    self.errors.push(error);
                    continue;
                }
            };
            let target = name.to_string();
            self.link(kind, owner, &target);
            self.decision.files.push(FilePlan {
                path: target,
                name,
                content,
                replaces: false,
            });
        }
        if self.options.makes_certificate() {
            self.mend_links();
            self.mend_gq();
        }
    }

    /// The link by the file's owner, and for group keys the one by the host as well: the daemon goes by `crypto ident`, or
    /// by the host's name where there is none.
    pub(super) fn link(&mut self, kind: MediaKind, owner: &str, target: &str) {
        for owner in BTreeSet::from([owner, self.options.host.as_str()]) {
            self.decision.links.push(Link {
                name: kind.link_name(owner),
                target: target.to_owned(),
            });
        }
    }

    /// Group keys that were linked by the host's name only, as the stock program does it.
    fn mend_links(&mut self) {
        for scheme in GroupScheme::ALL {
            let link = MediaKind::GroupKey(scheme).link_name(self.owner);
            let there = self.present.names.contains(&link);
            let made = self.decision.links.iter().any(|made| made.name == link);
            if there || made {
                continue;
            }
            let found = self
                .present
                .find_group_key(scheme, self.owner, &self.options.host);
            if let Ok(Some(found)) = found {
                let target = found.file.clone();
                self.decision.links.push(Link { name: link, target });
            }
        }
    }

    /// A GQ key in the other layout is written again: the daemon takes other fields than ntp-keygen writes.
    fn mend_gq(&mut self) {
        let Some(Choice::Keep(kept)) = self.decision.group_keys.get(&GroupScheme::Gq) else {
            return;
        };
        let kept = *kept;
        if kept.value.dialect == Some(self.options.dialect) {
            return;
        }
        self.replace(GroupScheme::Gq, kept, Content::GroupKey(GroupScheme::Gq));
        let text = match self.options.dialect {
            Dialect::Current => {
                "as ntp-keygen writes it, which the daemon never authenticates with (error 114)"
            }
            Dialect::Documented => "for daemons on OpenSSL 1.1 and later",
        };
        let text = format!(
            "the layout of {} was {text}; it is written again with the same numbers and filestamp",
            kept.file
        );
        self.decision.notes.push(Note::Info(text));
    }

    /// Writes a group key's file again under its own name.
    pub(super) fn replace(&mut self, scheme: GroupScheme, kept: &Kept<GroupState>, content: Content) {
        let kind = match content {
            Content::MvServerKey => MediaKind::ServerKey(scheme),
            _ => MediaKind::GroupKey(scheme),
        };
        let Some(name) = self.errors.take(MediaName::new(kind, self.owner, kept.stamp)) else {
            return;
        };
        let path = match content {
            Content::MvServerKey => name.to_string(),
            _ => kept.file.clone(),
        };
        if path.contains('/') {
            self.errors.push(Error::refused(
                format!("writing {path} again"),
                "the link leads out of this directory",
                "run in the directory where the file is",
            ));
        }
        self.decision.files.push(FilePlan {
            name,
            path,
            content,
            replaces: true,
        });
    }
}
