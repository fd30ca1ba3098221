//! What the lines of one host follow from at others, looked up once for the whole inventory.

use crate::inventory::{GroupId, HostId, Implementation, Inventory, Mode, Target};
use crate::trail::broadcast::{Medium, global_ident, media};
use std::collections::HashMap;
use std::net::IpAddr;

/// Look-ups over an inventory.
#[derive(Debug)]
pub struct ConfContext<'i> {
    media: Vec<Medium<'i>>,
    /// Entries that point at a chrony host, by that host.
    clients: HashMap<HostId, Vec<usize>>,
}

/// The clients of a host that serves only whom it was told to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clients {
    /// Addresses.
    pub addresses: Vec<String>,
    /// Clients known by a name only: chronyd does not start when it cannot resolve one, so names are not written.
    pub names: Vec<String>,
}

impl<'i> ConfContext<'i> {
    /// Looks an inventory up.
    pub fn new(inventory: &'i Inventory) -> Self {
        let mut clients: HashMap<HostId, Vec<usize>> = HashMap::new();
        for (index, entry) in inventory.entries.iter().enumerate() {
            for line in entry
                .associations
                .iter()
                .filter(|line| line.mode != Mode::Broadcast)
            {
                if let Target::Host(server) = line.target
                    && inventory.entry(server).settings.ntpd == Implementation::Chrony
                {
                    clients.entry(server).or_default().push(index);
                }
            }
        }
        Self {
            media: media(inventory),
            clients,
        }
    }

    /// The group for the one global `ident` of a broadcast client.
    pub fn global_ident(&self, inventory: &Inventory, host: HostId) -> Option<GroupId> {
        global_ident(inventory, &self.media, host)
    }

    /// Who points at a chrony host; nobody for other implementations, which serve everybody unless told not to.
    pub fn clients(&self, inventory: &Inventory, host: HostId) -> Clients {
        let mut clients = Clients::default();
        for &index in self.clients.get(&host).into_iter().flatten() {
            let entry = &inventory.entries[index];
            for client in entry.hosts() {
                let address = inventory.address(client).into_owned();
                if address.parse::<IpAddr>().is_ok() {
                    clients.addresses.push(address);
                } else {
                    clients.names.push(inventory.host(client).name.to_string());
                }
            }
        }
        clients.addresses.sort_unstable();
        clients.addresses.dedup();
        clients
    }
}
