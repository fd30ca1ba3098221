//! Holding a vault that was read before its lock was there: what was read must be what is there still.

use crate::cli::args::VaultArgs;
use crate::cli::exit::Failure;
use crate::cli::vault_key::{hold_vault, vault_failure};
use crate::digest::Digest;
use crate::vault::{Lock, Vault};

/// Whether the vault is held, or what its states were when they were read without holding it.
pub enum Hold {
    /// By this process.
    Held(Lock),
    /// Not yet.
    Not(Digest),
}

impl Hold {
    /// The lock, if it is held.
    pub fn lock(self) -> Option<Lock> {
        match self {
            Self::Held(lock) => Some(lock),
            Self::Not(_) => None,
        }
    }
}

/// What the vault's states are at this moment.
pub fn states(vault: &Vault) -> Result<Digest, Failure> {
    vault
        .states_digest()
        .map_err(|error| vault_failure("cannot read the vault", &error))
}

/// Holds the vault and makes sure that what was read of it before is what is there: how far rotations are and who is shut
/// out, which no generation tells. A generation that came meanwhile is for the caller to see.
pub fn hold(vault: &Vault, states: Digest, args: &VaultArgs) -> Result<Lock, Failure> {
    let lock = hold_vault(vault, args)?;
    match vault.same_states(states) {
        Ok(()) => Ok(lock),
        Err(error) => Err(vault_failure("nothing was changed", &error)),
    }
}
