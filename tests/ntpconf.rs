//! The lines every implementation gets, in every mode, against goldens; and what the real daemons make of them.

use keytrail::inventory::{Inventory, load_str};
use keytrail::ntpconf::{Fleet, Templates};
use keytrail::plan::{DesiredHost, HostInput, Observed, ObservedFile, desired};
use keytrail::secret::Secret;
use keytrail::trail::{Analysis, analyse};
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[path = "common/unpacked.rs"]
mod unpacked;

use unpacked::{daemon, write};

const PASSWORD: &str = "planted-password-7";

/// One host of every implementation, and what each can be told.
const FLEET: &str = r#"
version: 1
defaults: { conf_mode: MODE }
groups:
  red: { identity: iff, trusted: [mort] }
  blue: { identity: gq, trusted: [macabre] }
  plain: { identity: tc, trusted: [tick] }
symmetric_keys:
  1: { type: AES-128-CMAC }
  2: { type: SHA256 }
  7: { type: SHA1 }
  8: { type: SHA1 }
  9: { type: SHA1 }
hosts:
  mort:
    group: red
    reference_clock: [server 127.127.20.0 prefer, fudge 127.127.20.0 flag1 1]
    servers: [macabre]
    crypto: { digest: SHA256, randfile: /dev/urandom }
    automax: 12
    revoke: 16
    cryptostats: true
    restrict_notrust: [192.0.2.0 mask 255.255.255.0]
    ntp_conf: ["tos orphan 5   # as written"]
    keys: { trusted: [7-9], control: 7, request: 8 }
  macabre: { group: blue, reference_clock: true, servers: [mort] }
  tick: { group: plain, reference_clock: true }
  yellow:
    group: red
    servers: [{ host: mort, iburst: true, minpoll: 4, maxpoll: 6, prefer: true, options: [xleave] }]
  leaf: { group: red, servers: [yellow, tick] }
  tock: { group: plain, servers: [tick] }
  sec:
    ntpd: ntpsec
    conf_mode: MODE
    servers: [{ host: mort, key: 1 }, { host: macabre, key: 2 }]
    keys: { control: 1 }
  chro:
    ntpd: chrony
    conf_mode: MODE
    servers: [{ host: mort, key: 1, iburst: true }, { host: sec, key: 2 }, { address: ntp.example.org }]
  asker: { ntpd: chrony, address: 192.0.2.77, servers: [{ host: chro, key: 1 }] }
  named: { ntpd: chrony, servers: [{ host: chro, key: 1 }] }
  vms: { ntpd: openvms, conf_mode: MODE, group: red, servers: [{ host: mort, minpoll: 4 }] }
"#;

fn fleet(mode: &str) -> (Inventory, Analysis) {
    let text = FLEET.replace("MODE", mode);
    let inventory = load_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 21));
    (inventory, analysis)
}

fn make(fleet: &(Inventory, Analysis), host: &str, observed: &Observed) -> DesiredHost {
    let (inventory, analysis) = fleet;
    let host = inventory.find(host).expect("in the fleet");
    let input = HostInput {
        inventory,
        host,
        needs: analysis.needs(host),
        depth: analysis.depth(host),
        fleet: &Fleet::new(inventory),
        media: &[],
        password: Some(&Secret::from(PASSWORD)),
        key_file: None,
    };
    desired(&input, &Templates::embedded(), observed).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Every file of a host, with its mode, as it may be shown.
fn show(made: &DesiredHost) -> String {
    let mut text = String::new();
    for (path, spec) in &made.desired.conf {
        let _ = writeln!(text, "== {path} {:04o}", spec.mode);
        for line in &made.lines[path] {
            let _ = writeln!(text, "{}", line.shown);
        }
    }
    text
}

fn seen(path: &str, content: &str, mode: u32) -> Observed {
    Observed {
        files: [(
            path.to_owned(),
            ObservedFile {
                digest: keytrail::digest::Digest::of(content.as_bytes()),
                mode,
                owner: "root".into(),
                group: "root".into(),
            },
        )]
        .into(),
        conf: [(path.to_owned(), Secret::from(content))].into(),
        ..Observed::default()
    }
}

fn no_password_for_others(made: &DesiredHost) {
    for (path, content) in &made.contents {
        if content.expose_str().is_some_and(|text| text.contains(PASSWORD)) {
            let spec = &made.desired.conf[path];
            assert!(
                spec.secret && spec.mode.trailing_zeros() >= 3,
                "{path} {:o}",
                spec.mode
            );
        }
    }
}

macro_rules! golden {
    ($test:ident, $mode:literal, $host:literal, $file:literal) => {
        #[test]
        fn $test() {
            let fleet = fleet($mode);
            let made = make(&fleet, $host, &Observed::default());
            snapbox::assert_data_eq!(show(&made), snapbox::file![$file]);
            no_password_for_others(&made);
        }
    };
}

golden!(
    trusted_host_include,
    "include",
    "mort",
    "golden/conf/mort.include.txt"
);
golden!(trusted_host_block, "block", "mort", "golden/conf/mort.block.txt");
golden!(trusted_host_whole, "whole", "mort", "golden/conf/mort.whole.txt");
golden!(
    server_include,
    "include",
    "yellow",
    "golden/conf/yellow.include.txt"
);
golden!(client_include, "include", "leaf", "golden/conf/leaf.include.txt");
golden!(
    plain_trail_include,
    "include",
    "tock",
    "golden/conf/tock.include.txt"
);
golden!(ntpsec_include, "include", "sec", "golden/conf/sec.include.txt");
golden!(ntpsec_block, "block", "sec", "golden/conf/sec.block.txt");
golden!(ntpsec_whole, "whole", "sec", "golden/conf/sec.whole.txt");
golden!(chrony_include, "include", "chro", "golden/conf/chro.include.txt");
golden!(chrony_block, "block", "chro", "golden/conf/chro.block.txt");
golden!(chrony_whole, "whole", "chro", "golden/conf/chro.whole.txt");
golden!(openvms_include, "include", "vms", "golden/conf/vms.include.txt");
golden!(openvms_block, "block", "vms", "golden/conf/vms.block.txt");
golden!(openvms_whole, "whole", "vms", "golden/conf/vms.whole.txt");

#[test]
fn hand_written_lines_that_say_the_same_are_named() {
    let fleet = fleet("include");
    let observed = seen(
        "/etc/ntp.conf",
        "driftfile /d\ncrypto pw hand-made-secret\nkeysdir /old\nserver yellow iburst\n",
        0o644,
    );
    let made = make(&fleet, "leaf", &observed);
    snapbox::assert_data_eq!(
        made.warnings.join("\n"),
        snapbox::file!["golden/conf/warnings.txt"]
    );
    let text = keytrail::plan::render::text(&keytrail::plan::Plan::new(1, vec![made.plan(&observed)]));
    assert!(
        !text.contains("hand-made-secret") && !text.contains(PASSWORD),
        "{text}"
    );
}

#[test]
fn a_password_takes_the_others_permissions_away_and_nothing_else() {
    let fleet = fleet("block");
    for (mode, wanted) in [(0o644, 0o640), (0o640, 0o640), (0o600, 0o600), (0o664, 0o660)] {
        let made = make(&fleet, "leaf", &seen("/etc/ntp.conf", "driftfile /d\n", mode));
        assert_eq!(made.desired.conf["/etc/ntp.conf"].mode, wanted, "{mode:o}");
    }
    let made = make(
        &fleet,
        "chro",
        &seen("/etc/chrony/chrony.conf", "driftfile /d\n", 0o664),
    );
    assert_eq!(made.desired.conf["/etc/chrony/chrony.conf"].mode, 0o664);
}

#[test]
fn a_name_that_chrony_cannot_allow_is_said() {
    let fleet = fleet("block");
    let made = make(&fleet, "chro", &Observed::default());
    assert!(
        made.warnings[0].contains("named have no address"),
        "{:?}",
        made.warnings
    );
}

#[test]
fn damaged_markers_stop_the_host_and_name_the_line() {
    let fleet = fleet("include");
    let (inventory, analysis) = &fleet;
    let host = inventory.find("leaf").expect("in the fleet");
    let input = HostInput {
        inventory,
        host,
        needs: analysis.needs(host),
        depth: 0,
        fleet: &Fleet::new(inventory),
        media: &[],
        password: None,
        key_file: None,
    };
    let observed = seen("/etc/ntp.conf", "a\n# <<< keytrail <<<\n", 0o644);
    let errors = desired(&input, &Templates::embedded(), &observed).expect_err("refused");
    let text = errors[0].to_string();
    assert!(
        text.contains("leaf") && text.contains("/etc/ntp.conf") && text.contains("line 2"),
        "{text}"
    );
}

#[test]
fn a_reached_host_needs_nothing_in_every_mode() {
    for mode in ["include", "block", "whole"] {
        let fleet = fleet(mode);
        for host in ["mort", "yellow", "leaf", "sec", "chro"] {
            let conf = fleet
                .0
                .entry(fleet.0.find(host).expect("there"))
                .settings
                .conf
                .to_string();
            let before = seen(&conf, "driftfile /d\r\nserver mine", 0o644);
            let made = make(&fleet, host, &before);
            assert!(made.plan(&before).is_changed());
            let after = keytrail::plan::reached(&made.desired, &made.contents);
            let again = make(&fleet, host, &after);
            assert_eq!(again.plan(&after).actions, [], "{host} {mode}");
        }
    }
}

#[test]
fn chronyd_reads_every_line() {
    let (program, libraries) = daemon("chrony", "chronyd");
    for mode in ["include", "block", "whole"] {
        let made = make(&fleet(mode), "chro", &Observed::default());
        let dir = tempfile::tempdir().expect("a directory");
        write(&made, dir.path());
        let output = Command::new(&program)
            .env("LD_LIBRARY_PATH", &libraries)
            .args(["-p", "-f"])
            .arg(dir.path().join("etc/chrony/chrony.conf"))
            .output()
            .expect("chronyd runs");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        for line in [
            "server mort key 1 iburst",
            "server sec key 2 version 4",
            "allow 192.0.2.77",
        ] {
            assert!(printed.contains(line), "{mode}: no '{line}' in {printed}");
        }
    }
}

#[test]
fn ntpsec_reads_every_line() {
    let (program, libraries) = daemon("ntpsec", "ntpd");
    for mode in ["include", "block", "whole"] {
        let made = make(&fleet(mode), "sec", &Observed::default());
        let dir = tempfile::tempdir().expect("a directory");
        write(&made, dir.path());
        let keys = format!("1 AES128CMAC {}\n2 SHA256 {}\n", "1a".repeat(16), "2b".repeat(20));
        std::fs::write(dir.path().join("etc/ntpsec/ntp.keys"), keys).expect("written");
        // A network of its own, and no right to set clocks: it reaches nothing and changes nothing.
        let log = dir.path().join("log");
        let mut child = Command::new("unshare")
            .args(["--map-root-user", "--net"])
            .arg(&program)
            .args(["-n", "-c"])
            .arg(dir.path().join("etc/ntpsec/ntp.conf"))
            .arg("-l")
            .arg(&log)
            .env("LD_LIBRARY_PATH", &libraries)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare (util-linux) runs");
        let read = || std::fs::read_to_string(&log).unwrap_or_default();
        let limit = Instant::now() + Duration::from_secs(30);
        // It says so after all lines were read.
        while !read().contains("Built with") && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill().expect("it can be stopped");
        child.wait().expect("it ends");
        let log = read();
        // It names every key of a server line that is missing or not trusted.
        assert!(log.contains("Built with"), "{mode}: {log}");
        for complaint in ["not found", "not trusted", "No such file"] {
            let named = log
                .lines()
                .any(|line| line.contains("key") && line.contains(complaint));
            assert!(!named, "{mode}: {log}");
        }
        assert!(!log.contains("syntax error"), "{mode}: {log}");
    }
}
