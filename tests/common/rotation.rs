//! Two trusted hosts, two servers between and three leaves, whose daemons are a line in a file.

use super::{Lab, ended, keytrail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub const HOSTS: [&str; 7] = ["th1", "th2", "mid1", "mid2", "leaf1", "leaf2", "leaf3"];

/// Seven hosts that are SSH servers, and their inventory.
pub struct Site {
    pub lab: Lab,
    pub inventory: PathBuf,
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
        let dir = lab.dir.path().to_owned();
        for host in HOSTS {
            lab.start(host, &[]);
            let etc = dir.join("hosts").join(host).join("etc");
            fs::create_dir_all(&etc).expect("a root directory");
            fs::write(etc.join("ntp.conf"), "driftfile /var/lib/ntp/ntp.drift\n").expect("ntp.conf");
        }
        // The restart leaves a trace of its order among all hosts, and of the key the daemon would read; it fails where a
        // file says so.
        let restart = format!(
            "test ! -e {0}/broken-{{host}} && echo {{host}} >> {0}/restarts",
            dir.display()
        );
        let restart = |host: &str| restart.replace("{host}", host);
        let hosts: Vec<String> = HOSTS
            .iter()
            .zip(lines)
            .map(|(host, line)| format!("  {host}: {{ {line}, restart: '{}' }}\n", restart(host)))
            .collect();
        let hosts = hosts.concat();
        let text = format!(
            "version: 1
defaults:
  verify: none
  host_key: {{ bits: 512 }}
  ssh: {{ host: \"{{host}}\", config: {config} }}
  root: \"{dir}/hosts/{{host}}\"
{head}
hosts:
{hosts}",
            config = lab.servers.config().display(),
            dir = dir.display(),
        );
        let inventory = dir.join("fleet.yaml");
        fs::write(&inventory, text).expect("the inventory");
        let site = Self { lab, inventory };
        let (status, said) = site.keytrail(&["apply"]);
        assert_eq!(status, 0, "{said}");
        site.forget_restarts();
        site
    }

    pub fn dir(&self) -> &Path {
        self.lab.dir.path()
    }

    /// Runs a verb with its words on the inventory.
    pub fn keytrail(&self, words: &[&str]) -> (i32, String) {
        ended(keytrail(self.dir()).args(words).arg(&self.inventory))
    }

    #[track_caller]
    pub fn good(&self, words: &[&str]) -> String {
        let (status, said) = self.keytrail(words);
        assert_eq!(status, 0, "{words:?}: {said}");
        said
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
        self.dir().join("hosts").join(host).join("etc/ntp/crypto")
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
