//! The vault's lock between processes: who holds it is named, and a killed holder holds nothing.

use keytrail::vault::{Error, Lock};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Set for the process that holds the lock: the vault.
const VAULT: &str = "KEYTRAIL_TEST_LOCK_VAULT";

/// Not a test of its own: what the other process does.
#[test]
fn child() {
    let Some(vault) = std::env::var_os(VAULT).map(PathBuf::from) else {
        return;
    };
    let _lock = Lock::take(&vault, "apply campus.yaml", Duration::ZERO).expect("free");
    writeln!(std::io::stdout(), "\nheld").expect("the parent listens");
    // Longer than any test: it is killed.
    std::thread::sleep(Duration::from_secs(600));
}

fn holder(vault: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["vault_lock::child", "--exact", "--nocapture"])
        .env(VAULT, vault)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("spawned");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    assert!(
        out.lines().map_while(Result::ok).any(|line| line == "held"),
        "it holds the lock"
    );
    child
}

#[test]
fn a_killed_holder_holds_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let vault = dir.path().join("campus.vault");
    for _ in 0..3 {
        let mut child = holder(&vault);
        let refused = Lock::take(&vault, "rotate", Duration::ZERO).expect_err("held");
        let Error::Held { holder: Some(by), .. } = &refused else {
            panic!("{refused}");
        };
        assert_eq!((by.pid, &*by.why), (child.id(), "apply campus.yaml"));
        child.kill().expect("killed, as by kill -9");
        child.wait().expect("gone");
        // What it wrote is still there, and means nothing.
        assert!(dir.path().join("campus.vault.lock").exists());
        assert_eq!(Lock::holder(&vault).expect("asked"), None);
        let lock = Lock::take(&vault, "rotate", Duration::ZERO).expect("free again");
        let now = Lock::holder(&vault).expect("asked").expect("held");
        assert_eq!((now.pid, &*now.why), (std::process::id(), "rotate"));
        drop(lock);
    }
}

#[test]
fn who_waits_gets_it_when_the_holder_dies() {
    let dir = tempfile::tempdir().expect("a directory");
    let vault = dir.path().join("campus.vault");
    let mut child = holder(&vault);
    let waiting = {
        let vault = vault.clone();
        std::thread::spawn(move || Lock::take(&vault, "renew", Duration::from_secs(300)).map(drop))
    };
    std::thread::sleep(Duration::from_millis(300));
    assert!(!waiting.is_finished(), "it waits");
    child.kill().expect("killed");
    child.wait().expect("gone");
    waiting.join().expect("no panic").expect("its turn");
}

#[test]
fn the_command_line_says_who_has_it_or_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(
        dir.path().join("fleet.yaml"),
        "version: 1
defaults: { host_key: { bits: 1024 } }
groups: { red: { identity: tc, trusted: [mort] } }
hosts: { mort: { group: red, reference_clock: true }, leaf: { group: red, servers: [mort] } }
",
    )
    .expect("an inventory");
    let export = |options: &[&str]| {
        snapbox::cmd::Command::new(snapbox::cmd::cargo_bin!("keytrail"))
            .args(["export", "-o", "out", "fleet.yaml"])
            .args(options)
            .current_dir(dir.path())
            .env("XDG_CONFIG_HOME", dir.path().join("config"))
            .env_remove("KEYTRAIL_IDENTITY")
    };
    let mut child = holder(&dir.path().join("fleet.vault"));
    let refused = export(&[]).assert().code(2).get_output().stderr.clone();
    let said = String::from_utf8(refused).expect("text");
    for part in [
        "is in use by ",
        &format!("(process {})", child.id()),
        "for 'apply campus.yaml'",
        "--wait SECONDS",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!dir.path().join("out").exists());
    let waiting = export(&["--wait", "300"]);
    let waiting = std::thread::spawn(move || waiting.assert().success());
    std::thread::sleep(Duration::from_millis(300));
    child.kill().expect("killed");
    child.wait().expect("gone");
    waiting.join().expect("its turn");
    assert!(dir.path().join("out/mort").exists());
}
