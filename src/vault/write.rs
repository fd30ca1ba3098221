//! Writing a generation: one transaction, prepared statements, sealed on the way in.

use super::error::{Error, Result};
use super::model::{
    Artifact, ArtifactId, ArtifactKind, GenerationId, Placement, PlacementId, SecretId, SecretKind,
    plain_name,
};
use super::read::{PLACEMENT, placement};
use super::seal::DataKey;
use super::{identity, schema};
use crate::digest::Digest;
use crate::media::Filestamp;
use crate::secret::Secret;
use rusqlite::{OptionalExtension, Transaction};
use std::path::Path;

/// A generation being written. Dropped without [`Generation::commit`] it never was.
pub struct Generation<'v> {
    transaction: Transaction<'v>,
    data_key: &'v DataKey,
    path: &'v Path,
    id: GenerationId,
    changed: bool,
}

/// A version of a secret to keep.
#[derive(Debug)]
pub struct NewSecret<'a> {
    /// What it is.
    pub kind: SecretKind,
    /// Whose.
    pub owner: &'a str,
    /// Filestamp of everything made of it; `None` for what has none.
    pub filestamp: Option<Filestamp>,
    /// What it was made to fit.
    pub spec: &'a str,
    /// The value.
    pub value: &'a Secret,
}

/// The content of a file to keep.
#[derive(Debug)]
pub struct NewArtifact<'a> {
    /// What it is.
    pub kind: ArtifactKind,
    /// The host or group in its file name.
    pub owner: &'a str,
    /// The stamp in its first line.
    pub filestamp: Filestamp,
    /// End of validity of a certificate, Unix seconds.
    pub not_after: Option<i64>,
    /// What it was made from.
    pub spec: &'a str,
    /// The bytes of the file.
    pub content: &'a Secret,
}

impl<'v> Generation<'v> {
    pub(super) fn start(
        transaction: Transaction<'v>,
        data_key: &'v DataKey,
        path: &'v Path,
        read: Option<GenerationId>,
        note: &str,
        inventory: Digest,
        created: i64,
    ) -> Result<Self> {
        let sqlite = |error| schema::sqlite(path, error);
        let latest = transaction
            .query_row("SELECT max(id) FROM generations", [], |row| row.get(0))
            .map(|id: Option<u32>| id.map(GenerationId))
            .map_err(sqlite)?;
        // Values sealed under a key that is no longer the vault's could never be opened again.
        if super::rekeyed(&transaction, data_key).map_err(sqlite)? {
            return Err(Error::Rekeyed { path: path.into() });
        }
        if latest != read {
            return Err(Error::Moved {
                path: path.into(),
                read,
                latest,
            });
        }
        let id = GenerationId(read.map_or(1, |read| read.0 + 1));
        transaction
            .execute(
                "INSERT INTO generations (id, created, note, inventory) VALUES (?1, ?2, ?3, ?4)",
                (id.0, created, note, inventory.0),
            )
            .map_err(sqlite)?;
        Ok(Self {
            transaction,
            data_key,
            path,
            id,
            changed: false,
        })
    }

    /// Its number, if it is committed.
    pub fn id(&self) -> GenerationId {
        self.id
    }

    /// Keeps a secret; the version in force before, if any, ends here.
    pub fn secret(&mut self, new: &NewSecret<'_>) -> Result<SecretId> {
        self.end_secret(new.kind, new.owner)?;
        let row = identity::secret(new.kind, new.owner, new.filestamp, new.spec, self.id.0);
        let sealed = self.data_key.seal(new.value.expose(), &row)?;
        let (code, stamp) = (new.kind.code(), new.filestamp.map(|stamp| stamp.0));
        self.run(
            "INSERT INTO secrets (kind, owner, filestamp, spec, since) VALUES (?1, ?2, ?3, ?4, ?5)",
            (code, new.owner, stamp, new.spec, self.id.0),
        )?;
        let id = self.transaction.last_insert_rowid();
        self.run(
            "INSERT INTO secret_values (secret, sealed) VALUES (?1, ?2)",
            (id, sealed),
        )?;
        Ok(SecretId(id))
    }

    /// Ends a secret without a successor. It stays readable for the generations it belonged to.
    pub fn end_secret(&mut self, kind: SecretKind, owner: &str) -> Result<()> {
        self.run(
            "UPDATE secrets SET until = ?3 WHERE kind = ?1 AND owner = ?2 AND until IS NULL",
            (kind.code(), owner, self.id.0),
        )?;
        Ok(())
    }

    /// Keeps the content of a file. The same content made from the same things is kept once.
    pub fn artifact(&mut self, new: &NewArtifact<'_>) -> Result<ArtifactId> {
        let digest = Digest::of(new.content.expose());
        let found = self
            .transaction
            .prepare_cached("SELECT id FROM artifacts WHERE digest = ?1 AND spec = ?2")
            .and_then(|mut known| known.query_row((digest.0, new.spec), |row| row.get(0)).optional())
            .map_err(|error| self.sqlite(error))?;
        if let Some(id) = found {
            return Ok(ArtifactId(id));
        }
        let size = new.content.len() as u64;
        self.run(
            "INSERT INTO artifacts (digest, kind, owner, filestamp, size, not_after, spec)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                digest.0,
                new.kind.code(),
                new.owner,
                new.filestamp.0,
                size.cast_signed(),
                new.not_after,
                new.spec,
            ),
        )?;
        let id = ArtifactId(self.transaction.last_insert_rowid());
        let row = identity::content(&Artifact {
            id,
            digest,
            kind: new.kind,
            owner: new.owner.into(),
            filestamp: new.filestamp,
            size,
            not_after: new.not_after,
            spec: new.spec.into(),
        });
        let sealed = self.data_key.seal(new.content.expose(), &row)?;
        self.run(
            "INSERT INTO contents (artifact, sealed) VALUES (?1, ?2)",
            (id.0, sealed),
        )?;
        Ok(id)
    }

    /// `host` holds `artifact` as the file `name`, and `links` point to it, from this generation on.
    ///
    /// # Errors
    /// [`Error::BadName`] if a name is not a plain file name.
    pub fn place(
        &mut self,
        host: &str,
        artifact: ArtifactId,
        name: &str,
        links: &[String],
    ) -> Result<PlacementId> {
        plain_name(name)?;
        links.iter().try_for_each(|link| plain_name(link))?;
        let digest = self
            .transaction
            .prepare_cached("SELECT digest FROM artifacts WHERE id = ?1")
            .and_then(|mut of| of.query_row([artifact.0], |row| row.get(0)))
            .map_err(|error| self.sqlite(error))?;
        let placement = Placement {
            id: PlacementId(0),
            artifact,
            name: name.into(),
            links: links.join(" ").into(),
            since: self.id,
            until: None,
        };
        let seal = self
            .data_key
            .seal(&[], &identity::placement(host, Digest(digest), &placement))?;
        self.run("INSERT OR IGNORE INTO hosts (name) VALUES (?1)", [host])?;
        self.run(
            "INSERT INTO placements (host, artifact, name, links, since, seal)
             VALUES ((SELECT id FROM hosts WHERE name = ?1), ?2, ?3, ?4, ?5, ?6)",
            (host, artifact.0, name, &*placement.links, self.id.0, seal),
        )?;
        Ok(PlacementId(self.transaction.last_insert_rowid()))
    }

    /// The host no longer holds that file from this generation on. Placements that have ended are left alone.
    pub fn end_placement(&mut self, id: PlacementId) -> Result<()> {
        let found = self
            .transaction
            .prepare_cached(&format!("{PLACEMENT} WHERE p.id = ?1 AND p.until IS NULL"))
            .and_then(|mut of| of.query_row([id.0], placement).optional())
            .map_err(|error| self.sqlite(error))?;
        let Some(mut found) = found else { return Ok(()) };
        found.placement.until = Some(self.id);
        let seal = self.data_key.seal(
            &[],
            &identity::placement(&found.host, found.digest, &found.placement),
        )?;
        self.run(
            "UPDATE placements SET until = ?2, seal = ?3 WHERE id = ?1",
            (id.0, self.id.0, seal),
        )?;
        Ok(())
    }

    /// Keeps a state with it, in place of the one before: both are there, or neither.
    pub fn state(&mut self, name: &str, value: &Secret) -> Result<()> {
        let sealed = self.data_key.seal(value.expose(), &identity::state(name))?;
        self.run(
            "INSERT INTO states (name, sealed) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
            (name, sealed),
        )
    }

    /// Makes it durable: when this returns it survives a power cut. A generation in which nothing was changed
    /// is not written; `None` then.
    pub fn commit(self) -> Result<Option<GenerationId>> {
        if !self.changed {
            return Ok(None);
        }
        let path = self.path;
        self.transaction
            .commit()
            .map_err(|error| schema::sqlite(path, error))?;
        Ok(Some(self.id))
    }

    fn run(&mut self, sql: &str, values: impl rusqlite::Params) -> Result<()> {
        let rows = self
            .transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|error| self.sqlite(error))?;
        self.changed |= rows > 0;
        Ok(())
    }

    fn sqlite(&self, error: rusqlite::Error) -> Error {
        schema::sqlite(self.path, error)
    }
}
