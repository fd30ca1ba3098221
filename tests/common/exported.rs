//! A fleet of several implementations, its exports, and what is in them.

use super::ran::Ran;
use super::stamps::without_stamps;
use snapbox::cmd::{Command, cargo_bin};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub const PASSWORD: &str = "PLANTED-secret-0xfeedface";

pub const FLEET: &str = "
version: 1
defaults: { host_key: { bits: 1024 } }
groups:
  red: { identity: iff, trusted: [mort] }
  green: { identity: gq, trusted: [gail] }
symmetric_keys:
  5: { type: MD5, value: { env: KEY5 } }
hosts:
  mort: { group: red, reference_clock: true, password: { env: PLANTED } }
  vmid: { group: red, ntpd: openvms, connection: export, password: { env: PLANTED }, servers: [mort, { host: aux, key: 5 }] }
  vleaf.example.org: { group: red, ntpd: openvms, connection: export, password: { env: PLANTED }, servers: [vmid] }
  leaf: { group: red, password: { env: PLANTED }, servers: [vmid] }
  gail: { group: green, reference_clock: true }
  vgq: { group: green, ntpd: openvms, connection: export, servers: [gail] }
  aux: { ntpd: ntpsec, reference_clock: true }
";

/// A directory with an inventory, and a vault as soon as something was minted.
pub struct Site {
    pub dir: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
        fs::write(dir.path().join("fleet.yaml"), FLEET).expect("the inventory");
        Self { dir }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn export(&self, args: &[&str]) -> Ran {
        let output = Command::new(cargo_bin!("keytrail"))
            .arg("export")
            .args(args)
            .arg("fleet.yaml")
            .current_dir(self.dir.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("PLANTED", PASSWORD)
            .env("KEY5", "ImASecrt")
            .env_remove("KEYTRAIL_IDENTITY")
            .output();
        output.expect("keytrail runs").into()
    }

    pub fn exported(&self, args: &[&str]) -> Ran {
        let ran = self.export(args);
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
        ran
    }
}

/// Everything below a directory, by relative path: mode and content, or where a link leads.
pub fn listed(base: &Path) -> BTreeMap<String, (u32, String)> {
    fn walk(base: &Path, dir: &Path, found: &mut BTreeMap<String, (u32, String)>) {
        for entry in fs::read_dir(dir).expect("readable") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(base).expect("below").display().to_string();
            let meta = path.symlink_metadata().expect("there");
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                found.insert(format!("{name}/"), (mode, String::new()));
                walk(base, &path, found);
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).expect("a link").display().to_string();
                assert!(path.exists(), "{name} leads nowhere");
                found.insert(name, (0, format!("→ {target}")));
            } else {
                found.insert(name, (mode, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(base, base, &mut found);
    found
}

pub fn listing(files: &BTreeMap<String, (u32, String)>) -> String {
    let mut text = String::new();
    for (name, (mode, content)) in files {
        let line = match (mode, name.ends_with('/')) {
            (0, _) => format!("     {name} {content}"),
            _ => format!("{mode:04o} {name}"),
        };
        let _ = writeln!(text, "{line}");
    }
    without_stamps(&text, "STAMP")
}
