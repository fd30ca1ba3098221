//! One look: what is sent, and what comes back before anything is judged.

use super::super::PhaseError;
use super::super::payload::{self, Prelude};
use super::super::phase::{failure, garbled};
use super::super::reply::{Reply, moment, number};
use super::Verification;
use super::log::offset_seconds;
use crate::foreign;
use crate::inventory::Implementation;
use crate::remote::{Remote, Script};
use crate::secret::Secret;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;
use time::OffsetDateTime;

const TEXT: &str = concat!(
    include_str!("../../remote/scripts/guard.sh"),
    include_str!("../scripts/common.sh"),
    include_str!("../scripts/evidence.sh"),
    include_str!("../scripts/verify.sh")
);

/// Longest time for one look. ntpq gives a daemon that does not answer about ten seconds.
pub(super) const LIMIT: Duration = Duration::from_secs(90);

/// A process of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) pid: u32,
    /// Seconds since its start, where the host tells them.
    pub(super) age: Option<i64>,
}

/// A file or directory that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) path: String,
    /// Why, where it is there: `scripts/evidence.sh` reads nothing as root that somebody else could have put there.
    pub(super) because: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The host's clock, Unix seconds.
    pub(super) clock: i64,
    /// The controller's when it was asked.
    pub(super) asked: i64,
    /// And when the answer came.
    pub(super) here: i64,
    /// Seconds its local time is ahead of UTC.
    pub(super) zone: i64,
    /// Daemons there are, of either name.
    pub(super) processes: Vec<Process>,
    /// The query program that is missing.
    pub(super) absent: Option<String>,
    /// Where the log was found.
    pub(super) log: Option<String>,
    /// What the inventory or the configuration names and nobody has read: the log, cryptostats.
    pub(super) unread: Vec<Unread>,
    /// Outputs by name.
    pub(super) parts: HashMap<String, String>,
}

impl Seen {
    /// The host's clock minus the controller's, where the time the look took does not explain it.
    pub(super) fn offset(&self) -> Option<i64> {
        /// Whole seconds on both sides.
        const COARSE: i64 = 2;
        if self.clock < self.asked - COARSE {
            Some(self.clock - self.asked)
        } else if self.clock > self.here + COARSE {
            Some(self.clock - self.here)
        } else {
            None
        }
    }

    /// When the youngest of its daemons started, by its clock.
    pub(super) fn started(&self, name: &str) -> Option<i64> {
        let own = self.processes.iter().filter(|process| process.name == name);
        own.filter_map(|process| Some(self.clock - process.age?)).max()
    }

    /// Whether the host finds that address under the name.
    pub(super) fn resolves(&self, name: &str, address: &str) -> bool {
        let mut lines = self.part("resolved").unwrap_or_default().lines();
        lines.any(|line| line.split_once(' ') == Some((name, address)))
    }

    pub(super) fn part(&self, name: &str) -> Option<&str> {
        self.parts.get(name).map(String::as_str)
    }
}

/// The name of an implementation's daemon.
pub(super) fn program(implementation: Implementation) -> &'static str {
    match implementation {
        Implementation::Chrony => "chronyd",
        Implementation::NtpOrg | Implementation::Ntpsec | Implementation::Openvms => "ntpd",
    }
}

pub(super) async fn ask(
    host: &impl Remote,
    what: &Verification,
    since: Option<i64>,
    limit: Duration,
) -> Result<Seen, PhaseError> {
    let script = Script {
        text: TEXT,
        facts: Prelude::default().facts(&what.site)?,
        input: Secret::from(input(what, since)?),
        limit,
    };
    let asked = OffsetDateTime::now_utc().unix_timestamp();
    let output = host.run(script).await?;
    if output.status != 0 {
        return Err(failure(&output));
    }
    let mut seen = read(output.stdout.expose()).map_err(|why| garbled(&why))?;
    seen.asked = asked;
    seen.here = OffsetDateTime::now_utc().unix_timestamp();
    Ok(seen)
}

fn input(what: &Verification, since: Option<i64>) -> Result<String, PhaseError> {
    let mut input = String::new();
    let _ = writeln!(input, "daemon {}", program(what.implementation));
    for path in &what.conf {
        let _ = writeln!(input, "conf {}", payload::path(path)?);
    }
    if let Some(log) = &what.log {
        let _ = writeln!(input, "log {}", payload::path(log)?);
    }
    for name in what
        .promised
        .iter()
        .filter_map(|promised| promised.expected.name())
    {
        let _ = writeln!(input, "server {name}");
    }
    if let Some(since) = since {
        let _ = writeln!(input, "since {since}");
    }
    input.push_str("end\n");
    Ok(input)
}

pub(super) fn read(stdout: &[u8]) -> Result<Seen, String> {
    let mut reply = Reply::open(stdout)?;
    let mut seen = Seen::default();
    loop {
        let line = reply.line()?;
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "end" => return Ok(seen),
            "clock" => seen.clock = moment(rest)?,
            "zone" => seen.zone = offset_seconds(rest).unwrap_or(0),
            "process" => seen.processes.push(process(rest)?),
            "absent" => seen.absent = Some(rest.to_owned()),
            "log" => seen.log = Some(rest.to_owned()),
            "unread" => seen.unread.push(Unread {
                path: rest.to_owned(),
                because: None,
            }),
            "because" => {
                let last = seen.unread.last_mut().ok_or("a reason without a file")?;
                last.because = Some(rest.to_owned());
            }
            "part" => {
                let (name, size) = rest.split_once(' ').ok_or("a part without a size")?;
                // Names of servers and files come from elsewhere and need not be UTF-8.
                let text = String::from_utf8_lossy(reply.bytes(number(size)?)?);
                let text = foreign::lines(&text).into_owned();
                seen.parts.insert(name.to_owned(), text);
            }
            _ => return Err(format!("'{}' was not expected", line.escape_debug())),
        }
    }
}

fn process(text: &str) -> Result<Process, String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [name, pid, age] = words[..] else {
        return Err(format!("'{}' is no process", text.escape_debug()));
    };
    Ok(Process {
        name: name.to_owned(),
        pid: number(pid)?,
        age: moment(age).ok(),
    })
}
