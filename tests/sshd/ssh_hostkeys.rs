//! `keytrail hostkeys` against real sshd: what it shows, what it says of known_hosts, what it adds and what never.

use crate::common::Lab;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A laboratory, an inventory of its hosts, and an ssh_config that can be changed.
struct Desk {
    lab: Lab,
    config: String,
}

impl Desk {
    fn new(hosts: &[(&str, &[&str])]) -> Self {
        let mut lab = Lab::new();
        for (name, extra) in hosts {
            lab.start(name, extra);
        }
        let config = fs::read_to_string(lab.servers.config()).unwrap();
        Self { lab, config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.lab.dir.path().join(name)
    }

    fn known(&self) -> String {
        fs::read_to_string(self.lab.servers.known_hosts()).unwrap_or_default()
    }

    fn know(&self, text: &str) {
        fs::write(self.lab.servers.known_hosts(), text).unwrap();
    }

    /// Exit status, standard output, standard error. `ssh` is more for every host's `ssh:`.
    fn keytrail(&self, ssh: &str, more: &[&str]) -> (i32, String, String) {
        let config = self.path("our_config");
        fs::write(&config, &self.config).unwrap();
        let mut inventory = format!(
            "version: 1\ndefaults: {{ ssh: {{ config: {}, host: '{{host}}'{ssh} }} }}\n\
             groups: {{ red: {{ identity: iff, trusted: [one] }} }}\nhosts:\n",
            config.display()
        );
        for host in self.lab.servers.hosts() {
            let role = if host.name == "one" {
                "reference_clock: true"
            } else {
                "servers: [one]"
            };
            writeln!(inventory, "  {}: {{ group: red, {role} }}", host.name).unwrap();
        }
        let file = self.path("fleet.yaml");
        fs::write(&file, inventory).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_keytrail"))
            .arg("hostkeys")
            .arg(&file)
            .args(more)
            .env("NO_COLOR", "1")
            .env("TMPDIR", self.lab.dir.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    fn json(&self, ssh: &str, more: &[&str]) -> (i32, Value) {
        let (status, said, err) = self.keytrail(ssh, &[more, &["--format", "json"]].concat());
        let value = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {said}{err}"));
        (status, value)
    }
}

/// What the console of a host says of a key file.
fn on_the_console(file: &Path) -> String {
    let said = run(Command::new("ssh-keygen").arg("-lf").arg(file));
    said.split(' ').nth(1).unwrap().to_owned()
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn keygen(kind: &str, path: &Path) {
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-f"])
        .arg(path));
}

#[test]
fn known_keys_are_shown_as_the_console_shows_them() {
    let desk = Desk::new(&[("one", &[]), ("two", &[])]);
    let before = desk.known();
    let (status, said, _) = desk.keytrail("", &[]);
    assert_eq!(status, 0, "{said}");
    for host in ["one", "two"] {
        let print = on_the_console(&desk.path(host).join("host_key.pub"));
        let line = said
            .lines()
            .find(|line| line.trim_start().starts_with(host))
            .unwrap();
        assert!(
            line.contains("known") && line.contains("ssh-ed25519") && line.contains(&print),
            "{said}"
        );
    }
    assert!(said.ends_with("2 hosts: 2 known\n"), "{said}");
    assert_eq!(desk.known(), before);
    assert!(
        !desk.lab.servers.hosts()[0].log().contains("Accepted"),
        "nobody logs in for this"
    );
}

#[test]
fn unknown_hosts_are_added_when_asked_with_all_their_keys_and_no_others() {
    let mut desk = Desk::new(&[]);
    for kind in ["rsa", "ecdsa"] {
        keygen(kind, &desk.path(kind));
    }
    let lines = ["rsa", "ecdsa"].map(|kind| format!("HostKey {}", desk.path(kind).display()));
    desk.lab.start("one", &[&lines[0], &lines[1]]);
    desk.lab.start("two", &[]);
    desk.config = fs::read_to_string(desk.lab.servers.config()).unwrap();
    let two = desk.known().lines().last().unwrap().to_owned();
    // A last line without its end, as editors leave it.
    desk.know(&two);

    let (status, said, _) = desk.keytrail("", &[]);
    assert_eq!(status, 1);
    for file in ["rsa.pub", "ecdsa.pub", "one/host_key.pub"] {
        assert!(said.contains(&on_the_console(&desk.path(file))), "{file}: {said}");
    }
    assert!(
        said.contains("run this again with --add") && said.contains("on its console"),
        "{said}"
    );
    assert!(said.ends_with("2 hosts: 1 known, 1 unknown\n"), "{said}");
    assert_eq!(desk.known(), two, "looking adds nothing");

    let (status, said, _) = desk.keytrail("", &["--add"]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("Added the keys of 1 host to ") && said.contains("on its console"),
        "{said}"
    );
    let known = desk.known();
    let lines: Vec<_> = known.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, &*two), "{known}");
    assert!(lines[1..].iter().all(|line| line.starts_with("one ")), "{known}");
    assert_eq!(desk.keytrail("", &[]).0, 0);
    assert_eq!(desk.keytrail("", &["--add"]).0, 0);
    assert_eq!(desk.known(), known, "nothing is added twice");
}

#[test]
fn names_are_hashed_and_carry_the_port_as_ssh_would_have_it() {
    let mut desk = Desk::new(&[("one", &[])]);
    let port = desk.lab.servers.hosts()[0].port;
    desk.config = desk.config.replace("HostKeyAlias one", "HashKnownHosts no");
    desk.know("");
    let (status, json) = desk.json("", &["--add"]);
    assert_eq!((status, &json["hosts"]["one"]["state"]), (0, &"added".into()));
    assert_eq!(json["hosts"]["one"]["name"], format!("[127.0.0.1]:{port}"));
    assert!(
        desk.known()
            .starts_with(&format!("[127.0.0.1]:{port} ssh-ed25519 "))
    );
    desk.know("");
    desk.config = desk.config.replace("HashKnownHosts no", "HashKnownHosts yes");
    assert_eq!(desk.keytrail("", &["--add"]).0, 0);
    assert!(desk.known().starts_with("|1|"), "{}", desk.known());
    let (status, json) = desk.json("", &[]);
    assert_eq!((status, &json["hosts"]["one"]["state"]), (0, &"known".into()));
}

#[test]
fn a_changed_key_is_never_replaced() {
    let desk = Desk::new(&[("one", &[]), ("two", &[])]);
    let known = desk.known();
    let keys: Vec<_> = known
        .lines()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    // The key of another; then one of a kind that the host has not.
    keygen("rsa", &desk.path("rsa"));
    let rsa = fs::read_to_string(desk.path("rsa.pub")).unwrap();
    for wrong in [format!("one {}\n", keys[1]), format!("one {rsa}")] {
        let text = format!("{wrong}two {}\n", keys[1]);
        desk.know(&text);
        let (status, said, _) = desk.keytrail("", &["--add"]);
        assert_eq!(status, 1, "{said}");
        assert!(
            said.contains("one: THE HOST KEY HAS CHANGED")
                && said.contains("known_hosts:1 has another one")
                && said.contains(&format!(
                    "ssh-keygen -R 'one' -f '{}'",
                    desk.lab.servers.known_hosts().display()
                )),
            "{said}"
        );
        assert!(
            said.contains(&on_the_console(&desk.path("one/host_key.pub"))),
            "{said}"
        );
        assert!(
            said.ends_with("2 hosts: 1 known, 1 CHANGED\n"),
            "the others are looked at: {said}"
        );
        assert_eq!(desk.known(), text);
    }
    desk.know(&format!("@revoked * {}\n", keys[0]));
    let (status, json) = desk.json("", &["--on", "one", "--add"]);
    assert_eq!((status, &json["hosts"]["one"]["state"]), (1, &"revoked".into()));
}

#[test]
fn authorities_are_known() {
    let mut desk = Desk::new(&[]);
    keygen("ed25519", &desk.path("authority"));
    keygen("ed25519", &desk.path("certified"));
    run(Command::new("ssh-keygen")
        .args(["-q", "-h", "-I", "host one", "-n", "one", "-s"])
        .arg(desk.path("authority"))
        .arg(desk.path("certified.pub")));
    let lines = [
        format!("HostKey {}", desk.path("certified").display()),
        format!("HostCertificate {}", desk.path("certified-cert.pub").display()),
    ];
    desk.lab.start("one", &[&lines[0], &lines[1]]);
    desk.config = fs::read_to_string(desk.lab.servers.config()).unwrap();
    let authority = fs::read_to_string(desk.path("authority.pub")).unwrap();
    desk.know(&format!("@cert-authority one {authority}"));
    let (status, json) = desk.json("", &[]);
    assert_eq!(
        (status, &json["hosts"]["one"]["state"]),
        (0, &"known".into()),
        "{json}"
    );
    assert_eq!(json["hosts"]["one"]["keys"][0]["kind"], "ssh-ed25519");
    desk.know(&format!("@cert-authority other {authority}"));
    let (status, json) = desk.json("", &[]);
    assert_eq!(
        (status, &json["hosts"]["one"]["state"]),
        (1, &"unknown".into()),
        "{json}"
    );
}

#[test]
fn jump_hosts_are_gone_through_and_must_be_known_themselves() {
    let desk = Desk::new(&[("one", &[]), ("gate", &[])]);
    let known = desk.known();
    let gate = known.lines().last().unwrap();
    desk.know(&format!("{gate}\n"));
    let (status, json) = desk.json(", proxy_jump: gate", &["--on", "one", "--add"]);
    assert_eq!(
        (status, &json["hosts"]["one"]["state"]),
        (0, &"added".into()),
        "{json}"
    );
    assert!(
        desk.lab.servers.hosts()[1].log().contains("Accepted publickey"),
        "by way of the gate"
    );
    assert_eq!(desk.known().lines().count(), 2);

    desk.know("");
    let (status, json) = desk.json(", proxy_jump: gate", &["--on", "one", "--add"]);
    let one = &json["hosts"]["one"];
    assert_eq!((status, &one["state"]), (1, &"unreachable".into()));
    let message = one["message"].as_str().unwrap();
    assert!(
        message.contains("jump host") && message.contains("Host key verification failed"),
        "{message}"
    );
    assert_eq!(desk.known(), "", "nothing is taken on trust on the way");
}

#[test]
fn hosts_that_do_not_answer_hold_nobody_up() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut desk = Desk::new(&[("one", &[]), ("deaf", &[]), ("off", &[])]);
    let ports: Vec<u16> = desk.lab.servers.hosts().iter().map(|host| host.port).collect();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    desk.config = desk
        .config
        .replace(
            &format!("Port {}", ports[1]),
            &format!("Port {}", mute.local_addr().unwrap().port()),
        )
        .replace(&format!("Port {}", ports[2]), &format!("Port {closed}"));
    let (status, said, _) = desk.keytrail(", connect_timeout: 1s", &[]);
    assert_eq!(status, 1);
    assert!(
        said.contains("off: cannot connect: nothing listens on its port"),
        "{said}"
    );
    assert!(
        said.contains("deaf: cannot connect: ") && said.contains("timed out"),
        "{said}"
    );
    assert!(said.ends_with("3 hosts: 1 known, 2 unreachable\n"), "{said}");
}
