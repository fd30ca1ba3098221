//! Clients of a GQ group that got its new parameters before their servers had the keys to them.
//!
//! Measured on 4.2.8p15: such a client keeps the number of the certificate it took in that exchange and repeats only the
//! identity step, so it answers 114 for ever, also after the server has followed, until it is restarted. IFF and MV heal
//! by themselves at the next poll. An ordinary rotation goes down from the trusted hosts, where this cannot happen; `--on`
//! without looking at the daemons can bring it about.

use crate::inventory::{GroupId, HostId, IdentityScheme, Inventory, Target};
use crate::trail::needs::line_ident;
use crate::vault::{Brought, Verified};
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;

/// A client that must be restarted after its servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkewedClient {
    /// The client.
    pub host: HostId,
    /// The trusted hosts and servers that came later, or did not come yet.
    pub servers: Vec<HostId>,
    /// All of these have the keys by now.
    pub ready: bool,
}

/// The clients of `group` that are early; `brought`: when each host was changed to a generation from that of the group's new key on.
/// A client that was changed again since, or was seen to be proven, is none.
pub fn skewed_clients<S: BuildHasher>(
    inventory: &Inventory,
    group: GroupId,
    brought: &HashMap<Box<str>, Brought, S>,
    verified: &HashMap<Box<str>, Verified, S>,
) -> Vec<SkewedClient> {
    let of = |host: HostId| brought.get(&*inventory.host(host).name);
    let mut found = Vec::new();
    for entry in &inventory.entries {
        let lines = entry.associations.iter().filter(|line| {
            line_ident(inventory, line)
                .is_some_and(|ident| ident.group == group && ident.scheme == IdentityScheme::Gq)
        });
        let mut servers: BTreeSet<HostId> = lines
            .filter_map(|line| match line.target {
                Target::Host(host) => Some(host),
                _ => None,
            })
            .collect();
        if servers.is_empty() {
            continue;
        }
        // The number is the trusted host's, however far up it is.
        servers.extend(&inventory.group(group).trusted);
        for host in entry.hosts() {
            let Some(own) = of(host) else { continue };
            let later = |server: &&HostId| {
                **server != host && of(**server).is_none_or(|server| server.first > own.last)
            };
            let later: Vec<HostId> = servers.iter().filter(later).copied().collect();
            let Some(last) = later
                .iter()
                .map(|&server| of(server).map_or(i64::MAX, |at| at.first))
                .max()
            else {
                continue;
            };
            let proven = verified.get(&*inventory.host(host).name);
            if !proven.is_some_and(|seen| seen.good && seen.level == "auth" && seen.at > last) {
                found.push(SkewedClient {
                    host,
                    ready: last != i64::MAX,
                    servers: later,
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::load_str;

    fn names(brought: &[(&str, i64, i64)], proven: Option<i64>, scheme: &str) -> Vec<String> {
        let inventory = load_str(&format!(
            "version: 1\ngroups: {{ green: {{ identity: {scheme}, trusted: [th] }} }}\nhosts:\n  \
             th: {{ group: green, reference_clock: true }}\n  mid: {{ group: green, servers: [th] }}\n  \
             \"leaf[1-2]\": {{ group: green, servers: [mid] }}\n"
        ))
        .expect("well formed");
        let brought: HashMap<Box<str>, Brought> = brought
            .iter()
            .map(|&(host, first, last)| (host.into(), Brought { first, last }))
            .collect();
        let verified = proven
            .map(|at| {
                let seen = Verified {
                    at,
                    level: "auth".into(),
                    good: true,
                    detail: String::new(),
                };
                ("leaf1".into(), seen)
            })
            .into_iter()
            .collect();
        let name = |host: &HostId| inventory.host(*host).name.to_string();
        skewed_clients(&inventory, GroupId(0), &brought, &verified)
            .iter()
            .map(|early| {
                let servers: Vec<String> = early.servers.iter().map(name).collect();
                format!("{} < {} {}", name(&early.host), servers.join(" "), early.ready)
            })
            .collect()
    }

    #[test]
    fn who_goes_first_is_early_until_it_is_changed_again_or_proven() {
        let down = [("th", 1, 1), ("mid", 2, 2), ("leaf1", 3, 3), ("leaf2", 3, 3)];
        assert_eq!(names(&down, None, "gq"), [""; 0]);
        // In the same second, one batch after the other.
        assert_eq!(names(&[("th", 1, 1), ("mid", 1, 1)], None, "gq"), [""; 0]);
        assert_eq!(names(&[("leaf1", 5, 5)], None, "gq"), ["leaf1 < th mid false"]);
        assert_eq!(names(&[("leaf1", 5, 5)], None, "iff"), [""; 0]);
        let followed = [("leaf1", 5, 5), ("th", 7, 7), ("mid", 8, 8)];
        assert_eq!(names(&followed, None, "gq"), ["leaf1 < th mid true"]);
        assert_eq!(names(&followed, Some(7), "gq"), ["leaf1 < th mid true"]);
        assert_eq!(names(&followed, Some(9), "gq"), [""; 0]);
        let again = [("leaf1", 5, 9), ("th", 7, 7), ("mid", 8, 8)];
        assert_eq!(names(&again, None, "gq"), [""; 0]);
        // Both went before the trusted host; the leaf after its server.
        let both = [("mid", 1, 1), ("leaf1", 2, 2), ("th", 7, 7)];
        assert_eq!(names(&both, None, "gq"), ["mid < th true", "leaf1 < th true"]);
    }
}
