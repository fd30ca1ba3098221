//! The phases over real sshd on loopback: fleets, userlands, hosts that refuse, and what nobody may see.

use crate::common::Lab;
use crate::common::generations::*;
use crate::common::world::{KEYS, MARKER, World, changed, failed, here, over_ssh};
use keytrail::apply::{Cancel, Outcome, Phase, PhaseError, Rollout};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

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

#[tokio::test]
async fn a_host_that_cannot_be_written_says_why() {
    let mut lab = Lab::new();
    let mut world = World::new(lab.dir.path());
    world.add("one", 0);
    // Nobody's login; as root the server becomes nobody first.
    let become_nobody = "ForceCommand exec setpriv --reuid=65534 --regid=65534 --clear-groups -- sh -c \"$SSH_ORIGINAL_COMMAND\"";
    let root = rustix::process::geteuid().is_root();
    let lines: &[&str] = if root { &[become_nobody] } else { &[] };
    lab.start("one", lines);
    fs::set_permissions(lab.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let fleet = over_ssh(&lab);
    if !root {
        fs::set_permissions(world.path("one", "etc"), fs::Permissions::from_mode(0o555)).unwrap();
    }
    let report = world.apply(&fleet).await;
    let (phase, message, help, stderr) = failed(&report.hosts["one"]);
    assert_eq!(phase, Phase::Stage);
    assert!(
        message.contains("Permission denied") && message.contains("/etc/ntp"),
        "{message}"
    );
    assert!(help.contains("ssh.become"), "{help}");
    assert!(stderr.contains("mkdir"), "{stderr}");
    fs::set_permissions(world.path("one", "etc"), fs::Permissions::from_mode(0o755)).unwrap();

    // A directory that is a file; a root that is not there.
    let local = here();
    fs::create_dir_all(world.path("one", "etc/ntp")).unwrap();
    fs::write(world.path("one", KEYS), "").unwrap();
    let observed = world.observe(&local).await;
    let Err(PhaseError::Failed { message, .. }) = &observed["one"] else {
        panic!("{observed:?}")
    };
    assert_eq!(message, "/etc/ntp/crypto is not a directory");
    fs::remove_dir_all(world.root("one")).unwrap();
    let observed = world.observe(&local).await;
    let Err(PhaseError::Failed { message, .. }) = &observed["one"] else {
        panic!("{observed:?}")
    };
    assert!(
        message.starts_with("the root directory ") && message.ends_with(" does not exist"),
        "{message}"
    );
}

#[tokio::test]
async fn a_host_that_the_judge_dislikes_goes_back_and_ends_the_run() {
    let mut lab = Lab::new();
    let mut world = World::new(lab.dir.path());
    let hosts = [("th", 0), ("bad", 1), ("mid", 1), ("leaf", 2)];
    for (host, _) in hosts {
        lab.start(host, &[]);
    }
    let before = two_generations(&mut world, &hosts).await;
    let judge = Dislikes::new(&["bad"]);
    let report = run(
        &world,
        &over_ssh(&lab),
        2,
        Rollout::default(),
        Arc::clone(&judge) as _,
    )
    .await;
    let (phase, message, stderr) = rolled_back(&report.hosts["bad"]);
    assert_eq!((phase, message), (Phase::Activate, "error 114 after the restart"));
    assert_eq!(stderr, "114 identity not verified");
    assert!(matches!(report.hosts["th"], Outcome::Changed { .. }));
    assert!(
        matches!(report.hosts["mid"], Outcome::Changed { .. }),
        "it was in flight"
    );
    assert_eq!(
        report.hosts["leaf"],
        Outcome::NotReached {
            message: "1 host failed in wave 2".into()
        }
    );
    assert_eq!(in_use(&world.tree("bad")), in_use(&before["bad"]));
    assert_eq!(in_use(&world.tree("leaf")), in_use(&before["leaf"]));
    assert!(world.tree("mid")["etc/ntp.conf"].contains(&NEW.to_string()));
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let seen = judge.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 3);
    assert!(
        seen.iter().all(|(_, since)| (now - 60..=now).contains(since)),
        "{seen:?}"
    );

    // The leaf, which was staged and waited, is free for others again.
    let observed = world.observe(&here()).await;
    for host in ["th", "bad", "mid", "leaf"] {
        assert_eq!(observed[host].as_ref().unwrap().lock, None, "{host}");
    }
    let again = run(&world, &over_ssh(&lab), 2, Rollout::default(), Dislikes::new(&[])).await;
    assert!(again.is_good(), "{again:?}");
}
