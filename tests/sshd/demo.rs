//! `keytrail demo` as a new user runs it: to the end, on the local connection, and interrupted.

use snapbox::cmd::cargo_bin;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The demo with a directory for temporary files of its own, short enough for sockets.
fn demo(dir: &Path) -> Command {
    let mut command = Command::new(cargo_bin!("keytrail"));
    command
        .arg("demo")
        .env("TMPDIR", dir)
        .env("XDG_CONFIG_HOME", dir.join("none"))
        .stdin(Stdio::null());
    command
}

fn temporary() -> tempfile::TempDir {
    tempfile::TempDir::with_prefix_in("kt-", "/tmp").expect("a directory")
}

fn left_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the directory");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

fn shown(command: &mut Command) -> String {
    let output = command.output().expect("the demo runs");
    let text = String::from_utf8([&*output.stdout, &*output.stderr].concat()).expect("text");
    assert_eq!(output.status.code(), Some(0), "{text}");
    text
}

#[test]
fn provisions_eight_ssh_hosts_and_cleans_up() {
    let dir = temporary();
    let text = shown(&mut demo(dir.path()));
    for part in [
        "8 hosts, each an sshd of its own on loopback",
        "8 hosts: 8 authenticated on every line to a trusted time source (5 by GQ, 1 by IFF and GQ, 2 by a clock of their own)",
        "8 hosts: 8 to change, 0 unchanged",
        "8 hosts: 8 changed",
        "No changes: all 8 hosts are as the inventory says.",
        "keytrail rotate identity --group green",
        "8 hosts in 3 groups, generation 2: nothing wrong is known, but no daemon was ever asked",
        "crypto pw [redacted] host leaf01",
    ] {
        assert!(text.contains(part), "'{part}' is missing: {text}");
    }
    assert_eq!(left_in(dir.path()), Vec::<String>::new(), "it cleans up");
}

#[test]
fn works_without_ssh_and_keeps_its_files_when_asked() {
    let dir = temporary();
    let text = shown(demo(dir.path()).args(["--local", "--keep"]));
    assert!(
        !text.contains("sshd") && text.contains("8 hosts: 8 changed"),
        "{text}"
    );
    let [kept] = &*left_in(dir.path()) else {
        panic!("one directory is kept: {text}")
    };
    assert!(
        dir.path()
            .join(kept)
            .join("hosts/yellow/etc/ntp/crypto/ntpkey_gqkey_green")
            .exists()
    );
}

#[test]
fn leaves_nothing_behind_when_interrupted() {
    let dir = temporary();
    let mut child = demo(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the demo runs");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    // The servers are up; minting and looking at hosts come next.
    let up = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("an sshd of its own"));
    assert!(up, "the servers were started");
    assert!(!left_in(dir.path()).is_empty());
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill runs")
            .success()
    );
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert_eq!(left_in(dir.path()), Vec::<String>::new());
    // The servers name their directory in their command lines; they end a moment after their keeper.
    let name = dir.path().to_string_lossy().into_owned();
    for _ in 0..50 {
        if !running(&name) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("an SSH server is still running");
}

fn running(name: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc");
    processes.flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("sshd") && line.contains(name)
    })
}

#[test]
fn cleans_up_when_nobody_reads_on() {
    let dir = temporary();
    let mut child = demo(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the demo runs");
    let mut first = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    output.read_line(&mut first).expect("a line");
    drop(output);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(left_in(dir.path()), Vec::<String>::new());
}
