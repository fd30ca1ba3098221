//! What each host must hold, derived from the graph: roles are never declared.
//!
//! Least privilege: a host that somebody points at over an authenticated association is a server and gets
//! the group's server keys (so does a group's trusted agent, which hands them out), a host that nobody points at gets client parameters alone
//! (minimal sets measured on 4.2.8p15; facts sheet section 5).

use super::broadcast::{Medium, media};
use super::cryptotype::{Cryptotype, scheme_in_use, server_schemes};
use super::graph::{Node, Role, TrailGraph};
use super::platform::autokey_works;
use crate::inventory::{
    Association, Auth, Group, GroupId, HostEntry, HostId, IdentityScheme, Inventory, Mode, SymmetricKey,
    Target,
};
use std::collections::HashMap;

/// The media one host must hold and the crypto lines it needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Needs {
    /// Takes part in Autokey at all: needs host key, certificate and `crypto`.
    pub autokey: bool,
    /// Its certificate says trustRoot.
    pub trusted: bool,
    /// Some host of the inventory is its client over Autokey.
    pub serves: bool,
    /// Server keys it must hold: schemes of its own group, in the daemon's order IFF, GQ, MV.
    pub server_keys: Vec<IdentityScheme>,
    /// Client parameters it must hold: one per foreign or own group and scheme that a server of its presents.
    pub client_parameters: Vec<(GroupId, IdentityScheme)>,
    /// `crypto ident`: set on servers with group keys (own group) .
    pub crypto_ident: Option<GroupId>,
    /// PC: holds byte copies of the trusted host's key and private certificate.
    pub private_certificate_of: Option<HostId>,
    /// Symmetric key ids it must hold, sorted.
    pub symmetric_keys: Vec<u32>,
}

/// The `ident` of an association line: the group whose parameters the client checks the server with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineIdent {
    /// Group of the server.
    pub group: GroupId,
    /// Scheme the daemon will use: the server's first of IFF, GQ, MV.
    pub scheme: IdentityScheme,
}

/// The needs of all hosts; equal needs are kept once.
#[derive(Debug, Clone, Default)]
pub struct NeedsTable {
    pool: Vec<Needs>,
    of_node: Vec<u32>,
}

impl NeedsTable {
    /// Of the hosts of a node.
    pub fn of(&self, node: Node) -> &Needs {
        &self.pool[self.of_node[node.index()] as usize]
    }

    /// Every different set of needs once.
    pub fn distinct(&self) -> &[Needs] {
        &self.pool
    }
}

/// The group at the other end of an association, where it is known.
pub fn target_group(inventory: &Inventory, target: &Target) -> Option<GroupId> {
    match target {
        Target::Host(host) => inventory.entry(*host).group,
        Target::External(group, _) => Some(*group),
        Target::Address(_) => None,
    }
}

/// The `ident` of an association: set where the line uses Autokey and the server's group has an identity
/// scheme. A server line without it would silently accept anybody with a trusted certificate.
pub fn line_ident(inventory: &Inventory, association: &Association) -> Option<LineIdent> {
    if association.auth != Auth::Autokey {
        return None;
    }
    let group = match &association.target {
        // A line to an address knows its group only by the ident written on it.
        Target::Address(_) => inventory.group_named(association.ident.as_deref()?)?,
        target => target_group(inventory, target)?,
    };
    let scheme = scheme_in_use(inventory.group(group))?;
    Some(LineIdent { group, scheme })
}

/// The name of the keys that a server of `group` proves itself with.
pub fn ident<'g>(group: &'g Group, target: &Target) -> &'g str {
    match target {
        Target::Host(server) => group.ident_of(*server),
        Target::External(..) | Target::Address(_) => group.ident(),
    }
}

/// The declared key a host means by a key id: its own group's, else one declared for all.
pub fn symmetric_key(inventory: &Inventory, group: Option<GroupId>, id: u32) -> Option<&SymmetricKey> {
    let with_id = || inventory.keys.with_id(id);
    with_id()
        .find(|key| key.group.is_some() && key.group == group)
        .or_else(|| with_id().find(|key| key.group.is_none()))
}

/// Key ids a host uses by itself: on its lines, trusted beyond them, for control and request.
pub fn own_keys(entry: &HostEntry) -> impl Iterator<Item = u32> + '_ {
    let settings = &entry.settings;
    entry
        .associations
        .iter()
        .filter_map(|association| match association.auth {
            Auth::Key(id) => Some(id),
            _ => None,
        })
        .chain(settings.trusted_keys.iter().copied())
        .chain(settings.control_key)
        .chain(settings.request_key)
}

/// Derives the needs of every host.
pub fn derive(inventory: &Inventory, graph: &TrailGraph) -> NeedsTable {
    let media = media(inventory);
    let mut pool = Vec::new();
    let mut number: HashMap<Needs, u32> = HashMap::new();
    let mut last = 0;
    let of_node = graph
        .nodes()
        .map(|node| {
            let needs = of_node(inventory, graph, &media, node);
            // Neighbours mostly need the same.
            if pool.get(last as usize) != Some(&needs) {
                last = *number.entry(needs).or_insert_with_key(|needs| {
                    pool.push(needs.clone());
                    u32::try_from(pool.len() - 1).expect("no more needs than hosts")
                });
            }
            last
        })
        .collect();
    NeedsTable { pool, of_node }
}

fn of_node(inventory: &Inventory, graph: &TrailGraph, media: &[Medium<'_>], node: Node) -> Needs {
    let Some(entry) = graph.entry(inventory, node) else {
        return Needs::default();
    };
    let mut collected = Collected::default();
    for (_, server, edge) in graph.lines(node) {
        if edge.role.is_autokey() {
            collected.client_of(inventory, graph.group(inventory, server));
            collected.serves |= edge.mode == Mode::Peer;
        }
    }
    for association in &entry.associations {
        if let Target::Address(_) = association.target
            && association.auth == Auth::Autokey
            && autokey_works(association.mode, &entry.settings, None)
        {
            collected.address_line(inventory, association);
        }
    }
    for (line, client, edge) in graph.clients(node) {
        match edge.role {
            Role::Trail | Role::Backup => {
                collected.serves = true;
                // The passive end of symmetric peers checks the active one.
                if edge.mode == Mode::Peer {
                    collected.client_of(inventory, graph.group(inventory, client));
                }
            }
            Role::Keyed => {
                if let Auth::Key(id) = graph.association(inventory, line).1.auth {
                    collected.keys.push(id);
                }
            }
            Role::Plain | Role::Dead => {}
        }
    }
    collected.keys.extend(own_keys(entry));
    if !media.is_empty() {
        collected.broadcasts(inventory, graph, media, node, entry);
    }
    collected.agent = entry.group.is_some_and(|group| {
        let agent = inventory.group(group).agent;
        agent.is_some() && graph.hosts(inventory, node).any(|host| Some(host) == agent)
    });
    collected.finish(inventory, entry, graph.member(node).trusted)
}

#[derive(Default)]
struct Collected {
    client: bool,
    serves: bool,
    /// Keeps its group's keys although it need not serve anybody (trusted agent).
    agent: bool,
    parameters: Vec<(GroupId, IdentityScheme)>,
    keys: Vec<u32>,
}

impl Collected {
    fn client_of(&mut self, inventory: &Inventory, group: Option<GroupId>) {
        self.client = true;
        if let Some(group) = group
            && let Some(scheme) = scheme_in_use(inventory.group(group))
        {
            self.parameters.push((group, scheme));
        }
    }

    fn address_line(&mut self, inventory: &Inventory, association: &Association) {
        if association.mode == Mode::Broadcast {
            self.serves = true;
            return;
        }
        self.client = true;
        if let Some(ident) = line_ident(inventory, association) {
            self.parameters.push((ident.group, ident.scheme));
        }
    }

    /// Servers of different groups on one medium need the client parameters of each other, and clients of all.
    fn broadcasts(
        &mut self,
        inventory: &Inventory,
        graph: &TrailGraph,
        media: &[Medium<'_>],
        node: Node,
        entry: &HostEntry,
    ) {
        for medium in media {
            let sends = medium
                .servers
                .iter()
                .any(|(sender, _)| std::ptr::eq(*sender, entry));
            let hears = entry.broadcast_client
                && graph
                    .hosts(inventory, node)
                    .next()
                    .is_some_and(|host| medium.may_be_heard_by(inventory, host));
            if !sends && !hears {
                continue;
            }
            if hears {
                self.keys.extend(medium.keys());
            }
            for (server, association) in medium.autokey_servers() {
                let works = autokey_works(association.mode, &entry.settings, Some(&server.settings));
                if works && !std::ptr::eq(server, entry) && (hears || server.group != entry.group) {
                    self.client_of(inventory, server.group);
                }
            }
        }
    }

    fn finish(mut self, inventory: &Inventory, entry: &HostEntry, trusted: bool) -> Needs {
        let group = entry.group.map(|id| inventory.group(id));
        let private = Cryptotype::of_server(group) == Cryptotype::Pc;
        let autokey = self.client || self.serves || self.agent;
        let server_keys = match group {
            Some(group) if (self.serves || self.agent) && !private => server_schemes(group),
            _ => Vec::new(),
        };
        self.parameters.sort_unstable();
        self.parameters.dedup();
        self.keys.sort_unstable();
        self.keys.dedup();
        Needs {
            autokey,
            trusted: autokey && trusted,
            serves: self.serves,
            crypto_ident: entry.group.filter(|_| self.serves && !server_keys.is_empty()),
            server_keys,
            client_parameters: self.parameters,
            private_certificate_of: group
                .filter(|_| autokey && private && !trusted)
                .and_then(first_trusted),
            symmetric_keys: self.keys,
        }
    }
}

fn first_trusted(group: &Group) -> Option<HostId> {
    group.trusted.first().copied()
}
