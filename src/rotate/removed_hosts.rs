//! Hosts that are no longer in the inventory or in their group, and what they still know.

use crate::inventory::{Group, Inventory};
use crate::media::GroupScheme;
use crate::vault::{ArtifactKind, Snapshot};
use std::collections::BTreeMap;

/// What a group's member that left still knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knows {
    /// Client parameters: it can still check the group's servers.
    Parameters,
    /// The server key: it can pass for a server of the group.
    ServerKey,
}

/// A host that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedHost {
    /// Its name.
    pub host: String,
    /// It left a group, and is in the inventory still.
    pub stays: bool,
    /// What it knows, by group and scheme.
    pub knows: BTreeMap<(String, GroupScheme), Knows>,
}

/// The hosts that hold media in this state of the vault but are not in the inventory, and those that hold the server key of a group
/// that goes on without them.
pub fn removed_hosts(inventory: &Inventory, snapshot: &Snapshot) -> Vec<RemovedHost> {
    let mut removed: Vec<RemovedHost> = snapshot
        .hosts()
        .filter(|host| snapshot.files(host).next().is_some())
        .filter_map(|host| {
            let there = inventory.find(host);
            let own = there.and_then(|host| inventory.group_of(host));
            let mut knows = BTreeMap::new();
            for (_, artifact) in snapshot.files(host) {
                let (scheme, what) = match artifact.kind {
                    ArtifactKind::ServerKey(scheme) => (scheme, Knows::ServerKey),
                    ArtifactKind::ClientParameters(scheme) => (scheme, Knows::Parameters),
                    _ => continue,
                };
                let group = inventory.group_of_ident(&artifact.owner);
                let left = |group: &Group| own.is_none_or(|own| own.name != group.name);
                if there.is_some() && !(what == Knows::ServerKey && group.is_some_and(left)) {
                    continue;
                }
                let group = group.map_or(&artifact.owner, |group| &group.name);
                knows
                    .entry((group.to_string(), scheme))
                    .and_modify(|before: &mut Knows| *before = what.max(*before))
                    .or_insert(what);
            }
            (there.is_none() || !knows.is_empty()).then(|| RemovedHost {
                host: host.to_owned(),
                stays: there.is_some(),
                knows,
            })
        })
        .collect();
    removed.sort_unstable_by(|one, other| one.host.cmp(&other.host));
    removed
}

impl RemovedHost {
    /// What to know and do about it, a sentence or two for each group.
    pub fn words(&self) -> Vec<String> {
        let host = &self.host;
        let mut words: Vec<String> = self
            .knows
            .iter()
            .map(|((group, scheme), knows)| {
                let rotate = format!("keytrail rotate identity --group {group}");
                match (knows, scheme) {
                    (Knows::ServerKey, _) if self.stays => format!(
                        "{host} is not in group {group} any more, and still has its {scheme} server key: with it it can pass for a server of that group. Make the group's key anew: {rotate}"
                    ),
                    (Knows::ServerKey, _) => format!(
                        "{host} left, and still has the {scheme} server key of group {group}: with it it can pass for a server of that group. Make the group's key anew: {rotate}"
                    ),
                    (Knows::Parameters, GroupScheme::Mv) => format!(
                        "{host} left, and still has an MV client key of group {group}. Shut it out: keytrail revoke {host}"
                    ),
                    (Knows::Parameters, _) => format!(
                        "{host} left, and can still check {scheme} servers of group {group}. To end that too: {rotate}"
                    ),
                }
            })
            .collect();
        if words.is_empty() {
            words.push(format!("{host} left; it holds no keys of any group"));
        }
        words
    }
}
