//! What may have happened to a vault between the moment it was read and the moment its lock is held.

use super::Vault;
use super::error::{Error, Result};
use crate::digest::Digest;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Which file is at a path, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(Option<(u64, u64)>);

impl FileId {
    pub(super) fn at(path: &Path) -> Self {
        let found = std::fs::metadata(path).ok();
        Self(found.map(|meta| (meta.dev(), meta.ino())))
    }
}

impl Vault {
    /// A digest of all states, without opening them: another one means that something was kept since, even if it is the same.
    /// Needs no key.
    pub fn states_digest(&self) -> Result<Digest> {
        let rows = self.sealed_states()?;
        let digests: Vec<String> = rows
            .iter()
            .map(|(name, sealed)| format!("{name} {}\n", Digest::of(sealed)))
            .collect();
        Ok(Digest::of(digests.concat().as_bytes()))
    }

    /// Makes sure that this is the file at its path still: what is written to one that was replaced is written to nobody's vault.
    /// To be asked once the lock is held, without which nobody replaces it.
    ///
    /// # Errors
    /// [`Error::Replaced`].
    pub fn in_place(&self) -> Result<()> {
        if FileId::at(&self.path) == self.file {
            return Ok(());
        }
        Err(Error::Replaced {
            path: self.path.clone(),
        })
    }

    /// Makes sure that the states are those of this digest still.
    ///
    /// # Errors
    /// [`Error::StatesMoved`].
    pub fn same_states(&self, read: Digest) -> Result<()> {
        if self.states_digest()? == read {
            return Ok(());
        }
        Err(Error::StatesMoved {
            path: self.path.clone(),
        })
    }
}
