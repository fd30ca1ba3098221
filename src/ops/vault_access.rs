//! The vault's file: opening and locking it, with a key that is asked for once.

use crate::digest::Digest;
use crate::ops::error::{Error, Result};
use crate::ops::notice::{Notice, Observer};
use crate::vault::{self, KeySource, Known, Lock, Vault, VaultId};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// Finds what opens the vault at a path: reads a file, runs a command, or asks a person.
pub type FindKey = Box<dyn Fn(&Path) -> Result<KeySource> + Send + Sync>;

/// Finds which vaults were used here before, by whoever has this key.
pub type FindKnown = Box<dyn Fn(&KeySource) -> Result<Known> + Send + Sync>;

/// Which vault, what opens it, and how long to wait for its lock.
pub struct VaultAccess {
    path: PathBuf,
    find_key: FindKey,
    key: OnceLock<KeySource>,
    find_known: Option<FindKnown>,
    at_hand: bool,
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
            find_known: None,
            at_hand: false,
            wait: Duration::ZERO,
            purpose: String::new(),
        }
    }

    /// The same with a key that is known.
    pub fn with_key(path: impl Into<PathBuf>, key: KeySource) -> Self {
        Self::new(path, Box::new(move |_| Ok(key.clone())))
    }

    /// The vault must be the one that was used here before: `find_known` says which, given the key. Without this any vault is
    /// taken that the key opens.
    #[must_use]
    pub fn knowing(mut self, find_known: FindKnown) -> Self {
        self.find_known = Some(find_known);
        self
    }

    /// Whether the key was given, so that nobody has to be asked for it.
    #[must_use]
    pub fn at_hand(mut self, at_hand: bool) -> Self {
        self.at_hand = at_hand;
        self
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

    /// Opens the vault, and makes sure that it is the one that was used here before.
    pub fn open(&self, observer: &dyn Observer) -> Result<Vault> {
        let cannot = |error| Error::vault("cannot open the vault", &error);
        let key = self.key()?;
        let Some(find_known) = &self.find_known else {
            return Vault::open(&self.path, key).map_err(cannot);
        };
        let known = find_known(key)?;
        known.before(&self.path).map_err(cannot)?;
        let vault = Vault::open(&self.path, key).map_err(cannot)?;
        let id = vault.id()?;
        if !known.is_known(&self.path, id).map_err(cannot)? {
            remember(&known, &vault, id, true, observer);
        }
        warn_if_exposed(&self.path, observer);
        Ok(vault)
    }

    /// Opens the vault without its key: what is sealed stays sealed, and nothing shows that the rest is what keytrail wrote.
    pub fn open_sealed(&self, observer: &dyn Observer) -> Result<Vault> {
        let vault =
            Vault::open_locked(&self.path).map_err(|error| Error::vault("cannot open the vault", &error))?;
        observer.notice(Notice::VaultUnverified(&self.path));
        Ok(vault)
    }

    /// Opens the vault with its key where nobody has to be asked for it and it fits, else without.
    pub(crate) fn open_if_at_hand(&self, observer: &dyn Observer) -> Result<Vault> {
        let fits = |key: &KeySource| match key {
            KeySource::File(identity) if identity.exists() => {
                let listed = Vault::open_locked(&self.path).and_then(|vault| vault.recipients());
                match (listed, key.recipients()) {
                    (Ok(listed), Ok(own)) => own.iter().any(|own| listed.contains(own)),
                    _ => true,
                }
            }
            _ => false,
        };
        let asks = vault::takes_passphrase(&self.path).is_ok_and(|passphrase| passphrase);
        if self.at_hand || (!asks && self.key().is_ok_and(fits)) {
            self.open(observer)
        } else {
            self.open_sealed(observer)
        }
    }

    /// Opens the vault; makes vault and key where there are none.
    pub(crate) fn open_or_create(&self, observer: &dyn Observer) -> Result<Vault> {
        let key = self.key()?;
        if self.path.exists() {
            return self.open(observer);
        }
        // No vault where one was used before: a new one would make all keys anew.
        let known = self.find_known.as_ref().map(|find| find(key)).transpose()?;
        if let Some(known) = &known {
            known
                .before(&self.path)
                .map_err(|error| Error::vault("cannot open the vault", &error))?;
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
        if let Some(known) = &known {
            remember(known, &vault, vault.id()?, false, observer);
        }
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

/// Remembers which vault this is, for the next time; `say`: it came from somewhere else, and nothing shows that it is the right one.
fn remember(known: &Known, vault: &Vault, id: VaultId, say: bool, observer: &dyn Observer) {
    let path = vault.path();
    let unknown = |why: &str| observer.notice(Notice::VaultUnknown { path, id, why });
    match known.remember(path, id) {
        Ok(Some(known)) if say => observer.notice(Notice::VaultFirstUse {
            path,
            id,
            known: &known,
        }),
        Ok(Some(_)) => {}
        Ok(None) => unknown("there is no configuration directory here"),
        Err(error) => unknown(&error.to_string()),
    }
}

/// Names and dates are not sealed, and whoever can write the file can destroy it.
fn warn_if_exposed(path: &Path, observer: &dyn Observer) {
    let mode = std::fs::metadata(path).map_or(0, |meta| meta.mode() & 0o7777);
    if mode & 0o066 != 0 {
        observer.notice(Notice::VaultExposed { path, mode });
    }
}
