//! Changing who can open a vault: the data key sealed to others, or a new data key and every value sealed anew.

use super::books::Books;
use super::error::{Error, Result};
use super::head::Opened;
use super::ledger::{self, RESULTS, RUNS, TABLES};
use super::owners::{Operator, Owners};
use super::read::{CONTENT, SECRET_VALUE, content, secret_value};
use super::runs;
use super::seal::DataKey;
use super::{Vault, identity, schema};
use rayon::prelude::*;
use rusqlite::{Connection, Row};

/// Values sealed anew at a time: what of a vault is in memory at once.
const BATCH: u32 = 1024;

impl Vault {
    /// Seals the vault to `owners` in place of those before. Those that are new get the name `name`; `now` in Unix seconds. The
    /// values stay as they are: whoever could open the vault before and kept its data key can read them still; see
    /// [`Vault::rekey`].
    ///
    /// # Errors
    /// [`Error::LockedOut`] if nobody would be left.
    pub fn set_owners(&mut self, owners: &Owners, name: &str, now: i64) -> Result<()> {
        self.somebody_left(owners)?;
        let known = self.operators()?;
        let sealed = owners.seal(&self.opened()?.data_key)?;
        let mut books = self.books()?;
        books.set_operators(&Operator::named(&sealed.recipients, &known, name, now))?;
        books.run("UPDATE data_key SET age = ?1", [&sealed.age])?;
        books.commit()
    }

    /// Makes a new data key, seals it to `owners` (names as with [`Vault::set_owners`]), and seals every value anew under it, in
    /// one transaction: after a crash at any moment all of it is done or nothing. Gives the number of values. Copies of the file
    /// made before still open with the keys they were sealed to, and so does what was deleted earlier, in free pages of the file:
    /// until [`Vault::compact`].
    ///
    /// # Errors
    /// [`Error::Tampered`] for a value that does not open; [`Error::LockedOut`] if nobody would be left. Nothing is changed.
    pub fn rekey(&mut self, owners: &Owners, name: &str, now: i64) -> Result<u64> {
        self.somebody_left(owners)?;
        let known = self.operators()?;
        let new = DataKey::generate()?;
        let sealed = owners.seal(&new)?;
        let signer = self.opened()?.signer.clone();
        let new = Opened::new(new, signer, sealed.age.clone());
        // Every page with a value changes: they may go to the disk before the commit, the journal has the old ones.
        self.spill(true)?;
        let done = self.seal_under(&new, |books| {
            books.set_operators(&Operator::named(&sealed.recipients, &known, name, now))?;
            books.run("UPDATE data_key SET age = ?1", [&sealed.age]).map(drop)
        });
        let _ = self.spill(false);
        let count = done?;
        self.opened = Some(new);
        Ok(count)
    }

    fn spill(&self, on: bool) -> Result<()> {
        self.db
            .pragma_update(None, "cache_spill", on)
            .map_err(|error| self.sqlite(error))
    }

    fn seal_under(&self, new: &Opened, owners: impl FnOnce(&mut Books<'_>) -> Result<()>) -> Result<u64> {
        let books = self.books()?;
        self.untouched(&books)?;
        let opener = self.opener()?;
        let db = books.db();
        let sqlite = |error| schema::sqlite(&self.path, error);
        let mut count = seal_anew(
            db,
            (
                &format!("{CONTENT} WHERE id > ?1 ORDER BY id LIMIT {BATCH}"),
                content,
            ),
            "UPDATE contents SET sealed = ?2 WHERE artifact = ?1",
            |(artifact, sealed)| {
                let value = opener.content(artifact, sealed)?;
                let row = identity::content(artifact);
                Ok((artifact.id.0, new.data_key.seal(value.expose(), &row)?))
            },
            sqlite,
        )?;
        count += seal_anew(
            db,
            (
                &format!("{SECRET_VALUE} WHERE id > ?1 ORDER BY id LIMIT {BATCH}"),
                secret_value,
            ),
            "UPDATE secret_values SET sealed = ?2 WHERE secret = ?1",
            |(row, sealed)| {
                let value = opener.secret(row, sealed)?;
                Ok((
                    row.version.id.0,
                    new.data_key.seal(value.expose(), &row.identity())?,
                ))
            },
            sqlite,
        )?;
        count += seal_anew(
            db,
            (
                &format!("SELECT id, name, sealed FROM states WHERE id > ?1 ORDER BY id LIMIT {BATCH}"),
                state,
            ),
            "UPDATE states SET sealed = ?2 WHERE id = ?1",
            |(id, name, sealed)| {
                let row = identity::state(name);
                let value = opener
                    .data_key
                    .open(sealed, &row)
                    .ok_or_else(|| opener.tampered(format!("the state '{name}'")))?;
                Ok((*id, new.data_key.seal(value.expose(), &row)?))
            },
            sqlite,
        )?;
        books.run(
            "UPDATE identity SET sealed = ?1",
            [new.signer.seal(&new.data_key)?],
        )?;
        let mut books = books.under(new);
        books.account_for_all()?;
        owners(&mut books)?;
        books.commit()?;
        Ok(count)
    }

    /// That every list is what was written, as it is in this transaction: what follows is taken for it.
    fn untouched(&self, books: &Books<'_>) -> Result<()> {
        let key = books.rows_key();
        for table in TABLES {
            let known = books.tally(table);
            let (_, found) = ledger::rows(
                books.db(),
                &self.path,
                table,
                ("", ()),
                Some(key),
                known.rows,
                |_| Ok(()),
            )?;
            if found != known {
                return Err(self.tampered(table.what));
            }
        }
        Ok(())
    }

    /// Writes the file anew without free pages, and says by how many bytes it became smaller. Takes as much room again for
    /// a moment; whatever happens, the vault is whole.
    pub fn compact(&self) -> Result<u64> {
        let size = || std::fs::metadata(&self.path).map_or(0, |meta| meta.len());
        let before = size();
        self.db
            .execute_batch("VACUUM")
            .map_err(|error| self.sqlite(error))?;
        Ok(before.saturating_sub(size()))
    }

    fn somebody_left(&self, owners: &Owners) -> Result<()> {
        if matches!(owners, Owners::Recipients(names) if names.is_empty()) {
            return Err(Error::LockedOut {
                path: self.path.clone(),
                why: "no recipient would be left",
            });
        }
        Ok(())
    }
}

fn state(row: &Row<'_>) -> rusqlite::Result<(i64, String, Vec<u8>)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

impl Books<'_> {
    /// Accounts for every row as it is now, for a head under another key or a vault without one.
    pub(super) fn account_for_all(&mut self) -> Result<()> {
        let (path, key) = (self.path(), self.rows_key());
        // The results of each run, which the rows of runs account for.
        let (runs, _) = ledger::rows(self.db(), path, &RUNS, ("", ()), None, u64::MAX, runs::run)?;
        for (run, _) in runs {
            let of_run = ("WHERE run = ?1", [run.id.0]);
            let (_, tally) =
                ledger::rows(self.db(), path, &RESULTS, of_run, Some(key), u64::MAX, |_| Ok(()))?;
            self.run(
                "UPDATE runs SET results = ?2, sum = ?3 WHERE id = ?1",
                (run.id.0, tally.rows.cast_signed(), tally.sum()),
            )?;
        }
        for table in TABLES {
            let (_, tally) = ledger::rows(self.db(), path, table, ("", ()), Some(key), u64::MAX, |_| Ok(()))?;
            self.account(table, tally);
        }
        Ok(())
    }
}

/// Seals the values of a table anew, some at a time and on all cores. `anew` gives a row's number and its new value.
fn seal_anew<T: Send + Sync>(
    db: &Connection,
    (select, read): (&str, fn(&Row<'_>) -> rusqlite::Result<T>),
    update: &str,
    anew: impl Fn(&T) -> Result<(i64, Vec<u8>)> + Sync,
    sqlite: impl Fn(rusqlite::Error) -> Error,
) -> Result<u64> {
    let mut last = i64::MIN;
    let mut count = 0;
    loop {
        let rows: Vec<T> = db
            .prepare_cached(select)
            .and_then(|mut select| select.query_map([last], read)?.collect())
            .map_err(&sqlite)?;
        let sealed = rows.par_iter().map(&anew).collect::<Result<Vec<_>>>()?;
        let Some((highest, _)) = sealed.last() else {
            return Ok(count);
        };
        last = *highest;
        for (id, sealed) in &sealed {
            db.prepare_cached(update)
                .and_then(|mut update| update.execute((id, sealed)))
                .map_err(&sqlite)?;
        }
        count += sealed.len() as u64;
    }
}
