//! Symmetric keys changed without a gap, by a new id: the servers trust it first, then their clients use it, then the old one goes.
//!
//! At no moment do two hosts that talk to each other hold different values under the id they use, so no packet is refused
//! (measured with ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3 in this order; the other way round it fails closed). How far
//! it is stands in the vault, and [`Renumbering::apply_to`] turns the inventory as written into the one in force: everything else
//! (needs, keys, lines, plans) follows from that as from any inventory.

use crate::inventory::{
    Auth, Connection, EntryId, HostId, Implementation, Inventory, Mode, SymmetricKey, Target,
};
use crate::mint::symmetric_owner;
use crate::trail::needs::symmetric_key;
use crate::vault::{self, Vault};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// How far the change to a new id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Servers hold and trust the new id beside the old one.
    Added,
    /// Clients use the new one; servers, and clients that change while they run, hold the old one still.
    Switched,
    /// The old one goes.
    Removed,
}

impl Step {
    /// Its place among the three.
    pub fn number(self) -> usize {
        match self {
            Self::Added => 1,
            Self::Switched => 2,
            Self::Removed => 3,
        }
    }
}

/// The id under which a declared key is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// The id in use, the old one while it changes.
    pub now: u32,
    /// The id it changes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// A change under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// The new id.
    pub id: u32,
    /// How far it is.
    pub step: Step,
    /// All hosts have come to that step.
    pub everywhere: bool,
}

/// Keys whose id in use is not, or not only, the one the inventory gives; by their names in the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Renumbering(BTreeMap<String, Number>);

impl Renumbering {
    /// Under which name the vault keeps it.
    pub const STATE: &str = "symmetric-key-numbers";

    /// Reads it.
    pub fn read(vault: &Vault) -> vault::Result<Self> {
        vault.state_as(Self::STATE, "the record of its symmetric keys' ids")
    }

    /// Keeps it.
    pub fn write(&self, vault: &mut Vault) -> vault::Result<()> {
        vault.set_state_as(Self::STATE, self)
    }

    /// Whether every key has the id of the inventory.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of a key, by its name in the inventory.
    pub fn of(&self, owner: &str) -> Option<Number> {
        self.0.get(owner).copied()
    }

    /// Keys whose change is not finished: name, old id, and the change.
    pub fn open(&self) -> impl Iterator<Item = (&str, u32, Next)> {
        self.0
            .iter()
            .filter_map(|(owner, number)| Some((&**owner, number.now, number.next?)))
    }

    /// A key begins to change to another id.
    pub fn begin(&mut self, owner: &str, now: u32, next: u32) {
        let next = Next {
            id: next,
            step: Step::Added,
            everywhere: false,
        };
        let number = Number {
            now,
            next: Some(next),
        };
        self.0.insert(owner.to_owned(), number);
    }

    /// A key that has come to its step everywhere goes on to the next one.
    pub fn advance(&mut self, owner: &str) {
        if let Some(Next { step, everywhere, .. }) =
            self.0.get_mut(owner).and_then(|number| number.next.as_mut())
            && *everywhere
        {
            // What is removed everywhere is no change under way any more.
            *step = match step {
                Step::Added => Step::Switched,
                Step::Switched | Step::Removed => Step::Removed,
            };
            *everywhere = false;
        }
    }

    /// All hosts have come to a key's step; after the last one its new id is its id.
    pub fn arrive(&mut self, owner: &str) {
        let Some(number) = self.0.get_mut(owner) else {
            return;
        };
        match &mut number.next {
            Some(Next {
                id,
                step: Step::Removed,
                ..
            }) => {
                *number = Number { now: *id, next: None };
            }
            Some(next) => next.everywhere = true,
            None => {}
        }
    }

    /// The lowest free id above a key's own: declared by nobody, and in use nowhere.
    pub fn free_id(&self, inventory: &Inventory, above: u32) -> Option<u32> {
        let declared = inventory.keys.iter().map(|key| key.id);
        let used = self
            .0
            .values()
            .flat_map(|number| [Some(number.now), number.next.map(|next| next.id)]);
        let taken: HashSet<u32> = declared.chain(used.flatten()).collect();
        (above + 1..=65_534)
            .chain(1..above)
            .find(|id| !taken.contains(id))
    }

    /// The inventory in force: as written, with the ids that are.
    pub fn apply_to(&self, written: &Inventory) -> Inventory {
        let mut inventory = written.clone();
        for (at, key) in written.keys.iter().enumerate() {
            let Some(number) = self.of(&symmetric_owner(written, key)) else {
                continue;
            };
            let holders = Holders::of(written, key);
            let (lines, more) = match number.next.map(|next| (next.id, next.step)) {
                None => (number.now, None),
                Some((next, Step::Added)) => (number.now, Some(next)),
                Some((next, Step::Switched)) => (next, Some(number.now)),
                Some((next, Step::Removed)) => (next, None),
            };
            holders.use_id(&mut inventory, key.id, lines);
            if let Some(more) = more {
                holders.trust(&mut inventory, lines, more);
                if lines != number.now {
                    holders.keep(&mut inventory, more);
                }
            }
            inventory.keys.set_id(at, lines);
            if let Some(more) = more {
                inventory.keys.push(SymmetricKey {
                    id: more,
                    succeeds: Some(lines),
                    ..inventory.keys[at].clone()
                });
            }
        }
        inventory
    }
}

/// The entries that use a key, and those that others reach with it.
struct Holders {
    /// Entries that name it, on a line or among their settings.
    users: BTreeSet<EntryId>,
    /// Hosts that others point at with it.
    servers: BTreeSet<HostId>,
}

impl Holders {
    fn of(inventory: &Inventory, key: &SymmetricKey) -> Self {
        let mut holders = Self {
            users: BTreeSet::new(),
            servers: BTreeSet::new(),
        };
        for (number, entry) in (0..).zip(&inventory.entries) {
            let means = |id: u32| {
                id == key.id
                    && symmetric_key(inventory, entry.group, id).is_some_and(|held| std::ptr::eq(held, key))
            };
            let settings = &entry.settings;
            let mut named = settings.trusted_keys.iter().copied().any(means)
                || settings.control_key.is_some_and(means)
                || settings.request_key.is_some_and(means);
            for line in &entry.associations {
                if let Auth::Key(id) = line.auth
                    && means(id)
                {
                    named = true;
                    if let Target::Host(server) = line.target {
                        holders.servers.insert(server);
                    }
                }
            }
            if named {
                holders.users.insert(EntryId(number));
            }
        }
        holders
    }

    /// Everybody who names the old id names the new one.
    fn use_id(&self, inventory: &mut Inventory, old: u32, new: u32) {
        if old == new {
            return;
        }
        for entry in &self.users {
            let entry = &mut inventory.entries[entry.0 as usize];
            for line in &mut entry.associations {
                if line.auth == Auth::Key(old) {
                    line.auth = Auth::Key(new);
                }
            }
            let settings = Arc::make_mut(&mut entry.settings);
            for id in [&mut settings.control_key, &mut settings.request_key]
                .into_iter()
                .flatten()
                .chain(&mut settings.trusted_keys)
            {
                if *id == old {
                    *id = new;
                }
            }
        }
    }

    /// Servers hold and trust one more, and so does who trusts the first for whomever asks with it, or takes orders by it: those
    /// of a change are given with the key of before it.
    fn trust(&self, inventory: &mut Inventory, first: u32, more: u32) {
        let servers = self.servers.iter().map(|&server| inventory.host(server).entry);
        let trusting = self.users.iter().copied().filter(|entry| {
            let settings = &inventory.entries[entry.0 as usize].settings;
            settings.trusted_keys.contains(&first) || settings.control_key == Some(first)
        });
        let entries: BTreeSet<EntryId> = servers.chain(trusting).collect();
        add_trusted(inventory, entries, more);
    }

    /// Clients that change while they run hold the former id until the last step: they move one association after the other, and
    /// a poll of one whose key is gone from the file already would be refused (measured on 4.2.8p18, whose new association with
    /// an intermediate was not in use for 6 s). A client that can only be restarted gets along without, and with one restart.
    fn keep(&self, inventory: &mut Inventory, former: u32) {
        let live = self.users.iter().copied().filter(|entry| {
            let settings = &inventory.entries[entry.0 as usize].settings;
            settings.control_key.is_some() || settings.ntpd == Implementation::Chrony
        });
        let entries = live.collect();
        add_trusted(inventory, entries, former);
    }
}

fn add_trusted(inventory: &mut Inventory, entries: BTreeSet<EntryId>, id: u32) {
    for entry in entries {
        let settings = Arc::make_mut(&mut inventory.entries[entry.0 as usize].settings);
        if !settings.trusted_keys.contains(&id) {
            settings.trusted_keys.push(id);
        }
    }
}

/// Why a key cannot change by a new id; empty: it can.
pub fn obstacles(inventory: &Inventory, key: &SymmetricKey) -> Vec<String> {
    let holders = Holders::of(inventory, key);
    let mut obstacles = Vec::new();
    let entry_of = |host: HostId| inventory.host(host).entry;
    let all: BTreeSet<EntryId> = holders
        .users
        .iter()
        .copied()
        .chain(holders.servers.iter().map(|&host| entry_of(host)))
        .collect();
    for &id in &all {
        let entry = &inventory.entries[id.0 as usize];
        if entry.settings.connection == Connection::Export {
            obstacles.push(format!(
                "{} gets its files by `keytrail export`, so nobody sees when it has them",
                entry.pattern
            ));
        }
        if entry
            .associations
            .iter()
            .any(|line| line.mode == Mode::Broadcast && line.auth == Auth::Key(key.id))
        {
            obstacles.push(format!(
                "{} broadcasts with it, with one key at a time",
                entry.pattern
            ));
        }
        let serving = holders
            .servers
            .iter()
            .filter(|&&host| entry_of(host) == id)
            .count();
        if serving > 0 && serving < entry.count as usize {
            obstacles.push(format!(
                "only some of {} serve with it: write those as an entry of their own",
                entry.pattern
            ));
        }
    }
    for line in inventory.entries.iter().flat_map(|entry| &entry.associations) {
        if line.auth == Auth::Key(key.id)
            && let Target::Address(address) = &line.target
            && line.mode != Mode::Broadcast
        {
            obstacles.push(format!(
                "the server {address} is outside the fleet and knows only id {}",
                key.id
            ));
        }
    }
    obstacles.dedup();
    obstacles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::load_str;
    use crate::trail::analyse;

    const FLEET: &str = "version: 1
defaults: { conf_mode: whole }
symmetric_keys:
  7: { type: AES-128-CMAC }
  8: { type: AES-128-CMAC }
hosts:
  top: { reference_clock: true }
  mid: { servers: [{ host: top, key: 7 }], ntpd: ntpsec }
  'leaf[1-2]': { servers: [{ host: mid, key: 7 }, { host: top, key: 7 }], ntpd: chrony }
  other: { servers: [{ host: top, key: 8 }] }
";

    fn written() -> Inventory {
        load_str(FLEET).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    /// Ids a host must hold, and those on its lines.
    fn ids(inventory: &Inventory, host: &str) -> (Vec<u32>, Vec<u32>) {
        let analysis = analyse(inventory, time::macros::date!(2026 - 11 - 20));
        assert!(!analysis.has_errors(), "{:?}", analysis.findings);
        let id = inventory.find(host).expect("a host");
        let lines = inventory.entry(id).associations.iter();
        let lines = lines.filter_map(|line| match line.auth {
            Auth::Key(id) => Some(id),
            _ => None,
        });
        (analysis.needs(id).symmetric_keys.clone(), lines.collect())
    }

    #[test]
    fn at_every_step_both_ends_hold_the_id_in_use() {
        let mut numbers = Renumbering::default();
        let free = numbers.free_id(&written(), 7);
        assert_eq!(free, Some(9), "8 is declared");
        numbers.begin("7", 7, 9);
        let steps = [
            // Only servers change first: a client gets the new key with its line.
            ([vec![7, 8, 9], vec![7, 9], vec![7], vec![8]], 7),
            // A client that changes while it runs keeps the old one as long as its servers do.
            ([vec![7, 8, 9], vec![7, 9], vec![7, 9], vec![8]], 9),
            ([vec![8, 9], vec![9], vec![9], vec![8]], 9),
        ];
        let mut before = written();
        for (hold, line) in steps {
            let now = numbers.apply_to(&written());
            for (host, hold) in ["top", "mid", "leaf1", "other"].into_iter().zip(hold) {
                let (held, lines) = ids(&now, host);
                assert_eq!(held, hold, "{host}");
                if host != "other" {
                    assert!(lines.iter().all(|&id| id == line), "{host}: {lines:?}");
                }
            }
            // While hosts change one after the other, a client is at this step or at the one before, and so is its server.
            for (client, server) in [("leaf1", "mid"), ("leaf2", "top"), ("mid", "top")] {
                for clients in [&before, &now] {
                    for servers in [&before, &now] {
                        let ahead =
                            std::ptr::eq(clients, &raw const now) && std::ptr::eq(servers, &raw const before);
                        let (_, lines) = ids(clients, client);
                        let (held, _) = ids(servers, server);
                        let well = lines.iter().all(|id| held.contains(id));
                        assert!(well || ahead, "{client} of {server}: {lines:?} {held:?}");
                    }
                }
            }
            before = now;
            numbers.advance("7");
            assert_eq!(
                ids(&numbers.apply_to(&written()), "top").0,
                ids(&before, "top").0,
                "not before all are there"
            );
            numbers.arrive("7");
            numbers.advance("7");
        }
        assert!(numbers.open().next().is_none());
        assert_eq!(ids(&numbers.apply_to(&written()), "top").0, [8, 9], "it stays so");
        // The next change starts from the id in use.
        assert_eq!(numbers.of("7"), Some(Number { now: 9, next: None }));
        assert_eq!(numbers.free_id(&written(), 9), Some(10));
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let text = FLEET.replace("mid, key: 7", "leaf1, key: 7").replace(
            "  top:",
            "  far: { servers: [{ address: 192.0.2.1, key: 7 }] }\n  top:",
        );
        let inventory = load_str(&text).unwrap_or_else(|failure| panic!("{failure:?}"));
        let obstacles = obstacles(&inventory, &inventory.keys[0]);
        assert!(
            obstacles.iter().any(|why| why.contains("only some of leaf[1-2]")),
            "{obstacles:?}"
        );
        assert!(
            obstacles.iter().any(|why| why.contains("192.0.2.1")),
            "{obstacles:?}"
        );
        let inventory = written();
        assert!(super::obstacles(&inventory, &inventory.keys[0]).is_empty());
    }
}
