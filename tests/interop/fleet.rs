//! One fleet with a secure group of every scheme, provisioned by the program: trusted host, intermediate, leaf.

use crate::common::Lab;
use crate::network::{Host, Switch};
use snapbox::cmd::{Command, cargo_bin};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The groups, by the word of their scheme.
pub const SCHEMES: &[&str] = &["tc", "pc", "iff", "gq", "mv"];

/// The service manager of these hosts: one daemon, ended and started again. `$1` is where it is installed.
pub const RESTART: &str = r#"
if pid=$(cat /mnt/pid 2>/dev/null) && kill "$pid" 2>/dev/null; then
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
fi
mkdir -p /mnt/stats
exec "$1/sbin/ntpd" -4 -g -c /mnt/ntp.conf -p /mnt/pid
"#;

/// What a host's ntp.conf holds before keytrail: what a distribution would say, and a clock source that needs no
/// radio. A daemon without `tos orphanwait` takes five minutes before it believes the local clock.
pub const CONF: &str = "logfile /mnt/log\nstatsdir /mnt/stats/\nfilegen cryptostats file cryptostats type none enable\ntos orphanwait 1\n";

/// The head of an inventory of such hosts, to which more defaults may be added.
pub fn defaults(prefix: &Path, lab: &Lab) -> String {
    format!(
        "version: 1
defaults:
  conf: /mnt/ntp.conf
  include_file: /mnt/keytrail.conf
  keysdir: /mnt/crypto
  cryptostats: true
  verify: auth
  restart: sh /mnt/restart {}
  ssh: {{ host: \"{{host}}\", config: {} }}
  association: {{ iburst: true, minpoll: 3, maxpoll: 3 }}
",
        prefix.display(),
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

/// The order of fields is the order of dropping: servers before namespaces.
pub struct Fleet {
    lab: Lab,
    hosts: Vec<Host>,
    _switch: Switch,
    prefix: String,
    pub groups: &'static [&'static str],
}

impl Fleet {
    /// Three hosts a group without a daemon, and an inventory of them. A group is called as its scheme.
    pub fn new(prefix: &Path, groups: &'static [&'static str]) -> Self {
        let switch = Switch::new();
        let mut lab = Lab::new();
        let programs = format!("{0}/sbin:{0}/bin", prefix.display());
        let mut inventory = defaults(prefix, &lab);
        inventory.push_str("  certificate: { lifetime: 365d }\n  host_key: { bits: 2048 }\ngroups:\n");
        let mut lines = "hosts:\n".to_owned();
        let mut hosts = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let _ = writeln!(
                inventory,
                "  {group}: {{ identity: {group}, trusted: [{group}-th], identity_key: {{ iff: 1024, gq: 1008, mv: 512 }} }}"
            );
            for (place, (role, source)) in [
                (
                    "th",
                    "reference_clock: [server 127.127.1.0 minpoll 3 maxpoll 3 iburst, fudge 127.127.1.0 stratum 5]"
                        .to_owned(),
                ),
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
                let host = Host::start(&switch, &mut lab, &name, &address, &programs);
                fs::write(host.file("restart"), RESTART).expect("written");
                fs::write(host.file("ntp.conf"), CONF).expect("written");
                hosts.push(host);
            }
        }
        fs::write(lab.dir.path().join("fleet.yaml"), inventory + &lines).expect("written");
        Self {
            lab,
            hosts,
            _switch: switch,
            prefix: prefix.display().to_string(),
            groups,
        }
    }

    /// Changes the inventory.
    pub fn change(&self, from: &str, to: &str) {
        let path = self.lab.dir.path().join("fleet.yaml");
        let text = fs::read_to_string(&path).expect("the inventory");
        assert!(text.contains(from), "{from} is not in:\n{text}");
        fs::write(&path, text.replace(from, to)).expect("written");
    }

    /// Runs the program on the fleet: exit status, and all it said.
    pub fn keytrail(&self, arguments: &[&str]) -> (i32, String) {
        let (status, output, errors) = self.run(arguments);
        (status, output + &errors)
    }

    /// The same, and what it answered alone.
    pub fn answer(&self, arguments: &[&str]) -> (i32, String) {
        let (status, output, _) = self.run(arguments);
        (status, output)
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let dir = self.lab.dir.path();
        let output = Command::new(cargo_bin!("keytrail"))
            .args(arguments)
            .arg(dir.join("fleet.yaml"))
            .env("XDG_CONFIG_HOME", dir.join("config"))
            .env_remove("KEYTRAIL_IDENTITY")
            .output()
            .expect("keytrail runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().expect("an exit status"),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// The same, and it must be done with nothing wrong.
    pub fn must(&self, arguments: &[&str]) -> String {
        let (status, said) = self.keytrail(arguments);
        assert_eq!(status, 0, "keytrail {arguments:?}: {said}");
        said
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

    /// The ends of all logs, for whoever must find out what went wrong.
    pub fn evidence(&self) -> String {
        let mut text = String::new();
        for host in &self.hosts {
            for name in ["log", "stats/cryptostats"] {
                let lines = host.read(name);
                let lines: Vec<&str> = lines.lines().collect();
                let _ = writeln!(text, "== {}: {name}", host.name);
                for line in &lines[lines.len().saturating_sub(12)..] {
                    let _ = writeln!(text, "{line}");
                }
            }
        }
        text
    }

    /// Restarts a daemon by hand.
    pub fn restart(&self, group: &str, role: &str) {
        let host = self.host(group, role);
        assert_eq!(host.sh(&format!("sh /mnt/restart {}", self.prefix)), "");
    }

    pub fn host(&self, group: &str, role: &str) -> &Host {
        let name = format!("{group}-{role}");
        self.hosts
            .iter()
            .find(|host| host.name == name)
            .expect("in the fleet")
    }
}

/// Every group has a network of its own number, so that no address says the same twice.
fn address(group: usize, place: usize) -> String {
    format!("10.77.{}.{}", group + 1, place + 1)
}
