//! The condition of a vault: everything looked at and every value opened, and of a damaged one what can still be read.

use super::error::{Error, Result};
use super::key::KeySource;
use super::meanwhile::FileId;
use super::model::GenerationInfo;
use super::read::{CONTENT, PLACEMENT, SECRET_VALUE, content, placement, secret_value};
use super::{Vault, identity};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row};
use std::path::Path;

/// How a vault was found.
#[derive(Debug)]
pub struct Condition {
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

/// Looks at everything in the vault at `path`. With `key` every value is opened; without, the database alone is
/// looked at, and values count as good when they are there. A damaged vault is read from a copy as far as that
/// goes; it is itself never changed.
///
/// # Errors
/// Where there is nothing to look into: no file, no vault, a later version, a key that does not belong to it.
pub fn condition(path: &Path, key: Option<&KeySource>) -> Result<Condition> {
    let opened = match key {
        Some(key) => Vault::open(path, key),
        None => Vault::open_locked(path),
    };
    match opened.and_then(|vault| vault.condition()) {
        Err(damage @ (Error::Corrupt { .. } | Error::Sqlite { .. })) => salvage(path, key, damage),
        other => other,
    }
}

/// What can be read of a damaged vault.
fn salvage(path: &Path, key: Option<&KeySource>, damage: Error) -> Result<Condition> {
    let unreadable = |damage, why: &str| Condition {
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
        data_key: None,
    };
    let mut wrong = vec![damage];
    if let Some(key) = key {
        match vault.sealed_key().and_then(|sealed| key.open(&sealed, path)) {
            Ok(data_key) => vault.data_key = Some(data_key),
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

    /// Reads everything there is and opens every sealed value. Without the key only the database itself is looked at.
    pub fn condition(&self) -> Result<Condition> {
        let said = self.all("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?;
        let wrong = said
            .into_iter()
            .filter(|line| line != "ok")
            .map(|why| Error::Corrupt {
                path: self.path.clone(),
                why,
            });
        Ok(self.look(wrong.collect()))
    }

    fn look(&self, mut wrong: Vec<Error>) -> Condition {
        let opener = self
            .data_key
            .is_some()
            .then(|| self.opener())
            .and_then(Result::ok);
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
            (&format!("{PLACEMENT} WHERE p.id = ?1"), placement),
            |row| match &opener {
                Some(opener) => opener.placement(row),
                None => Ok(()),
            },
            &mut wrong,
        );
        let states = self.sweep(
            "states",
            ("SELECT name, sealed FROM states WHERE id = ?1", |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
            }),
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
        let next = format!("SELECT min(id) FROM {table} WHERE id > ?1");
        let last = self.last_id(table, wrong);
        let mut id = 0;
        while id < last {
            // Where the way to the next row is broken, every number is tried.
            let next = self.all(&next, [id], |row| row.get::<_, Option<i64>>(0));
            id = match next.ok().and_then(|rows| rows.into_iter().flatten().next()) {
                Some(next) => next,
                None => id + 1,
            };
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

    /// The highest number in a table, as far as it can be read.
    fn last_id(&self, table: &str, wrong: &mut Vec<Error>) -> i64 {
        let last = self.all(&format!("SELECT max(id) FROM {table}"), [], |row| {
            row.get::<_, Option<i64>>(0)
        });
        match last {
            Ok(rows) => rows.into_iter().flatten().max().unwrap_or(0),
            Err(error) => {
                wrong.push(error);
                let mut last = 0;
                // Up to where it breaks off.
                let _ = self.all(&format!("SELECT id FROM {table} ORDER BY id"), [], |row| {
                    last = row.get(0)?;
                    Ok(())
                });
                last
            }
        }
    }
}
