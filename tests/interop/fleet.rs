//! One fleet with a secure group of every scheme, provisioned by the program: trusted host, intermediate, leaf.

use crate::common::Lab;
use crate::common::hosts::{Hosts, Network, RESTART};
use crate::common::network::Host;
use std::fmt::Write as _;
use std::ops::Deref;
use std::path::Path;

/// The groups, by the word of their scheme.
pub const SCHEMES: &[&str] = &["tc", "pc", "iff", "gq", "mv"];

/// What a host's ntp.conf holds before keytrail: what a distribution would say, and a clock source that needs no
/// radio. A daemon without `tos orphanwait` takes five minutes before it believes the local clock.
pub const CONF: &str = "logfile /mnt/log\nstatsdir /mnt/stats/\nfilegen cryptostats file cryptostats type none enable\ntos orphanwait 1\n";

/// That clock source, in an inventory.
pub const CLOCK: &str =
    "reference_clock: [server 127.127.1.0 minpoll 3 maxpoll 3 iburst, fudge 127.127.1.0 stratum 5]";

/// What starts the daemon of that installation on such a host.
pub fn start(prefix: &Path) -> String {
    format!(
        "{}/sbin/ntpd -4 -g -c /mnt/ntp.conf -p /mnt/pid",
        prefix.display()
    )
}

/// Where its programs are, as a `PATH`.
pub fn programs(prefix: &Path) -> String {
    format!("{0}/sbin:{0}/bin", prefix.display())
}

/// The head of an inventory of such hosts, to which more defaults may be added.
pub fn defaults(lab: &Lab) -> String {
    format!(
        "version: 1
defaults:
  conf: /mnt/ntp.conf
  include_file: /mnt/keytrail.conf
  keysdir: /mnt/crypto
  cryptostats: true
  verify: auth
  restart: {RESTART}
  ssh: {{ host: \"{{host}}\", config: {} }}
  association: {{ iburst: true, minpoll: 3, maxpoll: 3 }}
",
        lab.servers.config().display()
    )
}

/// An association as a person would name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub client: &'static str,
    pub server: &'static str,
}

/// The two hops of every group.
pub const LINES: [Line; 2] = [
    Line {
        client: "mid",
        server: "th",
    },
    Line {
        client: "leaf",
        server: "mid",
    },
];

pub struct Fleet {
    hosts: Hosts,
    pub groups: &'static [&'static str],
}

impl Deref for Fleet {
    type Target = Hosts;

    fn deref(&self) -> &Hosts {
        &self.hosts
    }
}

impl Fleet {
    /// Three hosts a group without a daemon, and an inventory of them. A group is called as its scheme.
    pub fn new(prefix: &Path, groups: &'static [&'static str]) -> Self {
        let mut network = Network::new();
        let mut inventory = defaults(&network.lab);
        inventory.push_str("  certificate: { lifetime: 365d }\n  host_key: { bits: 2048 }\ngroups:\n");
        let mut lines = "hosts:\n".to_owned();
        for (number, group) in groups.iter().enumerate() {
            let _ = writeln!(
                inventory,
                "  {group}: {{ identity: {group}, trusted: [{group}-th], identity_key: {{ iff: 1024, gq: 1008, mv: 512 }} }}"
            );
            for (place, (role, source)) in [
                ("th", CLOCK.to_owned()),
                ("mid", format!("servers: [{group}-th]")),
                ("leaf", format!("servers: [{group}-mid]")),
            ]
            .into_iter()
            .enumerate()
            {
                let (name, address) = (format!("{group}-{role}"), address(number, place));
                let _ = writeln!(
                    lines,
                    "  {name}: {{ group: {group}, address: {address}, {source} }}"
                );
                network.add(&name, &address, &programs(prefix), &start(prefix), CONF);
            }
        }
        Self {
            hosts: network.managed(&(inventory + &lines)),
            groups,
        }
    }

    /// The filestamp of a group's key, as its trusted host holds it.
    pub fn generation(&self, group: &str) -> u32 {
        let target = self.host(group, "th").link(&format!("{group}key_{group}"));
        let (_, stamp) = target.rsplit_once('.').expect("a filestamp");
        // Another file of the same generation has a word behind it.
        stamp
            .split('-')
            .next()
            .and_then(|stamp| stamp.parse().ok())
            .expect("a number")
    }

    pub fn host(&self, group: &str, role: &str) -> &Host {
        &self[&*format!("{group}-{role}")]
    }
}

/// Every group has a network of its own number, so that no address says the same twice.
fn address(group: usize, place: usize) -> String {
    format!("10.77.{}.{}", group + 1, place + 1)
}
