//! Layers of a directed graph without recursion: how far each node is from where its edges end, and which
//! nodes lie on cycles.

use super::graph::{Edge, Line, Node, TrailGraph};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use std::collections::{HashMap, VecDeque};

/// Layers of the part of a graph that a filter keeps.
#[derive(Debug, Clone)]
pub struct Layers {
    /// By node: 0 where no kept edge leaves, else one more than the highest layer its edges lead to; nodes of
    /// one cycle share a layer.
    pub depth: Vec<u32>,
    /// The cycles: strongly connected components of more than one node, or of one with an edge to itself.
    pub components: Vec<Vec<Node>>,
}

/// Computes layers over the edges that `keep` accepts. Linear: nodes without open upstreams are peeled off
/// first (Kahn); only what is left, cycles and what hangs below them, is searched for components.
pub fn layers(graph: &TrailGraph, keep: impl Fn(Node, Edge) -> bool) -> Layers {
    let count = graph.graph().node_count();
    let mut depth = vec![0u32; count];
    let mut open = vec![0u32; count];
    for node in graph.nodes() {
        let kept = graph.lines(node).filter(|(_, _, edge)| keep(node, *edge)).count();
        open[node.index()] = u32::try_from(kept).unwrap_or(u32::MAX);
    }
    let mut ready: VecDeque<Node> = graph.nodes().filter(|node| open[node.index()] == 0).collect();
    let mut settled = 0;
    while let Some(server) = ready.pop_front() {
        settled += 1;
        for (_, client, edge) in graph.clients(server) {
            if !keep(client, edge) {
                continue;
            }
            let (at, above) = (client.index(), depth[server.index()] + 1);
            depth[at] = depth[at].max(above);
            open[at] -= 1;
            if open[at] == 0 {
                ready.push_back(client);
            }
        }
    }
    let components = if settled == count {
        Vec::new()
    } else {
        condense(graph, &keep, &open, &mut depth)
    };
    Layers { depth, components }
}

/// Layers of what is left over: nodes with open upstreams.
fn condense(
    graph: &TrailGraph,
    keep: &impl Fn(Node, Edge) -> bool,
    open: &[u32],
    depth: &mut [u32],
) -> Vec<Vec<Node>> {
    let mut left: DiGraph<Node, (), u32> = DiGraph::default();
    let mut number = HashMap::new();
    for node in graph.nodes().filter(|node| open[node.index()] > 0) {
        number.insert(node, left.add_node(node));
    }
    for (&client, &from) in &number {
        for (_, server, edge) in graph.lines(client) {
            if let Some(&to) = number.get(&server)
                && keep(client, edge)
            {
                left.add_edge(from, to, ());
            }
        }
    }
    let mut cycles = Vec::new();
    // Components come upstream first, so everything a component leads to has its layer already.
    for component in kosaraju_scc(&left) {
        let nodes: Vec<Node> = component.iter().map(|&at| left[at]).collect();
        let inside: std::collections::HashSet<Node> = nodes.iter().copied().collect();
        let mut layer = 0;
        let mut cyclic = nodes.len() > 1;
        for &client in &nodes {
            layer = layer.max(depth[client.index()]);
            for (_, server, edge) in graph.lines(client) {
                if keep(client, edge) {
                    if inside.contains(&server) {
                        cyclic = true;
                    } else {
                        layer = layer.max(depth[server.index()] + 1);
                    }
                }
            }
        }
        for node in &nodes {
            depth[node.index()] = layer;
        }
        if cyclic {
            let mut nodes = nodes;
            nodes.sort_unstable();
            cycles.push(nodes);
        }
    }
    cycles.sort_unstable();
    cycles
}

/// A shortest cycle inside a strongly connected component, as edges from its first host (in the order
/// written) round to it again. Exact while the component is small; in large ones the search stops when its
/// work exceeds a multiple of the component's size, with the shortest found so far.
pub fn shortest_cycle(
    graph: &TrailGraph,
    component: &[Node],
    keep: impl Fn(Node, Edge) -> bool,
) -> Vec<Line> {
    let inside: std::collections::HashSet<Node> = component.iter().copied().collect();
    let mut best: Vec<Line> = Vec::new();
    let mut budget = 1_000_000 + 16 * component.len();
    for &start in component {
        if best.len() == 1 || (best.len() == 2 && component.len() > 1_000) || budget == 0 {
            break;
        }
        let limit = if best.is_empty() {
            usize::MAX
        } else {
            best.len() - 1
        };
        if let Some(found) = cycle_through(graph, start, &inside, &keep, limit, &mut budget) {
            best = found;
        }
    }
    rotate_to_first(graph, best)
}

/// Breadth-first search from `start` back to itself over at most `limit` edges.
fn cycle_through(
    graph: &TrailGraph,
    start: Node,
    inside: &std::collections::HashSet<Node>,
    keep: &impl Fn(Node, Edge) -> bool,
    limit: usize,
    budget: &mut usize,
) -> Option<Vec<Line>> {
    let mut came: HashMap<Node, Line> = HashMap::new();
    let mut queue = VecDeque::from([(start, 0usize)]);
    while let Some((client, steps)) = queue.pop_front() {
        if steps >= limit {
            break;
        }
        for (line, server, edge) in graph.lines(client) {
            *budget = budget.saturating_sub(1);
            if !inside.contains(&server) || !keep(client, edge) {
                continue;
            }
            if server == start {
                let mut path = vec![line];
                let mut at = client;
                while at != start {
                    let back = came[&at];
                    path.push(back);
                    at = graph.ends(back).0;
                }
                path.reverse();
                return Some(path);
            }
            if let std::collections::hash_map::Entry::Vacant(slot) = came.entry(server) {
                slot.insert(line);
                queue.push_back((server, steps + 1));
            }
        }
    }
    None
}

fn rotate_to_first(graph: &TrailGraph, mut cycle: Vec<Line>) -> Vec<Line> {
    let first = cycle
        .iter()
        .enumerate()
        .min_by_key(|(_, line)| graph.ends(**line).0)
        .map_or(0, |(at, _)| at);
    cycle.rotate_left(first);
    cycle
}
