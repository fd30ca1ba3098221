//! The vault: the durable store of what was minted, one SQLite file, encrypted at rest.
//!
//! A random data key is sealed with age to its owners' identities or to a passphrase; every value (key media, certificates,
//! passwords, group keys) is sealed with AES-256-GCM under that data key, bound to its row. So a copy of the
//! file gives away host names, file names, sizes, dates and digests, and nothing that authenticates anybody.
//!
//! Whoever can write the file but has no key changes nothing that is acted on: all lists add up to what the vault's head says
//! (`ledger`), which is sealed, and signed by the vault's own key (`signature`). That key is known to its operators
//! ([`Known`]) and to the hosts, so another vault is refused that somebody made for the same recipients. An older copy of the
//! whole file is noticed by the records of the hosts (`record`).
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

mod books;
mod compare;
mod condition;
mod copy;
mod error;
mod generation_id;
mod head;
mod history;
mod holder;
mod key;
mod known;
mod ledger;
mod legacy;
mod lock;
mod meanwhile;
mod model;
mod owners;
mod prune;
mod read;
mod record;
mod rekey;
mod runs;
mod schema;
mod seal;
mod signature;
mod state;
mod upgrade;
mod vault_id;
mod write;

pub use compare::{Differences, FileChange, FileVersion, SecretChange, compare};
pub use condition::{Condition, Readable, condition};
pub use copy::{Restored, restore, restore_if};
pub use error::{Error, Result};
pub use generation_id::GenerationId;
pub use history::{Applied, Brought, HostResult, Outcome, Run};
pub use holder::Holder;
pub use key::{KeySource, create_identity, default_identity, takes_passphrase};
pub use known::Known;
pub use lock::{Lock, operator};
pub use model::{
    Artifact, ArtifactId, ArtifactKind, CertificateEnds, GenerationInfo, PlacedFile, Placement, PlacementId,
    SecretId, SecretKind, SecretVersion, Snapshot,
};
pub use owners::{Operator, Owners};
pub use prune::Pruned;
pub use record::{Carried, carried};
pub use runs::{RunId, RunInfo};
pub use signature::Signer;
pub use state::{Verified, as_state};
pub use upgrade::{Former, upgrade};
pub use vault_id::VaultId;
pub use write::{Generation, NewArtifact, NewSecret};

use books::Books;
use head::Opened;
use meanwhile::FileId;
use owners::SealedKey;
use rusqlite::{Connection, OpenFlags};
use seal::{DataKey, Identity};
use std::path::{Path, PathBuf};

/// An open vault.
pub struct Vault {
    path: PathBuf,
    /// Which file that was when it was opened.
    file: FileId,
    db: Connection,
    /// What its key gives.
    opened: Option<Opened>,
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
        let owners = key.owners(others)?;
        let new = NewVault::new(&owners, Signer::generate()?)?;
        // Built aside and put in place whole: at no moment is there half a vault.
        let file = copy::aside(path)?;
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        new.build(&file, |books| {
            books.set_operators(&Operator::named(&new.recipients, &[], &operator(), now))
        })
        .map_err(|error| copy::named(error, &file, path))?;
        key::persist(file, path)?;
        Self::open(path, key)
    }

    /// Opens a vault with its key and makes sure that everything in it is what keytrail wrote: what [`Vault::check`] would say
    /// first is the error. A file that is no vault, is damaged or of another version is recognised and left as it is, and so is
    /// a vault to which the key does not belong.
    pub fn open(path: &Path, key: &KeySource) -> Result<Self> {
        let vault = Self::enter(path, key)?;
        vault.examine()?;
        Ok(vault)
    }

    /// Opens a vault with its key. What is read of it is what keytrail wrote, or refused; the rest is not looked at.
    fn enter(path: &Path, key: &KeySource) -> Result<Self> {
        let mut vault = Self::open_locked(path)?;
        let opened = vault.unlock(key)?;
        opened.head(&vault.db, path)?;
        vault.opened = Some(opened);
        Ok(vault)
    }

    /// Opens a vault without its key: what is not sealed can be read (who holds which file, when certificates
    /// end, what was applied), everything else answers [`Error::Locked`]. Nothing shows that it is what keytrail wrote.
    pub fn open_locked(path: &Path) -> Result<Self> {
        // Asked before: a file that comes to the place in this moment passes for another one, not for this.
        let file = FileId::at(path);
        Ok(Self {
            path: path.into(),
            file,
            db: schema::open(path)?,
            opened: None,
        })
    }

    /// What `key` gives.
    fn unlock(&self, key: &KeySource) -> Result<Opened> {
        let sealed = self.sealed_key()?;
        let data_key = key.open(&sealed, &self.path)?;
        Opened::read(&self.db, &self.path, data_key, sealed.age)
    }

    /// The same where the vault's identity is damaged: values still open.
    fn unlock_values(&self, key: &KeySource) -> Result<Opened> {
        let sealed = self.sealed_key()?;
        let data_key = key.open(&sealed, &self.path)?;
        Ok(Opened::new(data_key, Signer::generate()?, sealed.age))
    }

    /// Which vault it is.
    ///
    /// # Errors
    /// [`Error::Locked`]: without the key nothing shows it.
    pub fn id(&self) -> Result<VaultId> {
        Ok(self.opened()?.signer.id())
    }

    /// Which vault it says it is; only with the key is that more than a claim.
    pub fn claimed_id(&self) -> Result<VaultId> {
        let found = self.all("SELECT public FROM identity", [], |row| row.get::<_, Vec<u8>>(0))?;
        found
            .first()
            .and_then(|id| VaultId::from_bytes(id))
            .ok_or_else(|| self.tampered("the vault's identity"))
    }

    /// Who signs for this vault: what hosts keep of it.
    pub fn signer(&self) -> Result<Signer> {
        Ok(self.opened()?.signer.clone())
    }

    /// Whether it was opened with its key.
    pub fn is_opened(&self) -> bool {
        self.opened.is_some()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
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
        Generation::start(self.books()?, read, note, inventory, created)
    }

    fn sealed_key(&self) -> Result<SealedKey> {
        let age = self
            .all("SELECT age FROM data_key", [], |row| row.get(0))?
            .pop()
            .ok_or_else(|| Error::Corrupt {
                path: self.path.clone(),
                why: "its data key is gone".into(),
            })?;
        let recipients = self.all("SELECT recipient FROM recipients ORDER BY id", [], |row| {
            row.get(0)
        });
        Ok(SealedKey {
            age,
            recipients: recipients.unwrap_or_default(),
        })
    }

    /// What a value that does not open means: that it was changed, or sealed anew by another process.
    fn unless_rekeyed<T>(&self, read: Result<T>) -> Result<T> {
        if matches!(read, Err(Error::Tampered { .. })) {
            self.opened()?.head(&self.db, &self.path)?;
        }
        read
    }

    fn opened(&self) -> Result<&Opened> {
        self.opened.as_ref().ok_or_else(|| Error::Locked {
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

/// A vault about to be made.
struct NewVault {
    opened: Opened,
    recipients: Vec<String>,
}

impl NewVault {
    fn new(owners: &Owners, signer: Signer) -> Result<Self> {
        let data_key = DataKey::generate()?;
        let sealed = owners.seal(&data_key)?;
        Ok(Self {
            opened: Opened::new(data_key, signer, sealed.age),
            recipients: sealed.recipients,
        })
    }

    /// Makes it in an empty file, in one transaction with what `contents` puts in.
    fn build(&self, file: &Path, contents: impl FnOnce(&mut Books<'_>) -> Result<()>) -> Result<()> {
        let sqlite = |error| schema::sqlite(file, error);
        let mut db = schema::connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sqlite)?;
        let building = db.transaction().map_err(sqlite)?;
        schema::create(&building).map_err(sqlite)?;
        let mut books = Books::first(building, &self.opened, file);
        books.run(
            "INSERT INTO data_key (id, age) VALUES (1, ?1)",
            [self.opened.age()],
        )?;
        let signer = &self.opened.signer;
        books.run(
            "INSERT INTO identity (id, public, sealed) VALUES (1, ?1, ?2)",
            (signer.id().bytes(), signer.seal(&self.opened.data_key)?),
        )?;
        contents(&mut books)?;
        books.commit()
    }
}

/// The identities values are sealed for: every field that must not change. The number is one of them: what is asked for by
/// its number is what had that number.
mod identity {
    use super::{Artifact, Identity, SecretKind};
    use crate::media::Filestamp;

    pub(super) fn content(artifact: &Artifact) -> Identity {
        Identity::new("contents")
            .with_number(artifact.id.0)
            .with(artifact.digest.0)
            .with(artifact.kind.code())
            .with(&*artifact.owner)
            .with_number(i64::from(artifact.filestamp.0))
            .with_number(artifact.not_after)
            .with(&*artifact.spec)
    }

    pub(super) fn state(name: &str) -> Identity {
        Identity::new("states").with(name)
    }

    pub(super) fn secret(
        id: i64,
        kind: SecretKind,
        owner: &str,
        filestamp: Option<Filestamp>,
        spec: &str,
        since: u32,
    ) -> Identity {
        Identity::new("secrets")
            .with_number(id)
            .with(kind.code())
            .with(owner)
            .with_number(filestamp.map(|stamp| i64::from(stamp.0)))
            .with(spec)
            .with_number(i64::from(since))
    }
}

#[cfg(test)]
mod tests;
