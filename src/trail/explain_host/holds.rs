//! What a host must hold and write, and why.

use super::{Explained, Reason, file};
use crate::inventory::{Auth, GroupId, Mode, Target};
use crate::trail::broadcast::{global_ident, media};
use crate::trail::graph::{Line, Node};
use crate::trail::needs::{Needs, line_ident};
use crate::trail::rules::words;

/// Clients named as a reason.
const EXAMPLES: usize = 3;

impl Explained<'_> {
    pub(super) fn holds(&self, needs: &Needs) -> Vec<Reason> {
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

    pub(super) fn lines(&self, needs: &Needs) -> Vec<Reason> {
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
            let group = global_ident(self.inventory, &media(self.inventory), self.host);
            if let Some(group) = group.filter(|_| needs.autokey) {
                add(
                    format!("ident {}", self.inventory.group(group).ident()),
                    "the group whose parameters prove every broadcast it hears: a daemon has one".to_owned(),
                );
            }
        }
        lines
    }
}
