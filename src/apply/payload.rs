//! What is sent with a script: facts, with the manifest among them, and a tar stream of what the manifest speaks of
//! (`scripts/receive.sh`).

use super::{HostLock, PhaseError, Site};
use crate::remote::{Facts, Script};
use crate::secret::Secret;
use std::time::Duration;
use zeroize::Zeroizing;

const BLOCK: usize = 512;

/// What every script is told (`scripts/common.sh`).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Prelude<'a> {
    /// The run and the generation it brings, for the record of a switch.
    pub(super) label: Option<(&'a str, u64)>,
    /// Takes the host for this run.
    pub(super) lock: Option<&'a HostLock>,
    /// How long to wait for word that all is well before going back.
    pub(super) guard: Option<Duration>,
    /// What a phase has to know beyond that: how far back; that staging is all there is.
    pub(super) target: Option<&'a str>,
    /// Whatever stands in the way.
    pub(super) force: bool,
    /// What the host keeps of the vault: one line.
    pub(super) vault: &'a str,
}

impl Prelude<'_> {
    /// All of them, said or not: a script must not find what the login has in its environment.
    pub(super) fn facts(&self, site: &Site) -> Result<Facts, PhaseError> {
        let mut facts = Facts::default();
        facts.set("root", site.root.as_deref().map(path).transpose()?.unwrap_or(""));
        facts.set("keysdir", path(&site.keysdir)?);
        for (name, value) in [("owner", &site.owner), ("group", &site.group)] {
            facts.set(name, value.as_deref().map(word).transpose()?.unwrap_or(""));
        }
        let label = match self.label {
            // The generation before the first has no number on a host.
            Some((run, 0)) => format!("{} -", word(run)?),
            Some((run, generation)) => format!("{} {generation}", word(run)?),
            None => "- -".to_owned(),
        };
        facts.set("label", &label);
        let lock = match self.lock {
            Some(lock) => {
                let plain = |c: char| if c.is_control() || c == '\\' { ' ' } else { c };
                let words: String = lock.words.chars().map(plain).collect();
                format!("{} {} {}", word(&lock.id)?, lock.lease.as_secs(), words.trim())
            }
            None => String::new(),
        };
        facts.set("lock", &lock);
        let guard = self.guard.map(|guard| guard.as_secs().max(1).to_string());
        facts.set("guard", &guard.unwrap_or_default());
        facts.set("target", self.target.unwrap_or_default());
        facts.set("force", if self.force { "yes" } else { "" });
        facts.set("vault", self.vault);
        Ok(facts)
    }
}

/// A path that survives a line of its own: absolute, no control characters, no backslash, no space
/// at the end.
pub(super) fn path(path: &str) -> Result<&str, PhaseError> {
    let odd = path.chars().any(|c| c.is_control() || c == '\\') || path.ends_with(' ');
    let climbs = path.split('/').any(|part| part == "..");
    if !path.starts_with('/') || odd || climbs {
        return Err(PhaseError::here(format!(
            "the path '{}' cannot be used: it must be absolute, without '..', backslashes, control characters or a \
             space at its end",
            path.escape_debug()
        )));
    }
    Ok(path.trim_end_matches('/'))
}

/// A file name, owner or group: one word.
pub(super) fn word(word: &str) -> Result<&str, PhaseError> {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '\\';
    if word.is_empty() || word.starts_with('-') || !word.chars().all(fits) {
        return Err(PhaseError::here(format!(
            "'{}' cannot be used as a name on a host",
            word.escape_debug()
        )));
    }
    Ok(word)
}

/// A payload under construction. Members of the stream are called as what they become, where that is a file of the keys
/// directory, so that one command puts all of them there; others are numbered.
#[derive(Debug, Default)]
pub(super) struct Payload {
    entries: Vec<[String; 6]>,
    members: Vec<(String, Member)>,
    restart: String,
    tell: String,
}

#[derive(Debug)]
enum Member {
    File(u32, Secret),
    Link(String),
}

/// One entry of a manifest; empty text stands for what it has not.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) verb: &'a str,
    pub(super) old: &'a str,
    pub(super) new: &'a str,
    pub(super) mode: Option<u32>,
    pub(super) content: Option<Secret>,
    pub(super) path: &'a str,
}

impl Payload {
    pub(super) fn add(&mut self, entry: Entry<'_>) -> Result<(), PhaseError> {
        let path = if entry.path.is_empty() {
            ""
        } else {
            path(entry.path)?
        };
        let named = || -> Result<String, PhaseError> {
            let name = path.rsplit('/').next().unwrap_or_default();
            Ok(word(name)?.to_owned())
        };
        let member = match (entry.verb, entry.content) {
            ("media", Some(content)) => Some((named()?, Member::File(entry.mode.unwrap_or(0o600), content))),
            ("link", None) => Some((named()?, Member::Link(entry.new.to_owned()))),
            (_, Some(content)) => {
                let number = self.members.len().to_string();
                Some((number, Member::File(entry.mode.unwrap_or(0o600), content)))
            }
            (_, None) => None,
        };
        self.entries.push([
            entry.verb.to_owned(),
            entry.old.to_owned(),
            entry.new.to_owned(),
            entry.mode.map_or(String::new(), |mode| format!("{mode:04o}")),
            member.as_ref().map_or(String::new(), |(name, _)| name.clone()),
            path.to_owned(),
        ]);
        self.members.extend(member);
        Ok(())
    }

    /// The command that restarts the daemon. It travels in the script's own text, not as a file that could be another one
    /// when it is run.
    pub(super) fn set_restart(&mut self, command: &str) {
        command.clone_into(&mut self.restart);
    }

    /// The command that tells the running daemon, likewise; it holds nothing secret.
    pub(super) fn set_tell(&mut self, command: &str) {
        command.clone_into(&mut self.tell);
    }

    /// Facts and tar stream.
    pub(super) fn finish(self, site: &Site, prelude: &Prelude<'_>) -> Result<Sent, PhaseError> {
        let mut facts = prelude.facts(site)?;
        facts.set("restart", &self.restart);
        facts.set("tell", &self.tell);
        facts.set("entries", &self.entries.len().to_string());
        for (number, values) in (1..).zip(&self.entries) {
            for (name, value) in ["verb", "old", "new", "mode", "index", "path"].iter().zip(values) {
                facts.set(format_args!("{name}{number}"), value);
            }
        }
        let blocks = |member: &Member| match member {
            Member::File(_, content) => BLOCK + content.len().next_multiple_of(BLOCK),
            Member::Link(_) => BLOCK,
        };
        // A name of more than 100 bytes takes three blocks of its own. Room for all of it at once: a growing buffer
        // would leave copies of secrets behind in freed memory.
        let total: usize = self
            .members
            .iter()
            .map(|(_, member)| 7 * BLOCK + blocks(member))
            .sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(total + 2 * BLOCK));
        let mut tar = tar::Builder::new(&mut *bytes);
        let mut members = self.members.iter();
        members
            .try_for_each(|(name, member)| {
                let mut header = tar::Header::new_ustar();
                match member {
                    Member::File(mode, content) => {
                        header.set_size(content.len() as u64);
                        header.set_mode(*mode);
                        tar.append_data(&mut header, name, content.expose())
                    }
                    Member::Link(target) => {
                        header.set_entry_type(tar::EntryType::Symlink);
                        header.set_size(0);
                        header.set_mode(0o777);
                        tar.append_link(&mut header, name, target)
                    }
                }
            })
            .and_then(|()| tar.finish())
            .map_err(|err| PhaseError::here(format!("cannot pack what is to be sent: {err}")))?;
        drop(tar);
        if self.members.is_empty() {
            bytes.clear();
        }
        Ok(Sent {
            facts,
            stream: Secret::new(std::mem::take(&mut *bytes)),
        })
    }
}

/// What goes to a host with a script.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) facts: Facts,
    pub(super) stream: Secret,
}

impl Sent {
    /// With which script.
    pub(super) fn script(self, text: &'static str, limit: Duration) -> Script {
        Script {
            text,
            facts: self.facts,
            input: self.stream,
            limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_called_as_what_they_become() {
        let mut payload = Payload::default();
        let long = format!("ntpkey_host_{}", "x".repeat(120));
        for entry in [
            Entry {
                verb: "media",
                new: "abc",
                mode: Some(0o640),
                content: Some(Secret::from("content")),
                path: "/k/ntpkey_a.1",
                ..Entry::default()
            },
            Entry {
                verb: "link",
                new: "ntpkey_a.1",
                path: &format!("/k/{long}"),
                ..Entry::default()
            },
            Entry {
                verb: "conf",
                old: "def",
                mode: Some(0o600),
                content: Some(Secret::from("lines")),
                path: "/etc/it's here",
                ..Entry::default()
            },
        ] {
            payload.add(entry).unwrap();
        }
        let site = Site {
            root: Some("/srv/image/".into()),
            keysdir: "/k".into(),
            owner: Some("ntp".into()),
            group: None,
        };
        let sent = payload.finish(&site, &Prelude::default()).unwrap();
        assert!(
            sent.facts
                .text()
                .starts_with("root='/srv/image'\nkeysdir='/k'\nowner='ntp'\ngroup=''\n"),
            "{:?}",
            sent.facts
        );
        let entries = format!(
            "restart=''\ntell=''\nentries='3'\n\
             verb1='media'\nold1=''\nnew1='abc'\nmode1='0640'\nindex1='ntpkey_a.1'\npath1='/k/ntpkey_a.1'\n\
             verb2='link'\nold2=''\nnew2='ntpkey_a.1'\nmode2=''\nindex2='{long}'\npath2='/k/{long}'\n\
             verb3='conf'\nold3='def'\nnew3=''\nmode3='0600'\nindex3='2'\npath3='/etc/it'\\''s here'\n"
        );
        assert!(sent.facts.text().ends_with(&entries), "{}", sent.facts.text());
        let mut archive = tar::Archive::new(sent.stream.expose());
        let members: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
                let link = entry.link_name().unwrap().map(|link| link.display().to_string());
                (entry.path().unwrap().display().to_string(), link, text)
            })
            .collect();
        assert_eq!(
            members,
            [
                ("ntpkey_a.1".into(), None, "content".into()),
                (long, Some("ntpkey_a.1".into()), String::new()),
                ("2".into(), None, "lines".into())
            ]
        );
    }

    #[test]
    fn a_run_says_what_it_is_about() {
        let site = Site {
            keysdir: "/k".into(),
            ..Site::default()
        };
        let lock = HostLock {
            id: "a1b2".into(),
            lease: Duration::from_secs(900),
            words: "ann@ops:\nkeytrail apply".into(),
        };
        let prelude = Prelude {
            label: Some(("12", 7)),
            lock: Some(&lock),
            guard: Some(Duration::from_secs(30)),
            vault: "1 record",
            ..Prelude::default()
        };
        assert_eq!(
            prelude.facts(&site).unwrap().text(),
            "root=''\nkeysdir='/k'\nowner=''\ngroup=''\nlabel='12 7'\nlock='a1b2 900 ann@ops: keytrail apply'\n\
             guard='30'\ntarget=''\nforce=''\nvault='1 record'\n"
        );
        let sent = Payload::default().finish(&site, &prelude).unwrap();
        assert!(sent.stream.expose().is_empty(), "nothing to unpack");
    }

    #[test]
    fn odd_paths_and_names_are_refused() {
        for bad in ["relative", "/a\nroot /", "/a\\b", "/a ", "/a/../b", ""] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a b", "-R", "a\n"] {
            assert!(word(bad).is_err(), "{bad:?}");
        }
    }
}
