//! Removing the media of generations that nobody needs any more.

use super::Vault;
use super::error::{Error, Result};
use super::generation_id::GenerationId;
use super::ledger::{ARTIFACTS, BROUGHT, GENERATIONS, PLACEMENTS, RUNS, SECRETS, Tally};
use super::model::{GenerationInfo, SecretKind};
use super::runs::{self, RunId};
use crate::media::GroupScheme;
use std::collections::BTreeSet;

/// What is said of a run whose results are gone, after how it ended.
const REMOVED: &str = "; results removed";

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
        let runs = self.reading()?.rows(&RUNS, runs::run)?;
        let old = runs.iter().rev().skip(keep).rev();
        let old: Vec<_> = old.filter(|(_, results)| results.rows > 0).collect();
        let results: u64 = old.iter().map(|(_, results)| results.rows).sum();
        let runs = old.iter().map(|(run, _)| run.id).collect();
        Ok((runs, usize::try_from(results).unwrap_or(usize::MAX)))
    }

    /// Removes the results of runs, host by host; that the runs were, and how they ended, stays, with a word that results were
    /// removed. What hosts are judged by is kept apart ([`Vault::changed`], [`Vault::brought`]). The file becomes smaller with
    /// [`Vault::compact`].
    pub fn prune_results(&mut self, runs: &[RunId]) -> Result<()> {
        let mut books = self.books()?;
        for run in runs {
            books.run("DELETE FROM results WHERE run = ?1", [run.0])?;
            let set = "results = 0, sum = ?2, outcome = CASE WHEN outcome LIKE '%' || ?3 THEN outcome ELSE outcome || ?3 END";
            books.change_run(*run, set, |_| (Tally::default().sum(), REMOVED))?;
        }
        books.commit()
    }

    /// Removes the media that belong to none but these generations. Their names stay, and what was done with them
    /// ([`Vault::runs`]). One transaction; `now` in Unix seconds. The file becomes smaller with [`Vault::compact`].
    pub fn prune(&mut self, generations: &[GenerationId], now: i64) -> Result<Pruned> {
        // What is removed has nobody who refers to it. The database would make sure by reading all placements
        // for each file; it does so once, at the end.
        self.foreign_keys(false)?;
        let removed = self.remove(generations, now);
        self.foreign_keys(true)?;
        removed
    }

    fn foreign_keys(&self, on: bool) -> Result<()> {
        self.db
            .pragma_update(None, "foreign_keys", on)
            .map_err(|error| self.sqlite(error))
    }

    fn remove(&self, generations: &[GenerationId], now: i64) -> Result<Pruned> {
        let mut books = self.books()?;
        let stamp: Option<u32> = books
            .one(
                "SELECT max(stamp) FROM (
                     SELECT max(filestamp) AS stamp FROM artifacts WHERE kind = 'cert'
                     UNION ALL SELECT max(filestamp) FROM secrets
                     UNION ALL SELECT max(last_filestamp) FROM generations)",
                [],
                |row| row.get(0),
            )?
            .flatten();
        for generation in generations {
            let there = "id = ?1 AND pruned IS NULL";
            books.take(&GENERATIONS, there, [generation.0], |_| Ok(true))?;
            books.put(
                &GENERATIONS,
                &format!("UPDATE generations SET pruned = ?2, last_filestamp = ?3 WHERE {there}"),
                (generation.0, now, stamp),
            )?;
        }
        let unneeded = "until IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM generations WHERE pruned IS NULL AND id >= since AND id < until)";
        books.remove(&PLACEMENTS, unneeded, [])?;
        let files = books.run(
            "DELETE FROM contents WHERE artifact NOT IN (SELECT artifact FROM placements)",
            [],
        )?;
        let nowhere = "id NOT IN (SELECT artifact FROM placements)";
        books.remove(&ARTIFACTS, nowhere, [])?;
        let values =
            format!("DELETE FROM secret_values WHERE secret IN (SELECT id FROM secrets WHERE {unneeded})");
        let secrets = books.run(&values, [])?;
        books.remove(&SECRETS, unneeded, [])?;
        // When a host was brought to a generation is asked from the oldest GQ key in force on.
        let gq = SecretKind::Group(GroupScheme::Gq).code();
        books.remove(
            &BROUGHT,
            "generation IN (SELECT id FROM generations WHERE pruned IS NOT NULL) AND NOT EXISTS (
                SELECT 1 FROM secrets WHERE kind = ?1 AND until IS NULL AND since <= generation)",
            [gq],
        )?;
        let broken: Option<i64> = books.one("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get(0)
        })?;
        if broken != Some(0) {
            return Err(Error::Corrupt {
                path: self.path.clone(),
                why: "dangling reference to pruned data".into(),
            });
        }
        books.commit()?;
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
