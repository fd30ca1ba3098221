//! What if: for every host, reference clock and group, who loses the trail when it fails, and where a trail
//! turns cyclic because a trusted host without its clock follows others.
//!
//! One run of dominators over the trails answers it for all hosts at once: a host that lies on every trail of
//! another is a single point of failure for it.

use super::flow::{Flow, failing_group};
use super::graph::{Edge, Line, Node, Role, TrailGraph, Who};
use super::layers::{CycleSearch, layers};
use super::proof::Proof;
use super::rules::{found, words};
use crate::finding::Finding;
use crate::inventory::{GroupId, Inventory};
use std::collections::HashMap;

/// Servers looked at for [`double`]: every one of them costs a run of its own.
pub const MOST_OF_DOUBLE: usize = 400;
/// Dependents named for one failure.
const EXAMPLES: usize = 3;

/// Something that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A host, or a server outside the fleet.
    Host(Node),
    /// The reference clock of a trusted host.
    Clock(Node),
    /// All trusted hosts of a group, or all servers of an external one.
    Group(GroupId),
}

/// What follows when one part, or two together, fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What fails.
    pub parts: Vec<Part>,
    /// How many other hosts lose their last trail. For two parts: beyond those that either costs alone.
    pub loses: u64,
    /// Some of them.
    pub examples: Vec<Node>,
}

/// Trails that turn cyclic when one of these clocks fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCycle {
    /// Trusted hosts on the cycle whose clock keeps it open.
    pub clocks: Vec<Node>,
    /// The cycle.
    pub lines: Vec<Line>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// Failures that cost somebody the trail, the worst first.
    pub failures: Vec<Failure>,
    /// Trails that turn cyclic.
    pub cycles: Vec<FailureCycle>,
    /// Hosts that have a trail while everything works.
    pub hosts: u64,
    /// Servers that [`double`] left out because there are too many.
    pub left_out: usize,
}

/// What if any one host, clock or group fails.
pub fn single(inventory: &Inventory, graph: &TrailGraph, proof: &Proof) -> WhatIf {
    let flow = Flow::new(graph, None);
    let mut failures = Vec::new();
    let mut examples: HashMap<Node, Vec<Node>> = HashMap::new();
    for node in graph.nodes() {
        if let Some(above) = flow.dominator(node) {
            let named = examples.entry(above).or_default();
            if named.len() < EXAMPLES {
                named.push(node);
            }
        }
    }
    for node in graph.nodes() {
        let below = flow.below(node);
        let examples = examples.remove(&node).unwrap_or_default();
        if below > 0 {
            failures.push(Failure {
                parts: vec![Part::Host(node)],
                loses: below,
                examples: examples.clone(),
            });
        }
        let member = graph.member(node);
        if member.clock && member.trusted && !survives_without_clock(inventory, graph, &flow, node) {
            let loses = below + u64::from(member.count);
            let mut examples = examples;
            examples.insert(0, node);
            examples.truncate(EXAMPLES);
            failures.push(Failure {
                parts: vec![Part::Clock(node)],
                loses,
                examples,
            });
        }
    }
    failures.extend(groups(inventory, graph));
    failures.sort_by(|a, b| b.loses.cmp(&a.loses).then_with(|| a.parts.cmp(&b.parts)));
    let hosts = graph
        .nodes()
        .filter(|node| proof.reaches[node.index()] && matches!(graph.member(*node).who, Who::Hosts { .. }))
        .filter(|node| graph.takes_part(*node))
        .map(|node| u64::from(graph.member(node).count))
        .sum();
    WhatIf {
        failures,
        cycles: cycles(graph),
        hosts,
        left_out: 0,
    }
}

/// What if any two servers fail at once: pairs that cost more together than each alone, the worst first. One
/// run of dominators for each of the [`MOST_OF_DOUBLE`] servers with most clients. Two clocks of trusted hosts
/// count as the two hosts.
pub fn double(graph: &TrailGraph) -> Vec<Failure> {
    let whole = Flow::new(graph, None);
    let mut servers: Vec<Node> = candidates(graph).collect();
    servers.sort_by_key(|&node| std::cmp::Reverse(graph.clients(node).count()));
    servers.truncate(MOST_OF_DOUBLE);
    servers.sort_unstable();
    let mut failures = Vec::new();
    for (at, &first) in servers.iter().enumerate() {
        let without = Flow::new(graph, Some(first));
        for &second in &servers[at + 1..] {
            // Whoever depends on the second alone is not news, nor is who depended on the first.
            let together = without.below(second);
            let alone = if whole.dominates(first, second) {
                0
            } else {
                whole.below(second)
            };
            let shared = if whole.dominates(second, first) {
                whole.weight(first)
            } else {
                0
            };
            let loses = together.saturating_sub(alone.saturating_sub(shared));
            if loses > 0 {
                let lost = |node: &Node| {
                    without.dominates(second, *node) && *node != second && !whole.dominates(second, *node)
                };
                let examples = graph.nodes().filter(lost).take(EXAMPLES).collect();
                failures.push(Failure {
                    parts: vec![Part::Host(first), Part::Host(second)],
                    loses,
                    examples,
                });
            }
        }
    }
    failures.sort_by(|a, b| b.loses.cmp(&a.loses).then_with(|| a.parts.cmp(&b.parts)));
    failures
}

/// Servers that [`double`] would have to leave out.
pub fn left_out_of_double(graph: &TrailGraph) -> usize {
    candidates(graph).count().saturating_sub(MOST_OF_DOUBLE)
}

fn candidates(graph: &TrailGraph) -> impl Iterator<Item = Node> + '_ {
    graph
        .nodes()
        .filter(|&node| graph.clients(node).any(|(_, _, edge)| edge.role == Role::Trail))
}

/// Whether a trusted host whose clock died still gets time: over lines without Autokey, or over its Autokey
/// lines from a server whose own trails do not all come from here.
fn survives_without_clock(inventory: &Inventory, graph: &TrailGraph, flow: &Flow, node: Node) -> bool {
    let Some(entry) = graph.entry(inventory, node) else {
        return true;
    };
    super::graph::has_unverified_source(entry)
        || graph.lines(node).any(|(_, server, edge)| {
            edge.role == Role::Backup
                && edge.follows()
                && flow.reaches(server)
                && !flow.dominates(node, server)
        })
}

/// Groups whose trusted hosts all fail.
fn groups(inventory: &Inventory, graph: &TrailGraph) -> Vec<Failure> {
    let flow = Flow::by_group(inventory, graph);
    let roots_of = |group: GroupId| {
        graph
            .nodes()
            .filter(move |&node| failing_group(inventory, graph, node) == Some(group))
    };
    let mut failures = Vec::new();
    for (number, _) in inventory.groups.iter().enumerate() {
        let Some(id) = u32::try_from(number).ok().map(GroupId) else {
            continue;
        };
        let inside: u64 = flow.below_group(number);
        if inside == 0 {
            continue;
        }
        // The trusted hosts themselves are what fails.
        let own: u64 = roots_of(id).map(|node| flow.own_weight(node)).sum();
        let loses = inside.saturating_sub(own);
        if loses > 0 {
            let lost = |node: &Node| {
                flow.group_dominates(number, *node) && failing_group(inventory, graph, *node) != Some(id)
            };
            let examples = graph.nodes().filter(lost).take(EXAMPLES).collect();
            failures.push(Failure {
                parts: vec![Part::Group(id)],
                loses,
                examples,
            });
        }
    }
    failures
}

/// Cycles that only a live clock keeps open: among all Autokey lines, those of trusted hosts included.
fn cycles(graph: &TrailGraph) -> Vec<FailureCycle> {
    let follows = |_: Node, edge: Edge| edge.role.is_autokey() && edge.follows();
    let all = layers(graph, follows).components;
    let mut search = CycleSearch::new(graph, &all, follows);
    let mut found: Vec<FailureCycle> = Vec::new();
    for component in &all {
        let clock = |node: &Node| graph.member(*node).trusted && graph.member(*node).clock;
        let mut budget = 200_000 + 2 * component.len();
        let mut covered: std::collections::HashSet<Node> = std::collections::HashSet::new();
        for &start in component.iter().filter(|node| clock(node)) {
            if budget == 0 || covered.contains(&start) {
                continue;
            }
            let Some(lines) = search.through(start, usize::MAX, &mut budget) else {
                continue;
            };
            let on_it = lines.iter().map(|&line| graph.ends(line).0);
            let clocks: Vec<Node> = on_it.filter(clock).collect();
            covered.extend(&clocks);
            found.push(FailureCycle { clocks, lines });
        }
    }
    found
}

/// The answer as findings: cycles, and single points on which at least `threshold` hosts depend.
pub fn findings(inventory: &Inventory, graph: &TrailGraph, what_if: &WhatIf, threshold: u64) -> Vec<Finding> {
    let cycles = what_if
        .cycles
        .iter()
        .map(|cycle| cycle_finding(inventory, graph, cycle));
    let points = what_if
        .failures
        .iter()
        .filter(|failure| failure.loses >= threshold.max(1))
        .filter_map(|failure| point_finding(inventory, graph, failure, what_if.hosts));
    cycles.chain(points).collect()
}

fn cycle_finding(inventory: &Inventory, graph: &TrailGraph, cycle: &FailureCycle) -> Finding {
    let names: Vec<&str> = cycle
        .clocks
        .iter()
        .map(|&node| graph.name(inventory, node))
        .collect();
    let mut finding = found(
        "failure-makes-cycle",
        format!(
            "if the reference clock of {} fails, the certificate trail becomes cyclic",
            names.join(" or ")
        ),
    )
    .about(names.first().copied().unwrap_or_default());
    let last = cycle.lines.len() - 1;
    for (at, &line) in cycle
        .lines
        .iter()
        .enumerate()
        .filter(|(at, _)| *at < 11 || *at == last)
    {
        let (client, server) = graph.ends(line);
        let (entry, association) = graph.association(inventory, line);
        let closes = if at == last { " closes the cycle" } else { "" };
        let text = format!(
            "{} → {}{closes}",
            graph.name(inventory, client),
            graph.name(inventory, server)
        );
        finding = finding.at(entry.place(&association.steps()), text);
    }
    finding
        .help("take one of these lines out, or give it a symmetric key, which certifies nobody")
        .help("or give these hosts a further server outside the cycle")
}

fn point_finding(inventory: &Inventory, graph: &TrailGraph, failure: &Failure, all: u64) -> Option<Finding> {
    let &[part] = failure.parts.as_slice() else {
        return None;
    };
    let lose = words::hosts_do(failure.loses, "loses its", "lose their");
    let share = format!("{lose} last certificate trail, of {all}");
    let (message, place, subject) = match part {
        Part::Host(node) => {
            let name = graph.name(inventory, node);
            let place = match (graph.entry(inventory, node), graph.group(inventory, node)) {
                (Some(entry), _) => entry.place(&[]),
                (None, Some(group)) => inventory.group(group).place(&["external".into()]),
                (None, None) => return None,
            };
            (format!("if {name} fails, {share}"), place, name)
        }
        Part::Clock(node) => {
            let name = graph.name(inventory, node);
            let place = graph.entry(inventory, node)?.place(&["reference_clock".into()]);
            (
                format!("if the reference clock of {name} fails, {share}"),
                place,
                name,
            )
        }
        // Not a single point: it takes all trusted hosts of the group.
        Part::Group(_) => return None,
    };
    let names: Vec<&str> = failure
        .examples
        .iter()
        .map(|&node| graph.name(inventory, node))
        .collect();
    let more = if failure.loses > names.len() as u64 && names.len() == EXAMPLES {
        " …"
    } else {
        ""
    };
    Some(
        found("single-point-of-failure", message)
            .at(
                place,
                format!("every trail of {}{more} comes by here", names.join(", ")),
            )
            .help(match part {
                Part::Clock(_) => {
                    "give it a server of another group as backup, or a second clock elsewhere in the group"
                        .to_owned()
                }
                _ => format!(
                    "give {} a second server that does not depend on it",
                    names.first().unwrap_or(&"them")
                ),
            })
            .about(subject),
    )
}
