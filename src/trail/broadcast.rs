//! Broadcast media: which servers send to an address, and which clients may hear it.

use crate::inventory::{Association, Auth, GroupId, HostEntry, HostId, Inventory, Mode, Target};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// A broadcast or multicast address with its senders.
#[derive(Debug, Clone)]
pub struct Medium<'i> {
    /// As written.
    pub address: &'i str,
    /// Who sends, with the line.
    pub servers: Vec<(&'i HostEntry, &'i Association)>,
}

/// All media of an inventory that anybody sends to, by address.
pub fn media(inventory: &Inventory) -> Vec<Medium<'_>> {
    let mut media: BTreeMap<&str, Medium<'_>> = BTreeMap::new();
    for entry in &inventory.entries {
        for association in entry
            .associations
            .iter()
            .filter(|line| line.mode == Mode::Broadcast)
        {
            if let Target::Address(address) = &association.target {
                media
                    .entry(address)
                    .or_insert_with(|| Medium {
                        address,
                        servers: Vec::new(),
                    })
                    .servers
                    .push((entry, association));
            }
        }
    }
    media.into_values().collect()
}

/// The group for the one global `ident` of a broadcast client: that of a foreign group's server it may hear, else its
/// own. `None`: it hears nobody with Autokey.
pub fn global_ident(inventory: &Inventory, media: &[Medium<'_>], host: HostId) -> Option<GroupId> {
    let entry = inventory.entry(host);
    if !entry.broadcast_client {
        return None;
    }
    let heard = media
        .iter()
        .filter(|medium| medium.may_be_heard_by(inventory, host))
        .flat_map(Medium::autokey_servers)
        .filter_map(|(server, _)| server.group);
    let (own, foreign): (Vec<_>, Vec<_>) = heard.partition(|group| entry.group == Some(*group));
    foreign.first().or(own.first()).copied()
}

impl<'i> Medium<'i> {
    /// Its senders that use Autokey.
    pub fn autokey_servers(&self) -> impl Iterator<Item = (&'i HostEntry, &'i Association)> + '_ {
        self.servers
            .iter()
            .copied()
            .filter(|(_, line)| line.auth == Auth::Autokey)
    }

    /// Symmetric key ids its senders use.
    pub fn keys(&self) -> impl Iterator<Item = u32> + '_ {
        self.servers.iter().filter_map(|(_, line)| match line.auth {
            Auth::Key(id) => Some(id),
            _ => None,
        })
    }

    /// Whether a broadcast client may hear it. Networks are not declared, so this errs on the side of yes:
    /// only a host whose IPv4 address cannot be in the largest network with this broadcast address is out.
    pub fn may_be_heard_by(&self, inventory: &Inventory, host: HostId) -> bool {
        may_hear(self.address, &inventory.address(host))
    }
}

fn may_hear(medium: &str, host: &str) -> bool {
    let (Ok(IpAddr::V4(medium)), Ok(host)) = (medium.parse(), host.parse::<Ipv4Addr>()) else {
        return true;
    };
    if medium.is_multicast() || medium.is_broadcast() {
        return true;
    }
    let host_bits = medium.to_bits().trailing_ones();
    (medium.to_bits() ^ host.to_bits())
        .checked_shr(host_bits)
        .unwrap_or(0)
        == 0
}

#[cfg(test)]
mod tests {
    use super::may_hear;

    #[test]
    fn only_a_host_of_another_network_is_out() {
        assert!(may_hear("192.0.2.255", "192.0.2.30"));
        assert!(!may_hear("192.0.2.255", "198.51.100.30"));
        assert!(may_hear("10.255.255.255", "10.3.4.5"));
        assert!(!may_hear("192.0.2.127", "192.0.2.200"));
        assert!(may_hear("224.0.1.1", "198.51.100.30"));
        assert!(may_hear("255.255.255.255", "198.51.100.30"));
        assert!(may_hear("192.0.2.255", "leaf01.example.org"));
        assert!(may_hear("ff05::101", "192.0.2.1"));
    }
}
