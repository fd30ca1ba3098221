//! Reading: snapshots, single contents and secrets.

use super::error::{Error, Result};
use super::generation_id::GenerationId;
use super::head::Reading;
use super::ledger::{ARTIFACTS, GENERATIONS, HOSTS, PLACEMENTS, SECRETS, STANDING};
use super::model::{
    Artifact, ArtifactId, ArtifactKind, CertificateEnds, GenerationInfo, Placement, PlacementId, SecretId,
    SecretKind, SecretVersion, Snapshot,
};
use super::seal::{DataKey, Identity};
use super::{Vault, identity};
use crate::digest::Digest;
use crate::media::Filestamp;
use crate::secret::Secret;
use rayon::prelude::*;
use rusqlite::types::FromSqlError;
use rusqlite::{Params, Row};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Files with their sealed contents; see [`content`].
pub(super) const CONTENT: &str = "SELECT id, digest, kind, owner, filestamp, size, not_after, spec, sealed
     FROM artifacts JOIN contents ON artifact = id";

/// Secrets with their sealed values; see [`secret_value`].
pub(super) const SECRET_VALUE: &str = "SELECT id, kind, owner, filestamp, spec, since, until, sealed
     FROM secrets JOIN secret_values ON secret = id";

/// A row of [`PLACEMENTS`], with the number of its host.
fn placement(row: &Row<'_>) -> rusqlite::Result<(i64, Placement)> {
    let placement = Placement {
        id: PlacementId(row.get(0)?),
        artifact: ArtifactId(row.get(2)?),
        name: row.get(3)?,
        links: row.get(4)?,
        since: GenerationId(row.get(5)?),
        until: row.get::<_, Option<u32>>(6)?.map(GenerationId),
    };
    Ok((row.get(1)?, placement))
}

pub(super) fn content(row: &Row<'_>) -> rusqlite::Result<(Artifact, Vec<u8>)> {
    Ok((artifact(row)?, row.get(8)?))
}

/// A row of [`ARTIFACTS`].
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

/// A row of [`SECRETS`].
pub(super) struct SecretRow {
    pub(super) kind: SecretKind,
    pub(super) owner: Box<str>,
    pub(super) version: SecretVersion,
    until: Option<GenerationId>,
}

impl SecretRow {
    pub(super) fn identity(&self) -> Identity {
        identity::secret(
            self.version.id.0,
            self.kind,
            &self.owner,
            self.version.filestamp,
            &self.version.spec,
            self.version.since.0,
        )
    }

    fn is_in_force(&self, shown: Option<GenerationId>) -> bool {
        Some(self.version.since) <= shown && self.until.is_none_or(|until| Some(until) > shown)
    }
}

pub(super) fn secret_value(row: &Row<'_>) -> rusqlite::Result<(SecretRow, Vec<u8>)> {
    Ok((secret(row)?, row.get(7)?))
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
        until: row.get::<_, Option<u32>>(6)?.map(GenerationId),
    })
}

/// A row of [`GENERATIONS`], with the latest filestamp given out by the time it was pruned.
fn generation(row: &Row<'_>) -> rusqlite::Result<(GenerationInfo, Option<u32>)> {
    let info = GenerationInfo {
        id: GenerationId(row.get(0)?),
        created: row.get(1)?,
        note: row.get(2)?,
        inventory: Digest(row.get(3)?),
        pruned: row.get(4)?,
    };
    Ok((info, row.get(5)?))
}

impl Vault {
    /// Every generation, oldest first.
    pub fn generations(&self) -> Result<Vec<GenerationInfo>> {
        self.reading()?.rows(&GENERATIONS, |row| Ok(generation(row)?.0))
    }

    /// A generation by its number, pruned or not.
    ///
    /// # Errors
    /// [`Error::NoGeneration`], which names those there are.
    pub fn generation(&self, wanted: GenerationId) -> Result<GenerationInfo> {
        let all = self.generations()?;
        match all.iter().find(|info| info.id == wanted) {
            Some(info) => Ok(info.clone()),
            None => Err(self.no_generation(wanted, false, &all)),
        }
    }

    fn no_generation(&self, wanted: GenerationId, pruned: bool, all: &[GenerationInfo]) -> Error {
        let there = all.iter().filter(|info| info.pruned.is_none());
        Error::NoGeneration {
            path: self.path.clone(),
            wanted,
            pruned,
            there: there.map(|info| info.id).collect(),
        }
    }

    /// The latest generation; `None` before the first.
    pub fn latest(&self) -> Result<Option<GenerationId>> {
        Ok(self.generations()?.last().map(|info| info.id))
    }

    /// Everything but the sealed values, as of the latest generation. With the key it is all that was written, as it was
    /// written, or refused.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot_at(None)
    }

    /// The same as of an earlier generation, e.g. for going back to it; `None`: the latest.
    ///
    /// # Errors
    /// [`Error::NoGeneration`] if there is none of that number, or only its name is left.
    pub fn snapshot_at(&self, wanted: Option<GenerationId>) -> Result<Snapshot> {
        let reading = self.reading()?;
        let generations = reading.rows(&GENERATIONS, generation)?;
        let mut stamp = generations.iter().filter_map(|(_, stamp)| *stamp).max();
        let generations: Vec<GenerationInfo> = generations.into_iter().map(|(info, _)| info).collect();
        if let Some(wanted) = wanted {
            match generations.iter().find(|info| info.id == wanted) {
                Some(info) if info.pruned.is_none() => {}
                found => return Err(self.no_generation(wanted, found.is_some(), &generations)),
            }
        }
        let shown = wanted.or(generations.last().map(|info| info.id));
        let mut snapshot = Snapshot {
            generation: shown,
            ..Snapshot::default()
        };
        for artifact in reading.rows(&ARTIFACTS, artifact)? {
            // Client parameters of groups outside the fleet carry the stamps of somebody else's clock.
            if artifact.kind == ArtifactKind::Certificate {
                stamp = stamp.max(Some(artifact.filestamp.0));
            }
            snapshot.artifacts.insert(artifact.id, artifact);
        }
        let mut now = HashSet::new();
        for row in reading.rows(&SECRETS, secret)? {
            stamp = stamp.max(row.version.filestamp.map(|stamp| stamp.0));
            if row.until.is_none() && !now.insert((row.kind, row.owner.clone())) {
                return Err(self.tampered(SECRETS.what));
            }
            if row.is_in_force(shown) {
                let of_kind = snapshot.secrets.entry(row.kind).or_default();
                of_kind.insert(row.owner, row.version);
            }
        }
        snapshot.last_filestamp = stamp.map(Filestamp);
        let mut hosts = reading.rows(&HOSTS, |row| {
            Ok((row.get::<_, i64>(0)?, (row.get::<_, Box<str>>(1)?, Vec::new())))
        })?;
        hosts.sort_unstable_by_key(|(id, _)| *id);
        for (host, placement) in reading.rows(&PLACEMENTS, placement)? {
            match hosts.binary_search_by_key(&host, |(id, _)| *id) {
                Ok(at) => hosts[at].1.1.push(placement),
                Err(_) => return Err(self.tampered(PLACEMENTS.what)),
            }
        }
        snapshot.hosts = hosts
            .into_iter()
            .map(|(_, host)| host)
            .filter(|(_, placements)| !placements.is_empty())
            .collect();
        Ok(snapshot)
    }

    /// When the certificate of each host ends. Without the key this does not read the rest: an instant for a hundred
    /// thousand hosts.
    pub fn certificates(&self) -> Result<HashMap<Box<str>, CertificateEnds>> {
        let reading = self.reading()?;
        let rows = if self.opened.is_some() {
            certificates(&reading)?
        } else {
            // Where a host stands is a row of its own; what it was never brought to stands in the latest generation.
            self.all(
                "SELECT h.name,
                     min(a.not_after) FILTER (WHERE s.generation IS NULL AND p.until IS NULL
                         OR p.since <= s.generation AND (p.until IS NULL OR p.until > s.generation)),
                     min(a.not_after) FILTER (WHERE p.until IS NULL)
                 FROM artifacts a JOIN placements p ON p.artifact = a.id JOIN hosts h ON h.id = p.host
                     LEFT JOIN standing s ON s.host = p.host
                 WHERE a.kind = 'cert' GROUP BY p.host",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?
        };
        let ends = rows.into_iter().filter_map(|(host, standing, latest)| {
            // A host of a generation whose media were pruned, or that holds none any more.
            let standing: i64 = Option::or(standing, latest)?;
            let latest = latest.unwrap_or(standing);
            Some((host, CertificateEnds { standing, latest }))
        });
        Ok(ends.collect())
    }

    /// The owners whose secret of a kind is not their first, with the generation it came with.
    pub fn replaced(&self, kind: SecretKind) -> Result<HashMap<Box<str>, GenerationId>> {
        let mut versions: HashMap<Box<str>, (usize, Option<GenerationId>)> = HashMap::new();
        self.reading()?.rows(&SECRETS, |row| {
            if row.get_ref(1)?.as_str()? == kind.code() {
                let row = secret(row)?;
                let (count, now) = versions.entry(row.owner).or_default();
                *count += 1;
                if row.until.is_none() {
                    *now = Some(row.version.since);
                }
            }
            Ok(())
        })?;
        Ok(versions
            .into_iter()
            .filter_map(|(owner, (count, now))| Some((owner, now.filter(|_| count > 1)?)))
            .collect())
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
        self.opener()?;
        let found = self.snapshot()?;
        let version = found.secret(SecretKind::Password, host);
        version.map(|version| self.secret(version.id)).transpose()
    }

    /// All secrets of a kind in the latest generation, by owner.
    pub fn secrets(&self, kind: SecretKind) -> Result<HashMap<Box<str>, Secret>> {
        self.secrets_of(&self.snapshot()?, kind)
    }

    /// All secrets of a kind that are in force in a snapshot of this vault, by owner.
    pub fn secrets_of(&self, snapshot: &Snapshot, kind: SecretKind) -> Result<HashMap<Box<str>, Secret>> {
        let opener = self.opener()?;
        let Some(wanted) = snapshot.secrets.get(&kind) else {
            return Ok(HashMap::new());
        };
        let sql = "SELECT secret, sealed FROM secret_values
            WHERE secret IN (SELECT id FROM secrets WHERE kind = ?1)";
        let sealed: HashMap<i64, Vec<u8>> = self
            .all(sql, [kind.code()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
        let values = wanted
            .par_iter()
            .map(|(owner, version)| {
                let row = SecretRow {
                    kind,
                    owner: owner.clone(),
                    version: version.clone(),
                    until: None,
                };
                let sealed = sealed.get(&version.id.0).map_or(&[][..], |sealed| sealed);
                Ok((owner.clone(), opener.secret(&row, sealed)?))
            })
            .collect();
        self.unless_rekeyed(values)
    }

    /// All rows of a query.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        // A damaged file may lead in a circle.
        let most = usize::try_from(self.most_rows()).unwrap_or(usize::MAX);
        let read = |row: &Row<'_>| read(row);
        self.db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_map(values, read)?.take(most).collect())
            .map_err(|error| self.sqlite(error))
    }

    /// More rows than this are in no table of a file of this size.
    pub(super) fn most_rows(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |meta| meta.len()) / 4
    }

    pub(super) fn opener(&self) -> Result<Opener<'_>> {
        Ok(Opener {
            path: &self.path,
            data_key: &self.opened()?.data_key,
        })
    }
}

/// For each host with certificates: when the one ends where it stands, and the latest. The same as the query of
/// [`Vault::certificates`], from rows that are known to be what was written.
type Ends = Vec<(Box<str>, Option<i64>, Option<i64>)>;

fn certificates(reading: &Reading<'_>) -> Result<Ends> {
    let mut ends: HashMap<ArtifactId, Option<i64>> = HashMap::new();
    reading.rows(&ARTIFACTS, |row| {
        let artifact = artifact(row)?;
        if artifact.kind == ArtifactKind::Certificate {
            ends.insert(artifact.id, artifact.not_after);
        }
        Ok(())
    })?;
    let standing: HashMap<i64, Option<u32>> = reading
        .rows(&STANDING, |row| Ok((row.get(0)?, row.get(1)?)))?
        .into_iter()
        .collect();
    let earlier = |one: Option<i64>, other: Option<i64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let mut found: HashMap<i64, (Option<i64>, Option<i64>)> = HashMap::new();
    for (host, placement) in reading.rows(&PLACEMENTS, placement)? {
        let Some(end) = ends.get(&placement.artifact) else {
            continue;
        };
        let (stands, latest) = found.entry(host).or_default();
        let now = placement.until.is_none();
        let there = match standing.get(&host).copied().flatten() {
            None => now,
            Some(at) => placement.since.0 <= at && placement.until.is_none_or(|until| until.0 > at),
        };
        if there {
            *stands = earlier(*stands, *end);
        }
        if now {
            *latest = earlier(*latest, *end);
        }
    }
    let names = reading.host_names()?;
    Ok(found
        .into_iter()
        .filter_map(|(host, (stands, latest))| Some((names.get(&host)?.clone(), stands, latest)))
        .collect())
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

    pub(super) fn tampered(&self, what: String) -> Error {
        Error::Tampered {
            path: self.path.into(),
            what,
        }
    }
}
