//! Identity keys changed without a gap, by a new name of the group's media: `ident red2` beside `ident red`.
//!
//! First all hosts get the new keys under the new name, which nothing reads. Then server after server proves itself with them,
//! with a restart that its running clients do not notice, and each of its clients drops its association with it and makes it
//! anew with the new name while its daemon runs on and another server proves the time. At last the old keys go. (Measured on
//! ntp.org 4.2.8p15: no moment without a proven server, no client restarted.)
//!
//! How far it is stands in the vault, and [`Names::apply_to`] turns the inventory as written into the one in force: needs, keys,
//! lines and plans follow from that as from any inventory.

use super::gap::REEXAMINED;
use super::order;
use super::record::Pending;
use crate::inventory::{GroupId, HostId, Idents, Inventory, NextIdent, Target};
use crate::trail::Analysis;
use crate::vault::{self, Applied, Snapshot, Vault};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How far a change to a new name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// All hosts get the new keys beside the old ones.
    Added,
    /// Servers prove themselves with the new ones, some after the others, and their clients follow.
    Moving,
    /// The old ones go.
    Removed,
}

/// The name of a group's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// In force; of the old keys while they change.
    pub now: String,
    /// The change under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// A change under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// The new name.
    pub ident: String,
    /// How far it is.
    pub step: Step,
    /// All hosts have come to that step.
    pub everywhere: bool,
    /// The servers that have, or are to have, the new name at this step.
    pub servers: BTreeSet<String>,
    /// Those of them that change at this step.
    pub part: BTreeSet<String>,
    /// When this step began, Unix seconds.
    pub since: i64,
    /// What finishes it, e.g. `keytrail rotate identity --group green`.
    pub command: String,
}

/// Groups whose keys have, or are getting, another name than their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(BTreeMap<String, Name>);

impl Names {
    /// Under which name the vault keeps them.
    pub const STATE: &str = "identity-names";

    /// Reads them.
    pub fn read(vault: &Vault) -> vault::Result<Self> {
        vault.state_as(Self::STATE, "the record of its groups' identity names")
    }

    /// Keeps them.
    pub fn write(&self, vault: &mut Vault) -> vault::Result<()> {
        vault.set_state_as(Self::STATE, self)
    }

    /// Of a group.
    pub fn of(&self, group: &str) -> Option<&Name> {
        self.0.get(group)
    }

    /// The change of a group that is under way.
    pub fn next(&self, group: &str) -> Option<&Next> {
        self.of(group)?.next.as_ref()
    }

    /// Changes that are not finished: group, old name, and the change.
    pub fn open(&self) -> impl Iterator<Item = (&str, &str, &Next)> {
        self.0
            .iter()
            .filter_map(|(group, name)| Some((&**group, &*name.now, name.next.as_ref()?)))
    }

    /// A group begins to change. `since`: now, Unix seconds; `command`: what finishes it.
    pub fn begin(&mut self, group: &str, ident: String, since: i64, command: String) {
        let now = self.of(group).map_or(group, |name| &name.now).to_owned();
        let next = Next {
            ident,
            step: Step::Added,
            everywhere: false,
            servers: BTreeSet::new(),
            part: BTreeSet::new(),
            since,
            command,
        };
        self.0.insert(
            group.to_owned(),
            Name {
                now,
                next: Some(next),
            },
        );
    }

    /// A group that has come to its step everywhere goes on to the next one: the next servers of `servers` that may restart
    /// together, or where all have moved the end of the old keys.
    pub fn advance(&mut self, inventory: &Inventory, analysis: &Analysis, group: GroupId, since: i64) {
        let name = &*inventory.group(group).name;
        let Some(next) = self.0.get_mut(name).and_then(|name| name.next.as_mut()) else {
            return;
        };
        if !next.everywhere || next.step == Step::Removed {
            return;
        }
        let left = left(inventory, analysis, group, &next.servers);
        let part = order::first_part(analysis, &left);
        next.step = if part.is_empty() {
            Step::Removed
        } else {
            Step::Moving
        };
        let names = part.into_iter().map(|host| inventory.host(host).name.to_string());
        next.part = names.collect();
        next.servers.extend(next.part.iter().cloned());
        next.everywhere = false;
        next.since = since;
    }

    /// All hosts have come to a group's step; after the last one its new name is its name.
    pub fn arrive(&mut self, group: &str) {
        let Some(name) = self.0.get_mut(group) else { return };
        match &mut name.next {
            Some(next) if next.step == Step::Removed => {
                name.now = std::mem::take(&mut next.ident);
                name.next = None;
            }
            Some(next) => next.everywhere = true,
            None => {}
        }
    }

    /// A name that no group or host has, and that no file in this vault ever had: a daemon keeps what it once read under a
    /// name. Names count on from the group's: `red2`, `red3`.
    pub fn free(&self, inventory: &Inventory, snapshot: &Snapshot, group: &str) -> String {
        let ever: BTreeSet<&str> = snapshot.artifacts().map(|artifact| &*artifact.owner).collect();
        let taken = |name: &str| {
            inventory.find(name).is_some()
                || inventory.group_named(name).is_some()
                || ever.contains(name)
                || self.0.values().any(|known| {
                    known.now == name || known.next.as_ref().is_some_and(|next| next.ident == name)
                })
        };
        // A name that ends in a digit would read as another number.
        let dash = if group.ends_with(|last: char| last.is_ascii_digit()) {
            "-"
        } else {
            ""
        };
        let mut names = (2_u32..).map(|number| format!("{group}{dash}{number}"));
        names.find(|name| !taken(name)).expect("numbers do not end")
    }

    /// The inventory in force: as written, with the names that are.
    pub fn apply_to(&self, inventory: &mut Inventory) {
        for (group, name) in &self.0 {
            let Some(at) = inventory.group_named(group) else {
                continue;
            };
            let old = || name.now.as_str().into();
            inventory.groups[at.0 as usize].idents = Some(match &name.next {
                None => Idents {
                    now: old(),
                    next: None,
                },
                Some(next) if next.step == Step::Removed => Idents {
                    now: next.ident.as_str().into(),
                    next: None,
                },
                Some(next) => Idents {
                    now: old(),
                    next: Some(NextIdent {
                        name: next.ident.as_str().into(),
                        servers: next
                            .servers
                            .iter()
                            .filter_map(|host| inventory.find(host))
                            .collect(),
                    }),
                },
            });
        }
    }
}

/// What of the changes is pending, as far as it can be seen from where hosts were last brought to.
#[expect(clippy::implicit_hasher, reason = "as the vault gives it")]
pub fn pending(
    names: &Names,
    inventory: &Inventory,
    analysis: &Analysis,
    applied: &HashMap<Box<str>, Applied>,
) -> Vec<Pending> {
    let open = names
        .open()
        .filter_map(|(name, _, next)| Some((name, inventory.group_named(name)?, next)));
    open.map(|(name, group, next)| {
        let (at, of) = number(inventory, analysis, group, next);
        let hosts: Vec<&str> = concerned(inventory, analysis, group, next)
            .map(|host| &*inventory.host(host).name)
            .collect();
        let there =
            |host: &&str| next.everywhere || applied.get(*host).is_some_and(|stands| stands.at >= next.since);
        let (done, left): (Vec<&str>, Vec<&str>) = hosts.into_iter().partition(there);
        let moving = next.step == Step::Moving && !left.is_empty();
        Pending {
            subject: format!(
                "identity of group {name}, step {at} of {of} to the name {}",
                next.ident
            ),
            command: format!("keytrail {}", next.command),
            generation: applied
                .values()
                .map(|stands| stands.generation.0)
                .max()
                .unwrap_or(0),
            done: done.len(),
            hosts: left.into_iter().map(str::to_owned).collect(),
            // With the servers that have changed; the others prove the time to it meanwhile.
            fails_by: moving.then_some(next.since + REEXAMINED),
        }
    })
    .collect()
}

/// The hosts that a step changes: all that hold keys of the group, or the servers that change now and their clients.
fn concerned<'a>(
    inventory: &'a Inventory,
    analysis: &'a Analysis,
    group: GroupId,
    next: &'a Next,
) -> impl Iterator<Item = HostId> + 'a {
    inventory.host_ids().filter(move |&host| {
        let changes = |server: HostId| next.part.contains(&*inventory.host(server).name);
        holds(inventory, analysis, group, host)
            && (next.step != Step::Moving
                || changes(host)
                || inventory
                    .entry(host)
                    .associations
                    .iter()
                    .any(|line| matches!(line.target, Target::Host(server) if changes(server))))
    })
}

/// Whether a host holds keys of a group.
pub fn holds(inventory: &Inventory, analysis: &Analysis, group: GroupId, host: HostId) -> bool {
    let needs = analysis.needs(host);
    let serves = inventory.entry(host).group == Some(group) && !needs.server_keys.is_empty();
    serves || needs.client_parameters.iter().any(|(of, _)| *of == group)
}

/// The servers of a group that still prove themselves with the old name.
fn left(inventory: &Inventory, analysis: &Analysis, group: GroupId, moved: &BTreeSet<String>) -> Vec<HostId> {
    inventory
        .host_ids()
        .filter(|&host| analysis.needs(host).crypto_ident == Some(group))
        .filter(|&host| !moved.contains(&*inventory.host(host).name))
        .collect()
}

/// Which of its steps a change is at, counted from 1, and how many there are.
pub fn number(inventory: &Inventory, analysis: &Analysis, group: GroupId, next: &Next) -> (usize, usize) {
    let all = parts(inventory, analysis, group, &BTreeSet::new());
    let to_come = parts(inventory, analysis, group, &next.servers);
    let at = match next.step {
        Step::Added => 1,
        Step::Moving => 1 + all.saturating_sub(to_come),
        Step::Removed => 2 + all,
    };
    (at, 2 + all)
}

/// How often servers restart, some at a time, until all have moved.
fn parts(inventory: &Inventory, analysis: &Analysis, group: GroupId, moved: &BTreeSet<String>) -> usize {
    let mut moved = moved.clone();
    let mut parts = 0;
    loop {
        let part = order::first_part(analysis, &left(inventory, analysis, group, &moved));
        if part.is_empty() {
            return parts;
        }
        moved.extend(part.into_iter().map(|host| inventory.host(host).name.to_string()));
        parts += 1;
    }
}
