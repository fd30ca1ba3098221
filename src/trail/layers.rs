//! Layers of a directed graph without recursion: how far each node is from where its edges end, and which
//! nodes lie on cycles.

use super::graph::{Edge, Line, Node, TrailGraph};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use std::collections::VecDeque;

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
    let count = graph.graph().node_count();
    let mut left: DiGraph<Node, (), u32> = DiGraph::default();
    let mut number = vec![Node::end(); count];
    for node in graph.nodes().filter(|node| open[node.index()] > 0) {
        number[node.index()] = left.add_node(node);
    }
    for from in left.node_indices() {
        let client = left[from];
        for (_, server, edge) in graph.lines(client) {
            let to = number[server.index()];
            if to != Node::end() && keep(client, edge) {
                left.add_edge(from, to, ());
            }
        }
    }
    // By node: the component it is in, as far as they have been looked at.
    let mut component_of = vec![u32::MAX; count];
    let mut cycles = Vec::new();
    // Components come upstream first, so everything a component leads to has its layer already.
    for (component, members) in (0u32..).zip(kosaraju_scc(&left)) {
        let nodes: Vec<Node> = members.iter().map(|&at| left[at]).collect();
        for node in &nodes {
            component_of[node.index()] = component;
        }
        let mut layer = 0;
        let mut cyclic = nodes.len() > 1;
        for &client in &nodes {
            layer = layer.max(depth[client.index()]);
            for (_, server, edge) in graph.lines(client) {
                if keep(client, edge) {
                    if component_of[server.index()] == component {
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

/// Searches components for short cycles. Its tables are made once for all components.
pub struct CycleSearch<'g, K> {
    graph: &'g TrailGraph,
    keep: K,
    /// By node: the number of its component.
    component: Vec<u32>,
    /// By node: the last search that came by, and over which line.
    seen: Vec<(u32, Line)>,
    searches: u32,
}

impl<'g, K: Fn(Node, Edge) -> bool> CycleSearch<'g, K> {
    /// Prepares to search these components of the part of a graph that `keep` accepts.
    pub fn new(graph: &'g TrailGraph, components: &[Vec<Node>], keep: K) -> Self {
        let count = if components.is_empty() {
            0
        } else {
            graph.graph().node_count()
        };
        let mut component = vec![u32::MAX; count];
        for (number, nodes) in (0u32..).zip(components) {
            for node in nodes {
                component[node.index()] = number;
            }
        }
        Self {
            graph,
            keep,
            component,
            seen: vec![(0, Line::end()); count],
            searches: 0,
        }
    }

    /// A shortest cycle inside one of the components, as edges from its first host (in the order written)
    /// round to it again. Exact while the component is small; in large ones the search stops when its work
    /// exceeds a multiple of the component's size, with the shortest found so far.
    pub fn shortest(&mut self, component: &[Node]) -> Vec<Line> {
        let mut best: Vec<Line> = Vec::new();
        let mut budget = 200_000 + 2 * component.len();
        for &start in component {
            let good_enough = if budget == 0 { usize::MAX } else { 1 };
            if !best.is_empty() && best.len() <= good_enough {
                break;
            }
            let limit = if best.is_empty() {
                usize::MAX
            } else {
                best.len() - 1
            };
            if let Some(found) = self.through(start, limit, &mut budget) {
                best = found;
            }
        }
        rotate_to_first(self.graph, best)
    }

    /// Breadth-first search from `start` back to itself over at most `limit` edges.
    pub fn through(&mut self, start: Node, limit: usize, budget: &mut usize) -> Option<Vec<Line>> {
        self.searches += 1;
        let mut queue = VecDeque::from([(start, 0usize)]);
        while let Some((client, steps)) = queue.pop_front() {
            if steps >= limit {
                break;
            }
            for (line, server, edge) in self.graph.lines(client) {
                *budget = budget.saturating_sub(1);
                let inside = self.component[server.index()] == self.component[start.index()];
                if !inside || !(self.keep)(client, edge) {
                    continue;
                }
                if server == start {
                    return Some(self.back(start, client, line));
                }
                let seen = &mut self.seen[server.index()];
                if seen.0 != self.searches {
                    *seen = (self.searches, line);
                    queue.push_back((server, steps + 1));
                }
            }
        }
        None
    }

    /// The path that this search came by, from `start` over `client` and its `last` line.
    fn back(&self, start: Node, client: Node, last: Line) -> Vec<Line> {
        let mut path = vec![last];
        let mut at = client;
        while at != start {
            let line = self.seen[at.index()].1;
            path.push(line);
            at = self.graph.ends(line).0;
        }
        path.reverse();
        path
    }
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
