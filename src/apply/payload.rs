//! What is sent after a script: a prelude of lines, then for stage and activate a tar stream whose first member
//! is the manifest (`scripts/receive.sh`).

use super::{HostLock, PhaseError, Site};
use crate::digest::Digest;
use crate::secret::Secret;
use std::fmt::Write as _;
use std::time::Duration;
use zeroize::Zeroizing;

const BLOCK: usize = 512;

/// The lines every input begins with (`scripts/common.sh`).
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
}

impl Prelude<'_> {
    /// All of them; `more` are lines before the last one.
    pub(super) fn lines(&self, site: &Site, more: &str) -> Result<String, PhaseError> {
        let mut lines = more.to_owned();
        let values = [
            ("root", site.root.as_deref()),
            ("keysdir", Some(site.keysdir.as_str())),
        ];
        for (name, value) in values {
            if let Some(value) = value {
                let _ = writeln!(lines, "{name} {}", path(value)?);
            }
        }
        for (name, value) in [("owner", &site.owner), ("group", &site.group)] {
            if let Some(value) = value {
                let _ = writeln!(lines, "{name} {}", word(value)?);
            }
        }
        if let Some((run, generation)) = self.label {
            // The generation before the first has no number on a host.
            let generation = Some(generation).filter(|generation| *generation > 0);
            let generation = generation.map_or("-".to_owned(), |generation| generation.to_string());
            let _ = writeln!(lines, "label {} {generation}", word(run)?);
        }
        if let Some(lock) = self.lock {
            let words: String = lock
                .words
                .chars()
                .map(|c| if c.is_control() || c == '\\' { ' ' } else { c })
                .collect();
            let _ = writeln!(
                lines,
                "lock {} {} {}",
                word(&lock.id)?,
                lock.lease.as_secs(),
                words.trim()
            );
        }
        if let Some(guard) = self.guard {
            let _ = writeln!(lines, "guard {}", guard.as_secs().max(1));
        }
        if let Some(target) = self.target {
            let _ = writeln!(lines, "target {target}");
        }
        if self.force {
            lines.push_str("force\n");
        }
        lines.push_str("begin\n");
        Ok(lines)
    }
}

/// A path that survives a line of its own and `read`: absolute, no control characters, no backslash, no space
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

/// A payload under construction. Members are numbered in the order added.
#[derive(Debug, Default)]
pub(super) struct Payload {
    manifest: String,
    members: Vec<(u32, Secret)>,
}

/// One line of a manifest; empty text stands for "-".
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
        let or_dash = |text: &str| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text.to_owned()
            }
        };
        let index = match entry.content {
            None => "-".to_owned(),
            Some(content) => {
                self.members.push((entry.mode.unwrap_or(0o600), content));
                (self.members.len() - 1).to_string()
            }
        };
        let mode = entry.mode.map_or("-".to_owned(), |mode| format!("{mode:04o}"));
        let path = if entry.path.is_empty() {
            "-"
        } else {
            path(entry.path)?
        };
        let (old, new) = (or_dash(entry.old), or_dash(entry.new));
        let _ = writeln!(self.manifest, "{} {old} {new} {mode} {index} {path}", entry.verb);
        Ok(())
    }

    /// Prelude and tar stream in one piece. With a guard, the stream is not all the script will read.
    pub(super) fn finish(self, site: &Site, prelude: &Prelude<'_>) -> Result<Secret, PhaseError> {
        let padded = |len: usize| BLOCK + len.next_multiple_of(BLOCK);
        let members: usize = self
            .members
            .iter()
            .map(|(_, content)| padded(content.len()))
            .sum();
        let stream = padded(self.manifest.len()) + members + 2 * BLOCK;
        let mut head = format!("manifest {}\n", Digest::of(self.manifest.as_bytes()));
        if prelude.guard.is_some() {
            let _ = writeln!(head, "size {stream}");
        }
        let prelude = prelude.lines(site, &head)?;
        // Room for all of it at once: a growing buffer would leave copies of secrets behind in freed memory.
        let total = prelude.len() + stream;
        let mut bytes = Zeroizing::new(Vec::with_capacity(total));
        bytes.extend_from_slice(prelude.as_bytes());
        let mut tar = tar::Builder::new(&mut *bytes);
        let mut append = |name: &str, mode: u32, content: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(mode);
            tar.append_data(&mut header, name, content)
        };
        append("manifest", 0o600, self.manifest.as_bytes())
            .and_then(|()| {
                self.members
                    .iter()
                    .enumerate()
                    .try_for_each(|(index, (mode, content))| {
                        append(&index.to_string(), *mode, content.expose())
                    })
            })
            .and_then(|()| tar.finish())
            .map_err(|err| PhaseError::here(format!("cannot pack what is to be sent: {err}")))?;
        drop(tar);
        debug_assert_eq!(bytes.len(), total);
        Ok(Secret::new(std::mem::take(&mut *bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_comes_first() {
        let mut payload = Payload::default();
        payload
            .add(Entry {
                verb: "media",
                new: "abc",
                mode: Some(0o640),
                content: Some(Secret::from("content")),
                path: "/k/with space",
                ..Entry::default()
            })
            .unwrap();
        let site = Site {
            root: Some("/srv/image/".into()),
            keysdir: "/k".into(),
            owner: Some("ntp".into()),
            group: None,
        };
        let bytes = payload.finish(&site, &Prelude::default()).unwrap();
        let manifest = "media - abc 0640 0 /k/with space\n";
        let prelude = format!(
            "manifest {}\nroot /srv/image\nkeysdir /k\nowner ntp\nbegin\n",
            Digest::of(manifest.as_bytes())
        );
        assert_eq!(&bytes.expose()[..prelude.len()], prelude.as_bytes());
        let mut archive = tar::Archive::new(&bytes.expose()[prelude.len()..]);
        let members: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
                (
                    entry.path().unwrap().display().to_string(),
                    entry.header().mode().unwrap(),
                    text,
                )
            })
            .collect();
        assert_eq!(
            members,
            [
                ("manifest".into(), 0o600, manifest.into()),
                ("0".into(), 0o640, "content".into())
            ]
        );
    }

    #[test]
    fn a_prelude_says_what_a_run_is_about() {
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
            ..Prelude::default()
        };
        assert_eq!(
            prelude.lines(&site, "").unwrap(),
            "keysdir /k\nlabel 12 7\nlock a1b2 900 ann@ops: keytrail apply\nguard 30\nbegin\n"
        );
        let payload = Payload::default().finish(&site, &prelude).unwrap();
        let text = String::from_utf8_lossy(payload.expose()).into_owned();
        let (head, _) = text.split_once("begin\n").unwrap();
        let stream: usize = head
            .split_once("size ")
            .unwrap()
            .1
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(payload.len(), head.len() + "begin\n".len() + stream);
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
