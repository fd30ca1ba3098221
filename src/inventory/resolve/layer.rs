//! Somewhere settings stand (`defaults`, a group, a host), and what their values must be.

use super::check;
use crate::finding::{Finding, Place, SourceId, Step};
use crate::inventory::raw::{OneOrMany, RawConnection, RawRestart, RawSettings};
use keytrail_vocabulary::Written;

/// Settings with the place they stand in.
#[derive(Debug)]
pub struct Layer {
    pub raw: Box<RawSettings>,
    pub source: SourceId,
    pub base: Vec<Step>,
}

/// A field that holds text: its path, where it is, what it must be.
type TextField = (
    &'static [&'static str],
    fn(&RawSettings) -> Option<&str>,
    &'static str,
    fn(&str) -> bool,
);

const PATH: &str = "an absolute path without blanks and quotes";
/// What [`check::is_ssh_file`] takes.
const SSH_FILE: &str = "a file name without blanks, quotes and characters a shell acts on, no dash in front";

const WORD: &str = "one word that does not begin with a dash";

const TEXTS: [TextField; 17] = [
    (&["keysdir"], |raw| raw.keysdir.as_deref(), PATH, check::is_path),
    (&["conf"], |raw| raw.conf.as_deref(), PATH, check::is_path),
    (
        &["include_file"],
        |raw| raw.include_file.as_deref(),
        PATH,
        check::is_path,
    ),
    (
        &["crypto", "randfile"],
        |raw| raw.crypto.as_ref()?.randfile.as_deref(),
        PATH,
        check::is_path,
    ),
    (
        &["keys", "file"],
        |raw| raw.keys.as_ref()?.file.as_deref(),
        PATH,
        check::is_path,
    ),
    (&["log"], |raw| raw.log.as_deref(), PATH, check::is_path),
    (&["owner"], |raw| raw.owner.as_deref(), WORD, check::is_word),
    (
        &["file_group"],
        |raw| raw.file_group.as_deref(),
        WORD,
        check::is_word,
    ),
    (
        &["cipher"],
        |raw| raw.cipher.as_ref().map(Written::text),
        WORD,
        check::is_word,
    ),
    (
        &["certificate", "scheme"],
        |raw| raw.certificate.as_ref()?.scheme.as_ref().map(Written::text),
        WORD,
        check::is_word,
    ),
    (
        &["crypto", "digest"],
        |raw| raw.crypto.as_ref()?.digest.as_deref(),
        WORD,
        check::is_word,
    ),
    (
        &["ssh", "user"],
        |raw| raw.ssh.as_ref()?.user.as_deref(),
        "a login name: letters, digits and `._+@%-`, no dash in front",
        check::is_login,
    ),
    (
        &["ssh", "host"],
        |raw| raw.ssh.as_ref()?.host.as_deref(),
        "a host name, address or alias: letters, digits and `.-_:%`, no dash in front",
        check::is_address,
    ),
    (
        &["ssh", "proxy_jump"],
        |raw| raw.ssh.as_ref()?.proxy_jump.as_deref(),
        "jump hosts as `[USER@]HOST[:PORT]`, with commas between them",
        check::is_jump,
    ),
    (
        &["ssh", "identity_file"],
        |raw| raw.ssh.as_ref()?.identity_file.as_deref()?.to_str(),
        SSH_FILE,
        check::is_ssh_file,
    ),
    (
        &["ssh", "config"],
        |raw| raw.ssh.as_ref()?.config.as_deref()?.to_str(),
        SSH_FILE,
        check::is_ssh_file,
    ),
    (
        &["restart"],
        |raw| command(raw.restart.as_ref()?),
        "a shell command on one line",
        check::is_line,
    ),
];

fn command(restart: &RawRestart) -> Option<&str> {
    match restart {
        RawRestart::Command(command) => Some(command),
        RawRestart::Never => None,
    }
}

impl Layer {
    /// The place of a field of this layer.
    pub fn place(&self, below: &[&str]) -> Place {
        let mut path = self.base.clone();
        path.extend(below.iter().map(|&key| Step::from(key)));
        Place::value(self.source, path)
    }

    /// Reports every value that cannot be used as it would be.
    pub fn check(&self, problems: &mut Vec<Finding>) {
        let raw = &*self.raw;
        let mut bad = |below: &[&str], expected: &str, found: &str| {
            problems.push(check::bad_value(expected, found, self.source, &self.base, below));
        };
        for (path, field, expected, holds) in TEXTS {
            if let Some(found) = field(raw).filter(|found| !holds(found)) {
                bad(path, expected, found);
            }
        }
        let lists = [
            (
                &["restrict_notrust"],
                raw.restrict_notrust.as_ref(),
                "addresses",
                words as fn(&str) -> bool,
            ),
            (
                &["ntp_conf"],
                raw.ntp_conf.as_ref(),
                "lines of the configuration",
                lines,
            ),
        ];
        for (path, list, expected, holds) in lists {
            for found in list
                .iter()
                .flat_map(|OneOrMany(items)| items)
                .filter(|item| !holds(item))
            {
                bad(path, expected, found);
            }
        }
        if let Some(keys) = &raw.keys {
            for ids in keys
                .trusted
                .iter()
                .flat_map(|OneOrMany(ids)| ids)
                .filter(|ids| key_ids(ids).is_none())
            {
                bad(
                    &["keys", "trusted"],
                    "key ids from 1 to 65535 (`7` or `3-5`)",
                    ids,
                );
            }
        }
        if raw.ssh.as_ref().is_some_and(|ssh| ssh.port == Some(0)) {
            bad(&["ssh", "port"], "a port from 1 to 65535", "0");
        }
        if let Some(root) = raw.root.as_deref() {
            let on_the_host = raw.connection == Some(RawConnection::Ssh);
            if root.is_empty() || !check::is_line(root) || on_the_host && !root.starts_with('/') {
                bad(&["root"], "a directory; over SSH an absolute one", root);
            }
        }
        if let Some(association) = &raw.association {
            for (field, exponent) in [("minpoll", association.minpoll), ("maxpoll", association.maxpoll)] {
                if let Some(exponent) = exponent.filter(|exponent| !check::POLL.contains(exponent)) {
                    bad(&["association", field], check::POLL_WORDS, &exponent.to_string());
                }
            }
        }
    }
}

fn words(text: &str) -> bool {
    text.split(' ').all(check::is_word)
}

fn lines(text: &str) -> bool {
    text.lines().all(check::is_line)
}

/// The key ids that `7` or `3-5` stands for.
pub fn key_ids(text: &str) -> Option<std::ops::RangeInclusive<u32>> {
    let number = |text: &str| text.trim().parse().ok().filter(|id| (1..=65535).contains(id));
    match text.split_once('-') {
        Some((first, last)) => Some(number(first)?..=number(last)?).filter(|ids| !ids.is_empty()),
        None => number(text).map(|id| id..=id),
    }
}
