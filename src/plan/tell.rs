//! Telling a running daemon what has changed, in place of a restart: what differs between its files before and after, as
//! orders ([`changes`]), and the shell command that gives them on the host and asks whether they were taken
//! ([`Telling::command`]).
//!
//! Measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3: all of it works at once and no packet is lost. Nothing of it
//! outlasts the daemon, so the same must stand in its files, and it does: orders are made from the files.

use crate::inventory::Implementation;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};

/// One thing a running daemon is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// Read the key file again. Keys that are not in it any more are gone.
    Reread,
    /// Trust these key ids, spelled as on the line of the configuration. Those it trusts already stay.
    Trust {
        /// Ids.
        ids: String,
    },
    /// End the association with a server.
    Drop {
        /// Its address as on the line.
        address: String,
    },
    /// Make an association. While there is one with that address, the ntpds say yes and change nothing (measured): drop it
    /// first.
    Add {
        /// The line of the configuration, free of secrets.
        line: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reread => f.write_str("read the key file again"),
            Self::Trust { ids } => write!(f, "trust keys {ids}"),
            Self::Drop { address } => write!(f, "drop {address}"),
            Self::Add { line } => f.write_str(line),
        }
    }
}

/// What a running daemon is told, and how. Holds nothing secret: the control key is named, and its value is read on the host
/// from the key file that was put there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telling {
    /// Whose daemon.
    pub daemon: Implementation,
    /// The key ntpd takes orders by; chronyd takes them from root over its socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<u32>,
    /// The key file, absolute on the host.
    pub keys: String,
    /// What, in this order.
    pub changes: Vec<Change>,
}

/// A configuration file that is replaced.
#[derive(Debug, Clone, Copy)]
pub struct Replaced<'a> {
    /// What stood there; `None`: there was no such file.
    pub before: Option<&'a Secret>,
    /// What will.
    pub after: &'a Secret,
}

/// Whether ntpq of ntp.org can be given this key: it takes no digits, only the bytes themselves between quotes (measured), so
/// none of them may end a line or the quotes.
pub fn can_be_typed(key: &Secret) -> bool {
    !key.expose()
        .iter()
        .any(|byte| matches!(byte, 0 | b'\n' | b'\r' | b'"'))
}

impl Telling {
    /// What this daemon is to be told. `keys`: whether the key file changes. `Err`: why it must be restarted.
    pub fn new(
        daemon: Implementation,
        control: Option<(u32, &Secret)>,
        keys_file: &str,
        keys: bool,
        replaced: &[Replaced<'_>],
    ) -> Result<Self, String> {
        let control = match (daemon, control) {
            (Implementation::Openvms, _) => return Err("the daemon of OpenVMS takes no orders".to_owned()),
            (Implementation::Chrony, _) => None,
            (_, None) => {
                return Err(
                    "it has no `keys: { control: ID }`, the key by which ntpd takes orders".to_owned(),
                );
            }
            (Implementation::NtpOrg, Some((id, key))) if !can_be_typed(key) => {
                return Err(format!(
                    "ntpq of ntp.org cannot be given control key {id}: a byte of it would end the line; make it anew by `keytrail rotate symmetric --key {id}`"
                ));
            }
            (_, Some((id, _))) => Some(id),
        };
        if keys_file.contains(|c: char| c == '"' || c.is_control()) {
            return Err("the name of its key file cannot be given to it".to_owned());
        }
        let changes = changes(daemon, keys, replaced)?;
        Ok(Self {
            daemon,
            control,
            keys: keys_file.to_owned(),
            changes,
        })
    }

    /// Whether it makes associations anew: one poll until they have a sample again.
    pub fn switches(&self) -> bool {
        self.changes
            .iter()
            .any(|change| matches!(change, Change::Add { .. }))
    }

    /// A POSIX shell command that gives the orders on the host, as root. Ends with 1 and the reason on its standard output where
    /// the daemon has not taken one. Holds no secret.
    pub fn command(&self) -> String {
        let chrony = self.daemon == Implementation::Chrony;
        let (daemon, begin) = match self.daemon {
            Implementation::Ntpsec => ("ntpsec", "begin_ntpd"),
            Implementation::Chrony => ("chrony", "begin_chronyd"),
            Implementation::NtpOrg | Implementation::Openvms => ("ntp.org", "begin_ntpd"),
        };
        let control = self.control.map_or(String::new(), |id| id.to_string());
        let mut text = include_str!("scripts/tell.sh").to_owned();
        let _ = writeln!(
            text,
            "daemon={} control={} keys={}\n{begin}",
            quoted(daemon),
            quoted(&control),
            quoted(&self.keys)
        );
        for change in &self.changes {
            let orders = match (change, chrony) {
                (Change::Reread, true) => "tell rekey".to_owned(),
                (Change::Reread, false) => format!("order {}", quoted(&format!("keys \"{}\"", self.keys))),
                (Change::Trust { .. }, true) => continue,
                (Change::Trust { ids }, false) => format!("order {}", quoted(&format!("trustedkey {ids}"))),
                (Change::Drop { address }, true) => format!("tell {}", quoted(&format!("delete {address}"))),
                (Change::Drop { address }, false) => {
                    format!("order {}", quoted(&format!("unpeer {address}")))
                }
                (Change::Add { line }, true) => format!("tell {}", quoted(&format!("add {line}"))),
                (Change::Add { line }, false) => format!("order {}", quoted(line)),
            };
            let _ = writeln!(text, "{orders}");
        }
        // What it says to an order is no proof: looked at once all are given.
        if chrony {
            text.push_str("has_keys\n");
        }
        for change in &self.changes {
            let _ = match change {
                Change::Add { line } => writeln!(text, "{}", made(line, chrony)),
                Change::Drop { address } if !chrony && !self.makes(address) => {
                    writeln!(text, "gone_ntpd {}", quoted(address))
                }
                _ => Ok(()),
            };
        }
        text.push_str("echo told\n");
        text
    }

    fn makes(&self, address: &str) -> bool {
        self.changes
            .iter()
            .any(|change| matches!(change, Change::Add { line } if self::address(line) == Some(address)))
    }
}

/// The question whether the association of a line is there as ordered.
fn made(line: &str, chrony: bool) -> String {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let value = |option: &str| {
        let at = words.iter().position(|word| *word == option)?;
        words.get(at + 1)
    };
    if chrony {
        return value("key").map_or_else(|| ":".to_owned(), |key| format!("made_chronyd {}", quoted(key)));
    }
    let mut ask = format!("made_ntpd {}", quoted(address(line).unwrap_or_default()));
    for (option, variable) in [("key", "keyid"), ("ident", "ident")] {
        if let Some(value) = value(option) {
            let value = value.trim_matches('"');
            let _ = write!(ask, " {}", quoted(&format!("{variable}={value}")));
        }
    }
    ask
}

fn address(line: &str) -> Option<&str> {
    line.split_ascii_whitespace().nth(1)
}

/// What differs between configuration files, as orders for the daemon that runs on those of before. `keys`: whether the key
/// file changes too. `Err`: what no order can change.
pub fn changes(daemon: Implementation, keys: bool, replaced: &[Replaced<'_>]) -> Result<Vec<Change>, String> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for file in replaced {
        before.extend(commands(file.before)?);
        after.extend(commands(Some(file.after))?);
    }
    let gone = without(&before, &after);
    let new = without(&after, &before);
    let mut made = Vec::new();
    if keys {
        made.push(Change::Reread);
    }
    let word = |line: &str| {
        line.split_ascii_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let mut dropped = Vec::new();
    for line in &gone {
        match (&*word(line), address(line)) {
            // What it trusts beyond that has no key any more.
            ("trustedkey", _) if daemon != Implementation::Chrony => {}
            ("server" | "peer", Some(address)) if !is_clock(address) => dropped.push(address),
            (other, _) => return Err(startup(other)),
        }
    }
    let mut added = Vec::new();
    for line in &new {
        match (&*word(line), address(line)) {
            ("trustedkey", Some(_)) if daemon != Implementation::Chrony => {
                let ids = line.trim().trim_start_matches("trustedkey").trim().to_owned();
                made.push(Change::Trust { ids });
            }
            ("server" | "peer", Some(address)) if !is_clock(address) => added.push((address, *line)),
            (other, _) => return Err(startup(other)),
        }
    }
    // One server after the other: what a host has of others it has meanwhile.
    for address in &dropped {
        let address = (*address).to_owned();
        let again = added.iter().position(|(other, _)| *other == address);
        made.push(Change::Drop { address });
        if let Some(again) = again {
            let (_, line) = added.remove(again);
            made.push(Change::Add {
                line: line.trim().to_owned(),
            });
        }
    }
    made.extend(added.into_iter().map(|(_, line)| Change::Add {
        line: line.trim().to_owned(),
    }));
    Ok(made)
}

/// The lines a daemon reads.
fn commands(file: Option<&Secret>) -> Result<Vec<&str>, String> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let text = file
        .expose_str()
        .ok_or_else(|| "its configuration holds bytes that are no text".to_owned())?;
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '!', ';', '%']);
    Ok(text.lines().filter(says).collect())
}

/// Lines of one that are not in the other, each as often as it stands there.
fn without<'a>(one: &[&'a str], other: &[&str]) -> Vec<&'a str> {
    let mut left: Vec<&str> = other.to_vec();
    let mut more = Vec::new();
    for line in one {
        match left.iter().position(|there| there.trim() == line.trim()) {
            Some(at) => drop(left.swap_remove(at)),
            None => more.push(*line),
        }
    }
    more
}

fn is_clock(address: &str) -> bool {
    address.starts_with("127.127.")
}

fn startup(word: &str) -> String {
    format!(
        "its `{}` lines change, which it reads only at its start",
        word.escape_debug()
    )
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
#[path = "tell_tests.rs"]
mod tests;
