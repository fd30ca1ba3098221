//! Runs as they are recorded.

use super::generation_id::GenerationId;
use super::ledger::Tally;
use rusqlite::Row;
use rusqlite::types::FromSqlError;

/// Number of a run in its vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub(super) i64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A run as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Its number.
    pub id: RunId,
    /// What was done.
    pub command: String,
    /// Who did it.
    pub operator: String,
    /// The generation it brought to the hosts.
    pub generation: Option<GenerationId>,
    /// When it started, Unix seconds.
    pub started: i64,
    /// When it ended; `None`: it still runs, or was killed.
    pub ended: Option<i64>,
    /// How it ended, in a few words.
    pub outcome: Option<String>,
}

/// A row of the runs, and what the results of the run add up to.
pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<(RunInfo, Tally)> {
    let info = RunInfo {
        id: RunId(row.get(0)?),
        command: row.get(1)?,
        operator: row.get(2)?,
        generation: generation(row, 3)?,
        started: row.get(4)?,
        ended: row.get(5)?,
        outcome: row.get(6)?,
    };
    let tally = Tally::of(row.get(7)?, row.get_ref(8)?.as_blob()?).ok_or(FromSqlError::InvalidType)?;
    Ok((info, tally))
}

pub(super) fn generation(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<GenerationId>> {
    Ok(row.get::<_, Option<u32>>(column)?.map(GenerationId))
}
