//! The symmetric key file of a host, from what the inventory declares and the vault keeps.

use crate::inventory::{HostId, Inventory};
use crate::media::{self, key_file, symmetric::SymmetricKey};
use crate::mint::symmetric_owner;
use crate::secret::Secret;
use crate::trail::needs::{Needs, symmetric_key};

/// Why a key file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The vault has no value for a key.
    #[error(
        "host {host}: the vault holds no value for symmetric key {key}\n  = help: plan again: what is missing is made"
    )]
    Missing {
        /// Host name.
        host: String,
        /// The key, as [`symmetric_owner`] names it.
        key: String,
    },
    /// A key that this daemon cannot read back.
    #[error("host {host}: {error}")]
    Key {
        /// Host name.
        host: String,
        /// What is wrong with it.
        error: media::Error,
    },
}

/// Content of the key file of a host as its daemon reads it; `None`: it holds no keys. `value` looks up a key's bytes by
/// its owner in the vault ([`symmetric_owner`]).
///
/// Ids that nobody declares are left out: a finding stops the plan before.
pub fn key_file<'v>(
    inventory: &Inventory,
    host: HostId,
    needs: &Needs,
    value: &dyn Fn(&str) -> Option<&'v Secret>,
) -> Result<Option<Secret>, KeyFileError> {
    let entry = inventory.entry(host);
    let name = || inventory.host(host).name.to_string();
    let failed = |error| KeyFileError::Key { host: name(), error };
    let mut keys = Vec::new();
    for &id in &needs.symmetric_keys {
        let Some(declared) = symmetric_key(inventory, entry.group, id) else {
            continue;
        };
        let owner = symmetric_owner(inventory, declared);
        let Some(secret) = value(&owner) else {
            return Err(KeyFileError::Missing {
                host: name(),
                key: owner,
            });
        };
        let kind = declared.kind.meaning();
        let kind = *kind.map_err(|refused| failed(refused.clone().into()))?;
        // Ids were checked when the key was made.
        let id = u16::try_from(id).unwrap_or(u16::MAX);
        let restrict = declared
            .restrict
            .iter()
            .map(|subnet| subnet.parse())
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        keys.push(
            SymmetricKey::new(id, kind, secret.clone())
                .map_err(failed)?
                .restricted_to(restrict),
        );
    }
    if keys.is_empty() {
        return Ok(None);
    }
    key_file::lines(&keys, entry.settings.ntpd)
        .map(Some)
        .map_err(failed)
}
