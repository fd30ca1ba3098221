//! Symmetric keys: decided once for all hosts that share them.

use super::error::Problem;
use super::spec::Spec;
use super::wanted::{Decision, SecretWant};
use super::wants::Wants;
use super::work::Make;
use crate::inventory::{HostId, Inventory, SymmetricKey as Declared};
use crate::media::symmetric::{KeyType, SymmetricKey};
use crate::trail::needs::{Needs, symmetric_key};
use crate::vault::SecretKind;

/// The owner under which the vault keeps a symmetric key: its id, and its group where it has one (`7@green`).
pub fn symmetric_owner(inventory: &Inventory, key: &Declared) -> String {
    match key.group {
        Some(group) => format!("{}@{}", key.id, inventory.group(group).name),
        None => key.id.to_string(),
    }
}

impl Wants<'_, '_> {
    pub(super) fn symmetric_keys(&self, host: HostId, needs: &Needs, decision: &mut Decision<'_, '_>) {
        let inventory = self.request.inventory;
        for &id in &needs.symmetric_keys {
            // An id nobody declares is a finding of the trail rules.
            let Some(key) = symmetric_key(inventory, inventory.entry(host).group, id) else {
                continue;
            };
            let owner = symmetric_owner(inventory, key);
            if decision.is_decided(SecretKind::Symmetric, &owner) {
                continue;
            }
            match self.symmetric_key(key, id) {
                Ok((kind, make)) => {
                    let source = if key.value.is_some() { "given" } else { "generated" };
                    decision.secret(SecretWant {
                        kind: SecretKind::Symmetric,
                        owner: owner.into(),
                        spec: Spec::new().with("type", kind).with("from", source).finish(),
                        make,
                        host: None,
                    });
                }
                Err(mut problem) => {
                    problem.subject = format!("symmetric key {owner}");
                    decision.problems.push(problem);
                }
            }
        }
    }

    fn symmetric_key(&self, key: &Declared, id: u32) -> Result<(KeyType, Make), Problem> {
        let wrong = |error| Problem::media("", &error);
        let kind = key.kind.parse::<KeyType>().map_err(wrong)?;
        let id = u16::try_from(id)
            .map_err(|_| Problem::new("", "its id is above 65535", "choose an id from 1 to 65534"))?;
        if key.value.is_none() {
            return Ok((kind, Make::Symmetric { id, kind }));
        }
        let at = self
            .request
            .inventory
            .keys
            .iter()
            .position(|declared| std::ptr::eq(declared, key));
        let value = at
            .and_then(|at| self.request.given.keys.get(&at))
            .ok_or_else(|| Problem::new("", "its value was not given", "see where its 'value' comes from"))?;
        let key = SymmetricKey::given(id, kind, value).map_err(wrong)?;
        Ok((kind, Make::Given(key.secret)))
    }
}
