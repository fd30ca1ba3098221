//! What is told, as a shell command for the host.

use super::Change;
use crate::inventory::Implementation;
use std::fmt::Write as _;
use std::net::IpAddr;

/// What a running daemon is told, and how. Holds nothing secret: the control key is named, and its value is read on the host
/// from the key file that was put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orders {
    /// Whose daemon.
    pub daemon: Implementation,
    /// The key ntpd takes orders by; chronyd takes them from root over its socket.
    pub control: Option<u16>,
    /// The key file, as the daemon names it.
    pub keys: String,
    /// The directory that stands for `/` on the host, or nothing.
    pub root: String,
    /// What, in this order.
    pub changes: Vec<Change>,
}

impl Orders {
    /// A POSIX shell command that gives the orders on the host and asks whether they were taken: what a daemon says to an order
    /// is no proof ("Config Succeeded", "200 OK"). Ends with 1 and the reason on its standard output where one was not.
    pub fn command(&self) -> String {
        let chrony = self.daemon == Implementation::Chrony;
        let (daemon, begin) = match self.daemon {
            Implementation::Ntpsec => ("ntpsec", "begin_ntpd"),
            Implementation::Chrony => ("chrony", "begin_chronyd"),
            Implementation::NtpOrg | Implementation::Openvms => ("ntp.org", "begin_ntpd"),
        };
        let control = self.control.map_or(String::new(), |id| id.to_string());
        let mut text = concat!(
            include_str!("../../remote/scripts/guard.sh"),
            include_str!("../scripts/tell.sh")
        )
        .to_owned();
        let _ = writeln!(
            text,
            "daemon={} control={} keys={} root={}\n{begin}",
            quoted(daemon),
            quoted(&control),
            quoted(&self.keys),
            quoted(&self.root)
        );
        let last = self
            .changes
            .iter()
            .rposition(|change| matches!(change, Change::Anew { .. }));
        for (at, change) in self.changes.iter().enumerate() {
            let orders = match (change, chrony) {
                (Change::Reread, true) => "readable chronyd\ntell rekey".to_owned(),
                (Change::Reread, false) => format!(
                    "readable ntpd\norder {}",
                    quoted(&format!("keys \"{}\"", self.keys))
                ),
                (Change::Trust { ids }, false) => format!("order {}", quoted(&format!("trustedkey {ids}"))),
                (Change::Control { id }, false) => format!("order {}", quoted(&format!("controlkey {id}"))),
                (Change::Request { id }, false) => format!("order {}", quoted(&format!("requestkey {id}"))),
                (Change::Trust { .. } | Change::Request { .. } | Change::Control { .. }, true) => continue,
                (Change::Anew { server, line }, true) => format!(
                    "tell {}\ntell {}",
                    quoted(&format!("delete {server}")),
                    quoted(&format!("add {line}"))
                ),
                (Change::Anew { server, line }, false) => format!(
                    "{}order {}\ngone {}\norder {}",
                    // The former one by that name must be found to be told to go.
                    match server.parse::<IpAddr>() {
                        Ok(_) => String::new(),
                        Err(_) => format!("known {}\n", quoted(server)),
                    },
                    quoted(&format!("unpeer {server}")),
                    quoted(server),
                    quoted(line)
                ),
            };
            let _ = writeln!(text, "{orders}");
            if let Change::Anew { server, line } = change
                && Some(at) != last
                // Without it that takes a poll, of minutes maybe.
                && line.split(' ').any(|word| word == "iburst")
            {
                let name = if chrony { "chronyd" } else { "ntpd" };
                let _ = writeln!(text, "heard_{name} {}", quoted(server));
            }
        }
        if chrony {
            text.push_str("has_keys\n");
        }
        for change in &self.changes {
            if let Change::Anew { server, line } = change {
                let _ = writeln!(text, "{}", made(server, line, chrony));
            }
        }
        text
    }
}

/// The question whether the association of a line is there as ordered.
fn made(server: &str, line: &str, chrony: bool) -> String {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let value = |option: &str| {
        let at = words.iter().position(|word| *word == option)?;
        words.get(at + 1)
    };
    if chrony {
        return value("key").map_or_else(|| ":".to_owned(), |key| format!("made_chronyd {}", quoted(key)));
    }
    let mut ask = format!("made_ntpd {}", quoted(server));
    for (option, variable) in [("key", "keyid"), ("ident", "ident")] {
        if let Some(value) = value(option) {
            let _ = write!(
                ask,
                " {}",
                quoted(&format!("{variable}={}", value.trim_matches('"')))
            );
        }
    }
    ask
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
