//! The vault's file: opening and locking it, with a key that is asked for once.

use crate::digest::Digest;
use crate::ops::error::{Error, Result};
use crate::ops::notice::{Notice, Observer};
use crate::vault::{self, KeySource, Lock, Vault};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// Finds what opens the vault at a path: reads a file, runs a command, or asks a person.
pub type FindKey = Box<dyn Fn(&Path) -> Result<KeySource> + Send + Sync>;

/// Which vault, what opens it, and how long to wait for its lock.
pub struct VaultAccess {
    path: PathBuf,
    find_key: FindKey,
    key: OnceLock<KeySource>,
    wait: Duration,
    purpose: String,
}

impl VaultAccess {
    /// The vault at `path`. `find_key` is called when the vault is first opened, and at most once.
    pub fn new(path: impl Into<PathBuf>, find_key: FindKey) -> Self {
        Self {
            path: path.into(),
            find_key,
            key: OnceLock::new(),
            wait: Duration::ZERO,
            purpose: String::new(),
        }
    }

    /// The same with a key that is known.
    pub fn with_key(path: impl Into<PathBuf>, key: KeySource) -> Self {
        Self::new(path, Box::new(move |_| Ok(key.clone())))
    }

    /// How long to wait for another keytrail that has the lock, and what this one says it needs the lock for.
    #[must_use]
    pub fn waiting(mut self, wait: Duration, purpose: impl Into<String>) -> Self {
        self.wait = wait;
        self.purpose = purpose.into();
        self
    }

    /// The vault's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What opens the vault.
    pub fn key(&self) -> Result<&KeySource> {
        if self.key.get().is_none() {
            let found = (self.find_key)(&self.path)?;
            // Another thread can only have found the same.
            let _ = self.key.set(found);
        }
        self.key
            .get()
            .ok_or_else(|| Error::new("the key of the vault is not known"))
    }

    /// Opens the vault.
    pub fn open(&self) -> Result<Vault> {
        Vault::open(&self.path, self.key()?).map_err(|error| Error::vault("cannot open the vault", &error))
    }

    /// Opens the vault without its key: what is sealed stays sealed.
    pub fn open_sealed(&self) -> Result<Vault> {
        Vault::open_locked(&self.path).map_err(|error| Error::vault("cannot open the vault", &error))
    }

    /// Opens the vault; makes vault and key where there are none.
    pub(crate) fn open_or_create(&self, observer: &dyn Observer) -> Result<Vault> {
        let key = self.key()?;
        if self.path.exists() {
            return self.open();
        }
        if let KeySource::File(identity) = key
            && !identity.exists()
        {
            vault::create_identity(identity)
                .map_err(|error| Error::vault("cannot make a key for the vault", &error))?;
            observer.notice(Notice::VaultKeyCreated(identity));
        }
        let vault = Vault::create(&self.path, key, &[])
            .map_err(|error| Error::vault("cannot make the vault", &error))?;
        observer.notice(Notice::VaultCreated(&self.path));
        Ok(vault)
    }

    /// Locks the vault for this process, waiting as long as asked.
    pub fn lock(&self) -> Result<Lock> {
        Lock::take(&self.path, &self.purpose, self.wait).map_err(|error| match &error {
            vault::Error::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                Error::vault("cannot lock the vault", &error).help(
                    "whoever changes the vault must be able to write in its directory: nothing was changed",
                )
            }
            vault::Error::Io { .. } | vault::Error::LockUnsupported { .. } => {
                Error::vault("cannot lock the vault", &error)
            }
            _ => Error::vault("the vault is not free", &error),
        })
    }

    /// Locks a vault that is open already, and makes sure that it is still the file at its place.
    pub fn lock_open(&self, vault: &Vault) -> Result<Lock> {
        let lock = self.lock()?;
        match vault.in_place() {
            Ok(()) => Ok(lock),
            Err(error) => Err(Error::vault("nothing was changed", &error)),
        }
    }

    /// Locks a vault that was read before. Its `states` (how far rotations are, who is shut out), which no generation tells, must
    /// be as they were then. A generation that came meanwhile is for the caller to see.
    pub(crate) fn lock_unchanged(&self, vault: &Vault, states: Digest) -> Result<Lock> {
        let lock = self.lock_open(vault)?;
        match vault.same_states(states) {
            Ok(()) => Ok(lock),
            Err(error) => Err(Error::vault("nothing was changed", &error)),
        }
    }

    /// The same key for a copy of the vault.
    pub(crate) fn for_copy(&self, path: PathBuf) -> Result<Self> {
        Ok(Self::with_key(path, self.key()?.clone()).waiting(self.wait, self.purpose.clone()))
    }
}
