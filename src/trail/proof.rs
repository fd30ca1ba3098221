//! The proof: from every host that takes part in Autokey a certificate trail leads, without a circle, to a
//! trusted host; and where it does not, why.

use super::graph::{Edge, Line, Node, Role, TrailGraph, Who};
use super::layers::{CycleSearch, layers};
use std::collections::VecDeque;

/// What was found out about the trails.
#[derive(Debug, Clone)]
pub struct Proof {
    /// By node: a trail leads to where trails end.
    pub reaches: Vec<bool>,
    /// By node: its wave. 0 for trusted hosts with a clock, then one more than the latest of its servers.
    pub depth: Vec<u32>,
    /// Trails that can run in a circle, one shortest cycle for each component.
    pub cycles: Vec<Cycle>,
    /// Hosts where trails stop without having reached a trusted host.
    pub stops: Vec<Stop>,
}

/// Trails that can run in a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// A shortest cycle, from its first host in the order written.
    pub lines: Vec<Line>,
    /// Hosts entangled: all that can come back to themselves together with these.
    pub entangled: usize,
    /// Another way leads from here to a trusted host.
    pub escapes: bool,
    /// Hosts (beside the entangled) whose only trails lead here.
    pub below: u64,
}

/// A host where a trail stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Where.
    pub node: Node,
    /// Hosts (beside these) whose only trails lead here.
    pub below: u64,
}

/// Whether an edge is part of a trail.
pub fn is_trail(edge: Edge) -> bool {
    edge.role == Role::Trail
}

/// Judges the graph. Linear in its size.
pub fn prove(graph: &TrailGraph) -> Proof {
    let reaches = reaching(graph);
    let trails = layers(graph, |_, edge| is_trail(edge));
    let depth = layers(graph, |client, edge| is_order(graph, client, edge)).depth;
    let mut cause: Vec<Cause> = Vec::new();
    let mut search = CycleSearch::new(graph, &trails.components, |_, edge| is_trail(edge));
    let mut cycles: Vec<Cycle> = trails
        .components
        .iter()
        .map(|component| {
            let escapes = reaches[component[0].index()];
            if !escapes {
                cause.push(Cause {
                    nodes: component.clone(),
                    below: 0,
                });
            }
            Cycle {
                lines: search.shortest(component),
                entangled: component.len(),
                escapes,
                below: 0,
            }
        })
        .collect();
    let stops_at: Vec<Node> = graph
        .nodes()
        .filter(|&node| stops(graph, node, &reaches))
        .collect();
    cause.extend(stops_at.iter().map(|&node| Cause {
        nodes: vec![node],
        below: 0,
    }));
    attribute(graph, &reaches, &mut cause);
    let mut below = cause.into_iter().map(|cause| cause.below);
    for cycle in cycles.iter_mut().filter(|cycle| !cycle.escapes) {
        cycle.below = below.next().unwrap_or(0);
    }
    let stops = stops_at
        .into_iter()
        .map(|node| Stop {
            node,
            below: below.next().unwrap_or(0),
        })
        .collect();
    Proof {
        reaches,
        depth,
        cycles,
        stops,
    }
}

/// From where trails end, against the direction of the trail edges.
fn reaching(graph: &TrailGraph) -> Vec<bool> {
    let mut reaches = vec![false; graph.graph().node_count()];
    let mut queue: VecDeque<Node> = graph.nodes().filter(|&node| graph.member(node).root).collect();
    for node in &queue {
        reaches[node.index()] = true;
    }
    while let Some(server) = queue.pop_front() {
        for (_, client, edge) in graph.clients(server) {
            if is_trail(edge) && !reaches[client.index()] {
                reaches[client.index()] = true;
                queue.push_back(client);
            }
        }
    }
    reaches
}

/// Servers are restarted before their clients: trails, and every other `server` line or broadcast of a host that has
/// no clock of its own.
fn is_order(graph: &TrailGraph, client: Node, edge: Edge) -> bool {
    let member = graph.member(client);
    edge.role == Role::Trail || edge.follows() && !(member.trusted && member.clock)
}

/// A host that takes part in Autokey and from which no trail edge leaves although it is not where trails
/// end. Where one of its Autokey lines is dead, that line is the cause and reported by its own rule.
fn stops(graph: &TrailGraph, node: Node, reaches: &[bool]) -> bool {
    let dead_or_trail = |edge: Edge| edge.role == Role::Trail || edge.role == Role::Dead;
    !reaches[node.index()]
        && matches!(graph.member(node).who, Who::Hosts { .. })
        && graph.takes_part(node)
        && !graph.lines(node).any(|(_, _, edge)| dead_or_trail(edge))
}

struct Cause {
    nodes: Vec<Node>,
    below: u64,
}

/// Attributes every host without a trail to one cause above it.
fn attribute(graph: &TrailGraph, reaches: &[bool], causes: &mut [Cause]) {
    let mut seen = vec![false; reaches.len()];
    let mut queue = VecDeque::new();
    for (number, cause) in causes.iter().enumerate() {
        for &node in &cause.nodes {
            seen[node.index()] = true;
            queue.push_back((node, number));
        }
    }
    while let Some((server, number)) = queue.pop_front() {
        for (_, client, edge) in graph.clients(server) {
            let at = client.index();
            if is_trail(edge) && !reaches[at] && !seen[at] {
                seen[at] = true;
                causes[number].below += u64::from(graph.member(client).count);
                queue.push_back((client, number));
            }
        }
    }
}
