//! What several rules ask about lines with a symmetric key.

use super::lines;
use crate::inventory::{Association, Auth, GroupId, HostEntry, Inventory, SymmetricKey, Target};
use crate::trail::broadcast::media;
use crate::trail::needs::symmetric_key;

/// A line with a key id, and the two ends that must know the key.
#[derive(Debug, Clone, Copy)]
pub struct KeyedLine<'i> {
    /// The entry it stands in.
    pub entry: &'i HostEntry,
    /// The line.
    pub line: &'i Association,
    /// The other end, if it is of this inventory.
    pub other: Option<&'i HostEntry>,
    /// The key id.
    pub id: u32,
}

/// All lines with a key: to hosts, to addresses, and of broadcasters to each client that may hear them.
pub fn keyed_lines(inventory: &Inventory) -> Vec<KeyedLine<'_>> {
    let mut found = Vec::new();
    for (entry, line) in lines(inventory) {
        if let Auth::Key(id) = line.auth {
            let other = match line.target {
                Target::Host(host) => Some(inventory.entry(host)),
                _ => None,
            };
            found.push(KeyedLine {
                entry,
                line,
                other,
                id,
            });
        }
    }
    for medium in media(inventory) {
        for &(entry, line) in &medium.servers {
            let Auth::Key(id) = line.auth else { continue };
            let hears = |client: &&HostEntry| {
                client.broadcast_client && medium.may_be_heard_by(inventory, client.first)
            };
            let clients = inventory.entries.iter().filter(hears);
            found.extend(clients.map(|client| KeyedLine {
                entry,
                line,
                other: Some(client),
                id,
            }));
        }
    }
    found
}

impl<'i> KeyedLine<'i> {
    /// The key as the end with the line means it.
    pub fn here(&self, inventory: &'i Inventory) -> Option<&'i SymmetricKey> {
        symmetric_key(inventory, self.entry.group, self.id)
    }

    /// The key as the other end means it.
    pub fn there(&self, inventory: &'i Inventory) -> Option<&'i SymmetricKey> {
        symmetric_key(inventory, self.other?.group, self.id)
    }

    /// The ends that are of this inventory, each with the key as it means it.
    pub fn ends(
        &self,
        inventory: &'i Inventory,
    ) -> impl Iterator<Item = (&'i HostEntry, Option<&'i SymmetricKey>)> + use<'i> {
        let there = self.there(inventory);
        let other = self.other.map(|other| (other, there));
        std::iter::once((self.entry, self.here(inventory))).chain(other)
    }
}

/// A group's name, or what stands for none.
pub fn group_name(inventory: &Inventory, group: Option<GroupId>) -> &str {
    group.map_or("no group", |group| &inventory.group(group).name)
}
