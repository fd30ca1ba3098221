//! Why minting could not be planned or done. Nothing is written in either case.

use crate::vocabulary::Refused;
use crate::{media, vault};
use std::fmt;

/// Something that stands in the way, of which there may be many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The host or group.
    pub subject: String,
    /// What is wrong and why.
    pub what: String,
    /// What to do now.
    pub help: Option<String>,
}

impl Problem {
    pub(super) fn new(subject: &str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            what: what.into(),
            help: Some(help.into()),
        }
    }

    pub(super) fn refused(subject: &str, refused: &Refused) -> Self {
        Self::new(subject, refused.to_string(), refused.help.as_str())
    }

    pub(super) fn media(subject: &str, error: &media::Error) -> Self {
        Self {
            subject: subject.into(),
            what: error.to_string(),
            help: error.help().map(str::to_owned),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.what)
    }
}

/// Why nothing was minted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the inventory asks for cannot be made; all of it that was found.
    #[error("{}", list(.0))]
    Impossible(Vec<Problem>),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// The caller said stop.
    #[error("stopped before the media were complete; nothing was kept")]
    Cancelled,
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}
