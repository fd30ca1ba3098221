//! What was proven of how many hosts, and how: the last line of `check`.

use super::graph::{Node, TrailGraph};
use super::method::{Method, Methods};
use super::platform::extra_servers;
use super::sources::{Sources, Trust, is_outside, spread};
use crate::finding::{Finding, Severity};
use crate::inventory::{HostEntry, Inventory};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;

/// Hosts by what was proven of the time they get. Every host is in one of `authenticated`, `accepted` and
/// `unauthenticated`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// All hosts of the inventory.
    pub hosts: u64,
    /// Hosts all of whose lines are authenticated, and those above them as far as a trusted time source: a host with a
    /// clock, a trusted host, or a server outside the inventory over an authenticated line.
    pub authenticated: u64,
    /// These by what authenticates their lines, the most first; hosts with a clock of their own are left out.
    pub by: Vec<By>,
    /// Those of the authenticated that have a clock of their own.
    pub clocks: u64,
    /// Hosts that depend on lines for which the inventory says `auth: none`, and on no other that is not authenticated.
    pub accepted: u64,
    /// All others. Each is, or depends on, a host that a finding names.
    pub unauthenticated: u64,
}

/// Hosts with the same ways to authenticate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct By {
    /// `AES-128-CMAC`, `IFF`, `GQ and IFF` …
    pub how: String,
    /// How many.
    pub hosts: u64,
}

impl Tally {
    /// Counts. `errors`: what was found, whatever the inventory says of it: what is in the way of a line is in the way of
    /// everybody below.
    pub fn new<'f>(
        inventory: &Inventory,
        graph: &TrailGraph,
        sources: &Sources,
        errors: impl Iterator<Item = &'f Finding>,
    ) -> Self {
        let failed = failed(inventory, graph, errors);
        let mut methods = Methods::new(inventory);
        let mut tally = Self::default();
        let mut by: HashMap<Vec<Method>, u64> = HashMap::new();
        let mut ways = Vec::new();
        for node in graph.nodes() {
            let Some(entry) = graph.entry(inventory, node) else {
                continue;
            };
            let member = graph.member(node);
            let count = u64::from(member.count);
            tally.hosts += count;
            match sources.trust(node) {
                _ if failed[node.index()] => tally.unauthenticated += count,
                Trust::Unauthenticated => tally.unauthenticated += count,
                Trust::Accepted => tally.accepted += count,
                Trust::Authenticated => {
                    tally.authenticated += count;
                    if member.clock {
                        tally.clocks += count;
                        continue;
                    }
                    ways_of(&mut methods, graph, node, entry, &mut ways);
                    match by.get_mut(ways.as_slice()) {
                        Some(hosts) => *hosts += count,
                        None => {
                            by.insert(ways.clone(), count);
                        }
                    }
                }
            }
        }
        let mut by: Vec<_> = by.into_iter().collect();
        by.sort_by(|(a, most), (b, least)| least.cmp(most).then_with(|| a.cmp(b)));
        tally.by = by
            .into_iter()
            .map(|(ways, hosts)| By {
                how: super::rules::words::list(&ways.iter().map(Method::to_string).collect::<Vec<_>>()),
                hosts,
            })
            .collect();
        tally
    }
}

/// What authenticates the lines of a host, each once.
fn ways_of(
    methods: &mut Methods<'_>,
    graph: &TrailGraph,
    node: Node,
    entry: &HostEntry,
    ways: &mut Vec<Method>,
) {
    ways.clear();
    ways.extend(
        graph
            .lines(node)
            .filter_map(|(line, ..)| methods.of_edge(graph, line)),
    );
    let outside = entry.associations.iter().filter(|line| is_outside(line));
    ways.extend(outside.filter_map(|line| methods.of_address(entry.group, line)));
    if extra_servers(&entry.settings).next().is_some() {
        ways.push(Method::Verbatim);
    }
    if ways.is_empty() {
        // It serves its symmetric peers and takes time from them by their lines.
        ways.extend(
            graph
                .clients(node)
                .filter_map(|(line, ..)| methods.of_edge(graph, line)),
        );
    }
    ways.sort_unstable();
    ways.dedup();
}

/// By node: an error is about it, or about a host it gets time from.
fn failed<'f>(
    inventory: &Inventory,
    graph: &TrailGraph,
    errors: impl Iterator<Item = &'f Finding>,
) -> Vec<bool> {
    let mut errors = errors
        .filter(|finding| finding.severity == Severity::Error)
        .peekable();
    if errors.peek().is_none() {
        return vec![false; graph.graph().node_count()];
    }
    let entries: HashMap<&str, &HostEntry> = inventory
        .entries
        .iter()
        .map(|entry| (&*entry.pattern, entry))
        .collect();
    let mut seeds: Vec<Node> = Vec::new();
    let mut groups = vec![false; inventory.groups.len()];
    for finding in errors {
        let Some(subject) = finding.subject.as_deref() else {
            // Nobody in particular: plan and apply refuse the whole inventory.
            return vec![true; graph.graph().node_count()];
        };
        if let Some(host) = inventory.find(subject) {
            seeds.push(graph.node_of(host));
        } else if let Some(entry) = entries.get(subject) {
            seeds.extend(entry.hosts().map(|host| graph.node_of(host)));
        } else if let Some(group) = inventory.group_named(subject) {
            groups[group.0 as usize] = true;
        } else {
            return vec![true; graph.graph().node_count()];
        }
    }
    seeds.extend(graph.nodes().filter(|&node| {
        graph
            .group(inventory, node)
            .is_some_and(|group| groups[group.0 as usize])
    }));
    spread(graph, seeds.into_iter(), |_, _, edge| {
        edge.role.is_authenticated()
    })
}

/// `38 hosts: 36 authenticated on every line to a trusted time source (30 by AES-128-CMAC, 6 by IFF), 2 not`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} authenticated on every line to a trusted time source",
            super::rules::words::hosts(self.hosts),
            self.authenticated
        )?;
        let mut ways: Vec<String> = self
            .by
            .iter()
            .map(|by| format!("{} by {}", by.hosts, by.how))
            .collect();
        if self.clocks > 0 {
            let whose = if self.clocks == 1 { "its" } else { "their" };
            ways.push(format!("{} by a clock of {whose} own", self.clocks));
        }
        if !ways.is_empty() {
            write!(f, " ({})", ways.join(", "))?;
        }
        if self.accepted > 0 {
            write!(f, ", {} by way of lines with `auth: none`", self.accepted)?;
        }
        if self.unauthenticated > 0 {
            write!(f, ", {} not", self.unauthenticated)?;
        }
        Ok(())
    }
}
