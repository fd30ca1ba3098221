//! Which environment variables an inventory takes secrets from.

use super::{Inventory, PasswordSource};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Variables with what may open the vault, as the command line takes them. No process that is started needs them.
pub const VAULT_KEY_VARIABLES: [&str; 2] = ["KEYTRAIL_KEY", "KEYTRAIL_PASSPHRASE"];

impl Inventory {
    /// Names of the environment variables that passwords, key values and the vault's key come from. A process started for a host has no
    /// business with them: `SendEnv` would hand them on, and a daemon that is restarted would keep them.
    pub fn secret_variables(&self) -> Arc<[Box<str>]> {
        let passwords = self.entries.iter().map(|entry| &entry.settings.password);
        let keys = self.keys.iter().map(|key| &key.value);
        let names: BTreeSet<Box<str>> = passwords
            .chain(keys)
            .filter_map(|source| match source {
                Some(PasswordSource::Env(name)) => Some(name.clone()),
                _ => None,
            })
            .chain(VAULT_KEY_VARIABLES.map(Box::from))
            .collect();
        names.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_variable_is_named_once() {
        let inventory = crate::inventory::load_str(
            "version: 1\n\
             defaults: { password: { env: FLEET_PW } }\n\
             groups:\n  red: { identity: iff, trusted: [mort] }\n\
             symmetric_keys:\n  7: { value: { env: KEY_7 } }\n\
             hosts:\n  mort: { group: red, reference_clock: true, keys: { trusted: [7] } }\n  \
             leaf: { group: red, servers: [mort] }\n  \
             other: { group: red, servers: [mort], password: { file: secret } }\n",
        )
        .unwrap();
        let expected = ["FLEET_PW", "KEYTRAIL_KEY", "KEYTRAIL_PASSPHRASE", "KEY_7"].map(Box::from);
        assert_eq!(*inventory.secret_variables(), expected);
    }
}
