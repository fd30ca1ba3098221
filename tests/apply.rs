//! The phases over real sshd on loopback and on this machine: fleets, userlands, restarts, and what nobody may see.

mod common;

use common::Lab;
use common::world::{KEYS, MARKER, World, changed, failed, here, over_ssh};
use keytrail::apply::{Cancel, Outcome, Phase};
use keytrail::plan::Observed;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

#[tokio::test]
async fn a_fleet_over_sshd_is_brought_to_its_state_and_stays_there() {
    let mut lab = Lab::new();
    let mut world = World::new(lab.dir.path());
    for (host, wave) in [("th", 0), ("mid", 1), ("leaf", 2)] {
        lab.start(host, &[]);
        world.add(host, wave);
    }
    let fleet = over_ssh(&lab);
    let report = world.apply(&fleet).await;
    assert!(report.is_good(), "{report:?}");
    assert_eq!(changed(&report.hosts["leaf"]), (6, Some("restarted\n")));

    let tree = world.tree("leaf");
    let key = "etc/ntp/crypto/ntpkey_RSAhost_leaf.4004178806";
    assert_eq!(
        tree[key],
        format!("0600 # key of leaf\n{MARKER}4004178806\0\u{ff}")
    );
    assert_eq!(
        tree["etc/ntp/crypto/ntpkey_host_leaf"],
        "-> ntpkey_RSAhost_leaf.4004178806"
    );
    // The daemon opens client parameters when it is root no more (4.2.8p15, ntpd.c).
    assert_eq!(tree["etc/ntp/crypto/"], "0711");
    assert_eq!(tree["etc/ntp/"], "0755");
    assert_eq!(
        tree["etc/ntp.conf"],
        format!("0644 driftfile /d\nkeysdir {KEYS}\n# 4004178806\n")
    );
    assert_eq!(
        tree["etc/ntp/keytrail.conf"],
        format!("0600 crypto pw {MARKER}4004178806\n")
    );
    let expected = [
        "etc/",
        "etc/ntp.conf",
        "etc/ntp/",
        "etc/ntp/crypto/",
        "etc/ntp/crypto/ntpkey_RSA-SHA256cert_leaf.4004178806",
        key,
        "etc/ntp/crypto/ntpkey_cert_leaf",
        "etc/ntp/crypto/ntpkey_host_leaf",
        "etc/ntp/keytrail.conf",
    ];
    assert_eq!(tree.keys().collect::<Vec<_>>(), expected, "no leftovers");

    let again = world.apply(&fleet).await;
    assert!(again.is_unchanged(), "{again:?}");
    assert_eq!(world.tree("leaf"), tree);
    assert_eq!(world.restarts("leaf"), 1);

    // A new generation: old media stay, links and conf move on, and what was there is on record.
    world.renew("leaf", 2, 4_004_200_000);
    let report = world.apply(&fleet).await;
    assert!(report.is_good(), "{report:?}");
    assert_eq!(
        world.tree("leaf")["etc/ntp/crypto/ntpkey_host_leaf"],
        "-> ntpkey_RSAhost_leaf.4004200000"
    );
    assert_eq!(world.tree("leaf")[key], tree[key]);
    assert!(matches!(report.hosts["th"], Outcome::Unchanged));
    let state = world.path("leaf", KEYS).join(".keytrail");
    let record = world.record("leaf");
    let list = fs::read_to_string(record.join("list")).unwrap();
    assert!(
        list.contains(&format!(
            "link ntpkey_RSAhost_leaf.4004178806 {KEYS}/ntpkey_host_leaf\n"
        )),
        "{list}"
    );
    let about = fs::read_to_string(record.join("about")).unwrap();
    assert!(about.starts_with("unnamed - - "), "{about}");
    assert_eq!(
        fs::read_dir(&state).unwrap().count(),
        3,
        "two records and which is the last"
    );
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700);
    for entry in fs::read_dir(record).unwrap() {
        let path = entry.unwrap().path();
        let exposed = fs::metadata(&path).unwrap().mode() & 0o077;
        assert!(
            exposed == 0 || !fs::read_to_string(&path).unwrap().contains(MARKER),
            "{path:?}"
        );
    }
}

#[tokio::test]
async fn every_userland_will_do() {
    // `sh` and its tools as other systems have them, found first in the path.
    let mut lab = Lab::new();
    let applets = std::process::Command::new("busybox")
        .arg("--list")
        .output()
        .expect("apt-get install busybox");
    for applet in String::from_utf8(applets.stdout).unwrap().lines() {
        symlink(which("busybox"), {
            fs::create_dir_all(lab.dir.path().join("busybox")).unwrap();
            lab.dir.path().join("busybox").join(applet)
        })
        .unwrap();
    }
    for shell in ["bash", "dash"] {
        fs::create_dir_all(lab.dir.path().join(shell)).unwrap();
        symlink(which(shell), lab.dir.path().join(shell).join("sh")).unwrap();
    }
    let mut world = World::new(lab.dir.path());
    for name in ["busybox", "bash", "dash"] {
        let line = format!(
            "SetEnv PATH={}:/usr/bin:/bin",
            lab.dir.path().join(name).display()
        );
        lab.start(
            name,
            &[&line.replace("PATH=", &format!("HOME={} PATH=", lab.dir.path().display()))],
        );
        world.add(name, 0);
    }
    let fleet = over_ssh(&lab);
    let report = world.apply(&fleet).await;
    assert!(report.is_good(), "{report:#?}");
    for name in ["busybox", "bash", "dash"] {
        assert_eq!(world.tree(name).len(), 9, "{:?}", world.tree(name));
        world.renew(name, 0, 4_004_200_000);
    }
    let report = world.apply(&fleet).await;
    assert!(report.is_good(), "{report:#?}");
    let again = world.apply(&fleet).await;
    assert!(again.is_unchanged(), "{again:?}");
}

fn which(program: &str) -> std::path::PathBuf {
    ["/usr/bin", "/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{program} is missing: apt-get install {program}"))
}

#[tokio::test]
async fn a_failed_restart_is_told_and_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    let good = world.desired["one"].restart.clone();
    let broken = "echo 'ntpd: bad decrypt' >&2; exit 3".to_owned();
    world.desired.get_mut("one").unwrap().restart = Some(broken);
    let before = world.tree("one");
    let report = world.apply(&here()).await;
    let (phase, message, help, stderr) = failed(&report.hosts["one"]);
    assert_eq!(
        (phase, message),
        (
            Phase::Activate,
            "the restart command failed with exit status 3; all files are as they were before, but the restart command \
             fails with them too (exit status 3)"
        )
    );
    assert_eq!(stderr, "ntpd: bad decrypt");
    assert!(help.contains("look at the host now"), "{help}");
    let after = world.tree("one");
    assert_eq!(after["etc/ntp.conf"], before["etc/ntp.conf"]);
    assert!(!after.values().any(|value| value.starts_with("->")), "{after:?}");

    // The files are right, yet the daemon has not read them: that is not forgotten.
    let observed = world.observe(&here()).await;
    assert!(matches!(
        &observed["one"],
        Ok(Observed {
            restart_pending: true,
            ..
        })
    ));
    world.desired.get_mut("one").unwrap().restart = good;
    let report = world.apply(&here()).await;
    assert_eq!(changed(&report.hosts["one"]), (4, Some("restarted\n")));
    assert!(world.apply(&here()).await.is_unchanged());
}

#[tokio::test]
async fn a_restart_neither_inherits_nor_holds_our_streams() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    // A daemon that stays, with our streams if it gets them; and what it was given.
    let command = "umask; grep SigIgn /proc/self/status; pwd; sleep 20 &";
    world.desired.get_mut("one").unwrap().restart = Some(command.into());
    let began = std::time::Instant::now();
    let report = world.apply(&here()).await;
    assert!(began.elapsed().as_secs() < 15, "waited for the daemon");
    let (_, said) = changed(&report.hosts["one"]);
    let said = said.expect("it was restarted");
    let mut lines = said.lines();
    assert_ne!(lines.next(), Some("0077"));
    let ignored = |line: &str| {
        let digits = line.split_whitespace().nth(1).unwrap();
        u64::from_str_radix(digits, 16).unwrap()
    };
    let its = ignored(lines.next().unwrap());
    // What was ignored before we began no shell can take back: of a test run in the background, SIGINT.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ours = ignored(status.lines().find(|line| line.starts_with("SigIgn")).unwrap());
    assert_eq!(
        its & !ours & 0b11,
        0,
        "SIGHUP and SIGINT: {its:b}, ours: {ours:b}"
    );
    assert_eq!(lines.next(), Some("/"));
}

#[tokio::test]
async fn no_secret_is_seen_in_a_process_list_or_a_file_name() {
    let mut lab = Lab::new();
    let mut world = World::new(lab.dir.path());
    // The tools stay long enough to be seen.
    for tool in ["tar", "sha256sum", "cat", "mv"] {
        lab.program(
            tool,
            &format!("#!/bin/sh\nsleep 0.03\nPATH=/usr/bin:/bin\nexec {tool} \"$@\"\n"),
        );
    }
    let line = lab
        .path_line()
        .replace("PATH=", &format!("HOME={} PATH=", lab.dir.path().display()));
    for host in ["one", "two", "three"] {
        lab.start(host, &[&line]);
        world.add(host, 0);
    }
    let fleet = over_ssh(&lab);
    let stop = Cancel::default();
    let watch = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            let mut seen: std::collections::BTreeSet<Vec<u8>> = std::collections::BTreeSet::new();
            while !stop.is_cancelled() {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    for file in ["cmdline", "environ"] {
                        seen.extend(fs::read(entry.path().join(file)));
                    }
                }
            }
            seen
        })
    };
    let mut names = Vec::new();
    for stamp in 0..2 {
        for host in ["one", "two", "three"] {
            world.renew(host, 0, 4_004_200_000 + stamp);
        }
        assert!(world.apply(&fleet).await.is_good());
        names.extend(world.tree("one").into_keys());
    }
    stop.cancel();
    let seen = watch.join().unwrap();
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let found: Vec<_> = seen
        .iter()
        .filter(|bytes| has(bytes, MARKER))
        .map(|b| String::from_utf8_lossy(b))
        .collect();
    assert!(found.is_empty(), "{found:?}");
    // The watch was awake: it saw our commands, and of the tools they ran some, which live for a millisecond.
    let was_seen = |sign: &str| seen.iter().any(|bytes| has(bytes, sign));
    assert!(was_seen("eval \"$c\""), "our commands were never seen");
    let tools = ["sha256sum\0", "tar\0", "mv\0", "cp\0", "mkdir\0", "sync\0"];
    assert!(tools.into_iter().any(was_seen), "none of {tools:?} was ever seen");
    assert!(!names.iter().any(|name| name.contains("PLANTED")));
}
