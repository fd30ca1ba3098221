//! From the graph to a picture: which hosts share a box.

use super::{Area, Arrow, Kind, Options, Picture, Spot, Style, Trouble};
use crate::inventory::{Association, Auth, GroupId, IdentityScheme, Inventory, Mode};
use crate::trail::Analysis;
use crate::trail::cryptotype::scheme_in_use;
use crate::trail::failure::{Part, WhatIf};
use crate::trail::graph::{Node, Role, TrailGraph, Who};
use crate::trail::stratum::strata;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Rows shown when everything else is folded; what is deeper shares the last.
const ROWS: u32 = 12;

/// What decides whether two nodes share a box.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Alone(Node),
    SameServers(Option<GroupId>, Vec<(Node, Style)>),
    SameRow(Option<GroupId>, u32, Kind, bool),
}

/// Makes the picture of an inventory. Hosts are folded as far as needed to stay within `options.most` boxes:
/// first clients with the same servers, then all but trusted hosts of one group and row, then those too.
pub fn picture(inventory: &Inventory, analysis: &Analysis, what_if: &WhatIf, options: Options) -> Picture {
    let graph = &analysis.graph;
    let looked = Looked::new(inventory, analysis, what_if, options);
    let mut keys: Vec<Key> = Vec::new();
    for level in 0..4 {
        keys = graph.nodes().map(|node| looked.key(node, level)).collect();
        let different: HashSet<&Key> = keys.iter().collect();
        if different.len() <= options.most {
            break;
        }
    }
    let mut number: HashMap<&Key, usize> = HashMap::new();
    let mut boxes: Vec<Vec<Node>> = Vec::new();
    let mut spot_of = Vec::with_capacity(keys.len());
    for (node, key) in graph.nodes().zip(&keys) {
        let at = *number.entry(key).or_insert_with(|| {
            boxes.push(Vec::new());
            boxes.len() - 1
        });
        boxes[at].push(node);
        spot_of.push(at);
    }
    let mut used: Vec<GroupId> = graph
        .nodes()
        .filter_map(|node| graph.group(inventory, node))
        .collect();
    used.sort_unstable();
    used.dedup();
    let spots: Vec<Spot> = boxes.iter().map(|nodes| looked.spot(nodes, &used)).collect();
    let arrows = looked.arrows(&spot_of);
    let groups = used
        .iter()
        .map(|&id| {
            let group = inventory.group(id);
            Area {
                name: group.name.to_string(),
                scheme: scheme_of(inventory, id),
            }
        })
        .collect();
    Picture {
        groups,
        spots,
        arrows,
        hosts: inventory.hosts.len() as u64,
    }
}

struct Looked<'a> {
    inventory: &'a Inventory,
    analysis: &'a Analysis,
    graph: &'a TrailGraph,
    strata: Vec<Option<u32>>,
    trouble: HashMap<Node, Trouble>,
    cyclic: HashSet<crate::trail::graph::Line>,
}

impl<'a> Looked<'a> {
    fn new(inventory: &'a Inventory, analysis: &'a Analysis, what_if: &WhatIf, options: Options) -> Self {
        let graph = &analysis.graph;
        let mut trouble = HashMap::new();
        for failure in &what_if.failures {
            if let [Part::Host(node)] = failure.parts.as_slice()
                && failure.loses >= options.single_points.max(1)
            {
                trouble.insert(*node, Trouble::SinglePoint(failure.loses));
            }
        }
        let mut cyclic = HashSet::new();
        for cycle in &analysis.proof.cycles {
            for &line in &cycle.lines {
                cyclic.insert(line);
                trouble.insert(graph.ends(line).0, Trouble::NoTrail);
            }
        }
        for node in graph.nodes() {
            if !analysis.proof.reaches[node.index()] && graph.takes_part(node) {
                trouble.insert(node, Trouble::NoTrail);
            }
        }
        Self {
            inventory,
            analysis,
            graph,
            strata: strata(inventory, graph),
            trouble,
            cyclic,
        }
    }

    fn key(&self, node: Node, level: u32) -> Key {
        let kind = self.kind(node);
        let group = self.graph.group(self.inventory, node);
        let alone = self.trouble_of(node) == Trouble::NoTrail && level < 3;
        match level {
            0 => Key::Alone(node),
            _ if alone => Key::Alone(node),
            1 if kind == Kind::Client => {
                let mut servers: Vec<(Node, Style)> = self
                    .graph
                    .lines(node)
                    .map(|(_, server, edge)| (server, style(edge.role)))
                    .collect();
                servers.sort_unstable();
                Key::SameServers(group, servers)
            }
            1 => Key::Alone(node),
            2 if matches!(kind, Kind::Trusted | Kind::External) => Key::Alone(node),
            _ => Key::SameRow(
                group,
                self.layer(node),
                kind,
                self.trouble_of(node) == Trouble::NoTrail,
            ),
        }
    }

    fn kind(&self, node: Node) -> Kind {
        let member = self.graph.member(node);
        match member.who {
            Who::External(..) => Kind::External,
            Who::Hosts { .. } if member.trusted => Kind::Trusted,
            Who::Hosts { .. } if self.graph.clients(node).next().is_some() => Kind::Server,
            Who::Hosts { .. } => Kind::Client,
        }
    }

    fn layer(&self, node: Node) -> u32 {
        self.analysis.proof.depth[node.index()].min(ROWS)
    }

    fn trouble_of(&self, node: Node) -> Trouble {
        self.trouble.get(&node).copied().unwrap_or(Trouble::None)
    }

    fn spot(&self, nodes: &[Node], groups: &[GroupId]) -> Spot {
        let first = nodes[0];
        let group = self.graph.group(self.inventory, first);
        let worst = nodes
            .iter()
            .map(|&node| self.trouble_of(node))
            .max()
            .unwrap_or(Trouble::None);
        // A single point is one host; of a bundle it would be wrong to say it.
        let trouble = if nodes.len() > 1 && worst != Trouble::NoTrail {
            Trouble::None
        } else {
            worst
        };
        Spot {
            label: self.label(nodes),
            hosts: nodes
                .iter()
                .map(|&node| u64::from(self.graph.member(node).count))
                .sum(),
            group: group.and_then(|id| groups.binary_search(&id).ok()),
            layer: self.layer(first),
            stratum: nodes.iter().filter_map(|node| self.strata[node.index()]).min(),
            kind: self.kind(first),
            clock: nodes.iter().any(|&node| self.graph.member(node).clock),
            trouble,
        }
    }

    /// The name, or the first and the last of several.
    fn label(&self, nodes: &[Node]) -> String {
        let name = |node: Node| self.graph.name(self.inventory, node);
        match nodes {
            [one] => name(*one).to_owned(),
            [first, .., last] => format!("{} … {}", name(*first), name(*last)),
            [] => String::new(),
        }
    }

    fn arrows(&self, spot_of: &[usize]) -> Vec<Arrow> {
        // Text and whether it is cyclic, by ends and style.
        let mut lines: BTreeMap<(usize, usize, Style), (String, bool)> = BTreeMap::new();
        for line in self.graph.graph().edge_indices() {
            let (client, server) = self.graph.ends(line);
            let (from, to) = (spot_of[client.index()], spot_of[server.index()]);
            let cyclic = self.cyclic.contains(&line);
            if from == to && !cyclic {
                continue;
            }
            let (_, association) = self.graph.association(self.inventory, line);
            let known = lines
                .entry((from, to, style(self.graph.graph()[line].role)))
                .or_default();
            known.1 |= cyclic;
            let text = self.text(association, server);
            if known.0.is_empty() {
                known.0 = text;
            } else if known.0 != text {
                "several".clone_into(&mut known.0);
            }
        }
        let all: Vec<_> = lines.iter().map(|(key, value)| (*key, value.clone())).collect();
        let mut arrows = Vec::new();
        for ((from, to, style), (text, cyclic)) in all {
            let back = lines.contains_key(&(to, from, style)) && !cyclic && from != to;
            // Of two lines that run both ways one is drawn, with two heads; the schemes may differ.
            if back && from > to {
                continue;
            }
            let text = match lines.get(&(to, from, style)) {
                Some((other, _)) if back && *other != text => format!("{text} / {other}"),
                _ => text,
            };
            arrows.push(Arrow {
                from,
                to,
                text,
                style,
                cyclic,
                both_ways: back,
            });
        }
        arrows
    }

    fn text(&self, association: &Association, server: Node) -> String {
        let peer = match association.mode {
            Mode::Server => "",
            Mode::Peer => "peer ",
            Mode::Broadcast => "broadcast ",
        };
        match association.auth {
            Auth::Autokey => match self.graph.group(self.inventory, server) {
                Some(group) => format!("{peer}{}", scheme_of(self.inventory, group)),
                None => format!("{peer}TC"),
            },
            Auth::Key(id) => format!("{peer}key {id}"),
            Auth::None => peer.trim_end().to_owned(),
        }
    }
}

fn scheme_of(inventory: &Inventory, group: GroupId) -> String {
    let group = inventory.group(group);
    if group.identity.contains(&IdentityScheme::Pc) {
        return "PC".to_owned();
    }
    scheme_in_use(group).map_or("TC", IdentityScheme::name).to_owned()
}

fn style(role: Role) -> Style {
    match role {
        Role::Trail => Style::Trail,
        Role::Backup => Style::Backup,
        Role::Keyed => Style::Keyed,
        Role::Plain => Style::Plain,
        Role::Dead => Style::Dead,
    }
}
