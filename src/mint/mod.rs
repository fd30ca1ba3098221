//! Minting: what the inventory asks for and the vault does not have is made, on all cores, as one generation.
//!
//! [`reconcile`] decides and is pure: inventory, needs, state of the vault and time go in, [`Work`] comes out. [`mint`] does the work
//! and writes it to the vault in one transaction. Asked again with nothing changed, [`reconcile`] finds nothing to do.
//!
//! What holds of everything minted (measured on 4.2.8p15, RFC 5906):
//!
//! * One run has one filestamp, later than every earlier one: neighbours throw a certificate away whose stamp is not later.
//!   Files made anew from the same numbers (another password or cipher, a revocation) keep the stamp of the numbers, since
//!   client parameters and server keys must agree in it; their name then ends in `-g` and the generation.
//! * A certificate is valid from its filestamp on, which must not be later than that, and so not before any server's
//!   certificate that was minted earlier or in the same run.
//! * A group has one key. Each server holds a copy encrypted with its own password; a host that serves nobody holds
//!   client parameters only.

mod decision;
mod desired_files;
mod error;
mod make;
mod mv_clients;
mod random;
mod reconcile;
mod revocation;
mod run;
mod spec;
mod symmetric;
#[cfg(test)]
mod tests;
mod work;

pub use error::{Error, Problem};
pub use mv_clients::mv_client;
pub use random::{PASSWORD_LEN, password};
pub use reconcile::reconcile;
pub use revocation::Revocations;
pub use run::{Progress, Reason, mint, mint_with};
pub use symmetric::symmetric_owner;
pub use work::{Task, What, Why, Work};

use crate::inventory::{GroupId, HostId, Inventory};
use crate::media::GroupScheme;
use crate::secret::Secret;
use crate::trail::needs::Needs;
use crate::vault::{self, SecretKind, Snapshot, Vault};
use std::collections::{HashMap, HashSet};

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The inventory, without findings of error severity.
    pub inventory: &'a Inventory,
    /// What each host must hold.
    pub needs: &'a dyn Fn(HostId) -> &'a Needs,
    /// Values from outside.
    pub given: &'a Given,
    /// The present, Unix seconds.
    pub now: i64,
    /// Certificates that end at this time (Unix seconds) or before are made anew; `now`: those that have expired.
    pub renew_until: i64,
    /// Owners of the certificates `renew_until` is about; `None`: everybody. The others' are made anew when they have expired.
    pub renewing: Option<&'a HashSet<Box<str>>>,
    /// Secrets to be made anew although they fit, and with them everything made of them.
    pub anew: &'a HashSet<(SecretKind, Box<str>)>,
}

/// Values the inventory takes from outside, resolved by the caller.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Passwords of hosts whose inventory names a source.
    pub passwords: HashMap<HostId, Secret>,
    /// Values of symmetric keys whose inventory names a source, by their number in the inventory.
    pub keys: HashMap<usize, Secret>,
    /// Files with the client parameters of groups outside the fleet. The caller has checked that they are what they should be.
    pub parameters: HashMap<(GroupId, GroupScheme), Secret>,
}

/// The state of a vault that [`reconcile`] compares with.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// What there is.
    pub snapshot: Snapshot,
    /// Passwords in force, by host.
    pub passwords: HashMap<Box<str>, Secret>,
    /// Symmetric keys in force, by [`symmetric_owner`].
    pub symmetric: HashMap<Box<str>, Secret>,
    /// MV clients that are shut out.
    pub revoked: Revocations,
}

impl State {
    /// Reads it.
    pub fn read(vault: &Vault) -> vault::Result<Self> {
        let snapshot = vault.snapshot()?;
        Ok(Self {
            passwords: vault.secrets_of(&snapshot, SecretKind::Password)?,
            symmetric: vault.secrets_of(&snapshot, SecretKind::Symmetric)?,
            revoked: Revocations::read(vault)?,
            snapshot,
        })
    }
}
