//! The inventory in force: as written, with what rotations have changed since.

use crate::inventory::Inventory;
use crate::mint::Revocations;
use crate::ops::error::Result;
use crate::ops::load::Loaded;
use crate::rotate::{idents::Names, renumber::Renumbering};
use crate::trail::{self, Analysis};
use crate::vault::Vault;
use std::sync::Arc;

/// An inventory with its analysis.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The inventory.
    pub inventory: Arc<Inventory>,
    /// Its graph, findings, and the needs of its hosts.
    pub analysis: Arc<Analysis>,
}

impl From<Loaded> for InForce {
    fn from(loaded: Loaded) -> Self {
        Self {
            inventory: Arc::new(loaded.inventory),
            analysis: Arc::new(loaded.analysis),
        }
    }
}

/// The inventory as it is in force: as written, with the ids that symmetric keys, and the names that
/// identity keys, have come to by rotation.
pub(crate) fn in_force(written: &InForce, vault: &Vault) -> Result<InForce> {
    let (names, numbers) = (Names::read(vault)?, Renumbering::read(vault)?);
    let mut current = written.clone();
    if names != Names::default() {
        // Trails and needs do not depend on what keys are called.
        names.apply_to(Arc::make_mut(&mut current.inventory));
    }
    if !numbers.is_empty() {
        let inventory = numbers.apply_to(&current.inventory);
        let today = time::OffsetDateTime::now_utc().date();
        current.analysis = Arc::new(trail::analyse(&inventory, today));
        current.inventory = Arc::new(inventory);
    }
    Ok(current)
}

/// Whether a rotation has changed what keys are called: then [`in_force`] needs the vault's key.
pub(crate) fn is_renamed(vault: &Vault) -> Result<bool> {
    has_one_of(vault, &[Names::STATE, Renumbering::STATE])
}

/// Whether MV clients are revoked; which ones is sealed.
pub(crate) fn has_revocations(vault: &Vault) -> Result<bool> {
    has_one_of(vault, &[Revocations::STATE])
}

fn has_one_of(vault: &Vault, names: &[&str]) -> Result<bool> {
    Ok(vault.states()?.iter().any(|state| names.contains(&&**state)))
}
