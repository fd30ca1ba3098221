//! What verbs must know again the next time: named values of their own, and what each host's daemon was last seen to do.

use super::books::Books;
use super::error::{Error, Result};
use super::ledger::{STATES, VERIFIED};
use super::{Vault, identity};
use crate::secret::Secret;
use rusqlite::Row;
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

impl Books<'_> {
    /// Keeps a state in place of the one before; `None`: none any more.
    pub(super) fn keep_state(&mut self, name: &str, value: Option<&Secret>) -> Result<()> {
        let own = |row: &Row<'_>| Ok(row.get_ref(1)?.as_str()? == name);
        self.take(&STATES, "name = ?1", [name], own)?;
        let Some(value) = value else {
            return self.run("DELETE FROM states WHERE name = ?1", [name]).map(drop);
        };
        let sealed = self
            .opened()
            .data_key
            .seal(value.expose(), &identity::state(name))?;
        self.put(
            &STATES,
            "INSERT INTO states (name, sealed) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
            (name, sealed),
        )
        .map(drop)
    }
}

impl Vault {
    /// The state kept under `name`, such as how far a rotation is.
    ///
    /// # Errors
    /// [`Error::Tampered`] if it is not what was kept there.
    pub fn state(&self, name: &str) -> Result<Option<Secret>> {
        let data_key = &self.opened()?.data_key;
        let found = self.sealed_states()?.into_iter().find(|(known, _)| known == name);
        found
            .map(|(name, sealed)| {
                data_key
                    .open(&sealed, &identity::state(&name))
                    .ok_or_else(|| self.tampered(format!("the state '{name}'")))
            })
            .transpose()
    }

    /// Names and sealed values of all states, by name.
    pub(super) fn sealed_states(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut states = self
            .reading()?
            .rows(&STATES, |row| Ok((row.get(1)?, row.get(2)?)))?;
        states.sort_unstable();
        Ok(states)
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
        Ok(self.sealed_states()?.into_iter().map(|(name, _)| name).collect())
    }

    /// Keeps a state in place of the one before; `None`: none any more. On disk when this returns.
    pub fn set_state(&mut self, name: &str, value: Option<&Secret>) -> Result<()> {
        let mut books = self.books()?;
        books.keep_state(name, value)?;
        books.commit()
    }

    /// Keeps what hosts' daemons were seen to do, in place of what was seen before.
    ///
    /// # Errors
    /// [`Error::Locked`] without the key: `status` judges by it.
    pub fn set_verified<'a>(
        &mut self,
        seen: impl IntoIterator<Item = (&'a str, &'a Verified)>,
    ) -> Result<()> {
        let mut books = self.books()?;
        for (host, seen) in seen {
            let host = books.host(host)?;
            books.take(&VERIFIED, "host = ?1", [host], |_| Ok(true))?;
            books.put(
                &VERIFIED,
                "INSERT OR REPLACE INTO verified (host, at, level, good, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
                (host, seen.at, &seen.level, seen.good, &seen.detail),
            )?;
        }
        books.commit()
    }

    /// What the daemon of every host was last seen to do, for the hosts that were looked at.
    pub fn verified(&self) -> Result<HashMap<Box<str>, Verified>> {
        let reading = self.reading()?;
        let hosts = reading.host_names()?;
        let rows = reading.rows(&VERIFIED, |row| {
            let seen = Verified {
                at: row.get(1)?,
                level: row.get(2)?,
                good: row.get(3)?,
                detail: row.get(4)?,
            };
            Ok((row.get::<_, i64>(0)?, seen))
        })?;
        let named = rows.into_iter();
        Ok(named
            .filter_map(|(host, seen)| Some((hosts.get(&host)?.clone(), seen)))
            .collect())
    }
}
