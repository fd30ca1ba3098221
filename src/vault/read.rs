//! Reading: snapshots, single contents and secrets.

use super::error::{Error, Result};
use super::model::{
    Artifact, ArtifactId, ArtifactKind, CertificateEnds, GenerationId, GenerationInfo, Placement,
    PlacementId, SecretId, SecretKind, SecretVersion, Snapshot,
};
use super::seal::{DataKey, Identity};
use super::{Vault, identity};
use crate::digest::Digest;
use crate::media::Filestamp;
use crate::secret::Secret;
use rayon::prelude::*;
use rusqlite::types::FromSqlError;
use rusqlite::{Params, Row};
use std::collections::HashMap;
use std::path::Path;

const ARTIFACT: &str = "SELECT id, digest, kind, owner, filestamp, size, not_after, spec FROM artifacts";

/// [`ARTIFACT`] with the sealed content.
pub(super) const CONTENT: &str = "SELECT id, digest, kind, owner, filestamp, size, not_after, spec, sealed
     FROM artifacts JOIN contents ON artifact = id";

/// Placements with their host and digest; see [`placement`].
pub(super) const PLACEMENT: &str =
    "SELECT p.id, h.name, p.artifact, p.name, p.links, p.since, p.until, p.seal, a.digest
     FROM placements p JOIN hosts h ON h.id = p.host JOIN artifacts a ON a.id = p.artifact";

const SECRET: &str = "SELECT id, kind, owner, filestamp, spec, since FROM secrets";

/// [`SECRET`] with the sealed value.
pub(super) const SECRET_VALUE: &str = "SELECT id, kind, owner, filestamp, spec, since, sealed
     FROM secrets JOIN secret_values ON secret = id";

/// A row of [`PLACEMENT`].
pub(super) struct PlacementRow {
    pub(super) host: Box<str>,
    pub(super) digest: Digest,
    pub(super) placement: Placement,
    seal: Vec<u8>,
}

impl PlacementRow {
    pub(super) fn identity(&self) -> Identity {
        identity::placement(&self.host, self.digest, &self.placement)
    }
}

pub(super) fn placement(row: &Row<'_>) -> rusqlite::Result<PlacementRow> {
    Ok(PlacementRow {
        host: row.get(1)?,
        digest: Digest(row.get(8)?),
        placement: Placement {
            id: PlacementId(row.get(0)?),
            artifact: ArtifactId(row.get(2)?),
            name: row.get(3)?,
            links: row.get(4)?,
            since: GenerationId(row.get(5)?),
            until: row.get::<_, Option<u32>>(6)?.map(GenerationId),
        },
        seal: row.get(7)?,
    })
}

pub(super) fn content(row: &Row<'_>) -> rusqlite::Result<(Artifact, Vec<u8>)> {
    Ok((artifact(row)?, row.get(8)?))
}

fn artifact(row: &Row<'_>) -> rusqlite::Result<Artifact> {
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

/// A row of [`SECRET`].
pub(super) struct SecretRow {
    pub(super) kind: SecretKind,
    pub(super) owner: Box<str>,
    pub(super) version: SecretVersion,
}

impl SecretRow {
    pub(super) fn identity(&self) -> Identity {
        identity::secret(
            self.kind,
            &self.owner,
            self.version.filestamp,
            &self.version.spec,
            self.version.since.0,
        )
    }
}

pub(super) fn secret_value(row: &Row<'_>) -> rusqlite::Result<(SecretRow, Vec<u8>)> {
    Ok((secret(row)?, row.get(6)?))
}

fn secret(row: &Row<'_>) -> rusqlite::Result<SecretRow> {
    Ok(SecretRow {
        kind: SecretKind::from_code(row.get_ref(1)?.as_str()?).ok_or(FromSqlError::InvalidType)?,
        owner: row.get(2)?,
        version: SecretVersion {
            id: SecretId(row.get(0)?),
            filestamp: row.get::<_, Option<u32>>(3)?.map(Filestamp),
            spec: row.get(4)?,
            since: GenerationId(row.get(5)?),
        },
    })
}

impl Vault {
    /// Every generation, oldest first.
    pub fn generations(&self) -> Result<Vec<GenerationInfo>> {
        self.all(
            "SELECT id, created, note, inventory, pruned FROM generations ORDER BY id",
            [],
            |row| {
                Ok(GenerationInfo {
                    id: GenerationId(row.get(0)?),
                    created: row.get(1)?,
                    note: row.get(2)?,
                    inventory: Digest(row.get(3)?),
                    pruned: row.get(4)?,
                })
            },
        )
    }

    /// A generation by its number, pruned or not.
    ///
    /// # Errors
    /// [`Error::NoGeneration`], which names those there are.
    pub fn generation(&self, wanted: GenerationId) -> Result<GenerationInfo> {
        match self.generations()?.into_iter().find(|info| info.id == wanted) {
            Some(info) => Ok(info),
            None => Err(self.no_generation(wanted, false)?),
        }
    }

    fn no_generation(&self, wanted: GenerationId, pruned: bool) -> Result<Error> {
        let all = self.generations()?.into_iter();
        Ok(Error::NoGeneration {
            path: self.path.clone(),
            wanted,
            pruned,
            there: all
                .filter(|info| info.pruned.is_none())
                .map(|info| info.id)
                .collect(),
        })
    }

    /// The latest generation; `None` before the first.
    pub fn latest(&self) -> Result<Option<GenerationId>> {
        let rows = self.all("SELECT max(id) FROM generations", [], |row| {
            row.get::<_, Option<u32>>(0)
        })?;
        Ok(rows.into_iter().flatten().next().map(GenerationId))
    }

    /// Everything but the sealed values, as of the latest generation. With the key, every placement is checked
    /// to be as it was written.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_at(None)
    }

    /// The same as of an earlier generation, e.g. for going back to it; `None`: the latest.
    ///
    /// # Errors
    /// [`Error::NoGeneration`] if there is none of that number, or only its name is left.
    pub fn snapshot_at(&self, generation: Option<GenerationId>) -> Result<Snapshot> {
        self.unless_rekeyed(self.snapshot_of(generation))
    }

    fn snapshot_of(&self, generation: Option<GenerationId>) -> Result<Snapshot> {
        // One read transaction: all tables as of one moment.
        let _reading = self
            .db
            .unchecked_transaction()
            .map_err(|error| self.sqlite(error))?;
        let latest = |sql| {
            let found = self.all(sql, [], |row| row.get::<_, Option<u32>>(0));
            found.map(|rows| rows.into_iter().flatten().max())
        };
        // Client parameters of groups outside the fleet carry the stamps of somebody else's clock.
        let last_filestamp = latest(
            "SELECT max(filestamp) FROM artifacts WHERE kind = 'cert' UNION ALL SELECT max(filestamp) FROM secrets
             UNION ALL SELECT max(last_filestamp) FROM generations",
        )?;
        if let Some(wanted) = generation
            && self.generation(wanted)?.pruned.is_some()
        {
            return Err(self.no_generation(wanted, true)?);
        }
        let shown = generation.or(latest("SELECT max(id) FROM generations")?.map(GenerationId));
        let mut snapshot = Snapshot {
            generation: shown,
            last_filestamp: last_filestamp.map(Filestamp),
            ..Snapshot::default()
        };
        for artifact in self.all(ARTIFACT, [], artifact)? {
            snapshot.artifacts.insert(artifact.id, artifact);
        }
        let in_force = format!("{SECRET} WHERE since <= ?1 AND (until IS NULL OR until > ?1)");
        for row in self.all(&in_force, [shown.map_or(0, |shown| shown.0)], secret)? {
            let of_kind = snapshot.secrets.entry(row.kind).or_default();
            of_kind.insert(row.owner, row.version);
        }
        let rows = self.all(&format!("{PLACEMENT} ORDER BY p.id"), [], placement)?;
        if self.data_key.is_some() {
            let opener = self.opener()?;
            rows.par_iter().try_for_each(|row| opener.placement(row))?;
        }
        for row in rows {
            let of_host = snapshot.hosts.entry(row.host).or_default();
            of_host.push(row.placement);
        }
        Ok(snapshot)
    }

    /// When the certificate of each host ends. Needs no key, and does not read the rest: an instant for a hundred
    /// thousand hosts.
    pub fn certificates(&self) -> Result<HashMap<Box<str>, CertificateEnds>> {
        // Where a host stands is a row of its own; what it was never brought to stands in the latest generation.
        let rows = self.all(
            "SELECT h.name,
                 min(a.not_after) FILTER (WHERE s.generation IS NULL AND p.until IS NULL
                     OR p.since <= s.generation AND (p.until IS NULL OR p.until > s.generation)),
                 min(a.not_after) FILTER (WHERE p.until IS NULL)
             FROM artifacts a JOIN placements p ON p.artifact = a.id JOIN hosts h ON h.id = p.host
                 LEFT JOIN applied s ON s.host = p.host
             WHERE a.kind = 'cert' GROUP BY p.host",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let ends = rows.into_iter().filter_map(|(host, standing, latest)| {
            // A host of a generation whose media were pruned, or that holds none any more.
            let standing: i64 = Option::or(standing, latest)?;
            let latest = latest.unwrap_or(standing);
            Some((host, CertificateEnds { standing, latest }))
        });
        Ok(ends.collect())
    }

    /// The owners whose secret of a kind is not their first, with the generation it came with. Needs no key.
    pub fn replaced(&self, kind: SecretKind) -> Result<HashMap<Box<str>, GenerationId>> {
        let rows = self.all(
            "SELECT owner, max(since) FROM secrets WHERE kind = ?1 GROUP BY owner
             HAVING count(*) > 1 AND sum(until IS NULL) = 1",
            [kind.code()],
            |row| Ok((row.get(0)?, GenerationId(row.get(1)?))),
        )?;
        Ok(rows.into_iter().collect())
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`Error::Tampered`] if they are not those that were written.
    pub fn content(&self, id: ArtifactId) -> Result<Secret> {
        let (artifact, sealed) = self
            .all(&format!("{CONTENT} WHERE id = ?1"), [id.0], content)?
            .pop()
            .ok_or_else(|| self.tampered(format!("file {}", id.0)))?;
        self.unless_rekeyed(self.opener()?.content(&artifact, &sealed))
    }

    /// The value of a version of a secret.
    pub fn secret(&self, id: SecretId) -> Result<Secret> {
        let (row, sealed) = self
            .all(&format!("{SECRET_VALUE} WHERE id = ?1"), [id.0], secret_value)?
            .pop()
            .ok_or_else(|| self.tampered(format!("secret {}", id.0)))?;
        self.unless_rekeyed(self.opener()?.secret(&row, &sealed))
    }

    /// The password of a host's private files in the latest generation, if it has one.
    pub fn password(&self, host: &str) -> Result<Option<Secret>> {
        let sql = format!("{SECRET_VALUE} WHERE kind = ?1 AND owner = ?2 AND until IS NULL");
        let found = self.all(&sql, (SecretKind::Password.code(), host), secret_value)?;
        let opener = self.opener()?;
        let value = found.first().map(|(row, sealed)| opener.secret(row, sealed));
        self.unless_rekeyed(value.transpose())
    }

    /// All secrets of a kind in the latest generation, by owner.
    pub fn secrets(&self, kind: SecretKind) -> Result<HashMap<Box<str>, Secret>> {
        let sql = format!("{SECRET_VALUE} WHERE kind = ?1 AND until IS NULL");
        let opener = self.opener()?;
        let values = self
            .all(&sql, [kind.code()], secret_value)?
            .into_par_iter()
            .map(|(row, sealed)| {
                let value = opener.secret(&row, &sealed)?;
                Ok((row.owner, value))
            })
            .collect();
        self.unless_rekeyed(values)
    }

    /// All rows of a query.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_map(values, read)?.collect())
            .map_err(|error| self.sqlite(error))
    }

    pub(super) fn opener(&self) -> Result<Opener<'_>> {
        Ok(Opener {
            path: &self.path,
            data_key: self.data_key()?,
        })
    }
}

/// Opens rows: what of a vault can be shared between threads.
pub(super) struct Opener<'v> {
    pub(super) path: &'v Path,
    pub(super) data_key: &'v DataKey,
}

impl Opener<'_> {
    pub(super) fn content(&self, artifact: &Artifact, sealed: &[u8]) -> Result<Secret> {
        self.data_key
            .open(sealed, &identity::content(artifact))
            .filter(|content| Digest::of(content.expose()) == artifact.digest)
            .ok_or_else(|| {
                self.tampered(format!(
                    "the content of ntpkey_{}_{}.{}",
                    artifact.kind.code(),
                    artifact.owner,
                    artifact.filestamp
                ))
            })
    }

    pub(super) fn secret(&self, row: &SecretRow, sealed: &[u8]) -> Result<Secret> {
        self.data_key
            .open(sealed, &row.identity())
            .ok_or_else(|| self.tampered(format!("the {} of {}", row.kind.code(), row.owner)))
    }

    pub(super) fn placement(&self, row: &PlacementRow) -> Result<()> {
        self.data_key
            .open(&row.seal, &row.identity())
            .map(drop)
            .ok_or_else(|| {
                self.tampered(format!(
                    "the record that {} holds {}",
                    row.host, row.placement.name
                ))
            })
    }

    pub(super) fn tampered(&self, what: String) -> Error {
        Error::Tampered {
            path: self.path.into(),
            what,
        }
    }
}
