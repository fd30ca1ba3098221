//! One host explained: where its trails lead and what each hop proves with which files, what it must hold, and
//! which lines its ntp.conf needs, each with the reason.

use super::Analysis;
use super::cryptotype::{Cryptotype, scheme_in_use};
use super::graph::{Edge, Line, Node, Role, Who};
use super::needs::{Needs, line_ident};
use super::rules::words;
use super::stratum::strata;
use crate::inventory::{Auth, GroupId, HostId, IdentityScheme, Inventory, Mode, Target};
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::fmt;

/// Clients named as a reason.
const EXAMPLES: usize = 3;

/// A host explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostTrail {
    /// Its name.
    pub host: String,
    /// Its group.
    pub group: Option<String>,
    /// The name in its certificate.
    pub certificate: String,
    /// A trusted host of its group.
    pub trusted: bool,
    /// What it is to its clients (`IDENT`); none where it serves nobody over Autokey.
    pub serves_as: Option<String>,
    /// Its place in the order of restarts, from 0.
    pub wave: u32,
    /// Its stratum, where it is known.
    pub stratum: Option<u32>,
    /// Its association lines with hosts, in the order written.
    pub trails: Vec<Trail>,
    /// Files and keys it must hold.
    pub holds: Vec<Reason>,
    /// Lines of its ntp.conf.
    pub lines: Vec<Reason>,
}

/// Where one association leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trail {
    /// The line's place below the host (`servers.0`).
    pub line: String,
    /// The host at the other end.
    pub server: String,
    /// Cryptotype of this end (`IDENT`).
    pub cryptotype: String,
    /// What the line is good for: `trail`, `backup`, `key`, `plain`, `dead`.
    pub purpose: &'static str,
    /// Whether it ends at a trusted host with a source of time.
    pub proven: bool,
    /// From this host to where the trail ends; empty where the line proves nothing by Autokey.
    pub hops: Vec<Hop>,
}

/// One step of a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Who is proven.
    pub server: String,
    /// What the step proves.
    pub proves: String,
    /// Files it takes on this host.
    pub here: Vec<String>,
    /// Files it takes on the server.
    pub there: Vec<String>,
}

/// Something with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A file, a key or a line.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Explains a host.
pub fn explain_host(inventory: &Inventory, analysis: &Analysis, host: HostId) -> HostTrail {
    let at = Explained {
        inventory,
        analysis,
        host,
        node: analysis.graph.node_of(host),
    };
    let entry = inventory.entry(host);
    let needs = analysis.needs(host);
    HostTrail {
        host: inventory.host(host).name.to_string(),
        group: entry.group.map(|group| inventory.group(group).name.to_string()),
        certificate: inventory.certificate_name(host),
        trusted: inventory.is_trusted(host),
        serves_as: needs.serves.then(|| at.server_type(entry.group).to_string()),
        wave: analysis.depth(host),
        stratum: strata(inventory, &analysis.graph)[at.node.index()],
        trails: at.trails(),
        holds: at.holds(needs),
        lines: at.lines(needs),
    }
}

struct Explained<'a> {
    inventory: &'a Inventory,
    analysis: &'a Analysis,
    host: HostId,
    node: Node,
}

impl Explained<'_> {
    fn name(&self) -> &str {
        &self.inventory.host(self.host).name
    }

    fn server_type(&self, group: Option<GroupId>) -> Cryptotype {
        Cryptotype::of_server(group.map(|group| self.inventory.group(group)))
    }

    fn trails(&self) -> Vec<Trail> {
        let mut lines: Vec<(Line, Node, Edge)> = self.analysis.graph.lines(self.node).collect();
        lines.sort_by_key(|(_, _, edge)| edge.line);
        lines
            .into_iter()
            .map(|(line, server, edge)| self.trail(line, server, edge))
            .collect()
    }

    fn trail(&self, line: Line, server: Node, edge: Edge) -> Trail {
        let graph = &self.analysis.graph;
        let (entry, association) = graph.association(self.inventory, line);
        let group = graph.group(self.inventory, server);
        let server_type = self.server_type(group);
        let client_group = entry.group.map(|group| self.inventory.group(group));
        let (purpose, autokey) = match edge.role {
            Role::Trail => ("trail", true),
            Role::Backup => ("backup", true),
            Role::Keyed => ("key", false),
            Role::Plain => ("plain", false),
            Role::Dead => ("dead", false),
        };
        Trail {
            line: format!("{}.{}", association.mode.list(), association.index),
            server: words::target(self.inventory, association).to_owned(),
            cryptotype: Cryptotype::of_client(association, client_group, server_type).to_string(),
            purpose,
            proven: autokey && self.analysis.proof.reaches[server.index()],
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
            let word = words::scheme(scheme);
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

    fn holds(&self, needs: &Needs) -> Vec<Reason> {
        let mut holds = Vec::new();
        let mut add = |what: String, why: String| holds.push(Reason { what, why });
        let name = self.name();
        let settings = &self.inventory.entry(self.host).settings;
        if let Some(root) = needs.private_certificate_of {
            let root = &self.inventory.host(root).name;
            add(
                format!("ntpkey_host_{root}"),
                format!("PC: a copy of {root}'s key"),
            );
            add(
                format!("ntpkey_cert_{root}"),
                format!("PC: a copy of {root}'s private certificate"),
            );
        } else if needs.autokey {
            add(
                format!("ntpkey_host_{name}"),
                "its own RSA key: every host with Autokey has one".to_owned(),
            );
            if settings.sign_key.is_some() {
                add(
                    format!("ntpkey_sign_{name}"),
                    "signs its certificate in place of the host key".to_owned(),
                );
            }
            let kind = if needs.trusted {
                "trusted: trails end at it"
            } else {
                "not trusted: its servers sign it"
            };
            add(
                format!("ntpkey_cert_{name}"),
                format!("{}, {kind}", self.inventory.certificate_name(self.host)),
            );
        }
        if let Some(group) = needs.crypto_ident {
            let group = &self.inventory.group(group).name;
            for &scheme in &needs.server_keys {
                let why = format!("proves {group} to its clients {}", self.clients());
                add(file(scheme, "key", group), why);
            }
        }
        let agent = !needs.serves && !needs.server_keys.is_empty();
        if let Some(group) = self.inventory.group_of(self.host).filter(|_| agent) {
            for &scheme in &needs.server_keys {
                let why = format!(
                    "it is {}'s trusted agent and keeps the key; it serves nobody",
                    group.name
                );
                add(file(scheme, "key", &group.name), why);
            }
        }
        for &(group, scheme) in &needs.client_parameters {
            let why = format!("checks {}", self.servers_of(group));
            add(file(scheme, "par", &self.inventory.group(group).name), why);
        }
        for id in &needs.symmetric_keys {
            add(format!("symmetric key {id}"), self.why_key(*id));
        }
        if needs.autokey && !needs.serves && !agent {
            add(
                "no server keys".to_owned(),
                "nobody points at it over Autokey".to_owned(),
            );
        }
        holds
    }

    /// Its clients over Autokey, some by name.
    fn clients(&self) -> String {
        let graph = &self.analysis.graph;
        let clients: Vec<Node> = graph
            .clients(self.node)
            .filter(|(_, _, edge)| edge.role.is_autokey())
            .map(|(_, client, _)| client)
            .collect();
        let total: u64 = clients
            .iter()
            .map(|&client| u64::from(graph.member(client).count))
            .sum();
        let mut names: Vec<&str> = clients
            .iter()
            .rev()
            .take(EXAMPLES)
            .map(|&client| graph.name(self.inventory, client))
            .collect();
        if clients.len() > EXAMPLES {
            names.push("others");
        }
        format!("{} ({})", words::list(&names), words::hosts(total))
    }

    fn servers_of(&self, group: GroupId) -> String {
        let graph = &self.analysis.graph;
        let mut names: Vec<&str> = graph
            .lines(self.node)
            .filter(|(_, server, edge)| {
                edge.role.is_autokey() && graph.group(self.inventory, *server) == Some(group)
            })
            .map(|(_, server, _)| graph.name(self.inventory, server))
            .collect();
        names.reverse();
        if names.is_empty() {
            "servers it may hear".to_owned()
        } else {
            words::list(&names)
        }
    }

    fn why_key(&self, id: u32) -> String {
        let graph = &self.analysis.graph;
        let uses = |line: Line| graph.association(self.inventory, line).1.auth == Auth::Key(id);
        let servers = graph
            .lines(self.node)
            .filter(|(line, ..)| uses(*line))
            .map(|(_, node, _)| node);
        let clients = graph
            .clients(self.node)
            .filter(|(line, ..)| uses(*line))
            .map(|(_, node, _)| node);
        let mut ends: Vec<&str> = servers
            .chain(clients)
            .map(|node| graph.name(self.inventory, node))
            .collect();
        ends.sort_unstable();
        ends.dedup();
        if ends.len() > EXAMPLES {
            ends.truncate(EXAMPLES);
            ends.push("others");
        }
        if ends.is_empty() {
            "named in its own settings or broadcasts".to_owned()
        } else {
            format!("shared with {}", words::list(&ends))
        }
    }

    fn lines(&self, needs: &Needs) -> Vec<Reason> {
        let entry = self.inventory.entry(self.host);
        let mut lines = Vec::new();
        let mut add = |what: String, why: String| lines.push(Reason { what, why });
        if needs.autokey {
            add(
                format!("keysdir {}", entry.settings.keysdir),
                "where its media are".to_owned(),
            );
            add(
                "crypto pw …".to_owned(),
                "turns Autokey on; the password opens its private files".to_owned(),
            );
        }
        if let Some(group) = needs.crypto_ident {
            let group = &self.inventory.group(group).name;
            add(
                format!("crypto ident {group}"),
                format!("makes it a server of {group}: names the server keys to load"),
            );
        }
        if !needs.symmetric_keys.is_empty() {
            let ids: Vec<String> = needs.symmetric_keys.iter().map(u32::to_string).collect();
            add(
                format!("keys {}", entry.settings.keys_file),
                "where its symmetric keys are".to_owned(),
            );
            add(
                format!("trustedkey {}", ids.join(" ")),
                "a key works only if it is trusted".to_owned(),
            );
        }
        for line in &entry.associations {
            let address = match &line.target {
                Target::Host(host) => self.inventory.address(*host).into_owned(),
                Target::External(group, server) => {
                    let external = self.inventory.group(*group).external.as_ref();
                    external
                        .map(|external| external.servers[*server as usize].address.to_string())
                        .unwrap_or_default()
                }
                Target::Address(address) => address.to_string(),
            };
            let word = match line.mode {
                Mode::Server => "server",
                Mode::Peer => "peer",
                Mode::Broadcast => "broadcast",
            };
            let ident = line_ident(self.inventory, line).map(|ident| &self.inventory.group(ident.group).name);
            let (how, why) = match (&line.auth, ident) {
                (Auth::Autokey, Some(group)) => (
                    format!(" autokey ident {group}"),
                    format!("without `ident {group}` anybody with a trusted certificate would be believed"),
                ),
                (Auth::Autokey, None) => (
                    " autokey".to_owned(),
                    "certificates alone: no identity scheme".to_owned(),
                ),
                (Auth::Key(id), _) => (
                    format!(" key {id}"),
                    "authenticated by a shared secret".to_owned(),
                ),
                (Auth::None, _) => (String::new(), "not authenticated".to_owned()),
            };
            add(
                format!("{word} {address}{how}"),
                format!("{}: {why}", words::target(self.inventory, line)),
            );
        }
        if entry.broadcast_client {
            add(
                "broadcastclient".to_owned(),
                "listens to broadcast servers".to_owned(),
            );
        }
        lines
    }
}

fn file(scheme: IdentityScheme, what: &str, group: &str) -> String {
    format!(
        "ntpkey_{}{what}_{group}",
        words::scheme(scheme).to_ascii_lowercase()
    )
}

impl fmt::Display for HostTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.certificate)?;
        if self.trusted {
            f.write_str(", trusted host")?;
        }
        if let Some(serves_as) = &self.serves_as {
            write!(f, ", serves as {serves_as}")?;
        }
        write!(f, ", wave {}", self.wave)?;
        if let Some(stratum) = self.stratum {
            write!(f, ", stratum {stratum}")?;
        }
        writeln!(f)?;
        for trail in &self.trails {
            let proven = match (trail.purpose, trail.proven) {
                ("trail" | "backup", false) => ", NOT PROVEN",
                _ => "",
            };
            writeln!(
                f,
                "\n{} → {} ({}, {}{proven})",
                trail.line, trail.server, trail.purpose, trail.cryptotype
            )?;
            for (number, hop) in trail.hops.iter().enumerate() {
                writeln!(f, "  {}. {}", number + 1, hop.proves)?;
                if !hop.here.is_empty() {
                    writeln!(f, "     here: {}", hop.here.join(", "))?;
                }
                writeln!(f, "     on {}: {}", hop.server, hop.there.join(", "))?;
            }
        }
        for (title, reasons) in [("holds", &self.holds), ("ntp.conf", &self.lines)] {
            writeln!(f, "\n{title}")?;
            let width = reasons
                .iter()
                .map(|reason| reason.what.chars().count())
                .max()
                .unwrap_or(0);
            for reason in reasons {
                writeln!(f, "  {:width$}  {}", reason.what, reason.why)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::explain_host;
    use crate::inventory::load_str;
    use crate::trail::analyse;
    use crate::trail::sample::TODAY;

    fn explained(name: &str) -> String {
        let inventory = load_str(include_str!("../../inventories/red-green-blue.yaml")).expect("valid");
        let analysis = analyse(&inventory, TODAY);
        let host = inventory.find(name).expect("declared");
        explain_host(&inventory, &analysis, host).to_string()
    }

    #[test]
    fn a_leaf_walks_to_its_trusted_host() {
        let expected = "\
leaf02@green, wave 3, stratum 3

servers.0 → yellow (trail, IDENT)
  1. yellow holds green's GQ key, and yellow's certificate is signed by howland
     here: ntpkey_gqpar_green
     on yellow: ntpkey_cert_yellow, ntpkey_host_yellow, ntpkey_gqkey_green
  2. howland's certificate is signed by itself and marked as trusted: the trail ends here
     on howland: ntpkey_cert_howland

servers.1 → howland (trail, IDENT)
  1. howland holds green's GQ key, and howland's certificate is signed by itself and marked as trusted: the trail ends here
     here: ntpkey_gqpar_green
     on howland: ntpkey_cert_howland, ntpkey_host_howland, ntpkey_gqkey_green

holds
  ntpkey_host_leaf02  its own RSA key: every host with Autokey has one
  ntpkey_cert_leaf02  leaf02@green, not trusted: its servers sign it
  ntpkey_gqpar_green  checks yellow and howland
  no server keys      nobody points at it over Autokey

ntp.conf
  keysdir /etc/ntp/crypto                          where its media are
  crypto pw …                                      turns Autokey on; the password opens its private files
  server yellow.green.example autokey ident green  yellow: without `ident green` anybody with a trusted certificate would be believed
  server howland.green.example autokey ident green  howland: without `ident green` anybody with a trusted certificate would be believed
";
        // Columns are as wide as the widest, which this text does not repeat.
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&explained("leaf02")), squeezed(expected));
    }

    #[test]
    fn a_trusted_host_is_told_why_it_holds_server_keys() {
        let text = explained("howland");
        assert!(
            text.starts_with("howland@green, trusted host, serves as IDENT, wave 1, stratum 2\n"),
            "{text}"
        );
        assert!(
            text.contains(
                "ntpkey_gqkey_green   proves green to its clients yellow and leaf[01-04] (5 hosts)"
            ),
            "{text}"
        );
        assert!(text.contains("ntpkey_iffpar_red    checks mort"), "{text}");
        assert!(text.contains("crypto ident green"), "{text}");
    }
}
