//! How every host ended.

use super::{Phase, PhaseError};
use crate::ntpconf::printable;
use indexmap::IndexMap;
use serde::Serialize;

/// How one host ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// All was done.
    Changed {
        /// Files, links, modes and owners that changed.
        changes: usize,
        /// What the restart command wrote, if it was run.
        #[serde(skip_serializing_if = "Option::is_none")]
        restart: Option<String>,
        /// Why it was run though the running daemon was to be told.
        #[serde(skip_serializing_if = "Option::is_none")]
        untold: Option<String>,
    },
    /// It was reached, and a phase failed.
    Failed {
        /// Which phase.
        phase: Phase,
        /// What and why.
        message: String,
        /// What to do now.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
        /// What the tools on the host said.
        #[serde(skip_serializing_if = "String::is_empty")]
        stderr: String,
    },
    /// A phase failed, and the host is as it was before.
    RolledBack {
        /// Which phase.
        phase: Phase,
        /// What and why.
        message: String,
        /// What to do now.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
        /// What the tools on the host said.
        #[serde(skip_serializing_if = "String::is_empty")]
        stderr: String,
    },
    /// It was not reached, or lost in the middle.
    Unreachable {
        /// Which phase.
        phase: Phase,
        /// Why.
        message: String,
        /// What to do now.
        help: String,
    },
    /// It was not begun, for others were not ready for it; it is as it was, but for media that may have been staged.
    NotReady {
        /// Who is not, and why.
        message: String,
        /// What to do now.
        help: String,
    },
    /// Its turn did not come; it is as it was, but for media that may have been staged.
    NotReached {
        /// Why.
        message: String,
    },
}

impl Outcome {
    pub(super) fn of(phase: Phase, error: PhaseError) -> Self {
        match error {
            PhaseError::Failed {
                message,
                help,
                stderr,
            } => Self::Failed {
                phase,
                message,
                help,
                stderr,
            },
            PhaseError::RolledBack {
                message,
                help,
                stderr,
            } => Self::RolledBack {
                phase,
                message,
                help,
                stderr,
            },
            PhaseError::Unheard { within, .. } => Self::Unreachable {
                phase,
                message: error.to_string(),
                help: format!(
                    "it goes back by itself, files and daemon: at once, or where it does not notice that nobody is there {} s \
                     after it asked. When it can be reached again, run the same command again",
                    within.as_secs()
                ),
            },
            PhaseError::Unreachable(why) => Self::Unreachable {
                phase,
                message: why.to_string(),
                help: why.help().to_owned(),
            },
        }
    }

    /// Whether the host is as it should be.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Changed { .. })
    }
}

/// Why a host was restarted after all, in words.
pub fn restarted_because(why: &str) -> String {
    let why = printable(&why.split_whitespace().collect::<Vec<_>>().join(" "));
    format!("its daemon was restarted, for it could not be told while it ran: {why}")
}

/// How all hosts ended, in the plan's order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Outcome by host.
    pub hosts: IndexMap<String, Outcome>,
    /// Somebody asked to stop.
    pub cancelled: bool,
}

impl Report {
    /// Whether every host is as it should be: exit status 0, else 1.
    pub fn is_good(&self) -> bool {
        self.hosts.values().all(Outcome::is_good)
    }

    /// How many hosts ended how: `7 changed, 1 rolled back`.
    pub fn counts(&self) -> String {
        let mut counts = [0_usize; 7];
        for outcome in self.hosts.values() {
            counts[match outcome {
                Outcome::Changed { .. } => 0,
                Outcome::Unchanged => 1,
                Outcome::Failed { .. } => 2,
                Outcome::RolledBack { .. } => 3,
                Outcome::Unreachable { .. } => 4,
                Outcome::NotReady { .. } => 5,
                Outcome::NotReached { .. } => 6,
            }] += 1;
        }
        let words = [
            "changed",
            "unchanged",
            "failed",
            "rolled back",
            "unreachable",
            "not ready",
            "not reached",
        ];
        let parts: Vec<String> = counts
            .iter()
            .zip(words)
            .filter(|(count, _)| **count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        parts.join(", ")
    }

    /// Whether no host was changed.
    pub fn is_unchanged(&self) -> bool {
        self.hosts
            .values()
            .all(|outcome| matches!(outcome, Outcome::Unchanged))
    }

    /// Hosts that could not be looked at, added to what became of the others.
    pub fn add_missed(&mut self, missed: impl IntoIterator<Item = (String, PhaseError)>) {
        for (host, error) in missed {
            self.hosts.insert(host, Outcome::of(Phase::Observe, error));
        }
    }

    /// Hosts that were not begun on purpose, each with why, added to what became of the others.
    pub fn add_waiting(&mut self, waiting: impl IntoIterator<Item = (String, String)>) {
        for (host, message) in waiting {
            self.hosts.insert(host, Outcome::NotReached { message });
        }
    }

    /// Nothing was begun, because some hosts could not be looked at.
    pub fn held_up(waiting: impl IntoIterator<Item = String>, missed: Vec<(String, PhaseError)>) -> Self {
        let message = "another host could not be looked at, and nothing was begun".to_owned();
        let waiting = waiting.into_iter().map(|host| {
            (
                host,
                Outcome::NotReached {
                    message: message.clone(),
                },
            )
        });
        let mut report = Self {
            hosts: waiting.collect(),
            cancelled: false,
        };
        report.add_missed(missed);
        report
    }
}
