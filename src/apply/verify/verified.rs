//! What was found on a host.

use super::{Level, Verification};
use crate::ntpq::{self, Standing, Trouble};
use crate::vault;
use serde::Serialize;

/// A host as its daemon shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The host.
    pub host: String,
    /// Its daemon.
    pub daemon: Daemon,
    /// Whether its clock is set; `None`: it could not be asked.
    pub synchronised: Option<bool>,
    /// Every promised association.
    pub associations: Vec<Checked>,
    /// What else is wrong: complaints of the log, an expired certificate.
    pub worries: Vec<Worry>,
    /// The host's clock minus the controller's, in seconds, where they are so far apart that no round trip explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<i64>,
    /// When it was looked at, by the controller's clock, Unix seconds.
    pub at: i64,
    /// The host serves others.
    pub serves: bool,
    /// The end of the daemon's log since its last start, for failures.
    #[serde(skip)]
    pub(super) log_end: String,
    /// Its daemon is older than the restart it is to have come through.
    #[serde(skip)]
    pub(super) not_restarted: bool,
    /// The program that asks the daemon is not installed.
    #[serde(skip)]
    pub(super) cannot_ask: bool,
}

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Daemon {
    /// Whether it runs.
    pub running: bool,
    /// Whether it answered: without an answer nothing is known of its associations.
    pub answers: bool,
    /// Its own version line, where it was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its processes.
    pub processes: Vec<u32>,
    /// In one sentence, lower case, no full stop.
    pub sentence: String,
    /// Likely causes and what to do now.
    pub help: Vec<String>,
    /// By the host's clock, the latest start of one of its processes, Unix seconds; `None`: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<i64>,
}

/// An association and how it stands to what was promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The comparison.
    #[serde(flatten)]
    pub outcome: ntpq::Outcome,
    /// Whether the host's authentication rests on it; lines without authentication, monitoring and backup are only
    /// reported.
    pub required: bool,
    /// How far its Autokey exchange is.
    #[serde(skip)]
    pub exchange: Exchange,
}

/// How far an Autokey exchange is, for who might disturb it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exchange {
    /// There is none: nothing was begun, it failed, or it is not done by Autokey.
    #[default]
    None,
    /// Under way. What of it is outstanding a server must answer that has the time; one that was just restarted answers with
    /// an error, and the association begins anew (measured on 4.2.8p15).
    UnderWay,
    /// Complete, with the server's signature (SIGN) and the leap seconds (LEAP): a restart of the server is not noticed.
    Complete,
}

/// Something wrong beside daemon and associations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worry {
    /// In one sentence, lower case, no full stop.
    pub sentence: String,
    /// What it means, likely causes, what to do now.
    pub help: Vec<String>,
    /// Keeps the host from working as promised, and is not only worth knowing.
    pub serious: bool,
    /// A daemon ends with it.
    #[serde(skip)]
    pub(super) fatal: bool,
}

impl Verified {
    /// Of a host that was not to be looked at.
    pub(super) fn nothing(what: &Verification) -> Self {
        Self {
            host: what.host.clone(),
            daemon: Daemon {
                running: false,
                answers: false,
                version: None,
                processes: Vec::new(),
                sentence: "not looked at".to_owned(),
                help: Vec::new(),
                started: None,
            },
            synchronised: None,
            associations: Vec::new(),
            worries: Vec::new(),
            clock_offset: None,
            at: 0,
            serves: what.serves,
            log_end: String::new(),
            not_restarted: false,
            cannot_ask: false,
        }
    }

    /// Whether the host stands as promised, as far as `level` asks.
    pub fn stands(&self, level: Level) -> bool {
        match level {
            Level::None => true,
            Level::Start => self.daemon.running,
            Level::Auth => self.trouble(level).is_none(),
        }
    }

    /// What is worth remembering of it in the vault.
    pub fn remembered(&self, level: Level) -> vault::Verified {
        let trouble = self.trouble(level);
        let (met, required) = self.count();
        vault::Verified {
            at: self.at,
            level: level.word().to_owned(),
            good: trouble.is_none(),
            detail: trouble.unwrap_or_else(|| match level {
                Level::Auth => format!("{met} of {required} authenticated"),
                Level::None | Level::Start => self.daemon.sentence.clone(),
            }),
        }
    }

    /// Required associations that are as promised, and how many there should be.
    pub fn count(&self) -> (usize, usize) {
        let required = || self.associations.iter().filter(|checked| checked.required);
        let met = required().filter(|checked| checked.outcome.standing == Standing::Met);
        (met.count(), required().count())
    }

    /// The worst of what is wrong at `level`, in one sentence.
    pub fn trouble(&self, level: Level) -> Option<String> {
        if level == Level::None {
            return None;
        }
        if !self.daemon.running {
            return Some(self.daemon.sentence.clone());
        }
        if level == Level::Start {
            return None;
        }
        if !self.daemon.answers {
            return Some(self.daemon.sentence.clone());
        }
        // The cause of what its associations show, or what they cannot.
        if let Some(worry) = self.worries.iter().find(|worry| worry.serious) {
            return Some(worry.sentence.clone());
        }
        let worst = self
            .associations
            .iter()
            .filter(|checked| checked.required && checked.outcome.standing != Standing::Met)
            .max_by_key(|checked| severity(checked.outcome.standing));
        if let Some(checked) = worst {
            return Some(format!(
                "{}: {}",
                checked.outcome.server, checked.outcome.sentence
            ));
        }
        (self.serves && self.synchronised == Some(false))
            .then(|| "its clock is not set, so nobody can take the time from it".to_owned())
    }
}

impl Worry {
    /// A complaint of the log.
    pub(super) fn of(trouble: &Trouble) -> Self {
        let told = trouble.explanation();
        Self {
            sentence: trouble.to_string(),
            help: told_as_help(&told),
            serious: trouble.fatal(),
            fatal: trouble.fatal(),
        }
    }
}

/// An explanation line by line.
pub(super) fn told_as_help(told: &ntpq::Explanation) -> Vec<String> {
    std::iter::once(told.meaning.to_owned())
        .chain(told.causes.iter().map(|cause| format!("likely: {cause}")))
        .chain(told.remedies.iter().map(|&remedy| remedy.to_owned()))
        .collect()
}

/// Which standing is told first.
fn severity(standing: Standing) -> u8 {
    match standing {
        Standing::Met => 0,
        Standing::Waiting => 1,
        Standing::Stale => 2,
        Standing::Unmet => 3,
    }
}
