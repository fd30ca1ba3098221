//! What was done with the generations: runs, their result on every host, and where each host stands.

use super::error::Result;
use super::model::{GenerationId, code, from_code};
use super::{Error, Vault};
use rusqlite::{Row, TransactionBehavior};
use std::collections::HashMap;

/// Number of a run in its vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub(super) i64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A run about to start.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// What is done ("apply", "rollback").
    pub command: &'a str,
    /// Who does it, e.g. `ann@controller`.
    pub operator: &'a str,
    /// The generation it brings to the hosts.
    pub generation: Option<GenerationId>,
    /// When, Unix seconds.
    pub started: i64,
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

/// How far a run got on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The files are there, nothing uses them yet.
    Staged,
    /// The host is at the generation.
    Applied,
    /// The host was at the generation already.
    Unchanged,
    /// It failed, and the host is back at the generation it had.
    RolledBack,
    /// It failed.
    Failed,
    /// The host could not be reached.
    Unreachable,
}

const OUTCOMES: [(Outcome, &str); 6] = [
    (Outcome::Staged, "staged"),
    (Outcome::Applied, "applied"),
    (Outcome::Unchanged, "unchanged"),
    (Outcome::RolledBack, "rolled-back"),
    (Outcome::Failed, "failed"),
    (Outcome::Unreachable, "unreachable"),
];

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Applied,
        Self::Unchanged,
        Self::Staged,
        Self::RolledBack,
        Self::Failed,
        Self::Unreachable,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        code(&OUTCOMES, self)
    }
}

/// The result of a run on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostResult {
    /// The host.
    pub host: String,
    /// How far it got.
    pub outcome: Outcome,
    /// The generation the host has now, if it is known.
    pub generation: Option<GenerationId>,
    /// Why, for what went wrong. Never anything secret.
    pub detail: String,
    /// When, Unix seconds.
    pub at: i64,
}

/// Where a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The generation it was last brought to.
    pub generation: GenerationId,
    /// By which run.
    pub run: RunId,
    /// When, Unix seconds.
    pub at: i64,
}

/// When a host was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brought {
    /// For the first time, Unix seconds.
    pub first: i64,
    /// For the last time.
    pub last: i64,
}

impl Vault {
    /// Records that a run starts.
    pub fn start_run(&mut self, run: &Run<'_>) -> Result<RunId> {
        self.db
            .execute(
                "INSERT INTO runs (command, operator, generation, started) VALUES (?1, ?2, ?3, ?4)",
                (
                    run.command,
                    run.operator,
                    run.generation.map(|id| id.0),
                    run.started,
                ),
            )
            .map_err(|error| self.sqlite(error))?;
        Ok(RunId(self.db.last_insert_rowid()))
    }

    /// Records results of hosts in one transaction; a later result of a host in the same run replaces the
    /// earlier. Gather some: each call waits for the disk.
    pub fn record(&mut self, run: RunId, results: &[HostResult]) -> Result<()> {
        let path = self.path.clone();
        let write = |db: &mut rusqlite::Connection| {
            let recording = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for result in results {
                recording
                    .prepare_cached("INSERT OR IGNORE INTO hosts (name) VALUES (?1)")?
                    .execute([&result.host])?;
                let host: i64 = recording
                    .prepare_cached("SELECT id FROM hosts WHERE name = ?1")?
                    .query_row([&result.host], |row| row.get(0))?;
                let generation = result.generation.map(|id| id.0);
                recording
                    .prepare_cached("INSERT OR REPLACE INTO results VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                    .execute((
                        run.0,
                        host,
                        generation,
                        result.outcome.word(),
                        &result.detail,
                        result.at,
                    ))?;
                let stands = !matches!(result.outcome, Outcome::Staged | Outcome::Unreachable);
                if let Some(generation) = generation.filter(|_| stands) {
                    recording
                        .prepare_cached("INSERT OR REPLACE INTO applied VALUES (?1, ?2, ?3, ?4)")?
                        .execute((host, generation, run.0, result.at))?;
                }
            }
            recording.commit()
        };
        write(&mut self.db).map_err(|error| super::schema::sqlite(&path, error))
    }

    /// Records that a run has ended, and how, in a few words.
    pub fn end_run(&mut self, run: RunId, outcome: &str, at: i64) -> Result<()> {
        self.db
            .execute(
                "UPDATE runs SET ended = ?2, outcome = ?3 WHERE id = ?1",
                (run.0, at, outcome),
            )
            .map(drop)
            .map_err(|error| self.sqlite(error))
    }

    /// Every run, oldest first.
    pub fn runs(&self) -> Result<Vec<RunInfo>> {
        self.all(
            "SELECT id, command, operator, generation, started, ended, outcome FROM runs ORDER BY id",
            [],
            |row| {
                Ok(RunInfo {
                    id: RunId(row.get(0)?),
                    command: row.get(1)?,
                    operator: row.get(2)?,
                    generation: generation(row, 3)?,
                    started: row.get(4)?,
                    ended: row.get(5)?,
                    outcome: row.get(6)?,
                })
            },
        )
    }

    /// The results of a run, by host name.
    pub fn results(&self, run: RunId) -> Result<Vec<HostResult>> {
        let rows = self.all(
            "SELECT h.name, r.outcome, r.generation, r.detail, r.at FROM results r JOIN hosts h ON h.id = r.host
             WHERE r.run = ?1 ORDER BY h.name",
            [run.0],
            |row| {
                let word: String = row.get(1)?;
                let outcome = from_code(&OUTCOMES, &word);
                Ok((
                    HostResult {
                        host: row.get(0)?,
                        outcome: outcome.unwrap_or(Outcome::Failed),
                        generation: generation(row, 2)?,
                        detail: row.get(3)?,
                        at: row.get(4)?,
                    },
                    outcome.is_none().then_some(word),
                ))
            },
        )?;
        rows.into_iter()
            .map(|(result, unknown)| match unknown {
                None => Ok(result),
                Some(word) => Err(Error::Corrupt {
                    path: self.path.clone(),
                    why: format!("'{word}' is no outcome of a run"),
                }),
            })
            .collect()
    }

    /// When each host was changed to a generation from this one on. Known for good where a GQ key in force came with it; else as far
    /// as the journal was not pruned. Needs no key.
    pub fn brought(&self, since: GenerationId) -> Result<HashMap<Box<str>, Brought>> {
        let rows = self.all(
            "SELECT h.name, min(r.at), max(r.at) FROM results r JOIN hosts h ON h.id = r.host
             WHERE r.outcome = ?1 AND r.generation >= ?2 GROUP BY r.host",
            (Outcome::Applied.word(), since.0),
            |row| {
                let (first, last) = (row.get(1)?, row.get(2)?);
                Ok((row.get(0)?, Brought { first, last }))
            },
        )?;
        Ok(rows.into_iter().collect())
    }

    /// When each host was last changed, brought to a generation or taken back; Unix seconds. Needs no key.
    pub fn changed(&self) -> Result<HashMap<Box<str>, i64>> {
        let rows = self.all(
            "SELECT h.name, max(r.at) FROM results r JOIN hosts h ON h.id = r.host
             WHERE r.outcome IN (?1, ?2) GROUP BY r.host",
            (Outcome::Applied.word(), Outcome::RolledBack.word()),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(rows.into_iter().collect())
    }

    /// Where every host stands that was ever brought to a generation.
    pub fn applied(&self) -> Result<HashMap<Box<str>, Applied>> {
        let rows = self.all(
            "SELECT h.name, a.generation, a.run, a.at FROM applied a JOIN hosts h ON h.id = a.host",
            [],
            |row| {
                Ok((
                    row.get(0)?,
                    Applied {
                        generation: GenerationId(row.get(1)?),
                        run: RunId(row.get(2)?),
                        at: row.get(3)?,
                    },
                ))
            },
        )?;
        Ok(rows.into_iter().collect())
    }
}

fn generation(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<GenerationId>> {
    Ok(row.get::<_, Option<u32>>(column)?.map(GenerationId))
}
