//! Writing a generation: one transaction, prepared statements, sealed on the way in.

use super::books::Books;
use super::error::{Error, Result};
use super::generation_id::GenerationId;
use super::identity;
use super::ledger::{ARTIFACTS, GENERATIONS, PLACEMENTS, SECRETS};
use super::model::{Artifact, ArtifactId, ArtifactKind, PlacementId, SecretId, SecretKind, plain_name};
use crate::digest::Digest;
use crate::media::Filestamp;
use crate::secret::Secret;
use rusqlite::Row;

/// A generation being written. Dropped without [`Generation::commit`] it never was.
pub struct Generation<'v> {
    books: Books<'v>,
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
        mut books: Books<'v>,
        read: Option<GenerationId>,
        note: &str,
        inventory: Digest,
        created: i64,
    ) -> Result<Self> {
        let latest = books
            .one("SELECT max(id) FROM generations", [], |row| {
                row.get::<_, Option<u32>>(0)
            })?
            .flatten()
            .map(GenerationId);
        if latest != read {
            return Err(Error::Moved {
                path: books.path().into(),
                read,
                latest,
            });
        }
        let id = GenerationId(read.map_or(1, |read| read.0 + 1));
        books.put(
            &GENERATIONS,
            "INSERT INTO generations (id, created, note, inventory) VALUES (?1, ?2, ?3, ?4)",
            (id.0, created, note, inventory.0),
        )?;
        Ok(Self {
            books,
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
        let (code, stamp) = (new.kind.code(), new.filestamp.map(|stamp| stamp.0));
        self.books.put(
            &SECRETS,
            "INSERT INTO secrets (kind, owner, filestamp, spec, since) VALUES (?1, ?2, ?3, ?4, ?5)",
            (code, new.owner, stamp, new.spec, self.id.0),
        )?;
        let id = self.books.last();
        let row = identity::secret(id, new.kind, new.owner, new.filestamp, new.spec, self.id.0);
        let sealed = self.books.opened().data_key.seal(new.value.expose(), &row)?;
        self.books.run(
            "INSERT INTO secret_values (secret, sealed) VALUES (?1, ?2)",
            (id, sealed),
        )?;
        self.changed = true;
        Ok(SecretId(id))
    }

    /// Ends a secret without a successor. It stays readable for the generations it belonged to.
    pub fn end_secret(&mut self, kind: SecretKind, owner: &str) -> Result<()> {
        let in_force = "kind = ?1 AND owner = ?2 AND until IS NULL";
        let of = (kind.code(), owner);
        let own = |row: &Row<'_>| Ok(row.get_ref(1)?.as_str()? == of.0 && row.get_ref(2)?.as_str()? == of.1);
        if self.books.take(&SECRETS, in_force, of, own)? > 0 {
            self.books.put(
                &SECRETS,
                &format!("UPDATE secrets SET until = ?3 WHERE {in_force}"),
                (of.0, of.1, self.id.0),
            )?;
            self.changed = true;
        }
        Ok(())
    }

    /// Keeps the content of a file. The same content made from the same things is kept once.
    pub fn artifact(&mut self, new: &NewArtifact<'_>) -> Result<ArtifactId> {
        let digest = Digest::of(new.content.expose());
        if let Some(id) = self.known(digest, new.spec)? {
            return Ok(id);
        }
        let size = new.content.len() as u64;
        self.books.put(
            &ARTIFACTS,
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
        let id = ArtifactId(self.books.last());
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
        let sealed = self.books.opened().data_key.seal(new.content.expose(), &row)?;
        self.books.run(
            "INSERT INTO contents (artifact, sealed) VALUES (?1, ?2)",
            (id.0, sealed),
        )?;
        self.changed = true;
        Ok(id)
    }

    fn known(&self, digest: Digest, spec: &str) -> Result<Option<ArtifactId>> {
        let found: Option<i64> = self.books.one(
            "SELECT id FROM artifacts WHERE digest = ?1 AND spec = ?2",
            (digest.0, spec),
            |row| row.get(0),
        )?;
        let Some(id) = found else { return Ok(None) };
        // The index might be another's work: the row itself must say so.
        let row: Option<([u8; 32], String)> = self.books.one(
            "SELECT digest, spec FROM artifacts NOT INDEXED WHERE id = ?1",
            [id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if row.is_some_and(|(of, from)| of == digest.0 && from == spec) {
            Ok(Some(ArtifactId(id)))
        } else {
            Err(self.books.tampered(ARTIFACTS.what))
        }
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
        let host = self.books.host(host)?;
        self.books.put(
            &PLACEMENTS,
            "INSERT INTO placements (host, artifact, name, links, since) VALUES (?1, ?2, ?3, ?4, ?5)",
            (host, artifact.0, name, links.join(" "), self.id.0),
        )?;
        self.changed = true;
        Ok(PlacementId(self.books.last()))
    }

    /// The host no longer holds that file from this generation on. Placements that have ended are left alone.
    pub fn end_placement(&mut self, id: PlacementId) -> Result<()> {
        let standing = "id = ?1 AND until IS NULL";
        if self.books.take(&PLACEMENTS, standing, [id.0], |_| Ok(true))? > 0 {
            self.books.put(
                &PLACEMENTS,
                &format!("UPDATE placements SET until = ?2 WHERE {standing}"),
                (id.0, self.id.0),
            )?;
            self.changed = true;
        }
        Ok(())
    }

    /// Keeps a state with it, in place of the one before: both are there, or neither.
    pub fn state(&mut self, name: &str, value: &Secret) -> Result<()> {
        self.changed = true;
        self.books.keep_state(name, Some(value))
    }

    /// Makes it durable: when this returns it survives a power cut. A generation in which nothing was changed
    /// is not written; `None` then.
    pub fn commit(self) -> Result<Option<GenerationId>> {
        if !self.changed {
            return Ok(None);
        }
        self.books.commit()?;
        Ok(Some(self.id))
    }
}
