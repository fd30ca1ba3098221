//! The condition of a vault: everything looked at and every value opened, and of a damaged one what can still be read.

use super::error::{Error, Result};
use super::key::KeySource;
use super::ledger::{ARTIFACTS, SECRETS, STATES};
use super::meanwhile::FileId;
use super::model::GenerationInfo;
use super::read::{CONTENT, SECRET_VALUE, content, secret_value};
use super::{Vault, VaultId, identity, schema};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Values that are opened together.
const BATCH: usize = 256;
/// How many rows are looked for where the way to them is broken.
const GAP: usize = 5_000;

/// How a vault was found.
#[derive(Debug)]
pub struct Condition {
    /// Which vault it is; absent without the key.
    pub id: Option<VaultId>,
    /// What is wrong, one error each; empty: nothing.
    pub wrong: Vec<Error>,
    /// The generations that can be read.
    pub generations: Vec<GenerationInfo>,
    /// Contents of files.
    pub files: Readable,
    /// Passwords, keys, group keys, in all their versions.
    pub secrets: Readable,
    /// Records of who holds which file.
    pub placements: Readable,
    /// What verbs keep for the next time.
    pub states: Readable,
}

/// How much of something can still be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Readable {
    /// As it was written.
    pub good: usize,
    /// There, but not what was written, or not to be read.
    pub damaged: usize,
}

/// Looks at everything in the vault at `path`. With `key` every list is compared with what was written and every value is
/// opened; without, the database alone is looked at, and values count as good when they are there. A damaged vault is read
/// from a copy as far as that goes; it is itself never changed.
///
/// # Errors
/// Where there is nothing to look into: no file, no vault, another format, a key that does not belong to it.
pub fn condition(path: &Path, key: Option<&KeySource>) -> Result<Condition> {
    let opened = match key {
        Some(key) => Vault::enter(path, key),
        None => Vault::open_locked(path),
    };
    match opened.and_then(|vault| vault.condition()) {
        Err(damage @ (Error::Corrupt { .. } | Error::Sqlite { .. } | Error::Tampered { .. })) => {
            salvage(path, key, damage)
        }
        other => other,
    }
}

/// What can be read of a damaged vault.
fn salvage(path: &Path, key: Option<&KeySource>, damage: Error) -> Result<Condition> {
    let unreadable = |damage, why: &str| Condition {
        id: None,
        wrong: vec![
            damage,
            Error::Corrupt {
                path: path.into(),
                why: why.into(),
            },
        ],
        generations: Vec::new(),
        files: Readable::default(),
        secrets: Readable::default(),
        placements: Readable::default(),
        states: Readable::default(),
    };
    let io = Error::io(path);
    // On a copy: nothing that is tried here may make it worse.
    let dir = tempfile::Builder::new()
        .prefix("keytrail-")
        .tempdir()
        .map_err(io)?;
    let copy = dir.path().join("vault");
    std::fs::copy(path, &copy).map_err(io)?;
    lengthen(&copy).map_err(io)?;
    let db = match connect_damaged(&copy) {
        Ok(db) => db,
        Err(error) => {
            return Ok(unreadable(
                damage,
                &format!("nothing of it can be read ({error})"),
            ));
        }
    };
    let mut vault = Vault {
        path: path.into(),
        file: FileId::at(path),
        db,
        opened: None,
    };
    let mut wrong = vec![damage];
    if let Some(key) = key {
        match vault.unlock(key).or_else(|_| vault.unlock_values(key)) {
            Ok(opened) => vault.opened = Some(opened),
            Err(error @ (Error::WrongKey { .. } | Error::KeyMissing { .. } | Error::KeyExposed { .. })) => {
                return Err(error);
            }
            Err(error) => wrong.push(error),
        }
    }
    let mut found = vault.look(wrong);
    // The same page of the database is in the way of many rows.
    let mut said = std::collections::HashSet::new();
    found.wrong.retain(|error| said.insert(error.to_string()));
    Ok(found)
}

/// Gives a file that was cut off its length again: a table that began in what is missing would keep all others from being read.
fn lengthen(copy: &Path) -> std::io::Result<()> {
    // A header can say anything.
    const MOST: u64 = 1 << 30;
    match schema::lengths(copy) {
        Some((size, expected)) if size < expected && expected - size <= MOST => std::fs::OpenOptions::new()
            .write(true)
            .open(copy)?
            .set_len(expected),
        _ => Ok(()),
    }
}

/// Opens what SQLite itself would refuse, such as a file that is shorter than it should be. For reading only.
fn connect_damaged(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    // Before anything else: the first look at the tables decides.
    db.execute_batch("PRAGMA writable_schema = ON; PRAGMA query_only = ON")?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(db)
}

impl Vault {
    /// What is wrong with it, one error each; empty: nothing. See [`Vault::condition`].
    pub fn check(&self) -> Result<Vec<Error>> {
        Ok(self.condition()?.wrong)
    }

    /// Reads everything there is, compares every list with what was written and opens every sealed value. Without the key only
    /// the database itself is looked at.
    pub fn condition(&self) -> Result<Condition> {
        let mut wrong = self.integrity("integrity_check")?;
        if self.opened.is_some() {
            wrong.extend(self.reading()?.audit());
        }
        Ok(self.look(wrong))
    }

    /// The same up to the first thing that is wrong, which is the error.
    pub(super) fn examine(&self) -> Result<()> {
        let structure = || {
            self.integrity("integrity_check(1)")
                .is_ok_and(|wrong| wrong.is_empty())
        };
        let lists = || self.reading().is_ok_and(|reading| reading.audit().is_empty());
        if structure() && lists() && self.all_open().unwrap_or(false) {
            return Ok(());
        }
        match self.condition()?.wrong.into_iter().next() {
            Some(wrong) => Err(wrong),
            None => Ok(()),
        }
    }

    fn integrity(&self, pragma: &str) -> Result<Vec<Error>> {
        let said = self.all(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, String>(0))?;
        Ok(said
            .into_iter()
            .filter(|line| line != "ok")
            .map(|why| Error::Corrupt {
                path: self.path.clone(),
                why,
            })
            .collect())
    }

    /// Whether every file and every secret has its value, and the value opens.
    fn all_open(&self) -> Result<bool> {
        let opener = self.opener()?;
        let reading = self.reading()?;
        let number = |row: &Row<'_>| row.get::<_, i64>(0);
        let files = reading.rows(&ARTIFACTS, number)?.len();
        let secrets = reading.rows(&SECRETS, number)?.len();
        let files_open = self.opening(CONTENT, content, |(artifact, sealed)| {
            opener.content(artifact, sealed).is_ok()
        })?;
        let secrets_open = self.opening(SECRET_VALUE, secret_value, |(row, sealed)| {
            opener.secret(row, sealed).is_ok()
        })?;
        let states_open = reading
            .rows(&STATES, state)?
            .iter()
            .all(|(name, sealed)| opener.data_key.open(sealed, &identity::state(name)).is_some());
        Ok(files_open == files && secrets_open == secrets && states_open)
    }

    /// How many values of a query `opens`, on all cores.
    fn opening<T: Send + Sync>(
        &self,
        select: &str,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
        opens: impl Fn(&T) -> bool + Sync,
    ) -> Result<usize> {
        let good = AtomicUsize::new(0);
        let mut query = self
            .db
            .prepare_cached(select)
            .map_err(|error| self.sqlite(error))?;
        let mut rows = query.query([]).map_err(|error| self.sqlite(error))?;
        rayon::in_place_scope(|scope| {
            let (good, opens) = (&good, &opens);
            loop {
                let mut batch = Vec::with_capacity(BATCH);
                while batch.len() < BATCH
                    && let Some(row) = rows.next()?
                {
                    batch.push(read(row)?);
                }
                if batch.is_empty() {
                    return Ok(());
                }
                scope.spawn(move |_| {
                    good.fetch_add(batch.iter().filter(|row| opens(row)).count(), Ordering::Relaxed);
                });
            }
        })
        .map_err(|error| self.sqlite(error))?;
        Ok(good.into_inner())
    }

    fn look(&self, mut wrong: Vec<Error>) -> Condition {
        let opener = self.opener().ok();
        let files = self.sweep(
            "artifacts",
            (&format!("{CONTENT} WHERE id = ?1"), content),
            |(artifact, sealed)| match &opener {
                Some(opener) => opener.content(artifact, sealed).map(drop),
                None => Ok(()),
            },
            &mut wrong,
        );
        let secrets = self.sweep(
            "secrets",
            (&format!("{SECRET_VALUE} WHERE id = ?1"), secret_value),
            |(row, sealed)| match &opener {
                Some(opener) => opener.secret(row, sealed).map(drop),
                None => Ok(()),
            },
            &mut wrong,
        );
        let placements = self.sweep(
            "placements",
            (
                "SELECT p.id FROM placements p JOIN hosts h ON h.id = p.host
                     JOIN artifacts a ON a.id = p.artifact WHERE p.id = ?1",
                |row| row.get::<_, i64>(0),
            ),
            |_| Ok(()),
            &mut wrong,
        );
        let states = self.sweep(
            "states",
            ("SELECT id, name, sealed FROM states WHERE id = ?1", state),
            |(name, sealed)| match &opener {
                Some(opener) => opener
                    .data_key
                    .open(sealed, &identity::state(name))
                    .map(drop)
                    .ok_or_else(|| opener.tampered(format!("the state '{name}'"))),
                None => Ok(()),
            },
            &mut wrong,
        );
        let generations = self.generations().unwrap_or_else(|error| {
            wrong.push(error);
            Vec::new()
        });
        Condition {
            id: self.id().ok(),
            wrong,
            generations,
            files,
            secrets,
            placements,
            states,
        }
    }

    /// Judges every row of a table by itself, so that one that cannot be read hides no other.
    fn sweep<T>(
        &self,
        table: &str,
        (select, read): (&str, fn(&Row<'_>) -> rusqlite::Result<T>),
        judge: impl Fn(&T) -> Result<()>,
        wrong: &mut Vec<Error>,
    ) -> Readable {
        let mut count = Readable::default();
        let there = format!("SELECT 1 FROM {table} WHERE id = ?1");
        for id in self.numbers(table, wrong) {
            let judged = match self.all(select, [id], read) {
                Ok(rows) => match rows.first() {
                    Some(row) => judge(row),
                    None => match self.all(&there, [id], |_| Ok(())) {
                        Ok(rows) if rows.is_empty() => continue,
                        Ok(_) => {
                            Err(self.tampered(format!("what belongs to row {id} of {table} is gone; it")))
                        }
                        Err(error) => Err(error),
                    },
                },
                Err(error) => Err(error),
            };
            match judged {
                Ok(()) => count.good += 1,
                Err(error) => {
                    count.damaged += 1;
                    wrong.push(error);
                }
            }
        }
        count
    }

    /// The numbers of a table's rows. Where the way from one to the next is broken, they are taken from both ends, and some of
    /// those in between are tried.
    fn numbers(&self, table: &str, wrong: &mut Vec<Error>) -> Vec<i64> {
        let most = usize::try_from(self.most_rows()).unwrap_or(usize::MAX);
        let walk = |order: &str, after: &dyn Fn(i64, i64) -> bool| {
            let mut found: Vec<i64> = Vec::new();
            let walked = self.all(
                &format!("SELECT id FROM {table} ORDER BY id {order}"),
                [],
                |row| {
                    let id = row.get(0)?;
                    // Numbers that do not go on lead in a circle.
                    if found.len() >= most || found.last().is_some_and(|&last| !after(id, last)) {
                        return Err(rusqlite::Error::ExecuteReturnedResults);
                    }
                    found.push(id);
                    Ok(())
                },
            );
            (found, walked.err())
        };
        let (mut found, broken) = walk("ASC", &|id, last| id > last);
        let Some(error) = broken else { return found };
        wrong.push(match error {
            Error::Sqlite { .. } => Error::Corrupt {
                path: self.path.clone(),
                why: format!("the rows of {table} lead in a circle"),
            },
            error => error,
        });
        let (mut back, _) = walk("DESC", &|id, last| id < last);
        let last = found.last().copied().unwrap_or(0);
        back.retain(|&id| id > last);
        back.reverse();
        let until = back.first().map_or(i64::MAX, |&first| first);
        found.extend((last.saturating_add(1)..until).take(GAP));
        found.extend(back);
        found
    }
}

fn state(row: &Row<'_>) -> rusqlite::Result<(String, Vec<u8>)> {
    Ok((row.get(1)?, row.get(2)?))
}
