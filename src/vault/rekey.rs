//! Changing who can open a vault: the data key sealed to others, or a new data key and every value sealed anew.

use super::error::{Error, Result};
use super::owners::Owners;
use super::read::{CONTENT, PLACEMENT, SECRET_VALUE, content, placement, secret_value};
use super::seal::{DataKey, Identity};
use super::{Vault, identity, read, schema};
use crate::secret::Secret;
use rayon::prelude::*;
use rusqlite::{Connection, Row, TransactionBehavior};

/// Values sealed anew at a time: what of a vault is in memory at once.
const BATCH: u32 = 1024;

impl Vault {
    /// Seals the vault to `owners` in place of those before. The values stay as they are: whoever could open the
    /// vault before and kept its data key can read them still; see [`Vault::rekey`].
    ///
    /// # Errors
    /// [`Error::LockedOut`] if nobody would be left.
    pub fn set_owners(&mut self, owners: &Owners) -> Result<()> {
        if matches!(owners, Owners::Recipients(names) if names.is_empty()) {
            return Err(self.nobody_left());
        }
        self.same_key()?;
        let sealed = owners.seal(self.data_key()?)?;
        self.db
            .execute(
                "UPDATE data_key SET age = ?1, recipients = ?2",
                (&sealed.age, sealed.recipients.join(" ")),
            )
            .map(drop)
            .map_err(|error| self.sqlite(error))
    }

    /// Makes a new data key, seals it to `owners`, and seals every value anew under it, in one transaction: after
    /// a crash at any moment all of it is done or nothing. Gives the number of values. Copies of the file made
    /// before still open with the keys they were sealed to, and so does what was deleted earlier, in free pages of the file: until
    /// [`Vault::compact`].
    ///
    /// # Errors
    /// [`Error::Tampered`] for a value that does not open; [`Error::LockedOut`] if nobody would be left. Nothing is changed.
    pub fn rekey(&mut self, owners: &Owners) -> Result<u64> {
        if matches!(owners, Owners::Recipients(names) if names.is_empty()) {
            return Err(self.nobody_left());
        }
        self.same_key()?;
        let new = DataKey::generate()?;
        let sealed = owners.seal(&new)?;
        let path = self.path.clone();
        let sqlite = |error| schema::sqlite(&path, error);
        let opener = read::Opener {
            path: &path,
            data_key: self
                .data_key
                .as_ref()
                .ok_or_else(|| Error::Locked { path: path.clone() })?,
        };
        // Every page with a value changes: they may go to the disk before the commit, the journal has the old ones.
        self.db.pragma_update(None, "cache_spill", true).map_err(sqlite)?;
        let writing = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sqlite)?;
        let mut count = 0;
        count += seal_anew(
            &writing,
            (
                &format!("{CONTENT} WHERE id > ?1 ORDER BY id LIMIT {BATCH}"),
                content,
            ),
            "UPDATE contents SET sealed = ?2 WHERE artifact = ?1",
            |(artifact, sealed)| {
                let value = opener.content(artifact, sealed)?;
                Ok((
                    artifact.id.0,
                    new.seal(value.expose(), &identity::content(artifact))?,
                ))
            },
            sqlite,
        )?;
        count += seal_anew(
            &writing,
            (
                &format!("{SECRET_VALUE} WHERE id > ?1 ORDER BY id LIMIT {BATCH}"),
                secret_value,
            ),
            "UPDATE secret_values SET sealed = ?2 WHERE secret = ?1",
            |(row, sealed)| {
                let value = opener.secret(row, sealed)?;
                Ok((row.version.id.0, new.seal(value.expose(), &row.identity())?))
            },
            sqlite,
        )?;
        seal_anew(
            &writing,
            (
                &format!("{PLACEMENT} WHERE p.id > ?1 ORDER BY p.id LIMIT {BATCH}"),
                placement,
            ),
            "UPDATE placements SET seal = ?2 WHERE id = ?1",
            |row| {
                opener.placement(row)?;
                Ok((row.placement.id.0, new.seal(&[], &row.identity())?))
            },
            sqlite,
        )?;
        count += seal_anew(
            &writing,
            (
                &format!("SELECT id, name, sealed FROM states WHERE id > ?1 ORDER BY id LIMIT {BATCH}"),
                |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get::<_, String>(1)?,
                        row.get::<_, Vec<u8>>(2)?,
                    ))
                },
            ),
            "UPDATE states SET sealed = ?2 WHERE id = ?1",
            |(id, name, sealed)| {
                let (value, identity): (Secret, Identity) = (
                    opener
                        .data_key
                        .open(sealed, &identity::state(name))
                        .ok_or_else(|| opener.tampered(format!("the state '{name}'")))?,
                    identity::state(name),
                );
                Ok((*id, new.seal(value.expose(), &identity)?))
            },
            sqlite,
        )?;
        let seal = new.seal(&[], &identity::data_key())?;
        writing
            .execute(
                "UPDATE data_key SET age = ?1, recipients = ?2, seal = ?3",
                (&sealed.age, sealed.recipients.join(" "), seal),
            )
            .and_then(|_| writing.commit())
            .map_err(sqlite)?;
        // It is done: nothing from here on may say that it is not.
        self.data_key = Some(new);
        let _ = self.db.pragma_update(None, "cache_spill", false);
        Ok(count)
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

    fn nobody_left(&self) -> Error {
        Error::LockedOut {
            path: self.path.clone(),
            why: "nobody would be left who can open it",
        }
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
