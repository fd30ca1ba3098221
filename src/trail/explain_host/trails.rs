//! Where the lines of a host lead.

use super::{Explained, Hop, Trail, file};
use crate::trail::cryptotype::{Cryptotype, scheme_in_use};
use crate::trail::graph::{Edge, Line, Node, Role, Who};
use std::collections::{HashMap, VecDeque};

impl Explained<'_> {
    pub(super) fn trails(&self) -> Vec<Trail> {
        let mut lines: Vec<(Line, Node, Edge)> = self.analysis.graph.lines(self.node).collect();
        lines.sort_by_key(|(_, server, edge)| (edge.is_heard(), edge.line, *server));
        lines
            .into_iter()
            .map(|(line, server, edge)| self.trail(line, server, edge))
            .collect()
    }

    fn trail(&self, line: Line, server: Node, edge: Edge) -> Trail {
        let graph = &self.analysis.graph;
        let (_, association) = graph.association(self.inventory, line);
        let group = graph.group(self.inventory, server);
        let server_type = self.server_type(group);
        let client_group = self
            .inventory
            .entry(self.host)
            .group
            .map(|group| self.inventory.group(group));
        let (purpose, autokey) = match edge.role {
            Role::Trail => ("trail", true),
            Role::Backup => ("backup", true),
            Role::Keyed => ("key", false),
            Role::Plain => ("plain", false),
            Role::Dead => ("dead", false),
        };
        Trail {
            line: if edge.is_heard() {
                "broadcastclient".to_owned()
            } else {
                format!("{}.{}", association.mode.list(), association.index)
            },
            server: graph.name(self.inventory, server).to_owned(),
            cryptotype: Cryptotype::of_client(association, client_group, server_type).to_string(),
            purpose,
            proven: match edge.role {
                Role::Trail | Role::Backup => self.analysis.proof.reaches[server.index()],
                Role::Keyed => self.analysis.sources.is_proven(server),
                Role::Plain | Role::Dead => false,
            },
            hops: if autokey { self.hops(server) } else { Vec::new() },
        }
    }

    /// The identity of the server first, then certificate by certificate up a shortest trail.
    fn hops(&self, server: Node) -> Vec<Hop> {
        let graph = &self.analysis.graph;
        let mut path = vec![server];
        path.extend(self.way_up(server));
        let mut hops = Vec::new();
        for (number, &at) in path.iter().enumerate() {
            let name = graph.name(self.inventory, at).to_owned();
            let above = path.get(number + 1).map(|&next| graph.name(self.inventory, next));
            let member = graph.member(at);
            let mut hop = Hop {
                proves: match above {
                    Some(above) => format!("{name}'s certificate is signed by {above}"),
                    None if member.trusted || matches!(member.who, Who::External(..)) => {
                        format!(
                            "{name}'s certificate is signed by itself and marked as trusted: the trail ends here"
                        )
                    }
                    None => format!("nothing: {name} has no trail on to a trusted host"),
                },
                here: Vec::new(),
                there: vec![format!("ntpkey_cert_{name}")],
                server: name,
            };
            if number == 0 {
                self.identity(at, &mut hop);
            }
            hops.push(hop);
        }
        hops
    }

    /// What the first hop proves beyond the certificate.
    fn identity(&self, server: Node, hop: &mut Hop) {
        let Some(group) = self.analysis.graph.group(self.inventory, server) else {
            return;
        };
        let group = self.inventory.group(group);
        hop.there.push(format!("ntpkey_host_{}", hop.server));
        if let Some(scheme) = scheme_in_use(group) {
            let word = scheme.name();
            hop.proves = format!(
                "{} holds {}'s {word} key, and {}",
                hop.server, group.name, hop.proves
            );
            hop.here.push(file(scheme, "par", &group.name));
            hop.there.push(file(scheme, "key", &group.name));
        }
    }

    /// A shortest way from a host to where its trails end, the host itself left out.
    fn way_up(&self, from: Node) -> Vec<Node> {
        let graph = &self.analysis.graph;
        // A trusted host ends the trail of certificates, wherever it has its time from.
        let ends = |node: Node| graph.member(node).trusted || graph.member(node).root;
        let mut came: HashMap<Node, Node> = HashMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(client) = queue.pop_front() {
            if ends(client) {
                let mut way = vec![client];
                while let Some(&below) = way.last().and_then(|last| came.get(last)) {
                    way.push(below);
                }
                way.reverse();
                return way.split_off(1);
            }
            for (_, server, edge) in graph.lines(client) {
                if edge.role == Role::Trail && server != from && !came.contains_key(&server) {
                    came.insert(server, client);
                    queue.push_back(server);
                }
            }
        }
        Vec::new()
    }
}
