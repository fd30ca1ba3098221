//! What verbs must know again the next time: named values of their own, and what each host's daemon was last seen to do.

use super::error::{Error, Result};
use super::{Vault, identity, schema};
use crate::secret::Secret;
use rusqlite::TransactionBehavior;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// What the daemon of a host was last seen to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// When, Unix seconds.
    pub at: i64,
    /// What was looked at ("start", "auth").
    pub level: String,
    /// Whether it was as it should be.
    pub good: bool,
    /// What was seen, in a line. Never anything secret.
    pub detail: String,
}

/// A value as the vault keeps it.
pub fn as_state(value: &impl Serialize) -> Secret {
    Secret::new(serde_json::to_vec(value).expect("names and numbers"))
}

impl Vault {
    /// The state kept under `name`, such as how far a rotation is.
    ///
    /// # Errors
    /// [`Error::Tampered`] if it is not what was kept there.
    pub fn state(&self, name: &str) -> Result<Option<Secret>> {
        let sql = "SELECT sealed FROM states WHERE name = ?1";
        let found = self.all(sql, [name], |row| row.get::<_, Vec<u8>>(0))?.pop();
        let data_key = self.data_key()?;
        let opened = found.map(|sealed| {
            data_key
                .open(&sealed, &identity::state(name))
                .ok_or_else(|| self.tampered(format!("the state '{name}'")))
        });
        self.unless_rekeyed(opened.transpose())
    }

    /// The state kept under `name` as the value it is the record of; none is the empty one. `what` it is, for people.
    ///
    /// # Errors
    /// As [`Vault::state`]; [`Error::Corrupt`] if it is no such record.
    pub fn state_as<T: DeserializeOwned + Default>(&self, name: &str, what: &str) -> Result<T> {
        let Some(kept) = self.state(name)? else {
            return Ok(T::default());
        };
        serde_json::from_slice(kept.expose()).map_err(|error| Error::Corrupt {
            path: self.path.clone(),
            why: format!("{what} cannot be read: {error}"),
        })
    }

    /// Keeps a value as the state `name`; of the empty one there is none.
    pub fn set_state_as<T: Serialize + Default + PartialEq>(&mut self, name: &str, value: &T) -> Result<()> {
        let kept = (*value != T::default()).then(|| as_state(value));
        self.set_state(name, kept.as_ref())
    }

    /// The names under which there is a state.
    pub fn states(&self) -> Result<Vec<String>> {
        self.all("SELECT name FROM states ORDER BY name", [], |row| row.get(0))
    }

    /// Keeps a state in place of the one before; `None`: none any more. On disk when this returns.
    pub fn set_state(&mut self, name: &str, value: Option<&Secret>) -> Result<()> {
        let path = self.path.clone();
        let sqlite = |error| schema::sqlite(&path, error);
        let data_key = self
            .data_key
            .as_ref()
            .ok_or_else(|| Error::Locked { path: path.clone() })?;
        let writing = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sqlite)?;
        if super::rekeyed(&writing, data_key).map_err(sqlite)? {
            return Err(Error::Rekeyed { path });
        }
        match value {
            None => writing.execute("DELETE FROM states WHERE name = ?1", [name]),
            Some(value) => writing.execute(
                "INSERT INTO states (name, sealed) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
                (name, data_key.seal(value.expose(), &identity::state(name))?),
            ),
        }
        .and_then(|_| writing.commit())
        .map_err(sqlite)
    }

    /// Keeps what hosts' daemons were seen to do, in place of what was seen before. Needs no key.
    pub fn set_verified<'a>(
        &mut self,
        seen: impl IntoIterator<Item = (&'a str, &'a Verified)>,
    ) -> Result<()> {
        let path = self.path.clone();
        let write = |db: &mut rusqlite::Connection| {
            let writing = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (host, seen) in seen {
                writing
                    .prepare_cached("INSERT OR IGNORE INTO hosts (name) VALUES (?1)")?
                    .execute([host])?;
                writing
                    .prepare_cached(
                        "INSERT OR REPLACE INTO verified (host, at, level, good, detail)
                         VALUES ((SELECT id FROM hosts WHERE name = ?1), ?2, ?3, ?4, ?5)",
                    )?
                    .execute((host, seen.at, &seen.level, seen.good, &seen.detail))?;
            }
            writing.commit()
        };
        write(&mut self.db).map_err(|error| schema::sqlite(&path, error))
    }

    /// What the daemon of every host was last seen to do, for the hosts that were looked at.
    pub fn verified(&self) -> Result<HashMap<Box<str>, Verified>> {
        let rows = self.all(
            "SELECT h.name, v.at, v.level, v.good, v.detail FROM verified v JOIN hosts h ON h.id = v.host",
            [],
            |row| {
                let seen = Verified {
                    at: row.get(1)?,
                    level: row.get(2)?,
                    good: row.get(3)?,
                    detail: row.get(4)?,
                };
                Ok((row.get(0)?, seen))
            },
        )?;
        Ok(rows.into_iter().collect())
    }
}
