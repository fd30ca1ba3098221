//! What was done with the generations: runs, their result on every host, and where each host stands.

use super::books::Books;
use super::error::Result;
use super::generation_id::GenerationId;
use super::head::Reading;
use super::ledger::{BROUGHT, RESULTS, RUNS, STANDING, Tally};
use super::model::{code, from_code};
use super::runs::{RunId, RunInfo, generation, run};
use super::{Error, Vault};
use rusqlite::Row;
use std::collections::HashMap;

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
        let mut books = self.books()?;
        books.put(
            &RUNS,
            "INSERT INTO runs (command, operator, generation, started, results, sum) VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            (
                run.command,
                run.operator,
                run.generation.map(|id| id.0),
                run.started,
                Tally::default().sum(),
            ),
        )?;
        let id = RunId(books.last());
        books.commit()?;
        Ok(id)
    }

    /// Records results of hosts in one transaction; a later result of a host in the same run replaces the
    /// earlier. Gather some: each call waits for the disk.
    pub fn record(&mut self, run: RunId, results: &[HostResult]) -> Result<()> {
        let mut books = self.books()?;
        for result in results {
            books.record(run, result)?;
        }
        // What the run's results add up to is kept with the run.
        let tally = books.tally(&RESULTS);
        books.account(&RESULTS, Tally::default());
        books.change_run(run, "results = results + ?2, sum = ?3", |known| {
            let sum = known.plus(tally);
            (tally.rows.cast_signed(), sum.sum())
        })?;
        books.commit()
    }

    /// Records that a run has ended, and how, in a few words.
    pub fn end_run(&mut self, run: RunId, outcome: &str, at: i64) -> Result<()> {
        let mut books = self.books()?;
        books.change_run(run, "ended = ?2, outcome = ?3", |_| (at, outcome))?;
        books.commit()
    }

    /// Every run, oldest first.
    pub fn runs(&self) -> Result<Vec<RunInfo>> {
        self.reading()?.rows(&RUNS, |row| Ok(run(row)?.0))
    }

    /// The results of a run, by host name.
    pub fn results(&self, run: RunId) -> Result<Vec<HostResult>> {
        let reading = self.reading()?;
        let runs = reading.rows(&RUNS, self::run)?;
        let Some((_, known)) = runs.into_iter().find(|(info, _)| info.id == run) else {
            return Ok(Vec::new());
        };
        let hosts = reading.host_names()?;
        let rows = reading.of_run(run, known, |row| {
            let word: String = row.get(3)?;
            let outcome = from_code(&OUTCOMES, &word);
            Ok((
                HostResult {
                    host: hosts
                        .get(&row.get(1)?)
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    outcome: outcome.unwrap_or(Outcome::Failed),
                    generation: generation(row, 2)?,
                    detail: row.get(4)?,
                    at: row.get(5)?,
                },
                outcome.is_none().then_some(word),
            ))
        })?;
        let mut results = rows
            .into_iter()
            .map(|(result, unknown)| match unknown {
                None => Ok(result),
                Some(word) => Err(Error::Corrupt {
                    path: self.path.clone(),
                    why: format!("'{}' is no outcome of a run", word.escape_debug()),
                }),
            })
            .collect::<Result<Vec<_>>>()?;
        results.sort_unstable_by(|one, other| one.host.cmp(&other.host));
        Ok(results)
    }

    /// When each host was changed to a generation from this one on. Known for good where a GQ key in force came with it; else as far
    /// as no generation was pruned.
    pub fn brought(&self, since: GenerationId) -> Result<HashMap<Box<str>, Brought>> {
        let reading = self.reading()?;
        let hosts = reading.host_names()?;
        let rows = reading.rows(&BROUGHT, |row| {
            let (first, last) = (row.get(2)?, row.get(3)?);
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, u32>(1)?,
                Brought { first, last },
            ))
        })?;
        let mut brought: HashMap<Box<str>, Brought> = HashMap::new();
        for (host, generation, at) in rows {
            if generation < since.0 {
                continue;
            }
            let Some(host) = hosts.get(&host) else { continue };
            let known = brought.entry(host.clone()).or_insert(at);
            known.first = known.first.min(at.first);
            known.last = known.last.max(at.last);
        }
        Ok(brought)
    }

    /// When each host was last changed, brought to a generation or taken back; Unix seconds.
    pub fn changed(&self) -> Result<HashMap<Box<str>, i64>> {
        let standing = self.standing()?.into_iter();
        Ok(standing
            .filter_map(|(host, (_, changed))| Some((host, changed?)))
            .collect())
    }

    /// Where every host stands that was ever brought to a generation.
    pub fn applied(&self) -> Result<HashMap<Box<str>, Applied>> {
        let standing = self.standing()?.into_iter();
        Ok(standing
            .filter_map(|(host, (applied, _))| Some((host, applied?)))
            .collect())
    }

    fn standing(&self) -> Result<HashMap<Box<str>, Standing>> {
        let reading = self.reading()?;
        let hosts = reading.host_names()?;
        let rows = reading.rows(&STANDING, |row| Ok((row.get::<_, i64>(0)?, standing(row)?)))?;
        Ok(rows
            .into_iter()
            .filter_map(|(host, stands)| Some((hosts.get(&host)?.clone(), stands)))
            .collect())
    }
}

impl Books<'_> {
    /// Keeps the result of a host, and what it means for where the host stands. The results are accounted for in
    /// [`RESULTS`], for the caller to put with their run.
    pub(super) fn record(&mut self, run: RunId, result: &HostResult) -> Result<()> {
        let host = self.host(&result.host)?;
        let generation = result.generation.map(|id| id.0);
        self.take(&RESULTS, "run = ?1 AND host = ?2", (run.0, host), |_| Ok(true))?;
        self.put(
            &RESULTS,
            "INSERT OR REPLACE INTO results VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                run.0,
                host,
                generation,
                result.outcome.word(),
                &result.detail,
                result.at,
            ),
        )?;
        let stands = !matches!(result.outcome, Outcome::Staged | Outcome::Unreachable);
        let applied = generation.filter(|_| stands).map(|generation| Applied {
            generation: GenerationId(generation),
            run,
            at: result.at,
        });
        let changes = matches!(result.outcome, Outcome::Applied | Outcome::RolledBack);
        if applied.is_some() || changes {
            self.stand(host, applied, changes.then_some(result.at))?;
        }
        if let (Outcome::Applied, Some(generation)) = (result.outcome, generation) {
            self.bring(host, generation, result.at)?;
        }
        Ok(())
    }

    pub(super) fn stand(&mut self, host: i64, applied: Option<Applied>, changed: Option<i64>) -> Result<()> {
        let select = format!("SELECT {} FROM standing WHERE host = ?1", STANDING.columns);
        let (was, before) = self.one(&select, [host], standing)?.unwrap_or_default();
        self.take(&STANDING, "host = ?1", [host], |_| Ok(true))?;
        let stands = applied.or(was);
        self.put(
            &STANDING,
            "INSERT OR REPLACE INTO standing VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                host,
                stands.map(|stands| stands.generation.0),
                stands.map(|stands| stands.run.0),
                stands.map(|stands| stands.at),
                changed.max(before),
            ),
        )?;
        Ok(())
    }

    pub(super) fn bring(&mut self, host: i64, generation: u32, at: i64) -> Result<()> {
        let of = "host = ?1 AND generation = ?2";
        let known: Option<(i64, i64)> = self.one(
            &format!("SELECT first, last FROM brought WHERE {of}"),
            (host, generation),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (first, last) = known.map_or((at, at), |(first, last)| (first.min(at), last.max(at)));
        self.take(&BROUGHT, of, (host, generation), |_| Ok(true))?;
        self.put(
            &BROUGHT,
            "INSERT OR REPLACE INTO brought VALUES (?1, ?2, ?3, ?4)",
            (host, generation, first, last),
        )?;
        Ok(())
    }

    /// Changes the row of a run. `values` are `?2` and `?3` of `set`, given what its results add up to.
    pub(super) fn change_run<A: rusqlite::ToSql, B: rusqlite::ToSql>(
        &mut self,
        run: RunId,
        set: &str,
        values: impl FnOnce(Tally) -> (A, B),
    ) -> Result<()> {
        let select = format!("SELECT {} FROM runs WHERE id = ?1", RUNS.columns);
        let known = self.one(&select, [run.0], self::run)?;
        let tally = known.map(|(_, tally)| tally).unwrap_or_default();
        self.take(&RUNS, "id = ?1", [run.0], |_| Ok(true))?;
        let (second, third) = values(tally);
        self.put(
            &RUNS,
            &format!("UPDATE runs SET {set} WHERE id = ?1"),
            (run.0, second, third),
        )?;
        Ok(())
    }
}

impl Reading<'_> {
    /// The results of a run, which add up to what the run says.
    pub(super) fn of_run<T>(
        &self,
        run: RunId,
        known: Tally,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.some(&RESULTS, ("WHERE run = ?1", [run.0]), known, read)
    }
}

/// Where a host stands, and when it was last changed.
type Standing = (Option<Applied>, Option<i64>);

/// A row of [`STANDING`].
fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let applied = match (generation(row, 1)?, row.get(2)?, row.get(3)?) {
        (Some(generation), Some(run), Some(at)) => Some(Applied {
            generation,
            run: RunId(run),
            at,
        }),
        _ => None,
    };
    Ok((applied, row.get(4)?))
}
