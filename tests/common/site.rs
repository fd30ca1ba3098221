//! The sample scenario on eight real SSH servers, for tests of the whole program.

use super::{Lab, ended, keytrail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Given as mort's password; must be seen nowhere but in mort's own configuration.
pub const MARKER: &str = "PLANTED-mort-0xcafef00d";
pub const HOSTS: [&str; 8] = [
    "mort", "macabre", "howland", "yellow", "leaf01", "leaf02", "leaf03", "leaf04",
];
pub const NTP_CONF: &str =
    "driftfile /var/lib/ntp/ntp.drift\r\nrestrict default kod nomodify\n# no newline at the end";

pub struct Site {
    pub lab: Lab,
    pub inventory: PathBuf,
}

impl Site {
    /// Every host with an ntp.conf of its own and nothing else.
    pub fn new() -> Self {
        let mut lab = Lab::new();
        let dir = lab.dir.path().to_owned();
        for host in HOSTS {
            lab.start_bare(host, &[], NTP_CONF);
        }
        let sample = fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/inventories/red-green-blue.yaml"
        ))
        .expect("the sample inventory");
        // The restart leaves a trace of its own order among all hosts.
        // No daemon runs on these hosts.
        let restart = format!(
            "  restart: echo restarted >> {}/restarts\n  verify: none\n",
            dir.display()
        );
        let text = sample
            .replace("  ssh: { user: root }\n", &lab.way())
            .replace("  restart: systemctl restart ntp\n", &restart)
            .replace(
                "    address: mort.red.example\n",
                "    address: mort.red.example\n    password: { env: MORT_PW }\n",
            );
        assert!(text.contains("MORT_PW") && text.contains("restarted") && text.contains("root:"));
        let inventory = dir.join("fleet.yaml");
        fs::write(&inventory, text).expect("the inventory");
        Self { lab, inventory }
    }

    pub fn dir(&self) -> &Path {
        self.lab.dir.path()
    }

    pub fn keytrail(&self, verb: &str, more: &[&str]) -> (i32, String) {
        self.keytrail_on(verb, &self.inventory, more)
    }

    pub fn keytrail_on(&self, verb: &str, what: &Path, more: &[&str]) -> (i32, String) {
        let mut command = keytrail(self.dir());
        ended(command.arg(verb).arg(what).args(more).env("MORT_PW", MARKER))
    }

    /// Changes the inventory.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.inventory).expect("the inventory");
        assert!(text.contains(from), "{from} is not in the inventory");
        fs::write(&self.inventory, text.replacen(from, to, 1)).expect("the inventory");
    }

    pub fn etc(&self, host: &str) -> PathBuf {
        self.lab.root(host).join("etc")
    }

    /// Names in a host's keys directory, filestamps replaced.
    pub fn media(&self, host: &str) -> BTreeSet<String> {
        fs::read_dir(self.etc(host).join("ntp/crypto"))
            .expect("the keys directory")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .filter(|name| !name.starts_with('.'))
            .map(|name| match name.rsplit_once('.') {
                Some((stem, stamp)) if stamp.bytes().all(|byte| byte.is_ascii_digit()) => {
                    format!("{stem}.FS")
                }
                _ => name,
            })
            .collect()
    }
}

/// Every regular file below a directory.
pub fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let kind = path.symlink_metadata().expect("metadata").file_type();
        if kind.is_dir() {
            files(&path, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}
