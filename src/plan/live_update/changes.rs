//! What differs between configuration files, as what the daemon that runs on those of before is told.

use crate::inventory::Implementation;
use crate::secret::Secret;
use std::collections::BTreeSet;
use std::fmt;

/// One thing a running daemon is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Read the key file again. Keys that are not in it any more are gone.
    Reread,
    /// Trust these key ids, spelled as on the line of the configuration. Those it trusts already stay so; of what is trusted no
    /// more the key is gone.
    Trust {
        /// Ids.
        ids: String,
    },
    /// Make an association anew. The one that is there goes first: while there is one with that address, an ntpd says yes and
    /// changes nothing (measured).
    Anew {
        /// The server's address, or name, as its line says.
        server: String,
        /// Its line.
        line: String,
    },
    /// Take ntpdc's orders by another key from now on (ntp.org alone).
    Request {
        /// Its id.
        id: String,
    },
    /// Take orders by another key from now on.
    Control {
        /// Its id.
        id: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reread => f.write_str("read the key file again"),
            Self::Trust { ids } => write!(f, "trustedkey {ids}"),
            Self::Anew { line, .. } => f.write_str(line),
            Self::Request { id } => write!(f, "requestkey {id}"),
            Self::Control { id } => write!(f, "controlkey {id}"),
        }
    }
}

/// A configuration file that is replaced.
#[derive(Debug, Clone, Copy)]
pub struct Conf<'a> {
    /// What stood there; `None`: there was no such file.
    pub before: Option<&'a Secret>,
    /// What will.
    pub after: &'a Secret,
}

/// What differs. `Err`: what only a start reads.
pub fn changes(daemon: Implementation, confs: &[Conf<'_>]) -> Result<Vec<Change>, String> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for file in confs {
        before.extend(file.before.map(lines).transpose()?.unwrap_or_default());
        after.extend(lines(file.after)?);
    }
    let mut gone = without(&before, &after);
    let mut trust = Vec::new();
    let mut changes = Vec::new();
    for line in without(&after, &before) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let startup = || Err(startup(words.first().unwrap_or(&"")));
        let same = |other: &[&str]| differs_in_keys_only(daemon, other, &words);
        let word = words.first().copied().unwrap_or_default();
        let Some(at) = gone.iter().position(|line| {
            let other: Vec<&str> = line.split_ascii_whitespace().collect();
            other.first() == words.first() && (!is_association(word) || same(&other))
        }) else {
            return startup();
        };
        let ntpd = daemon != Implementation::Chrony;
        let rest = words[1..].join(" ");
        match word {
            "trustedkey" if ntpd => trust.push(Change::Trust { ids: rest }),
            // Measured on 4.2.8p15: at once, and the former one no more.
            "requestkey" if daemon == Implementation::NtpOrg => changes.push(Change::Request { id: rest }),
            "controlkey" if ntpd => changes.push(Change::Control { id: rest }),
            _ if is_association(word) => changes.push(Change::Anew {
                server: words[1].to_owned(),
                line: words.join(" "),
            }),
            _ => return startup(),
        }
        gone.swap_remove(at);
    }
    if let Some(line) = gone.first() {
        return Err(startup(line.split_ascii_whitespace().next().unwrap_or_default()));
    }
    trust.append(&mut changes);
    Ok(trust)
}

/// The associations of these files that use a key which changed under its id and that are not made anew already.
pub(super) fn keyed<'a>(
    confs: impl Iterator<Item = &'a Secret>,
    changed: &BTreeSet<u16>,
    known: &[Change],
) -> Vec<Change> {
    let lines = confs.filter_map(|content| lines(content).ok()).flatten();
    let mut anew = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let key = words.iter().position(|word| *word == "key");
        let key = key.and_then(|at| words.get(at + 1)?.parse().ok());
        let change = Change::Anew {
            server: words.get(1).copied().unwrap_or_default().to_owned(),
            line: words.join(" "),
        };
        let uses = is_association(words[0]) && key.is_some_and(|key| changed.contains(&key));
        if uses && !known.contains(&change) && !anew.contains(&change) {
            anew.push(change);
        }
    }
    anew
}

fn is_association(word: &str) -> bool {
    word == "server" || word == "peer"
}

/// The same association but for the value of its key, or with Autokey of its `ident`.
fn differs_in_keys_only(daemon: Implementation, before: &[&str], after: &[&str]) -> bool {
    let ident = daemon == Implementation::NtpOrg && after.first() == Some(&"server");
    let value = |at: usize| {
        let option = at.checked_sub(1).and_then(|at| after.get(at));
        option.is_some_and(|option| *option == "key" || (ident && *option == "ident"))
    };
    before.len() == after.len()
        && before
            .iter()
            .zip(after)
            .enumerate()
            .all(|(at, (before, after))| before == after || (at > 2 && value(at)))
}

/// The lines a daemon reads.
pub(super) fn lines(file: &Secret) -> Result<Vec<&str>, String> {
    let text = file
        .expose_str()
        .ok_or_else(|| "its configuration holds bytes that are no text".to_owned())?;
    let says = |line: &&str| !line.is_empty() && !line.starts_with(['#', '!', ';', '%']);
    Ok(text.lines().map(str::trim).filter(says).collect())
}

/// Lines of one that are not in the other, each as often as it stands there.
fn without<'a>(one: &[&'a str], other: &[&str]) -> Vec<&'a str> {
    let mut left: Vec<&str> = other.to_vec();
    let mut more = Vec::new();
    for line in one {
        match left.iter().position(|there| there == line) {
            Some(at) => drop(left.swap_remove(at)),
            None => more.push(*line),
        }
    }
    more
}

fn startup(word: &str) -> String {
    format!(
        "its `{}` lines change, which it reads only at its start",
        word.escape_debug()
    )
}
