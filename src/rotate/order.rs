//! Batches in which no host loses two of its servers at once.
//!
//! A server that restarts is without a clock for some polls. A client keeps it that long, and another server meanwhile; with
//! two at once it has none. A host and its own server are kept apart too: it would ask while the server cannot answer.

use crate::inventory::{HostId, Inventory};
use crate::plan::HostPlan;
use crate::plan::order::Batch;
use crate::trail::Analysis;
use crate::trail::graph::{Node, Role, TrailGraph, Who};
use std::collections::{HashMap, HashSet};

/// The same batches, each split where two of its restarting hosts serve the same host, or one serves the other. Who is told
/// counts as one that restarts: that is what comes of it where the daemon does not take it.
pub fn apart(
    inventory: &Inventory,
    graph: &TrailGraph,
    hosts: &[HostPlan],
    batches: Vec<Batch>,
) -> Vec<Batch> {
    let restarting: HashSet<&str> = hosts
        .iter()
        .filter(|host| host.begins_anew())
        .map(|host| host.host.as_str())
        .collect();
    batches
        .into_iter()
        .flat_map(|batch| {
            let numbers: HashMap<Node, usize> = batch
                .hosts
                .iter()
                .enumerate()
                .filter(|(_, host)| restarting.contains(host.as_str()))
                .filter_map(|(number, host)| Some((graph.node_of(inventory.find(host)?), number)))
                .collect();
            let together = services(graph, &numbers);
            let parts = split(batch.hosts.len(), &together);
            let mut names: Vec<Vec<String>> = Vec::new();
            for (name, part) in batch.hosts.into_iter().zip(parts) {
                if names.len() <= part {
                    names.resize_with(part + 1, Vec::new);
                }
                names[part].push(name);
            }
            let wave = batch.wave;
            names.into_iter().map(move |hosts| Batch { wave, hosts })
        })
        .collect()
}

/// Of these hosts, those that may restart first and at the same time: the nearest to their trusted hosts, no two of which
/// serve the same host, or one the other.
pub fn first_part(analysis: &Analysis, hosts: &[HostId]) -> Vec<HostId> {
    let graph = &analysis.graph;
    let Some(depth) = hosts.iter().map(|&host| analysis.depth(host)).min() else {
        return Vec::new();
    };
    let nearest = hosts.iter().filter(|&&host| analysis.depth(host) == depth);
    let mut nearest: Vec<HostId> = nearest.copied().collect();
    nearest.sort_unstable();
    let numbers = nearest.iter().enumerate();
    let numbers = numbers
        .map(|(number, &host)| (graph.node_of(host), number))
        .collect();
    let parts = split(nearest.len(), &services(graph, &numbers));
    let first = nearest.into_iter().zip(parts);
    first
        .filter(|(_, part)| *part == 0)
        .map(|(host, _)| host)
        .collect()
}

/// The same batches with the hosts for which `first` holds before all others.
pub fn ahead(batches: Vec<Batch>, first: &dyn Fn(&str) -> bool) -> Vec<Batch> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for Batch { wave, hosts } in batches {
        let (ahead, rest): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| first(host));
        before.push(Batch { wave, hosts: ahead });
        after.push(Batch { wave, hosts: rest });
    }
    before.append(&mut after);
    before.retain(|batch| !batch.hosts.is_empty());
    before
}

/// Everybody whose trail leads over one of these hosts, without themselves.
pub fn below(inventory: &Inventory, graph: &TrailGraph, hosts: &[HostId]) -> HashSet<HostId> {
    let mut seen: HashSet<Node> = HashSet::new();
    let mut queue: Vec<Node> = hosts.iter().map(|&host| graph.node_of(host)).collect();
    let mut below = HashSet::new();
    while let Some(server) = queue.pop() {
        for (_, client, edge) in graph.clients(server) {
            if edge.role != Role::Dead && edge.role != Role::Plain && seen.insert(client) {
                below.extend(graph.hosts(inventory, client));
                // Trails end at a trusted host with a clock: who is below it does not depend on what it watches.
                if !graph.member(client).root {
                    queue.push(client);
                }
            }
        }
    }
    for host in hosts {
        below.remove(host);
    }
    below
}

/// The sets of restarting hosts that belong to one host's service: its servers, and itself.
fn services(graph: &TrailGraph, numbers: &HashMap<Node, usize>) -> Vec<Vec<usize>> {
    // Hosts that serve nobody matter only to themselves: it is enough to look at servers and their clients.
    let clients: HashSet<Node> = numbers
        .keys()
        .flat_map(|&server| graph.clients(server))
        .filter(|(_, _, edge)| edge.role != Role::Dead)
        .map(|(_, client, _)| client)
        .collect();
    let mut services: Vec<Vec<usize>> = clients
        .into_iter()
        .map(|client| {
            let servers = graph.lines(client).filter(|(_, _, edge)| edge.role != Role::Dead);
            let mut set: Vec<usize> = servers
                .filter_map(|(_, server, _)| numbers.get(&server).copied())
                .collect();
            if matches!(graph.member(client).who, Who::Hosts { .. }) && graph.member(client).count == 1 {
                set.extend(numbers.get(&client));
            }
            set.sort_unstable();
            set.dedup();
            set
        })
        .filter(|set| set.len() > 1)
        .collect();
    services.sort_unstable();
    services
}

/// Gives each of `count` members the lowest part in which nobody stands with whom it is in a set of `together`.
pub fn split(count: usize, together: &[Vec<usize>]) -> Vec<usize> {
    let mut sets_of: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (number, set) in together.iter().enumerate() {
        for &member in set {
            sets_of[member].push(number);
        }
    }
    let mut taken: Vec<HashSet<usize>> = vec![HashSet::new(); together.len()];
    let mut parts = Vec::with_capacity(count);
    for sets in &sets_of {
        let part = (0..count)
            .find(|part| sets.iter().all(|&set| !taken[set].contains(part)))
            .expect("as many parts as members are always enough");
        for &set in sets {
            taken[set].insert(part);
        }
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nobody_stands_with_whom_it_must_not(
            count in 1_usize..30,
            sets in prop::collection::vec(prop::collection::btree_set(0_usize..30, 0..5), 0..20),
        ) {
            let together: Vec<Vec<usize>> = sets
                .into_iter()
                .map(|set| set.into_iter().filter(|&member| member < count).collect())
                .collect();
            let parts = split(count, &together);
            prop_assert_eq!(parts.len(), count);
            for set in &together {
                let distinct: HashSet<usize> = set.iter().map(|&member| parts[member]).collect();
                prop_assert_eq!(distinct.len(), set.len());
            }
            // No part is empty, and none is made without need.
            let highest = parts.iter().copied().max().unwrap_or(0);
            for part in 0..=highest {
                prop_assert!(parts.contains(&part));
            }
            if together.iter().all(|set| set.len() < 2) {
                prop_assert_eq!(highest, 0);
            }
        }
    }
}
