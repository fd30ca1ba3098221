//! A fleet on this machine whose vault is looked after from the command line, by several operators.

use super::ran::Ran;
use snapbox::cmd::{Command, cargo_bin};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const FLEET: &str = "version: 1
defaults: { host_key: { bits: 1024 }, connection: local, root: \"ROOT/{host}\", verify: none, restart: false }
groups: { red: { identity: iff, trusted: [mort] } }
hosts: { mort: { group: red, reference_clock: true }LEAVES }
";

/// A directory with an inventory, its hosts, and a vault as soon as something was minted.
pub struct Site {
    pub dir: TempDir,
}

impl Site {
    /// Nothing at all.
    pub fn empty() -> Self {
        Self {
            dir: TempDir::with_prefix("keytrail-test-").expect("a directory"),
        }
    }

    /// A fleet of two hosts, minted.
    pub fn new() -> Self {
        let site = Self::empty();
        site.hosts(&["leaf"]);
        site.run("apply fleet.yaml").good();
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The inventory with these clients of mort.
    pub fn hosts(&self, leaves: &[&str]) {
        let clients: Vec<String> = leaves
            .iter()
            .map(|leaf| format!(", {leaf}: {{ group: red, servers: [mort] }}"))
            .collect();
        let root = self.path("hosts").display().to_string();
        let text = FLEET.replace("ROOT", &root).replace("LEAVES", &clients.concat());
        fs::write(self.path("fleet.yaml"), text).expect("the inventory");
        for host in leaves.iter().chain(&["mort"]) {
            fs::create_dir_all(self.path("hosts").join(host).join("etc")).expect("a host");
        }
    }

    pub fn command(&self, operator: &str, line: &str) -> Command {
        let mut command = Command::new(cargo_bin!("keytrail"))
            .args(line.split_whitespace())
            .current_dir(self.dir.path())
            .env("XDG_CONFIG_HOME", self.path(operator))
            .env("NO_COLOR", "1")
            .env("COLUMNS", "200");
        for variable in [
            "IDENTITY",
            "KEY",
            "PASSPHRASE",
            "PASSPHRASE_FILE",
            "KEY_COMMAND",
            "VAULT_ID",
        ] {
            command = command.env_remove(format!("KEYTRAIL_{variable}"));
        }
        command
    }

    pub fn run(&self, line: &str) -> Ran {
        self.run_as("ann", line)
    }

    /// As another operator, who has another key.
    pub fn run_as(&self, operator: &str, line: &str) -> Ran {
        ran(self.command(operator, line))
    }

    /// Makes a key for an operator; says what others can seal to.
    pub fn key_of(&self, operator: &str) -> String {
        let identity = self.path(operator).join("keytrail/identity.agekey");
        keytrail::vault::create_identity(&identity).expect("a key")
    }
}

/// What came of a command.
pub fn ran(command: Command) -> Ran {
    command.output().expect("keytrail runs").into()
}

#[track_caller]
pub fn parsed(json: &str) -> serde_json::Value {
    serde_json::from_str(json).expect("JSON")
}
