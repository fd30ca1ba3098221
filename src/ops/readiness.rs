//! Whether others are ready for a host's restart: its clients have nothing outstanding with it, its servers serve.
//!
//! Measured on 4.2.8p15: a client whose SIGN or LEAP is outstanding and that asks a server in the seconds after its restart loses
//! the association (31 to 67 s at 8 s polls); one with both does not notice. A host that begins an exchange with a server whose
//! clock is not set, or that is not signed itself, begins again and again.

use crate::apply::verify::{Exchange, Level, Verification, Verified, verification};
use crate::apply::{Cancel, NotReady, Progress, Silent};
use crate::inventory::{Connection, HostId};
use crate::ops::connections::Connections;
use crate::ops::desired::site;
use crate::ops::session::Session;
use crate::trail::graph::Role;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Hosts that a sentence names before it counts the others.
const NAMED: usize = 4;

/// Who must be ready for whom, and how they are asked.
pub(crate) struct Readiness {
    connections: Connections,
    around: HashMap<String, Around>,
    asked: HashMap<String, Verification>,
    cancel: Cancel,
    /// Hosts that are not asked, because they are not looked at at all.
    pub(crate) unasked: BTreeSet<String>,
}

/// Whom a host's restart concerns.
struct Around {
    /// Hosts with an Autokey line to it.
    clients: Vec<String>,
    /// Hosts its Autokey lines lead to.
    servers: Vec<String>,
    restarts: bool,
}

impl Readiness {
    /// For these hosts; whether each restarts, or only makes an association anew.
    pub(crate) fn new(
        session: &Session,
        hosts: impl IntoIterator<Item = (HostId, bool)>,
        level: Option<Level>,
        connections: Connections,
        cancel: Cancel,
    ) -> Self {
        let (inventory, analysis) = (session.inventory(), session.analysis());
        let graph = &analysis.graph;
        let mut readiness = Self {
            connections,
            around: HashMap::new(),
            asked: HashMap::new(),
            cancel,
            unasked: BTreeSet::new(),
        };
        let trail = |role: Role| matches!(role, Role::Trail | Role::Backup);
        for (host, restarts) in hosts {
            let node = graph.node_of(host);
            let clients = graph.clients(node).filter(|(_, _, edge)| trail(edge.role));
            let clients: BTreeSet<HostId> = clients
                .flat_map(|(_, client, _)| graph.hosts(inventory, client))
                .collect();
            let servers = graph.lines(node).filter(|(_, _, edge)| trail(edge.role));
            let servers: BTreeSet<HostId> = servers
                .flat_map(|(_, server, _)| graph.hosts(inventory, server))
                .collect();
            let mut names = |ids: BTreeSet<HostId>| -> Vec<String> {
                let mut names = Vec::new();
                for id in ids {
                    let name = inventory.host(id).name.to_string();
                    let settings = &inventory.entry(id).settings;
                    let reached = settings.connection != Connection::Export;
                    if !reached || level.unwrap_or(settings.verify) == Level::None {
                        readiness.unasked.insert(name);
                        continue;
                    }
                    readiness.asked.entry(name.clone()).or_insert_with(|| {
                        verification(inventory, analysis, session.state(), id, site(inventory, id))
                    });
                    names.push(name);
                }
                names
            };
            let around = Around {
                clients: names(clients),
                servers: names(servers),
                restarts,
            };
            let name = inventory.host(host).name.to_string();
            readiness.around.insert(name, around);
        }
        readiness
    }

    /// The hosts of a batch for which others are not ready, after waiting as long as that can take.
    pub(crate) async fn unready(&self, hosts: &[String]) -> Vec<NotReady> {
        let begun = Instant::now();
        let mut open: Vec<&String> = hosts
            .iter()
            .filter(|host| self.around.contains_key(*host))
            .collect();
        loop {
            let seen = self.look(&open).await;
            let mut left = Vec::new();
            let (mut limit, mut poll) = (Duration::ZERO, Duration::from_secs(15));
            for host in std::mem::take(&mut open) {
                let waits = self.waits(host, &seen);
                if waits.is_empty() {
                    continue;
                }
                for asked in waits.keys().filter_map(|who| self.asked.get(*who)) {
                    // Beside what its associations need, SIGN and LEAP: a poll each.
                    limit = limit.max(asked.limit + 2 * asked.poll);
                    poll = poll.min(asked.poll / 4);
                }
                open.push(host);
                left.push(not_ready(host, &waits));
            }
            if left.is_empty() || begun.elapsed() >= limit || self.cancel.is_cancelled() {
                return left;
            }
            sleep(poll.max(Duration::from_secs(2))).await;
        }
    }

    async fn look(&self, hosts: &[&String]) -> HashMap<String, Verified> {
        let around = hosts.iter().filter_map(|host| self.around.get(*host));
        let names: BTreeSet<&String> = around
            .flat_map(|around| around.clients.iter().chain(&around.servers))
            .collect();
        let whats: Vec<Verification> = names
            .into_iter()
            .filter_map(|name| self.asked.get(name))
            .cloned()
            .collect();
        if whats.is_empty() {
            return HashMap::new();
        }
        let silent: Arc<dyn Progress> = Arc::new(Silent);
        let looked = self
            .connections
            .verify(whats, Level::Auth, Duration::ZERO, &silent, &self.cancel)
            .await;
        // Who cannot be asked has nothing that waiting could bring.
        looked
            .into_iter()
            .filter_map(|(host, seen)| Some((host, seen.ok()?)))
            .collect()
    }

    /// Who is not ready for a host, and why.
    fn waits<'a>(&'a self, host: &str, seen: &HashMap<String, Verified>) -> BTreeMap<&'a str, &'static str> {
        let Some(around) = self.around.get(host) else {
            return BTreeMap::new();
        };
        let mut waits = BTreeMap::new();
        for client in around.clients.iter().filter(|_| around.restarts) {
            if seen.get(client).is_some_and(|seen| under_way(seen, host)) {
                waits.insert(&**client, "its exchange with it is not complete (SIGN, LEAP)");
            }
        }
        for server in &around.servers {
            let Some(seen) = seen.get(server) else { continue };
            if let Some(why) = serves_not(seen) {
                waits.insert(&**server, why);
            }
        }
        waits
    }
}

/// Whether a client's exchange with a server is under way.
fn under_way(client: &Verified, server: &str) -> bool {
    let mut lines = client.associations.iter();
    lines.any(|line| line.outcome.server == server && line.exchange == Exchange::UnderWay)
}

/// Why a server that is coming up cannot take part in exchanges yet. One that does not run or has failed will not do so by waiting.
fn serves_not(server: &Verified) -> Option<&'static str> {
    if !server.daemon.answers {
        return None;
    }
    if server.synchronised == Some(false) {
        return Some("its clock is not set");
    }
    let trail = || server.associations.iter().filter(|line| line.required);
    let signed = trail().any(|line| line.exchange == Exchange::Complete);
    let signing = trail().any(|line| line.exchange == Exchange::UnderWay);
    (signing && !signed).then_some("its own certificate is not signed yet (SIGN)")
}

fn not_ready(host: &str, waits: &BTreeMap<&str, &'static str>) -> NotReady {
    let mut parts: Vec<String> = waits
        .iter()
        .take(NAMED)
        .map(|(who, why)| format!("{who}: {why}"))
        .collect();
    if waits.len() > NAMED {
        parts.push(format!("and {} more", waits.len() - NAMED));
    }
    NotReady {
        host: host.to_owned(),
        message: format!("others are not ready for its turn: {}", parts.join("; ")),
        help: "`keytrail verify` shows how they stand; run the same command again when they are ready, or with --ignore-unready: \
               then associations begin their exchange anew"
            .to_owned(),
    }
}
