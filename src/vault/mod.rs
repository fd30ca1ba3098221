//! The vault: the durable store of what was minted, one SQLite file, encrypted at rest.
//!
//! A random data key is sealed with age to its owners' identities or to a passphrase; every value (key media, certificates,
//! passwords, group keys) is sealed with AES-256-GCM under that data key, bound to its row. So a copy of the
//! file gives away host names, file names, sizes, dates and digests, and nothing that authenticates anybody; and a
//! value or placement that was changed or moved to another row is refused. What this cannot notice is a whole
//! older copy put in place, or rows taken out.
//!
//! Everything changes in **generations**: one transaction each, so that after a crash at any moment a generation
//! is there whole or not at all. A row says from which generation until which it holds; what does not change
//! is not written again.
//!
//! ```
//! use keytrail::vault::{KeySource, NewSecret, SecretKind, Vault, create_identity};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let identity = dir.path().join("identity.agekey");
//! create_identity(&identity)?;
//! let mut vault = Vault::create(&dir.path().join("campus.vault"), &KeySource::File(identity), &[])?;
//! let read = vault.snapshot()?;
//! let inventory = keytrail::digest::Digest::of(b"version: 1");
//! let mut generation = vault.begin(read.generation, "first day", inventory, 1_795_219_200)?;
//! generation.secret(&NewSecret {
//!     kind: SecretKind::Password,
//!     owner: "mort",
//!     filestamp: None,
//!     spec: "generated",
//!     value: &"open sesame".into(),
//! })?;
//! generation.commit()?;
//! assert_eq!(vault.password("mort")?.as_ref().and_then(|password| password.expose_str()), Some("open sesame"));
//! # Ok(())
//! # }
//! ```

mod compare;
mod condition;
mod copy;
mod error;
mod history;
mod key;
mod lock;
mod meanwhile;
mod model;
mod owners;
mod prune;
mod read;
mod rekey;
mod schema;
mod seal;
mod state;
mod write;

pub use compare::{Differences, FileChange, FileVersion, SecretChange, compare};
pub use condition::{Condition, Readable, condition};
pub use copy::{Restored, restore};
pub use error::{Error, Result};
pub use history::{Applied, Brought, HostResult, Outcome, Run, RunId, RunInfo};
pub use key::{KeySource, create_identity, default_identity};
pub use lock::{Holder, Lock, operator};
pub use model::{
    Artifact, ArtifactId, ArtifactKind, CertificateEnds, GenerationId, GenerationInfo, PlacedFile, Placement,
    PlacementId, SecretId, SecretKind, SecretVersion, Snapshot,
};
pub use owners::Owners;
pub use prune::Pruned;
pub use state::{Verified, as_state};
pub use write::{Generation, NewArtifact, NewSecret};

use meanwhile::FileId;
use owners::SealedKey;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use seal::{DataKey, Identity};
use std::path::{Path, PathBuf};

/// An open vault.
pub struct Vault {
    path: PathBuf,
    /// Which file that was when it was opened.
    file: FileId,
    db: Connection,
    data_key: Option<DataKey>,
}

impl Vault {
    /// Where the vault of an inventory (file or directory) is unless told otherwise: beside it,
    /// `campus.yaml` → `campus.vault`.
    pub fn beside(inventory: &Path) -> PathBuf {
        if inventory.file_name().is_some() {
            inventory.with_extension("vault")
        } else {
            inventory.join("inventory.vault")
        }
    }

    /// Makes a new vault, mode 0600, that `key` opens, and whoever holds the identity of one of `others`
    /// (`age1…` recipients; not with a passphrase). It is on disk when this returns.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is a file; errors of the key; [`Error::Io`].
    pub fn create(path: &Path, key: &KeySource, others: &[String]) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.into() });
        }
        let data_key = DataKey::generate()?;
        let sealed = key.owners(others)?.seal(&data_key)?;
        let seal = data_key.seal(&[], &identity::data_key())?;
        // Built aside and put in place whole: at no moment is there half a vault.
        let file = tempfile::Builder::new()
            .prefix(".keytrail-")
            .suffix(".vault")
            .tempfile_in(key::parent(path))
            .map_err(Error::io(path))?
            .into_temp_path();
        let build = || {
            let mut db = schema::connect(&file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            let building = db.transaction()?;
            schema::create(&building)?;
            building.execute(
                "INSERT INTO data_key (id, age, recipients, seal) VALUES (1, ?1, ?2, ?3)",
                (&sealed.age, sealed.recipients.join(" "), seal),
            )?;
            building.commit()
        };
        build().map_err(|error| schema::sqlite(path, error))?;
        key::persist(file, path)?;
        Self::open(path, key)
    }

    /// Opens a vault with its key. A file that is no vault, is damaged or of a later version is recognised and
    /// left as it is, and so is a vault to which the key does not belong.
    pub fn open(path: &Path, key: &KeySource) -> Result<Self> {
        let mut vault = Self::open_locked(path)?;
        // Who brings the key is about to do something with it, and reading it all first costs little
        // (measured: 0.7 s for the 680 MB of 100 000 hosts).
        let said = vault.all("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?;
        if let Some(why) = said.into_iter().find(|line| line != "ok") {
            return Err(Error::Corrupt {
                path: path.into(),
                why,
            });
        }
        let sealed = vault.sealed_key()?;
        vault.data_key = Some(key.open(&sealed, path)?);
        vault.same_key()?;
        Ok(vault)
    }

    /// Opens a vault without its key: what is not sealed can be read (who holds which file, when certificates
    /// end, what was applied), everything else answers [`Error::Locked`].
    pub fn open_locked(path: &Path) -> Result<Self> {
        // Asked before: a file that comes to the place in this moment passes for another one, not for this.
        let file = FileId::at(path);
        Ok(Self {
            path: path.into(),
            file,
            db: schema::open(path)?,
            data_key: None,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whom the vault is sealed to: `age1…` recipients, or "a passphrase".
    pub fn recipients(&self) -> Result<Vec<String>> {
        Ok(self.sealed_key()?.recipients)
    }

    /// Whether it is a passphrase that opens the vault.
    pub fn has_passphrase(&self) -> Result<bool> {
        Ok(self.recipients()? == [owners::PASSPHRASE])
    }

    /// Starts a generation that builds on `read`, the generation of the snapshot the work was derived from.
    /// `created` in Unix seconds. Nobody else can write to the vault until it is committed or dropped; dropped,
    /// it leaves no trace.
    ///
    /// # Errors
    /// [`Error::Moved`] if there is a later generation than `read` by now; [`Error::Busy`] if somebody else is
    /// writing.
    pub fn begin(
        &mut self,
        read: Option<GenerationId>,
        note: &str,
        inventory: crate::digest::Digest,
        created: i64,
    ) -> Result<Generation<'_>> {
        let path = &self.path;
        let data_key = self
            .data_key
            .as_ref()
            .ok_or_else(|| Error::Locked { path: path.clone() })?;
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| schema::sqlite(path, error))?;
        Generation::start(transaction, data_key, path, read, note, inventory, created)
    }

    fn sealed_key(&self) -> Result<SealedKey> {
        self.db
            .query_row("SELECT age, recipients FROM data_key", [], |row| {
                Ok(SealedKey {
                    age: row.get(0)?,
                    recipients: match row.get_ref(1)?.as_str()? {
                        owners::PASSPHRASE => vec![owners::PASSPHRASE.into()],
                        keys => keys.split_ascii_whitespace().map(str::to_owned).collect(),
                    },
                })
            })
            .map_err(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Error::Corrupt {
                    path: self.path.clone(),
                    why: "its data key is gone".into(),
                },
                error => self.sqlite(error),
            })
    }

    /// Makes sure that what is in the vault is sealed under the data key this process opened.
    ///
    /// # Errors
    /// [`Error::Rekeyed`] if it was sealed anew meanwhile.
    fn same_key(&self) -> Result<()> {
        match self.data_key.as_ref().map(|key| rekeyed(&self.db, key)) {
            None | Some(Ok(false)) => Ok(()),
            Some(Ok(true)) => Err(Error::Rekeyed {
                path: self.path.clone(),
            }),
            Some(Err(error)) => Err(self.sqlite(error)),
        }
    }

    /// What a value that does not open means: that it was changed, or sealed anew by another process.
    fn unless_rekeyed<T>(&self, read: Result<T>) -> Result<T> {
        if matches!(read, Err(Error::Tampered { .. })) {
            self.same_key()?;
        }
        read
    }

    fn data_key(&self) -> Result<&DataKey> {
        self.data_key.as_ref().ok_or_else(|| Error::Locked {
            path: self.path.clone(),
        })
    }

    fn sqlite(&self, error: rusqlite::Error) -> Error {
        schema::sqlite(&self.path, error)
    }

    fn tampered(&self, what: impl Into<String>) -> Error {
        Error::Tampered {
            path: self.path.clone(),
            what: what.into(),
        }
    }
}

/// Whether values are sealed under another data key than this one. A vault of format 1 does not say before its
/// first [`Vault::rekey`].
fn rekeyed(db: &Connection, data_key: &DataKey) -> rusqlite::Result<bool> {
    let seal: Option<Vec<u8>> = db.query_row("SELECT seal FROM data_key", [], |row| row.get(0))?;
    Ok(seal.is_some_and(|seal| data_key.open(&seal, &identity::data_key()).is_none()))
}

/// The identities rows are sealed for: every field that must not change.
mod identity {
    use super::{Artifact, Identity, Placement, SecretKind};
    use crate::digest::Digest;
    use crate::media::Filestamp;

    pub(super) fn content(artifact: &Artifact) -> Identity {
        Identity::new("contents")
            .with(artifact.digest.0)
            .with(artifact.kind.code())
            .with(&*artifact.owner)
            .with_number(i64::from(artifact.filestamp.0))
            .with_number(artifact.not_after)
            .with(&*artifact.spec)
    }

    pub(super) fn data_key() -> Identity {
        Identity::new("data_key")
    }

    pub(super) fn state(name: &str) -> Identity {
        Identity::new("states").with(name)
    }

    pub(super) fn placement(host: &str, digest: Digest, placement: &Placement) -> Identity {
        Identity::new("placements")
            .with(host)
            .with(digest.0)
            .with(&*placement.name)
            .with(&*placement.links)
            .with_number(i64::from(placement.since.0))
            .with_number(placement.until.map(|until| i64::from(until.0)))
    }

    pub(super) fn secret(
        kind: SecretKind,
        owner: &str,
        filestamp: Option<Filestamp>,
        spec: &str,
        since: u32,
    ) -> Identity {
        Identity::new("secrets")
            .with(kind.code())
            .with(owner)
            .with_number(filestamp.map(|stamp| i64::from(stamp.0)))
            .with(spec)
            .with_number(i64::from(since))
    }
}

#[cfg(test)]
mod tests;
