//! Two trusted hosts, two servers between and three leaves, whose daemons are a line in a file.

use super::Lab;
use super::managed::Managed;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::ops::Deref;
use std::path::PathBuf;

pub const HOSTS: [&str; 7] = ["th1", "th2", "mid1", "mid2", "leaf1", "leaf2", "leaf3"];

/// Seven hosts that are SSH servers, and their inventory.
pub struct Site(Managed);

impl Deref for Site {
    type Target = Managed;

    fn deref(&self) -> &Managed {
        &self.0
    }
}

impl Site {
    /// Two trusted hosts, two intermediates and three leaves of one group.
    pub fn new(group: &str) -> Self {
        let head = format!("groups:\n  green: {{ {group}, trusted: [th1, th2] }}");
        let trusted = "group: green, reference_clock: true";
        let middle = "group: green, servers: [th1, th2]";
        let leaf = "group: green, servers: [mid1, mid2]";
        Self::with(&head, [trusted, trusted, middle, middle, leaf, leaf, leaf])
    }

    /// A site with this head of its inventory and these hosts, brought to its first state.
    pub fn with(head: &str, lines: [&str; 7]) -> Self {
        let mut lab = Lab::new();
        // The restart leaves a trace of its order among all hosts, and of the key the daemon would read; it fails where a
        // file says so.
        let restart = format!(
            "test ! -e {0}/broken-{{host}} && echo {{host}} >> {0}/restarts",
            lab.dir.path().display()
        );
        let mut hosts = String::new();
        for (host, line) in HOSTS.iter().zip(lines) {
            lab.start_bare(host, &[], "driftfile /var/lib/ntp/ntp.drift\n");
            let restart = restart.replace("{host}", host);
            let _ = writeln!(hosts, "  {host}: {{ {line}, restart: '{restart}' }}");
        }
        let text = format!(
            "version: 1
defaults:
  verify: none
  host_key: {{ bits: 512 }}
{way}{head}
hosts:
{hosts}",
            way = lab.way(),
        );
        let site = Self(Managed::new(lab, &text));
        site.good(&["apply"]);
        site.forget_restarts();
        site
    }

    pub fn restarts(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir().join("restarts")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub fn forget_restarts(&self) {
        let _ = fs::remove_file(self.dir().join("restarts"));
    }

    pub fn break_host(&self, host: &str, broken: bool) {
        let path = self.dir().join(format!("broken-{host}"));
        if broken {
            fs::write(path, "").expect("written");
        } else {
            fs::remove_file(path).expect("removed");
        }
    }

    pub fn keys(&self, host: &str) -> PathBuf {
        self.lab.root(host).join("etc/ntp/crypto")
    }

    /// The file that a host's link names.
    pub fn target(&self, host: &str, link: &str) -> String {
        let path = self.keys(host).join(link);
        let target = fs::read_link(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        target.display().to_string()
    }

    pub fn targets(&self, link: &str, hosts: &[&str]) -> BTreeSet<String> {
        hosts.iter().map(|host| self.target(host, link)).collect()
    }

    pub fn vault(&self) -> Vec<u8> {
        fs::read(self.dir().join("fleet.vault")).expect("the vault")
    }
}

/// Each before all of the next.
#[track_caller]
pub fn in_order(restarts: &[String], groups: &[&[&str]]) {
    let expected: usize = groups.iter().map(|group| group.len()).sum();
    assert_eq!(restarts.len(), expected, "{restarts:?}");
    let mut rest = restarts;
    for group in groups {
        let (now, later) = rest.split_at(group.len());
        let now: BTreeSet<&str> = now.iter().map(String::as_str).collect();
        assert_eq!(now, group.iter().copied().collect(), "{restarts:?}");
        rest = later;
    }
}
