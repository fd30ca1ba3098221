//! Which MV client keys are shut out. Kept in the vault beside the generations, since it says something of every group key
//! to come as well: who was shut out stays so when the group's key is made anew.

use crate::vault::{self, Vault};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The revoked client keys of every group, each with the hosts it was revoked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revocations {
    groups: BTreeMap<String, BTreeMap<usize, BTreeSet<String>>>,
}

impl Revocations {
    /// Under which name the vault keeps it: there is nothing there while nobody is shut out.
    pub const STATE: &str = "mv-revocations";

    /// What is in force.
    pub fn read(vault: &Vault) -> vault::Result<Self> {
        vault.state_as(Self::STATE, "the MV revocations in it")
    }

    /// Keeps it. The server keys follow when something is minted next.
    pub fn write(&self, vault: &mut Vault) -> vault::Result<()> {
        vault.set_state_as(Self::STATE, self)
    }

    /// Shuts a host out, that holds this client key.
    pub fn revoke(&mut self, group: &str, client: usize, host: &str) {
        let clients = self.groups.entry(group.to_owned()).or_default();
        clients.entry(client).or_default().insert(host.to_owned());
    }

    /// Lets a host in again; its client key is enabled once nobody else is shut out with it. Whether it was shut out.
    pub fn restore(&mut self, group: &str, host: &str) -> bool {
        let Some(clients) = self.groups.get_mut(group) else {
            return false;
        };
        let mut found = false;
        for hosts in clients.values_mut() {
            found |= hosts.remove(host);
        }
        clients.retain(|_, hosts| !hosts.is_empty());
        self.groups.retain(|_, clients| !clients.is_empty());
        found
    }

    /// The client keys of a group that are shut out, counted from 1.
    pub fn clients(&self, group: &str) -> BTreeSet<usize> {
        let clients = self.groups.get(group).into_iter().flatten();
        clients.map(|(&client, _)| client).collect()
    }

    /// The client key with which a host is shut out.
    pub fn client_of(&self, group: &str, host: &str) -> Option<usize> {
        let mut clients = self.groups.get(group)?.iter();
        let found = clients.find(|(_, hosts)| hosts.contains(host));
        found.map(|(&client, _)| client)
    }

    /// Everybody who is shut out: group, client key, host.
    pub fn all(&self) -> impl Iterator<Item = (&str, usize, &str)> {
        self.groups.iter().flat_map(|(group, clients)| {
            clients
                .iter()
                .flat_map(move |(&client, hosts)| hosts.iter().map(move |host| (&**group, client, &**host)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Revocations;

    #[test]
    fn a_key_is_enabled_when_the_last_of_its_hosts_is() {
        let mut revoked = Revocations::default();
        revoked.revoke("green", 3, "leaf1");
        revoked.revoke("green", 3, "leaf2");
        revoked.revoke("green", 5, "leaf3");
        assert_eq!(revoked.clients("green"), [3, 5].into());
        assert_eq!(revoked.client_of("green", "leaf2"), Some(3));
        assert_eq!(revoked.all().count(), 3);
        assert!(revoked.restore("green", "leaf1"));
        assert!(!revoked.restore("green", "leaf1") && !revoked.restore("red", "leaf2"));
        assert_eq!(revoked.clients("green"), [3, 5].into());
        assert!(revoked.restore("green", "leaf2") && revoked.restore("green", "leaf3"));
        assert_eq!(revoked, Revocations::default());
    }
}
