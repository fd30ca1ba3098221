//! The rows of a vault that decide anything, and the keyed digests by which they are known to be all that keytrail wrote.
//!
//! Of each table the vault's head keeps how many rows there are, and the sum of their digests modulo 2^256. A row's digest
//! is HMAC-SHA256 of all its fields under a key derived from the data key, so without that key nobody can say which
//! rows add up to what. A change costs what it changes: digests of rows that go are subtracted, of rows that come added.
//! Reading a table whole gives the same sum, or the table is not what was written: a row changed, added, taken out, or
//! put back as it was earlier.

use super::error::{Error, Result};
use super::schema;
use super::seal::DataKey;
use openssl::sha::Sha256;
use rayon::Scope;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A table whose rows are accounted for.
#[derive(Debug)]
pub(super) struct Table {
    /// Its number in digests, for ever.
    code: u8,
    pub(super) name: &'static str,
    /// All columns, in the order in which they go into digests.
    pub(super) columns: &'static str,
    /// What is in it, for people.
    pub(super) what: &'static str,
}

const fn table(code: u8, name: &'static str, columns: &'static str, what: &'static str) -> Table {
    Table {
        code,
        name,
        columns,
        what,
    }
}

pub(super) static RECIPIENTS: Table = table(
    1,
    "recipients",
    "id, recipient, name, added",
    "the list of who can open it",
);
pub(super) static GENERATIONS: Table = table(
    2,
    "generations",
    "id, created, note, inventory, pruned, last_filestamp",
    "the list of generations",
);
pub(super) static HOSTS: Table = table(3, "hosts", "id, name", "the list of hosts");
pub(super) static ARTIFACTS: Table = table(
    4,
    "artifacts",
    "id, digest, kind, owner, filestamp, size, not_after, spec",
    "the list of files",
);
pub(super) static PLACEMENTS: Table = table(
    5,
    "placements",
    "id, host, artifact, name, links, since, until",
    "the list of which host holds which file",
);
pub(super) static SECRETS: Table = table(
    6,
    "secrets",
    "id, kind, owner, filestamp, spec, since, until",
    "the list of secrets",
);
pub(super) static STATES: Table = table(
    7,
    "states",
    "id, name, sealed",
    "the record of rotations and revocations",
);
pub(super) static RUNS: Table = table(
    8,
    "runs",
    "id, command, operator, generation, started, ended, outcome, results, sum",
    "the list of runs",
);
pub(super) static STANDING: Table = table(
    9,
    "standing",
    "host, generation, run, at, changed",
    "the record of which generation each host has",
);
pub(super) static BROUGHT: Table = table(
    10,
    "brought",
    "host, generation, first, last",
    "the record of when hosts changed",
);
pub(super) static VERIFIED: Table = table(
    11,
    "verified",
    "host, at, level, good, detail",
    "the record of what daemons were seen to do",
);
/// Accounted for in the rows of [`RUNS`], so that one run is read without the others.
pub(super) static RESULTS: Table = table(
    12,
    "results",
    "run, host, generation, outcome, detail, at",
    "the results of a run",
);

/// Those that the head accounts for.
pub(super) static TABLES: [&Table; 11] = [
    &RECIPIENTS,
    &GENERATIONS,
    &HOSTS,
    &ARTIFACTS,
    &PLACEMENTS,
    &SECRETS,
    &STATES,
    &RUNS,
    &STANDING,
    &BROUGHT,
    &VERIFIED,
];

/// How many rows there are, and the sum of their digests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) rows: u64,
    sum: [u64; 4],
}

impl Tally {
    /// From a row that keeps it; anything else than what [`Tally::sum`] gives is none.
    pub(super) fn of(rows: i64, sum: &[u8]) -> Option<Self> {
        let sum: &[u8; 32] = sum.try_into().ok()?;
        Some(Self {
            rows: u64::try_from(rows).ok()?,
            sum: words(sum),
        })
    }

    /// The sum as bytes.
    pub(super) fn sum(&self) -> Vec<u8> {
        self.sum.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    pub(super) fn add(&mut self, digest: &[u8; 32]) {
        *self = self.plus(Self {
            rows: 1,
            sum: words(digest),
        });
    }

    pub(super) fn subtract(&mut self, digest: &[u8; 32]) {
        let mut borrow = false;
        for (own, other) in self.sum.iter_mut().zip(words(digest)).rev() {
            let (less, under) = own.overflowing_sub(other);
            let (less, again) = less.overflowing_sub(u64::from(borrow));
            (*own, borrow) = (less, under || again);
        }
        self.rows = self.rows.wrapping_sub(1);
    }

    pub(super) fn plus(mut self, other: Self) -> Self {
        let mut carry = false;
        for (own, other) in self.sum.iter_mut().zip(other.sum).rev() {
            let (more, over) = own.overflowing_add(other);
            let (more, again) = more.overflowing_add(u64::from(carry));
            (*own, carry) = (more, over || again);
        }
        self.rows = self.rows.wrapping_add(other.rows);
        self
    }
}

/// Most significant first.
fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_be_bytes(chunk.try_into().expect("eight bytes"));
    }
    words
}

/// The key of rows' digests: HMAC-SHA256 with both pads taken in already.
#[derive(Clone)]
pub(super) struct RowKey {
    inner: Sha256,
    outer: Sha256,
}

impl RowKey {
    pub(super) fn new(data_key: &DataKey) -> Self {
        let key = data_key.derive("keytrail vault rows");
        let padded = |pad: u8| {
            let mut block = zeroize::Zeroizing::new([pad; 64]);
            for (byte, key) in block.iter_mut().zip(&*key) {
                *byte ^= key;
            }
            let mut state = Sha256::new();
            state.update(&*block);
            state
        };
        Self {
            inner: padded(0x36),
            outer: padded(0x5c),
        }
    }

    fn digest(&self, row: &[u8]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        inner.update(row);
        let mut outer = self.outer.clone();
        outer.update(&inner.finish());
        outer.finish()
    }

    /// Of a row with all columns of its table.
    pub(super) fn of(&self, table: &Table, row: &Row<'_>) -> rusqlite::Result<[u8; 32]> {
        let mut bytes = Vec::with_capacity(256);
        encode(table, row, &mut bytes)?;
        Ok(self.digest(&bytes))
    }
}

/// Every field with its type and length: no two rows have the same bytes.
fn encode(table: &Table, row: &Row<'_>, into: &mut Vec<u8>) -> rusqlite::Result<()> {
    into.push(table.code);
    for column in 0..row.as_ref().column_count() {
        let (kind, bytes): (u8, &[u8]) = match row.get_ref(column)? {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(number) => {
                into.push(1);
                into.extend_from_slice(&number.to_be_bytes());
                continue;
            }
            ValueRef::Real(number) => {
                into.push(2);
                into.extend_from_slice(&number.to_be_bytes());
                continue;
            }
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(bytes) => (4, bytes),
        };
        into.push(kind);
        into.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        into.extend_from_slice(bytes);
    }
    Ok(())
}

/// Rows that are digested together, by another thread than the one that reads.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

const BATCH: usize = 2048;

impl Batch {
    fn digest<'s>(&mut self, key: &'s RowKey, tally: &'s Mutex<Tally>, scope: &Scope<'s>) {
        let batch = std::mem::take(self);
        scope.spawn(move |_| {
            let mut part = Tally::default();
            let mut start = 0;
            for end in batch.ends {
                part.add(&key.digest(&batch.bytes[start..end]));
                start = end;
            }
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            *tally = tally.plus(part);
        });
    }
}

/// The rows of a table for which `clause` holds, in their order, and with `key` what they add up to. `most`: where there
/// are more rows than that, something is wrong and no more are read.
pub(super) fn rows<T>(
    db: &Connection,
    path: &Path,
    table: &Table,
    (clause, values): (&str, impl Params),
    key: Option<&RowKey>,
    most: u64,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<(Vec<T>, Tally)> {
    let sql = format!("SELECT {} FROM {} {clause}", table.columns, table.name);
    let tally = Mutex::new(Tally::default());
    let mut found = Vec::new();
    let mut count = 0;
    let read_all = || -> rusqlite::Result<bool> {
        let mut query = db.prepare_cached(&sql)?;
        let mut rows = query.query(values)?;
        rayon::in_place_scope(|scope| {
            let mut batch = Batch::default();
            while let Some(row) = rows.next()? {
                count += 1;
                if count > most {
                    return Ok(false);
                }
                if let Some(key) = key {
                    encode(table, row, &mut batch.bytes)?;
                    batch.ends.push(batch.bytes.len());
                    if batch.ends.len() == BATCH {
                        batch.digest(key, &tally, scope);
                    }
                }
                found.push(read(row)?);
            }
            if let Some(key) = key {
                batch.digest(key, &tally, scope);
            }
            Ok(true)
        })
    };
    match read_all() {
        Ok(true) => Ok((found, tally.into_inner().unwrap_or_else(PoisonError::into_inner))),
        Ok(false) => Err(Error::Tampered {
            path: path.into(),
            what: table.what.into(),
        }),
        Err(error) => Err(schema::sqlite(path, error)),
    }
}
