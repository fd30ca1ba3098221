//! Removing the media of generations that nobody needs any more.

use super::error::{Error, Result};
use super::history::{Outcome, RunId};
use super::model::{GenerationId, GenerationInfo, SecretKind};
use super::{Vault, schema};
use crate::media::GroupScheme;
use rusqlite::TransactionBehavior;
use std::collections::BTreeSet;

/// `kept` are the results that [`Vault::changed`] and [`Vault::brought`] answer from, however old: of each host the last change, and
/// the first and last since a GQ key in force came. `?1` and `?2` are the outcomes of a change, `?3` is the kind of such a key.
const KEPT: &str = "WITH keys AS (SELECT DISTINCT since FROM secrets WHERE kind = ?3 AND until IS NULL),
    brought AS (SELECT r.host, r.at, k.since FROM results r JOIN keys k ON r.generation >= k.since WHERE r.outcome = ?1),
    kept AS (SELECT host, max(at) FROM results WHERE outcome IN (?1, ?2) GROUP BY host
        UNION SELECT host, min(at) FROM brought GROUP BY host, since
        UNION SELECT host, max(at) FROM brought GROUP BY host)";
/// What is said of a run whose results are gone, after how it ended.
const REMOVED: &str = "; results removed";
/// Which results go: those of runs up to `?4`, but for these.
const FORGOTTEN: &str = "run <= ?4 AND NOT (outcome IN (?1, ?2) AND (host, at) IN kept)";

fn forgotten(last: RunId) -> (&'static str, &'static str, &'static str, i64) {
    let gq = SecretKind::Group(GroupScheme::Gq).code();
    (Outcome::Applied.word(), Outcome::RolledBack.word(), gq, last.0)
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    /// Files' contents.
    pub files: usize,
    /// Versions of secrets.
    pub secrets: usize,
}

impl Vault {
    /// The generations that may go, oldest first: all but the latest `keep`, and, with `before` (Unix seconds), only those made
    /// earlier. Never the one in force, one in which some host stands that `exists`, or the one before any of these: the way back.
    pub fn prunable(
        &self,
        keep: usize,
        before: Option<i64>,
        exists: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<GenerationId>> {
        let applied = self.applied()?;
        let hosts = applied.iter().filter(|(host, _)| exists(host));
        let stand: BTreeSet<GenerationId> = hosts.map(|(_, stands)| stands.generation).collect();
        Ok(prunable(&self.generations()?, &stand, keep, before))
    }

    /// The runs that would lose their results if only the latest `keep` kept theirs, and how many results that are.
    pub fn prunable_results(&self, keep: usize) -> Result<(Vec<RunId>, usize)> {
        let runs = self.runs()?;
        let old: Vec<RunId> = runs.iter().rev().skip(keep).rev().map(|run| run.id).collect();
        let Some(last) = old.last() else {
            return Ok((old, 0));
        };
        let counts = self.all(
            &format!("{KEPT} SELECT run, count(*) FROM results WHERE {FORGOTTEN} GROUP BY run ORDER BY run"),
            forgotten(*last),
            |row| Ok((RunId(row.get(0)?), row.get::<_, i64>(1)?)),
        )?;
        let results = counts
            .iter()
            .map(|(_, count)| usize::try_from(*count).unwrap_or(0))
            .sum();
        Ok((counts.into_iter().map(|(run, _)| run).collect(), results))
    }

    /// Removes the results of runs and of those before, host by host, but for what [`Vault::changed`] and [`Vault::brought`] answer
    /// from; that the runs were, and how they ended, stays, with a word that results were removed. The file becomes smaller
    /// with [`Vault::compact`].
    pub fn prune_results(&mut self, runs: &[RunId]) -> Result<()> {
        let path = self.path.clone();
        let Some(last) = runs.iter().max() else {
            return Ok(());
        };
        let write = |db: &mut rusqlite::Connection| {
            let writing = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let delete = format!("{KEPT} DELETE FROM results WHERE {FORGOTTEN}");
            writing.execute(&delete, forgotten(*last))?;
            for run in runs {
                writing
                    .prepare_cached("UPDATE runs SET outcome = outcome || ?2 WHERE id = ?1 AND outcome NOT LIKE '%' || ?2")?
                    .execute((run.0, REMOVED))?;
            }
            writing.commit()
        };
        write(&mut self.db).map_err(|error| schema::sqlite(&path, error))
    }

    /// Removes the media that belong to none but these generations. Their names stay, and what was done with them
    /// ([`Vault::runs`]). One transaction; `now` in Unix seconds. The file becomes smaller with [`Vault::compact`].
    pub fn prune(&mut self, generations: &[GenerationId], now: i64) -> Result<Pruned> {
        let path = self.path.clone();
        let mut remove = || {
            // What is removed has nobody who refers to it. The database would make sure by reading all placements
            // for each file; it does so once, at the end.
            self.db.pragma_update(None, "foreign_keys", false)?;
            let writing = self
                .db
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let stamp: Option<u32> = writing.query_row(
                "SELECT max(stamp) FROM (
                     SELECT max(filestamp) AS stamp FROM artifacts WHERE kind = 'cert'
                     UNION ALL SELECT max(filestamp) FROM secrets
                     UNION ALL SELECT max(last_filestamp) FROM generations)",
                [],
                |row| row.get(0),
            )?;
            for generation in generations {
                writing.execute(
                    "UPDATE generations SET pruned = ?2, last_filestamp = ?3 WHERE id = ?1 AND pruned IS NULL",
                    (generation.0, now, stamp),
                )?;
            }
            let unneeded = "until IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM generations WHERE pruned IS NULL AND id >= since AND id < until)";
            writing.execute(&format!("DELETE FROM placements WHERE {unneeded}"), [])?;
            let files = writing.execute(
                "DELETE FROM contents WHERE artifact NOT IN (SELECT artifact FROM placements)",
                [],
            )?;
            writing.execute(
                "DELETE FROM artifacts WHERE id NOT IN (SELECT artifact FROM placements)",
                [],
            )?;
            let values = format!(
                "DELETE FROM secret_values WHERE secret IN (SELECT id FROM secrets WHERE {unneeded})"
            );
            let secrets = writing.execute(&values, [])?;
            writing.execute(&format!("DELETE FROM secrets WHERE {unneeded}"), [])?;
            let broken: i64 =
                writing.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
                    row.get(0)
                })?;
            if broken > 0 {
                return Ok(None);
            }
            writing.commit()?;
            Ok(Some((files, secrets)))
        };
        let removed = remove();
        let sqlite = |error| schema::sqlite(&path, error);
        self.db
            .pragma_update(None, "foreign_keys", true)
            .map_err(sqlite)?;
        let Some((files, secrets)) = removed.map_err(sqlite)? else {
            return Err(Error::Corrupt {
                path,
                why: "something refers to what nobody needs".into(),
            });
        };
        Ok(Pruned { files, secrets })
    }
}

fn prunable(
    all: &[GenerationInfo],
    stand: &BTreeSet<GenerationId>,
    keep: usize,
    before: Option<i64>,
) -> Vec<GenerationId> {
    let there: Vec<&GenerationInfo> = all.iter().filter(|info| info.pruned.is_none()).collect();
    let in_use = |at: usize| at + 1 >= there.len() || stand.contains(&there[at].id);
    let needed = |at: usize| {
        in_use(at)
            // The way back.
            || in_use(at + 1)
            || there.len() - at <= keep
            || before.is_some_and(|before| there[at].created >= before)
    };
    (0..there.len())
        .filter(|&at| !needed(at))
        .map(|at| there[at].id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn generation(id: u32, created: i64, pruned: bool) -> GenerationInfo {
        GenerationInfo {
            id: GenerationId(id),
            created,
            note: String::new(),
            inventory: Digest::of(b""),
            pruned: pruned.then_some(0),
        }
    }

    fn left(all: &[GenerationInfo], stand: &[u32], keep: usize, before: Option<i64>) -> Vec<u32> {
        let stand = stand.iter().copied().map(GenerationId).collect();
        let gone = prunable(all, &stand, keep, before);
        let left = all
            .iter()
            .filter(|info| info.pruned.is_none() && !gone.contains(&info.id));
        left.map(|info| info.id.0).collect()
    }

    #[test]
    fn what_is_in_use_and_the_way_back_stay() {
        let all: Vec<_> = (1..=8)
            .map(|id| generation(id, i64::from(id) * 100, id == 1))
            .collect();
        assert_eq!(left(&all, &[8], 1, None), [7, 8]);
        assert_eq!(left(&all, &[8], 3, None), [6, 7, 8]);
        // A host that was away stands in 4: that one and the one before it.
        assert_eq!(left(&all, &[4, 8], 1, None), [3, 4, 7, 8]);
        // The first that is left has none before it.
        assert_eq!(left(&all, &[2], 0, None), [2, 7, 8]);
        assert_eq!(left(&all, &[8], 1, Some(400)), [4, 5, 6, 7, 8]);
        assert_eq!(left(&all[..1], &[], 0, None), [0u32; 0]);
        assert_eq!(left(&all[1..2], &[], 0, None), [2]);
    }
}
