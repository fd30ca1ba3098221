//! The head of a vault: what all its rows add up to, sealed under the data key and signed by the vault's own key.

use super::Vault;
use super::error::{Error, Result};
use super::ledger::{self, HOSTS, RUNS, RowKey, TABLES, Table, Tally};
use super::runs::run;
use super::schema;
use super::seal::{DataKey, FORMAT, Identity};
use super::signature::Signer;
use super::vault_id::VaultId;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row, Transaction};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// What the rows of every table add up to. Every change writes it anew, in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    format: i32,
    vault: VaultId,
    /// How often the vault was changed.
    commits: u64,
    tables: BTreeMap<String, Tally>,
}

impl Head {
    /// Of a vault with nothing in it.
    pub(super) fn new(vault: VaultId) -> Self {
        Self {
            format: FORMAT,
            vault,
            commits: 0,
            tables: BTreeMap::new(),
        }
    }

    pub(super) fn tally(&self, table: &Table) -> Tally {
        self.tables.get(table.name).copied().unwrap_or_default()
    }

    pub(super) fn tally_mut(&mut self, table: &Table) -> &mut Tally {
        self.tables.entry(table.name.to_owned()).or_default()
    }

    /// Writes it, in the transaction with what it is about.
    pub(super) fn write(&mut self, db: &Connection, path: &Path, opened: &Opened) -> Result<()> {
        self.commits += 1;
        let text = serde_json::to_vec(self).expect("names and numbers");
        let sealed = opened.data_key.seal(&text, &row())?;
        let signature = opened.signer.sign(&signed(&sealed))?;
        db.execute(
            "INSERT INTO head (id, sealed, signature) VALUES (1, ?1, ?2)
             ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, signature = excluded.signature",
            (sealed, signature),
        )
        .map(drop)
        .map_err(|error| schema::sqlite(path, error))
    }
}

fn row() -> Identity {
    Identity::new("head")
}

fn signed(sealed: &[u8]) -> Vec<u8> {
    [&b"keytrail vault head\n"[..], sealed].concat()
}

/// What a vault's key gives: everything that tells what is its own from what is not.
pub(super) struct Opened {
    pub(super) data_key: DataKey,
    pub(super) rows: RowKey,
    pub(super) signer: Signer,
    /// The data key as it was sealed when it was opened.
    age: Vec<u8>,
}

impl Opened {
    pub(super) fn new(data_key: DataKey, signer: Signer, age: Vec<u8>) -> Self {
        Self {
            rows: RowKey::new(&data_key),
            data_key,
            signer,
            age,
        }
    }

    /// The data key as it is sealed to the vault's owners.
    pub(super) fn age(&self) -> &[u8] {
        &self.age
    }

    /// With what the vault says of itself.
    ///
    /// # Errors
    /// [`Error::Tampered`] if the private key does not belong to the name it has there.
    pub(super) fn read(db: &Connection, path: &Path, data_key: DataKey, age: Vec<u8>) -> Result<Self> {
        let (id, sealed): (Vec<u8>, Vec<u8>) = one(db, path, "SELECT public, sealed FROM identity", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .ok_or_else(|| tampered(path, "the vault's identity"))?;
        let signer = VaultId::from_bytes(&id)
            .and_then(|id| Signer::open(id, &sealed, &data_key))
            .ok_or_else(|| tampered(path, "the vault's identity"))?;
        Ok(Self::new(data_key, signer, age))
    }

    /// The head as it is in this transaction.
    ///
    /// # Errors
    /// [`Error::Rekeyed`] if it is sealed under another key since; [`Error::Tampered`] if it is not what was written.
    pub(super) fn head(&self, db: &Connection, path: &Path) -> Result<Head> {
        let found = one(db, path, "SELECT sealed, signature FROM head", |row| {
            Ok((blob(row, 0)?, blob(row, 1)?))
        })?;
        let head = found.as_ref().and_then(|(sealed, signature)| {
            let text = self.data_key.open(sealed, &row())?;
            let head: Head = serde_json::from_slice(text.expose()).ok()?;
            let id = self.signer.id();
            let own = head.format == FORMAT && head.vault == id && id.signed(&signed(sealed), signature);
            own.then_some(head)
        });
        if let Some(head) = head {
            return Ok(head);
        }
        let age = one(db, path, "SELECT age FROM data_key", |row| blob(row, 0))?;
        Err(if age.is_some_and(|age| age != self.age) {
            Error::Rekeyed { path: path.into() }
        } else {
            tampered(path, "the head")
        })
    }
}

fn blob(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(Vec::column_result(row.get_ref(column)?).unwrap_or_default())
}

fn one<T>(
    db: &Connection,
    path: &Path,
    sql: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>> {
    match db.query_row(sql, [], read) {
        Ok(found) => Ok(Some(found)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(schema::sqlite(path, error)),
    }
}

fn tampered(path: &Path, what: &str) -> Error {
    Error::Tampered {
        path: path.into(),
        what: what.into(),
    }
}

/// A vault as of one moment. With the key, a table is read whole or refused.
pub(super) struct Reading<'v> {
    vault: &'v Vault,
    head: Option<Head>,
    _snapshot: Transaction<'v>,
}

impl Vault {
    pub(super) fn reading(&self) -> Result<Reading<'_>> {
        let snapshot = self
            .db
            .unchecked_transaction()
            .map_err(|error| self.sqlite(error))?;
        let head = match &self.opened {
            Some(opened) => Some(opened.head(&self.db, &self.path)?),
            None => None,
        };
        Ok(Reading {
            vault: self,
            head,
            _snapshot: snapshot,
        })
    }
}

impl Reading<'_> {
    /// All rows of a table, in the order of their numbers.
    ///
    /// # Errors
    /// [`Error::Tampered`] if they are not all that was written, and as it was written.
    pub(super) fn rows<T>(
        &self,
        table: &Table,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let known = self.head.as_ref().map(|head| head.tally(table));
        self.read(table, ("", ()), known, read)
    }

    /// Rows of a table that add up to `known`.
    pub(super) fn some<T>(
        &self,
        table: &Table,
        clause: (&str, impl Params),
        known: Tally,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.read(table, clause, self.head.as_ref().map(|_| known), read)
    }

    fn read<T>(
        &self,
        table: &Table,
        clause: (&str, impl Params),
        known: Option<Tally>,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let Vault { db, path, opened, .. } = self.vault;
        // A damaged file may lead in a circle.
        let most = known.map_or_else(|| self.vault.most_rows(), |known| known.rows);
        let key = opened.as_ref().map(|opened| &opened.rows);
        let read = ledger::rows(db, path, table, clause, key, most, read);
        match (read, known) {
            (Ok((_, found)), Some(known)) if found != known => Err(tampered(path, table.what)),
            (Ok((rows, _)), _) => Ok(rows),
            (Err(error), _) => Err(error),
        }
    }

    /// The names of hosts, by number.
    pub(super) fn host_names(&self) -> Result<HashMap<i64, Box<str>>> {
        let rows = self.rows(&HOSTS, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// What is wrong with the lists of the vault, without the values.
    pub(super) fn audit(&self) -> Vec<Error> {
        let mut wrong: Vec<Error> = TABLES
            .iter()
            .filter_map(|table| self.rows(table, |_| Ok(())).err())
            .collect();
        // A list of runs that is not what was written has been named.
        if let Ok(runs) = self.rows(&RUNS, run) {
            let results = runs.into_iter();
            wrong.extend(results.filter_map(|(info, tally)| self.of_run(info.id, tally, |_| Ok(())).err()));
        }
        wrong
    }
}
