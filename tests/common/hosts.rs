//! Hosts with real daemons on one network, and the program that manages them.

use super::Lab;
use super::managed::Managed;
use super::network::{Host, Switch};
use keytrail::ntpq::{Association, associations};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::{Deref, Index};
use std::time::Duration;

/// `restart` of the inventory of such hosts.
pub const RESTART: &str = "sh /mnt/restart";

/// What a daemon or the program may have left in a host's `/mnt` that tells what went wrong.
const TELLING: [&str; 4] = ["log", "stats/cryptostats", "ntp.conf", "keytrail.conf"];

/// Hosts on one switch before there is an inventory of them. The order of fields is the order of dropping: servers before
/// namespaces.
pub struct Network {
    pub lab: Lab,
    hosts: BTreeMap<String, Host>,
    switch: Switch,
}

impl Network {
    pub fn new() -> Self {
        Self {
            lab: Lab::new(),
            hosts: BTreeMap::new(),
            switch: Switch::new(),
        }
    }

    /// A host with an ntp.conf, whose daemon is started by that command, goes into the background, and writes its number to
    /// `/mnt/pid`. `programs` come first in its `PATH`.
    pub fn add(&mut self, name: &str, address: &str, programs: &str, start: &str, ntp_conf: &str) {
        let host = Host::start(&self.switch, &mut self.lab, name, address, programs);
        fs::create_dir(host.file("stats")).expect("a directory");
        fs::write(host.file("ntp.conf"), ntp_conf).expect("written");
        fs::write(host.file("restart"), restart(start)).expect("written");
        self.hosts.insert(name.to_owned(), host);
    }

    /// With an inventory, which has yet to be applied.
    pub fn managed(self, inventory: &str) -> Hosts {
        Hosts {
            managed: Managed::new(self.lab, inventory),
            by_name: self.hosts,
            _switch: self.switch,
        }
    }
}

/// The service manager of these hosts: one daemon, ended and started again. It returns once the daemon has its number
/// written down, which comes after its forks.
fn restart(start: &str) -> String {
    format!(
        r#"if pid=$(cat /mnt/pid 2>/dev/null) && kill "$pid" 2>/dev/null; then
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
fi
rm -f /mnt/pid
{start} || exit
left=300
while [ ! -s /mnt/pid ]; do
    [ "$left" -gt 0 ] || {{ echo 'the daemon has written no number for half a minute' >&2; exit 1; }}
    left=$((left - 1))
    sleep 0.1
done
"#
    )
}

/// Hosts, and their inventory. The order of fields is the order of dropping: servers before namespaces.
pub struct Hosts {
    managed: Managed,
    by_name: BTreeMap<String, Host>,
    _switch: Switch,
}

impl Deref for Hosts {
    type Target = Managed;

    fn deref(&self) -> &Managed {
        &self.managed
    }
}

impl Index<&str> for Hosts {
    type Output = Host;

    fn index(&self, name: &str) -> &Host {
        &self.by_name[name]
    }
}

impl Hosts {
    /// Runs a verb on the inventory, and it must be done with nothing wrong.
    #[track_caller]
    pub fn must(&self, words: &[&str]) -> String {
        let (status, said) = self.keytrail(words);
        assert_eq!(status, 0, "keytrail {words:?}: {said}\n{}", self.evidence());
        said
    }

    /// The ends of what tells what went wrong.
    pub fn evidence(&self) -> String {
        const LINES: usize = 40;
        let mut text = String::new();
        for host in self.by_name.values() {
            for name in TELLING {
                let content = host.read(name);
                let lines: Vec<&str> = content.lines().collect();
                let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
                let _ = writeln!(text, "== {}: {name}\n{end}", host.name);
            }
        }
        text
    }

    /// Restarts a daemon by hand.
    pub fn restart(&self, host: &str) {
        assert_eq!(self[host].sh(RESTART), "", "{}", self.evidence());
    }

    /// The number of a host's daemon.
    pub fn pid(&self, host: &str) -> String {
        self[host].read("pid").trim().to_owned()
    }

    /// The numbers of all daemons, by host.
    pub fn pids(&self) -> BTreeMap<&str, String> {
        let names = self.by_name.keys().map(String::as_str);
        names.map(|name| (name, self.pid(name))).collect()
    }

    /// So many associations, which are all there are, are authenticated by this symmetric key.
    #[track_caller]
    pub fn proven_by(&self, key: u32, associations: usize) {
        let said = self.must(&["verify", "--quiet", "--wait-for", "120", "--format", "json"]);
        let sentence = format!("authenticated by symmetric key {key}\"");
        assert_eq!(said.matches(&sentence).count(), associations, "{said}");
    }

    /// The associations of a host by its ntpq, if it answers.
    pub fn associations(&self, host: &str) -> Option<Vec<Association>> {
        let ask = |question: &str| self[host].sh(&format!("ntpq -n -c '{question}' 127.0.0.1"));
        let rows = associations(&ask("as")).ok()?;
        let found = rows.iter().filter_map(|row| {
            let text = ask(&format!("rv {}", row.associd));
            Association::read(&text, Some(row.status)).ok()
        });
        Some(found.collect())
    }

    /// Packets that a host's ntpd has refused, by its ntpq.
    pub fn refused(&self, host: &str) -> u64 {
        let said = self[host].sh("ntpq -n -c sysstats 127.0.0.1");
        said.lines()
            .find_map(|line| line.strip_prefix("authentication failed:"))
            .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("no count of failures: {said}"))
    }
}

/// Does something and looks again and again meanwhile, from before it begins: all looks, and what was done.
pub fn meanwhile<L, D: Send>(mut look: impl FnMut() -> L, work: impl FnOnce() -> D + Send) -> (Vec<L>, D) {
    const PAUSE: Duration = Duration::from_millis(500);
    std::thread::scope(|scope| {
        let mut looks = vec![look()];
        let work = scope.spawn(work);
        while !work.is_finished() {
            std::thread::sleep(PAUSE);
            looks.push(look());
        }
        let done = work.join();
        (
            looks,
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        )
    })
}
