//! Vaults of formats 1 and 2, for reading alone: rows had seals of their own, and nothing said which rows there should be.

use super::error::{Error, Result};
use super::key::KeySource;
use super::model::{Artifact, ArtifactKind, SecretKind};
use super::owners::{self, SealedKey};
use super::seal::{DataKey, FORMAT, Identity};
use super::{ArtifactId, schema};
use crate::digest::Digest;
use crate::media::Filestamp;
use crate::secret::Secret;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row};
use std::path::{Path, PathBuf};

/// An open vault of a former format.
pub(super) struct Legacy {
    pub(super) path: PathBuf,
    pub(super) db: Connection,
    pub(super) format: i32,
    pub(super) recipients: Vec<String>,
    data_key: DataKey,
}

impl Legacy {
    /// Opens it, if it is whole as far as its format tells.
    ///
    /// # Errors
    /// [`Error::Current`] for a vault of the present format; [`Error::Corrupt`] where the list of recipients is not as long as
    /// that of those the data key is sealed to.
    pub(super) fn open(path: &Path, key: &KeySource) -> Result<Self> {
        let (db, format) = schema::open_any(path)?;
        if format == FORMAT {
            return Err(Error::Current { path: path.into() });
        }
        let sqlite = |error| schema::sqlite(path, error);
        let said: String = db
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(sqlite)?;
        let corrupt = |why| Error::Corrupt {
            path: path.into(),
            why,
        };
        if said != "ok" {
            return Err(corrupt(said));
        }
        let (age, listed): (Vec<u8>, String) = db
            .query_row("SELECT age, recipients FROM data_key", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => corrupt("its data key is gone".into()),
                error => sqlite(error),
            })?;
        let recipients: Vec<String> = match &*listed {
            owners::PASSPHRASE => vec![listed],
            names => names.split_ascii_whitespace().map(str::to_owned).collect(),
        };
        let sealed_to = stanzas(&age);
        if sealed_to != recipients.len() {
            return Err(corrupt(format!(
                "it lists {} recipients, but its data key is sealed to {sealed_to}",
                recipients.len()
            )));
        }
        let sealed = SealedKey { age, recipients };
        let data_key = key.open(&sealed, path)?.of_former_formats();
        Ok(Self {
            path: path.into(),
            db,
            format,
            recipients: sealed.recipients,
            data_key,
        })
    }

    /// A value, which must have been sealed for `row`; `what` it is, for people.
    pub(super) fn value(
        &self,
        sealed: &[u8],
        row: &Identity,
        what: impl FnOnce() -> String,
    ) -> Result<Secret> {
        self.data_key.open(sealed, row).ok_or_else(|| Error::Tampered {
            path: self.path.clone(),
            what: what(),
        })
    }

    /// How many rows a table has; none where this format has no such table.
    pub(super) fn count(&self, table: &str) -> Result<u64> {
        let there: i64 = self.number(&format!(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{table}'"
        ))?;
        if there == 0 {
            return Ok(0);
        }
        let count = self.number(&format!("SELECT count(*) FROM {table}"))?;
        Ok(count.cast_unsigned())
    }

    fn number(&self, sql: &str) -> Result<i64> {
        let number = self.db.query_row(sql, [], |row| row.get(0));
        number.map_err(|error| schema::sqlite(&self.path, error))
    }

    /// Hears every row of a query.
    pub(super) fn each(&self, sql: &str, mut hear: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        let sqlite = |error| schema::sqlite(&self.path, error);
        let mut query = self.db.prepare(sql).map_err(sqlite)?;
        let mut rows = query.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            hear(row)?;
        }
        Ok(())
    }
}

/// To how many an age file is sealed: the stanzas of its header that are no decoys.
fn stanzas(age: &[u8]) -> usize {
    age.split(|&byte| byte == b'\n')
        .take_while(|line| !line.starts_with(b"---"))
        .filter(|line| line.starts_with(b"-> X25519 ") || line.starts_with(b"-> scrypt "))
        .count()
}

/// A row of artifacts, whose columns begin at the first.
pub(super) fn artifact(row: &Row<'_>) -> rusqlite::Result<Artifact> {
    Ok(Artifact {
        id: ArtifactId(row.get(0)?),
        digest: Digest(row.get(1)?),
        kind: ArtifactKind::from_code(row.get_ref(2)?.as_str()?).ok_or(FromSqlError::InvalidType)?,
        owner: row.get(3)?,
        filestamp: Filestamp(row.get(4)?),
        size: row.get::<_, i64>(5)?.cast_unsigned(),
        not_after: row.get(6)?,
        spec: row.get(7)?,
    })
}

pub(super) fn content(artifact: &Artifact) -> Identity {
    Identity::new("contents")
        .with(artifact.digest.0)
        .with(artifact.kind.code())
        .with(&*artifact.owner)
        .with_number(i64::from(artifact.filestamp.0))
        .with_number(artifact.not_after)
        .with(&*artifact.spec)
}

/// Of the row `host, digest, name, links, since, until` that begins at the first column.
pub(super) fn placement(row: &Row<'_>) -> rusqlite::Result<Identity> {
    let digest: [u8; 32] = row.get(1)?;
    Ok(Identity::new("placements")
        .with(row.get_ref(0)?.as_str()?)
        .with(digest)
        .with(row.get_ref(2)?.as_str()?)
        .with(row.get_ref(3)?.as_str()?)
        .with_number(row.get::<_, i64>(4)?)
        .with_number(row.get::<_, Option<i64>>(5)?))
}

pub(super) fn secret(
    kind: SecretKind,
    owner: &str,
    filestamp: Option<i64>,
    spec: &str,
    since: u32,
) -> Identity {
    Identity::new("secrets")
        .with(kind.code())
        .with(owner)
        .with_number(filestamp)
        .with(spec)
        .with_number(i64::from(since))
}
