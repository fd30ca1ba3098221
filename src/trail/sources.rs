//! Where hosts get their time from: whether it comes from anywhere at all, and whether every line on the way is
//! authenticated, whatever by.
//!
//! Certificate trails ([`super::proof`]) are a matter of Autokey alone and must not run in circles. Time may: servers
//! with symmetric keys back each other up. It only has to come from somewhere.

use super::graph::{Edge, Line, Node, Role, TrailGraph, Who};
use super::layers::{CycleSearch, layers};
use super::platform::{autokey_works, extra_servers, is_clock_driver};
use super::proof::Proof;
use crate::inventory::{Association, Auth, HostEntry, Inventory, Mode, Target};
use std::collections::HashSet;

/// What is known of the time of every host.
#[derive(Debug, Clone)]
pub struct Sources {
    /// By node: what holds of the lines it gets time by, and of those above it as far as a trusted time source.
    trust: Vec<Trust>,
    /// By node: a way of authenticated lines leads to a trusted time source.
    proven: Vec<bool>,
    /// Where time should come from over authenticated lines, and does not come from anywhere.
    pub dry: Vec<Dry>,
}

/// How far the lines that bring a host its time can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// Every line is authenticated.
    Authenticated,
    /// Some lines are not, all of them because the inventory says `auth: none`.
    Accepted,
    /// Some line is not authenticated, or cannot be.
    Unauthenticated,
}

/// Hosts that get no time from anywhere: one without any line, or a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dry {
    /// The host; of a circle its first in the order written.
    pub node: Node,
    /// A shortest circle; empty where the host has no line that leads anywhere.
    pub lines: Vec<Line>,
    /// Hosts that serve each other in circles together with it.
    pub entangled: usize,
    /// Hosts beside these that get their time from here alone.
    pub below: u64,
}

impl Sources {
    /// Looks at every way time can come by. Linear in the size of the graph.
    pub fn new(inventory: &Inventory, graph: &TrailGraph, proof: &Proof) -> Self {
        let own = own_sources(inventory, graph);
        let gets_time = spread(
            graph,
            graph.nodes().filter(|node| own[node.index()].time),
            |_, _, edge| edge.role != Role::Dead,
        );
        // Trails of certificates end at a trusted host; whoever authenticates it knows whose time it is.
        let ends = |node: Node| {
            let member = graph.member(node);
            own[node.index()].authenticated || member.trusted && gets_time[node.index()]
        };
        let certified = |server: Node| proof.reaches[server.index()] || graph.member(server).trusted;
        let proven = spread(
            graph,
            graph.nodes().filter(|&node| ends(node)),
            |server, _, edge| edge.role.is_authenticated() && (!edge.role.is_autokey() || certified(server)),
        );
        let mut trust = vec![Trust::Authenticated; own.len()];
        for level in [Trust::Accepted, Trust::Unauthenticated] {
            // What a trusted time source follows itself is judged there, not at everybody below it.
            let passes = |server: Node| {
                let member = graph.member(server);
                !(member.trusted || member.clock)
            };
            let seeds = graph.nodes().filter(|node| own[node.index()].trust == level);
            let reached = spread(graph, seeds, |server, _, edge| {
                edge.role != Role::Dead && passes(server)
            });
            for (trust, reached) in trust.iter_mut().zip(reached) {
                if reached {
                    *trust = level;
                }
            }
        }
        Self {
            trust,
            proven,
            dry: dry(graph, proof, &gets_time),
        }
    }

    /// Whether a way of authenticated lines leads from a host to a trusted time source: a host with a clock, a trusted
    /// host, or a server outside the inventory over an authenticated line.
    pub fn is_proven(&self, node: Node) -> bool {
        self.proven[node.index()]
    }

    /// How far the time of a host can be trusted: by all its lines, and all lines above as far as a trusted time source.
    pub fn trust(&self, node: Node) -> Trust {
        match self.trust[node.index()] {
            Trust::Authenticated if !self.proven[node.index()] => Trust::Unauthenticated,
            trust => trust,
        }
    }
}

/// What a host has by itself, without other hosts of the inventory.
#[derive(Debug, Clone, Copy)]
struct Own {
    /// Some source of time.
    time: bool,
    /// One that is authenticated, or a clock.
    authenticated: bool,
    /// The worst of its lines.
    trust: Trust,
}

fn own_sources(inventory: &Inventory, graph: &TrailGraph) -> Vec<Own> {
    let mut found = Vec::with_capacity(graph.graph().node_count());
    let mut last: Option<(&HostEntry, Own)> = None;
    for node in graph.nodes() {
        let member = graph.member(node);
        let Some(entry) = graph.entry(inventory, node) else {
            found.push(Own {
                time: true,
                authenticated: true,
                trust: Trust::Authenticated,
            });
            continue;
        };
        // Nodes of one entry have the same lines.
        let mut own = match last {
            Some((same, own)) if std::ptr::eq(same, entry) => own,
            _ => outside(entry, member.clock),
        };
        last = Some((entry, own));
        let mut heard = false;
        for (line, _, edge) in graph.lines(node) {
            heard |= edge.is_heard();
            own.trust = own.trust.max(of_line(inventory, graph, line, edge));
        }
        // A symmetric passive end takes time from whoever has the line.
        for (line, _, edge) in graph.clients(node).filter(|(_, _, edge)| edge.mode == Mode::Peer) {
            own.trust = own.trust.max(of_line(inventory, graph, line, edge));
        }
        if entry.broadcast_client && !heard {
            // Senders that the inventory does not know.
            own.time = true;
            own.trust = Trust::Unauthenticated;
        }
        found.push(own);
    }
    found
}

fn of_line(inventory: &Inventory, graph: &TrailGraph, line: Line, edge: Edge) -> Trust {
    match edge.role {
        Role::Trail | Role::Backup | Role::Keyed => Trust::Authenticated,
        Role::Plain if graph.association(inventory, line).1.plain_on_purpose => Trust::Accepted,
        Role::Plain | Role::Dead => Trust::Unauthenticated,
    }
}

/// The sources of an entry that are no hosts of the inventory: clocks, addresses, extra lines.
fn outside(entry: &HostEntry, clock: bool) -> Own {
    let mut own = Own {
        time: clock,
        authenticated: clock,
        trust: Trust::Authenticated,
    };
    for line in entry.associations.iter().filter(|line| is_outside(line)) {
        own.time = true;
        let trust = match line.auth {
            Auth::Key(_) => Trust::Authenticated,
            Auth::Autokey if autokey_works(line.mode, &entry.settings, None) => Trust::Authenticated,
            Auth::None if line.plain_on_purpose => Trust::Accepted,
            Auth::Autokey | Auth::None => Trust::Unauthenticated,
        };
        own.authenticated |= trust == Trust::Authenticated;
        own.trust = own.trust.max(trust);
    }
    for (_, authenticated) in extra_servers(&entry.settings) {
        own.time = true;
        own.authenticated |= authenticated;
        if !authenticated {
            own.trust = Trust::Unauthenticated;
        }
    }
    own
}

/// Whether time comes by this line from an address outside the inventory that is no clock driver.
pub(super) fn is_outside(line: &Association) -> bool {
    line.mode != Mode::Broadcast
        && matches!(&line.target, Target::Address(address) if !is_clock_driver(address))
}

/// Nodes that can be reached from some nodes against the direction of the lines, the way time runs.
pub(super) fn spread(
    graph: &TrailGraph,
    seeds: impl Iterator<Item = Node>,
    passes: impl Fn(Node, Node, Edge) -> bool,
) -> Vec<bool> {
    let mut reached = vec![false; graph.graph().node_count()];
    let mut open: Vec<Node> = seeds.collect();
    for node in &open {
        reached[node.index()] = true;
    }
    while let Some(server) = open.pop() {
        for (client, edge) in takers(graph, server) {
            if !reached[client.index()] && passes(server, client, edge) {
                reached[client.index()] = true;
                open.push(client);
            }
        }
    }
    reached
}

/// Who takes time from a host: its clients, and the other end of its `peer` lines.
fn takers(graph: &TrailGraph, server: Node) -> impl Iterator<Item = (Node, Edge)> + '_ {
    let clients = graph.clients(server).map(|(_, client, edge)| (client, edge));
    let peers = graph
        .lines(server)
        .filter(|(_, _, edge)| edge.mode == Mode::Peer)
        .map(|(_, peer, edge)| (peer, edge));
    clients.chain(peers)
}

/// Circles and hosts without a line among those that get no time, as far as authenticated lines lead there and what is
/// wrong with certificate trails does not say the same.
fn dry(graph: &TrailGraph, proof: &Proof, gets_time: &[bool]) -> Vec<Dry> {
    if gets_time.iter().all(|&gets| gets) {
        return Vec::new();
    }
    let keep = |client: Node, edge: Edge| !gets_time[client.index()] && edge.role != Role::Dead;
    let components = layers(graph, keep).components;
    let mut component_of = vec![usize::MAX; gets_time.len()];
    for (number, nodes) in components.iter().enumerate() {
        for node in nodes {
            component_of[node.index()] = number;
        }
    }
    let leaves = |node: Node| {
        graph.lines(node).any(|(_, server, edge)| {
            keep(node, edge) && component_of[server.index()] != component_of[node.index()]
        })
    };
    let said: HashSet<Node> = proof
        .cycles
        .iter()
        .flat_map(|cycle| cycle.lines.iter().map(|&line| graph.ends(line).0))
        .chain(proof.stops.iter().map(|stop| stop.node))
        .collect();
    let mut search = CycleSearch::new(graph, &components, keep);
    let mut causes: Vec<(Dry, &[Node])> = Vec::new();
    for component in &components {
        if !component.iter().any(|&node| leaves(node) || said.contains(&node)) {
            let lines = search.shortest(component);
            let dry = Dry {
                node: graph.ends(lines[0]).0,
                lines,
                entangled: component.len(),
                below: 0,
            };
            causes.push((dry, component));
        }
    }
    let alone = graph.nodes().filter(|&node| {
        !gets_time[node.index()]
            && matches!(graph.member(node).who, Who::Hosts { .. })
            && graph.lines(node).next().is_none()
            && !said.contains(&node)
    });
    let alone: Vec<Node> = alone.collect();
    causes.extend(alone.iter().map(|node| {
        let dry = Dry {
            node: *node,
            lines: Vec::new(),
            entangled: 1,
            below: 0,
        };
        (dry, std::slice::from_ref(node))
    }));
    relied_on(graph, gets_time, causes)
}

/// Counts who is below each cause, and leaves out those that no authenticated line relies on.
fn relied_on(graph: &TrailGraph, gets_time: &[bool], causes: Vec<(Dry, &[Node])>) -> Vec<Dry> {
    let mut cause_of = vec![usize::MAX; gets_time.len()];
    let mut open: Vec<Node> = Vec::new();
    for (number, (_, nodes)) in causes.iter().enumerate() {
        for node in *nodes {
            cause_of[node.index()] = number;
            open.push(*node);
        }
    }
    let mut relied = vec![false; causes.len()];
    let mut below = vec![0; causes.len()];
    while let Some(server) = open.pop() {
        let number = cause_of[server.index()];
        for (client, edge) in takers(graph, server) {
            let at = client.index();
            if gets_time[at] || edge.role == Role::Dead {
                continue;
            }
            relied[number] |= edge.role.is_authenticated();
            if cause_of[at] == usize::MAX {
                cause_of[at] = number;
                below[number] += u64::from(graph.member(client).count);
                open.push(client);
            }
        }
    }
    let causes = causes.into_iter().zip(below).zip(relied);
    causes
        .filter(|(_, relied)| *relied)
        .map(|(((dry, _), below), _)| Dry { below, ..dry })
        .collect()
}
