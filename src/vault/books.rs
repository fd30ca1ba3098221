//! Changing a vault: rows and what they add up to, in one transaction.

use super::Vault;
use super::error::{Error, Result};
use super::head::{Head, Opened};
use super::ledger::{HOSTS, RowKey, Table, Tally};
use super::schema;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, Transaction, TransactionBehavior};
use std::path::Path;

/// A change of a vault, whole once committed; dropped, it never was. Nobody else can write meanwhile.
pub(super) struct Books<'v> {
    transaction: Transaction<'v>,
    opened: &'v Opened,
    path: &'v Path,
    head: Head,
}

impl Vault {
    /// Begins a change.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody else is writing; [`Error::Rekeyed`] if values would be sealed under a key that is no longer the
    /// vault's; [`Error::Tampered`] if the head is not what was written; [`Error::Locked`].
    pub(super) fn books(&self) -> Result<Books<'_>> {
        let opened = self.opened()?;
        let transaction = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)
            .map_err(|error| self.sqlite(error))?;
        let head = opened.head(&transaction, &self.path)?;
        Ok(Books {
            transaction,
            opened,
            path: &self.path,
            head,
        })
    }
}

impl<'v> Books<'v> {
    /// For a vault that has no head yet.
    pub(super) fn first(transaction: Transaction<'v>, opened: &'v Opened, path: &'v Path) -> Self {
        Self {
            head: Head::new(opened.signer.id()),
            transaction,
            opened,
            path,
        }
    }

    pub(super) fn db(&self) -> &Connection {
        &self.transaction
    }

    pub(super) fn opened(&self) -> &'v Opened {
        self.opened
    }

    pub(super) fn path(&self) -> &'v Path {
        self.path
    }

    /// Runs a statement that gives a table rows, new or changed; changed ones must have been [taken](Books::take) before.
    /// Gives how many, and the number of the last.
    pub(super) fn put(&mut self, table: &Table, sql: &str, values: impl Params) -> Result<usize> {
        let sql = format!("{sql} RETURNING {}", table.columns);
        let tally = self.head.tally_mut(table);
        let key = &self.opened.rows;
        each(&self.transaction, &sql, values, |row| {
            tally.add(&key.of(table, row)?);
            Ok(())
        })
        .map_err(|error| schema::sqlite(self.path, error))
    }

    /// Rows that are about to be changed or replaced. What `own` refuses is another row than was asked for: an index that
    /// somebody else made leads there.
    pub(super) fn take(
        &mut self,
        table: &Table,
        clause: &str,
        values: impl Params,
        own: impl Fn(&Row<'_>) -> rusqlite::Result<bool>,
    ) -> Result<usize> {
        let sql = format!("SELECT {} FROM {} WHERE {clause}", table.columns, table.name);
        self.less(table, &sql, values, own)
    }

    /// Removes rows.
    pub(super) fn remove(&mut self, table: &Table, clause: &str, values: impl Params) -> Result<usize> {
        let sql = format!(
            "DELETE FROM {} WHERE {clause} RETURNING {}",
            table.name, table.columns
        );
        self.less(table, &sql, values, |_| Ok(true))
    }

    fn less(
        &mut self,
        table: &Table,
        sql: &str,
        values: impl Params,
        own: impl Fn(&Row<'_>) -> rusqlite::Result<bool>,
    ) -> Result<usize> {
        let tally = self.head.tally_mut(table);
        let key = &self.opened.rows;
        let mut foreign = false;
        let count = each(&self.transaction, sql, values, |row| {
            foreign |= !own(row)?;
            tally.subtract(&key.of(table, row)?);
            Ok(())
        })
        .map_err(|error| schema::sqlite(self.path, error))?;
        if foreign {
            return Err(self.tampered(table.what));
        }
        Ok(count)
    }

    /// A statement on what is not accounted for by itself: sealed values.
    pub(super) fn run(&self, sql: &str, values: impl Params) -> Result<usize> {
        self.transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|error| self.sqlite(error))
    }

    /// One row, if there is one.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.transaction
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row(values, read).optional())
            .map_err(|error| self.sqlite(error))
    }

    /// The number of a host, which it gets here if it has none.
    pub(super) fn host(&mut self, name: &str) -> Result<i64> {
        let found = self.one("SELECT id FROM hosts WHERE name = ?1", [name], |row| row.get(0))?;
        if let Some(id) = found {
            // The index might be another's work: the row itself must say so.
            let named: Option<String> =
                self.one("SELECT name FROM hosts NOT INDEXED WHERE id = ?1", [id], |row| {
                    row.get(0)
                })?;
            return if named.as_deref() == Some(name) {
                Ok(id)
            } else {
                Err(self.tampered(HOSTS.what))
            };
        }
        self.put(&HOSTS, "INSERT INTO hosts (name) VALUES (?1)", [name])?;
        Ok(self.last())
    }

    /// The number of the row that was put last.
    pub(super) fn last(&self) -> i64 {
        self.transaction.last_insert_rowid()
    }

    /// Accounts for all rows of a table as they are, under another key: for a vault that is sealed anew.
    pub(super) fn account(&mut self, table: &Table, tally: Tally) {
        *self.head.tally_mut(table) = tally;
    }

    pub(super) fn tally(&self, table: &Table) -> Tally {
        self.head.tally(table)
    }

    /// The same change, to be sealed under another data key from here on.
    pub(super) fn under<'n>(self, opened: &'n Opened) -> Books<'n>
    where
        'v: 'n,
    {
        Books {
            transaction: self.transaction,
            opened,
            path: self.path,
            head: self.head,
        }
    }

    /// Makes it durable: when this returns it survives a power cut.
    pub(super) fn commit(mut self) -> Result<()> {
        self.head.write(&self.transaction, self.path, self.opened)?;
        let path = self.path;
        self.transaction
            .commit()
            .map_err(|error| schema::sqlite(path, error))
    }

    pub(super) fn sqlite(&self, error: rusqlite::Error) -> Error {
        schema::sqlite(self.path, error)
    }

    pub(super) fn tampered(&self, what: &str) -> Error {
        Error::Tampered {
            path: self.path.into(),
            what: what.into(),
        }
    }

    pub(super) fn rows_key(&self) -> &'v RowKey {
        &self.opened.rows
    }
}

/// Runs a statement to its end and hears every row.
fn each(
    db: &Connection,
    sql: &str,
    values: impl Params,
    mut hear: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<usize> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        hear(row)?;
        count += 1;
    }
    Ok(count)
}
