//! Whether a group's identity keys can change by a new name ([`super::idents`]): what stands in the way, host by host.

use crate::inventory::{
    Association, Auth, Connection, GroupId, HostEntry, HostId, IdentityScheme, Implementation, Inventory,
    Mode, Target, Verify,
};
use crate::report::names;
use crate::trail::Analysis;
use crate::trail::cryptotype::scheme_in_use;
use crate::trail::needs::{line_ident, target_group};
use std::collections::{BTreeMap, BTreeSet};

/// Hosts that a reason names before it counts the others.
const NAMED: usize = 4;

/// Why the keys of a group cannot change by a new name, a sentence for each reason; empty: they can. `level`: how far hosts are
/// looked at, where not as the inventory says.
pub fn obstacles(
    inventory: &Inventory,
    analysis: &Analysis,
    group: GroupId,
    level: Option<Verify>,
) -> Vec<String> {
    let mut found = Found {
        inventory,
        group,
        level,
        reasons: BTreeMap::new(),
    };
    for entry in &inventory.entries {
        found.client(entry);
    }
    let serving = inventory
        .host_ids()
        .filter(|&host| analysis.needs(host).crypto_ident == Some(group));
    for host in serving {
        found.server(host);
    }
    found
        .reasons
        .iter()
        .map(|(reason, hosts)| reason.words(hosts))
        .collect()
}

/// What stands in the way of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Few,
    NoControlKey,
    Foreign,
    Unseen,
    Export,
    Daemon,
    Mode,
    Written,
    Intermediate,
}

impl Reason {
    fn words(self, hosts: &BTreeSet<String>) -> String {
        let names = names(hosts, NAMED);
        let one = hosts.len() == 1;
        let (has, is) = if one { ("has", "is") } else { ("have", "are") };
        match self {
            Self::Few => format!(
                "{names} {has} one server of the group: without a second one nothing proves the time while an association changes"
            ),
            Self::NoControlKey => format!(
                "{names} {has} no control key, with which associations of a running daemon are changed (keys: {{ control: ID }})"
            ),
            Self::Foreign => format!(
                "{names} {is} of another group: a daemon takes such a server only by an `ident` that is its group's name"
            ),
            Self::Unseen => format!(
                "{names} {is} not looked at (verify: {}), so nobody would see whether the other server may change now",
                if one { "it needs auth" } else { "they need auth" }
            ),
            Self::Export => format!(
                "{names} {} files by `keytrail export`, so nobody sees when they are there",
                if one { "gets its" } else { "get their" }
            ),
            Self::Daemon => format!(
                "{names} {} not run ntp.org's daemon on Unix",
                if one { "does" } else { "do" }
            ),
            Self::Mode => format!(
                "{names} {has} peers or broadcasts with Autokey, which follow the name of the whole daemon"
            ),
            Self::Written => format!(
                "{names} {has} a line whose `ident` is written in the inventory, or to a server outside the fleet that knows only that name"
            ),
            Self::Intermediate => format!(
                "with GQ the certificates of the trusted hosts carry a value of the key, and {names} {} it on with a key of another generation until {} own turn",
                if one { "hands" } else { "hand" },
                if one { "its" } else { "their" }
            ),
        }
    }
}

struct Found<'a> {
    inventory: &'a Inventory,
    group: GroupId,
    level: Option<Verify>,
    reasons: BTreeMap<Reason, BTreeSet<String>>,
}

impl Found<'_> {
    fn add(&mut self, reason: Reason, who: impl Into<String>) {
        self.reasons.entry(reason).or_default().insert(who.into());
    }

    fn client(&mut self, entry: &HostEntry) {
        let inventory = self.inventory;
        let who = &*entry.pattern;
        let about =
            |line: &&Association| line_ident(inventory, line).is_some_and(|ident| ident.group == self.group);
        let lines: Vec<&Association> = entry.associations.iter().filter(about).collect();
        let broadcasts = entry.associations.iter().any(|line| {
            line.mode == Mode::Broadcast && line.auth == Auth::Autokey && entry.group == Some(self.group)
        });
        let hears = entry.broadcast_client && entry.group == Some(self.group);
        if broadcasts || hears || lines.iter().any(|line| line.mode != Mode::Server) {
            self.add(Reason::Mode, who);
        }
        if lines.is_empty() {
            return;
        }
        let written = |line: &&&Association| line.ident.is_some() || !matches!(line.target, Target::Host(_));
        if lines.iter().any(|line| written(&line)) {
            self.add(Reason::Written, who);
        }
        let servers: BTreeSet<HostId> = lines
            .iter()
            .filter_map(|line| match line.target {
                Target::Host(server) if target_group(inventory, &line.target) == Some(self.group) => {
                    Some(server)
                }
                _ => None,
            })
            .collect();
        // A trusted host with a clock of its own needs nobody to prove the time to it.
        if servers.len() < 2 && entry.reference_clock.is_none() {
            self.add(Reason::Few, who);
        }
        if entry.group != Some(self.group) {
            self.add(Reason::Foreign, who);
        }
        if entry.settings.control_key.is_none() {
            self.add(Reason::NoControlKey, who);
        }
        self.host(entry);
    }

    fn server(&mut self, host: HostId) {
        let entry = self.inventory.entry(host);
        let scheme = scheme_in_use(self.inventory.group(self.group));
        if scheme == Some(IdentityScheme::Gq) && !self.inventory.is_trusted(host) {
            self.add(Reason::Intermediate, &*self.inventory.host(host).name);
        }
        self.host(entry);
    }

    /// What is asked of clients and servers alike.
    fn host(&mut self, entry: &HostEntry) {
        let settings = &entry.settings;
        let who = &*entry.pattern;
        if settings.ntpd != Implementation::NtpOrg {
            self.add(Reason::Daemon, who);
        }
        if settings.connection == Connection::Export {
            self.add(Reason::Export, who);
        }
        // A start shows nothing of it; in a rotation who is looked at at all must authenticate.
        let level = self.level.unwrap_or(settings.verify);
        if level == Verify::None || self.level == Some(Verify::Start) {
            self.add(Reason::Unseen, who);
        }
    }
}
