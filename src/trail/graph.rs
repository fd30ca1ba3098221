//! The graph of every association between hosts of the inventory.
//!
//! An edge runs from a client to its server, the way a certificate trail is walked; from who hears a broadcast to who
//! sends it. Hosts that nobody points
//! at and that stand in one entry are all alike, so they share a node: a range of a million leaves is one
//! node, a million hosts written one by one are a million.

use super::broadcast::{Medium, media};
use super::platform::{autokey_works, extra_servers, has_clock, is_clock_driver};
use crate::inventory::{
    Association, Auth, EntryId, GroupId, HostEntry, HostId, Inventory, Mode, Settings, Target,
};
use petgraph::Direction;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::HashMap;

/// Number of a node.
pub type Node = NodeIndex<u32>;
/// Number of an edge.
pub type Line = EdgeIndex<u32>;

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// One host, or the hosts of an entry that nobody points at.
    Hosts {
        /// Their entry.
        entry: EntryId,
        /// The first of them.
        first: HostId,
    },
    /// A server of an external group.
    External(GroupId, u32),
}

/// A node of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// What it stands for.
    pub who: Who,
    /// How many hosts it stands for.
    pub count: u32,
    /// A trusted host of its own group.
    pub trusted: bool,
    /// Has a reference clock (or the like) of its own.
    pub clock: bool,
    /// Trails end here: a trusted host that gets its time from a clock or from lines without Autokey, or a
    /// server outside the fleet.
    pub root: bool,
}

/// What an association contributes to the trails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Autokey line of a client: its trail goes this way.
    Trail,
    /// Autokey line that certifies nobody's way: of a trusted host where trails end anyway (monitoring and
    /// backup), or between symmetric peers.
    Backup,
    /// With a symmetric key.
    Keyed,
    /// Not authenticated.
    Plain,
    /// Autokey where it cannot work (implementation or mode).
    Dead,
}

impl Role {
    /// Autokey that works.
    pub fn is_autokey(self) -> bool {
        matches!(self, Self::Trail | Self::Backup)
    }

    /// Whether time that comes this way is proven to come from the other end.
    pub fn is_authenticated(self) -> bool {
        match self {
            Self::Trail | Self::Backup | Self::Keyed => true,
            Self::Plain | Self::Dead => false,
        }
    }
}

/// An edge: an association of the client's entry, and what it contributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Index into [`HostEntry::associations`] of the client's entry; of a broadcast that is heard, of the sender's.
    pub line: u32,
    /// The association's mode: asked at every step along the trails, where looking it up costs more than the step.
    pub mode: Mode,
    /// What it contributes.
    pub role: Role,
}

impl Edge {
    /// Whether the client has no line of its own for it: it hears the server's broadcasts.
    pub fn is_heard(self) -> bool {
        self.mode == Mode::Broadcast
    }

    /// Whether the client follows the server: a line of its own to it, or its broadcasts.
    pub fn follows(self) -> bool {
        self.role != Role::Dead && self.mode != Mode::Peer
    }
}

/// The graph of associations.
#[derive(Debug, Clone)]
pub struct TrailGraph {
    graph: DiGraph<Member, Edge, u32>,
    node_of: Vec<Node>,
    externals: HashMap<(GroupId, u32), Node>,
}

impl TrailGraph {
    /// Builds the graph. Near-linear in hosts written and associations.
    pub fn new(inventory: &Inventory) -> Self {
        let single = singled_out(inventory);
        let trusted = trusted_hosts(inventory);
        let media = media(inventory);
        // An estimate: ranges have more hosts than nodes, and their lines are edges once.
        let lines = inventory
            .entries
            .iter()
            .map(|entry| entry.associations.len())
            .sum();
        let mut graph: DiGraph<Member, Edge, u32> = DiGraph::with_capacity(inventory.entries.len(), lines);
        let mut node_of = vec![Node::end(); inventory.hosts.len()];
        for (number, entry) in inventory.entries.iter().enumerate() {
            let entry_id = EntryId(index(number));
            let clock = has_clock(entry);
            let other_source = has_unverified_source(entry);
            let mut shared: Option<Node> = None;
            for host in entry.hosts() {
                let at = host.0 as usize;
                if !single[at]
                    && let Some(node) = shared
                {
                    graph[node].count += 1;
                    node_of[at] = node;
                    continue;
                }
                let node = graph.add_node(Member {
                    who: Who::Hosts {
                        entry: entry_id,
                        first: host,
                    },
                    count: 1,
                    trusted: trusted[at],
                    clock,
                    root: trusted[at] && (clock || other_source || hears_unverified(inventory, &media, host)),
                });
                node_of[at] = node;
                if !single[at] {
                    shared = Some(node);
                }
            }
        }
        let mut built = Self {
            graph,
            node_of,
            externals: HashMap::new(),
        };
        built.add_externals(inventory);
        built.add_lines(inventory);
        built.add_broadcasts(inventory, &media);
        built
    }

    fn add_externals(&mut self, inventory: &Inventory) {
        for (number, group) in inventory.groups.iter().enumerate() {
            let servers = group
                .external
                .as_ref()
                .map_or(0, |external| external.servers.len());
            for server in 0..index(servers) {
                let key = (GroupId(index(number)), server);
                let node = self.graph.add_node(Member {
                    who: Who::External(key.0, key.1),
                    count: 1,
                    trusted: false,
                    clock: false,
                    root: true,
                });
                self.externals.insert(key, node);
            }
        }
    }

    fn add_lines(&mut self, inventory: &Inventory) {
        for client in self.graph.node_indices() {
            let member = self.graph[client];
            let Who::Hosts { entry, .. } = member.who else {
                continue;
            };
            let entry = &inventory.entries[entry.0 as usize];
            for (line, association) in entry.associations.iter().enumerate() {
                let Some(server) = self.target(&association.target) else {
                    continue;
                };
                let edge = Edge {
                    line: index(line),
                    mode: association.mode,
                    role: role(inventory, entry, member, association),
                };
                self.graph.add_edge(client, server, edge);
            }
        }
    }

    /// An edge from every broadcast client to every sender it may hear.
    fn add_broadcasts(&mut self, inventory: &Inventory, media: &[Medium<'_>]) {
        if media.is_empty() {
            return;
        }
        let listeners: Vec<(Node, HostId, &HostEntry)> = self
            .nodes()
            .filter_map(|node| match self.graph[node].who {
                Who::Hosts { entry, first } => Some((node, first, &inventory.entries[entry.0 as usize])),
                Who::External(..) => None,
            })
            .filter(|(.., entry)| entry.broadcast_client)
            .collect();
        for medium in media {
            let hear: Vec<&(Node, HostId, &HostEntry)> = listeners
                .iter()
                .filter(|(_, host, _)| medium.may_be_heard_by(inventory, *host))
                .collect();
            for &(sender, association) in &medium.servers {
                let position = |line: &Association| std::ptr::eq(line, association);
                let Some(line) = sender.associations.iter().position(position) else {
                    continue;
                };
                let mut servers: Vec<Node> = (sender.first.0..sender.first.0 + sender.count)
                    .map(|host| self.node_of(HostId(host)))
                    .collect();
                servers.dedup();
                for &&(client, _, entry) in &hear {
                    let edge = Edge {
                        line: index(line),
                        mode: Mode::Broadcast,
                        role: heard_role(self.graph[client], &entry.settings, sender, association),
                    };
                    for &server in servers.iter().filter(|&&server| server != client) {
                        self.graph.add_edge(client, server, edge);
                    }
                }
            }
        }
    }

    fn target(&self, target: &Target) -> Option<Node> {
        match target {
            Target::Host(host) => Some(self.node_of(*host)),
            Target::External(group, server) => self.externals.get(&(*group, *server)).copied(),
            Target::Address(_) => None,
        }
    }

    /// The petgraph graph itself.
    pub fn graph(&self) -> &DiGraph<Member, Edge, u32> {
        &self.graph
    }

    /// All nodes, those of hosts in the order written, then those of external servers.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + use<> {
        self.graph.node_indices()
    }

    /// What a node stands for.
    pub fn member(&self, node: Node) -> &Member {
        &self.graph[node]
    }

    /// The node of a host.
    pub fn node_of(&self, host: HostId) -> Node {
        self.node_of[host.0 as usize]
    }

    /// The hosts a node stands for, in order.
    pub fn hosts<'a>(&'a self, inventory: &Inventory, node: Node) -> impl Iterator<Item = HostId> + use<'a> {
        let range = match self.graph[node].who {
            Who::Hosts { entry, first } => {
                let entry = &inventory.entries[entry.0 as usize];
                first.0..entry.first.0 + entry.count
            }
            Who::External(..) => 0..0,
        };
        range.map(HostId).filter(move |host| self.node_of(*host) == node)
    }

    /// The entry of a node; `None` for external servers.
    pub fn entry<'i>(&self, inventory: &'i Inventory, node: Node) -> Option<&'i HostEntry> {
        match self.graph[node].who {
            Who::Hosts { entry, .. } => Some(&inventory.entries[entry.0 as usize]),
            Who::External(..) => None,
        }
    }

    /// The group of a node.
    pub fn group(&self, inventory: &Inventory, node: Node) -> Option<GroupId> {
        match self.graph[node].who {
            Who::Hosts { entry, .. } => inventory.entries[entry.0 as usize].group,
            Who::External(group, _) => Some(group),
        }
    }

    /// A node's name for people: the host, the entry's pattern where it stands for several, or the external
    /// server.
    pub fn name<'i>(&self, inventory: &'i Inventory, node: Node) -> &'i str {
        let member = &self.graph[node];
        match member.who {
            Who::Hosts { entry, .. } if member.count > 1 => &inventory.entries[entry.0 as usize].pattern,
            Who::Hosts { first, .. } => &inventory.host(first).name,
            Who::External(group, server) => inventory
                .group(group)
                .external
                .as_ref()
                .map_or("", |external| &external.servers[server as usize].name),
        }
    }

    /// Lines of a client: edge, server, contribution.
    pub fn lines(&self, client: Node) -> impl Iterator<Item = (Line, Node, Edge)> + '_ {
        self.graph
            .edges(client)
            .map(|edge| (edge.id(), edge.target(), *edge.weight()))
    }

    /// Lines that point at a server: edge, client, contribution.
    pub fn clients(&self, server: Node) -> impl Iterator<Item = (Line, Node, Edge)> + '_ {
        self.graph
            .edges_directed(server, Direction::Incoming)
            .map(|edge| (edge.id(), edge.source(), *edge.weight()))
    }

    /// The association an edge was made from, with the entry it is written in: the client's, or the sender's of a
    /// broadcast.
    pub fn association<'i>(&self, inventory: &'i Inventory, line: Line) -> (&'i HostEntry, &'i Association) {
        let (client, server) = self.graph.edge_endpoints(line).expect("an edge of this graph");
        let edge = self.graph[line];
        let writer = if edge.is_heard() { server } else { client };
        let entry = self
            .entry(inventory, writer)
            .expect("external servers have no lines");
        (entry, &entry.associations[edge.line as usize])
    }

    /// Client and server of an edge.
    pub fn ends(&self, line: Line) -> (Node, Node) {
        self.graph.edge_endpoints(line).expect("an edge of this graph")
    }

    /// Whether the node has a part in Autokey: a line of its own or somebody else's, working or dead.
    pub fn takes_part(&self, node: Node) -> bool {
        self.lines(node)
            .map(|(_, _, edge)| edge.role)
            .chain(self.clients(node).map(|(_, _, edge)| edge.role))
            .any(|role| role.is_autokey() || role == Role::Dead)
    }
}

fn index(number: usize) -> u32 {
    u32::try_from(number).expect("the loader refuses more than a million hosts")
}

/// Hosts that need a node of their own: somebody names them.
fn singled_out(inventory: &Inventory) -> Vec<bool> {
    let mut single = vec![false; inventory.hosts.len()];
    for entry in &inventory.entries {
        for association in &entry.associations {
            if let Target::Host(host) = association.target {
                single[host.0 as usize] = true;
            }
        }
    }
    for group in &inventory.groups {
        for host in group.trusted.iter().chain(&group.agent) {
            single[host.0 as usize] = true;
        }
    }
    single
}

fn trusted_hosts(inventory: &Inventory) -> Vec<bool> {
    let mut trusted = vec![false; inventory.hosts.len()];
    for (number, group) in inventory.groups.iter().enumerate() {
        for &host in &group.trusted {
            // A host of another group may be listed by mistake: that is a finding, not a trusted host.
            trusted[host.0 as usize] |= inventory.entry(host).group == Some(GroupId(index(number)));
        }
    }
    trusted
}

/// Gets time by lines that no trail proves: with a symmetric key, without authentication, or from outside.
pub(super) fn has_unverified_source(entry: &HostEntry) -> bool {
    entry.associations.iter().any(|association| {
        association.mode != Mode::Broadcast
            && match &association.target {
                Target::Address(address) => !is_clock_driver(address),
                Target::Host(_) | Target::External(..) => association.auth != Auth::Autokey,
            }
    }) || extra_servers(&entry.settings).next().is_some()
}

/// Gets time by broadcasts that no trail proves: with a symmetric key, without authentication, or of a sender that the
/// inventory does not know.
fn hears_unverified(inventory: &Inventory, media: &[Medium<'_>], host: HostId) -> bool {
    let entry = inventory.entry(host);
    if !entry.broadcast_client {
        return false;
    }
    let mut heard = media
        .iter()
        .filter(|medium| medium.may_be_heard_by(inventory, host))
        .flat_map(|medium| &medium.servers)
        .filter(|(sender, _)| !std::ptr::eq(*sender, entry))
        .peekable();
    heard.peek().is_none() || heard.any(|(_, line)| line.auth != Auth::Autokey)
}

fn role(inventory: &Inventory, entry: &HostEntry, client: Member, association: &Association) -> Role {
    match association.auth {
        Auth::Key(_) => return Role::Keyed,
        Auth::None => return Role::Plain,
        Auth::Autokey => {}
    }
    let server = match association.target {
        Target::Host(host) => Some(&*inventory.entry(host).settings),
        _ => None,
    };
    if !autokey_works(association.mode, &entry.settings, server) {
        Role::Dead
    } else if client.root || association.mode != Mode::Server {
        Role::Backup
    } else {
        Role::Trail
    }
}

/// What a broadcast contributes to who hears it.
fn heard_role(client: Member, settings: &Settings, sender: &HostEntry, association: &Association) -> Role {
    match association.auth {
        Auth::Key(_) => Role::Keyed,
        Auth::None => Role::Plain,
        Auth::Autokey if !autokey_works(Mode::Broadcast, settings, Some(&sender.settings)) => Role::Dead,
        Auth::Autokey if client.root => Role::Backup,
        Auth::Autokey => Role::Trail,
    }
}
