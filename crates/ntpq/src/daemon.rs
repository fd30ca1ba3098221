//! Whether the daemon runs, from its log and its answer to `as`.

use super::error::{ReadError, Refusal};
use super::log::DaemonLog;
use super::table::AssociationRow;
use super::trouble::Trouble;
use std::fmt;

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonState {
    /// Answers, and has associations.
    Running {
        /// How many.
        associations: usize,
    },
    /// Answers, but has no association at all; what its log says of its configuration, if anything.
    Idle(Option<Trouble>),
    /// Ended since its last start.
    Ended(Trouble),
    /// Does not answer, and its log does not tell why.
    NoAnswer(Refusal),
    /// Its answer could not be read.
    Unreadable(ReadError),
}

impl fmt::Display for DaemonState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { associations: 1 } => write!(f, "runs with 1 association"),
            Self::Running { associations } => write!(f, "runs with {associations} associations"),
            Self::Idle(None) => write!(f, "runs, but has no association"),
            Self::Idle(Some(trouble)) => write!(f, "runs, but has no association: {trouble}"),
            Self::Ended(trouble) => write!(f, "ended: {trouble}"),
            Self::NoAnswer(refusal) => write!(f, "{refusal}"),
            Self::Unreadable(error) => write!(f, "gave an answer that cannot be read: {error}"),
        }
    }
}

/// Tells whether the daemon runs. `table` is the answer to `as`, `None` where it was not asked.
pub fn daemon_state(log: &DaemonLog, table: Option<&Result<Vec<AssociationRow>, ReadError>>) -> DaemonState {
    match (table, log.end()) {
        (Some(Ok(rows)), _) if !rows.is_empty() => DaemonState::Running {
            associations: rows.len(),
        },
        (Some(Ok(_)), _) => {
            let configuration = |t: &&Trouble| matches!(t, Trouble::Syntax { .. });
            DaemonState::Idle(log.troubles().find(configuration).cloned())
        }
        (_, Some(end)) => DaemonState::Ended(end.clone()),
        (Some(Err(ReadError::Refused(refusal))), None) => DaemonState::NoAnswer(refusal.clone()),
        (Some(Err(error)), None) => DaemonState::Unreadable(error.clone()),
        (None, None) => DaemonState::NoAnswer(Refusal::Other("nothing was asked of it".to_owned())),
    }
}
