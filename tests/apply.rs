//! The phases over real sshd on loopback, and on this machine with faults.

mod common;

use common::Lab;
use common::world::{By, CONF, KEYS, MARKER, Recorder, World, limits};
use keytrail::apply::{Cancel, Connect, ContentSource, Fleet, Outcome, Phase, PhaseError, apply};
use keytrail::plan::{Action, Observed};
use keytrail::remote::fake::{FakeHost, Fault};
use keytrail::remote::{ControlDir, LocalHost, Unreachable};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

/// A fleet over the sshd of a laboratory.
fn over_ssh(lab: &Lab) -> Arc<Fleet<impl Connect>> {
    let (config, control) = (lab.servers.config(), Arc::clone(&lab.control));
    Fleet::new(
        By(move |name: &str| {
            let mut options = keytrail::remote::SshOptions::new(name);
            options.config = Some(config.clone());
            keytrail::remote::SshHost::new(options, Arc::<ControlDir>::clone(&control))
        }),
        limits(),
    )
}

fn here() -> Arc<Fleet<impl Connect>> {
    Fleet::new(By(|_: &str| LocalHost), limits())
}

/// This machine, with faults before the first calls to the hosts named `bad`.
fn with_faults(faults: Vec<Fault>) -> Arc<Fleet<impl Connect>> {
    Fleet::new(
        By(move |name: &str| {
            let faults = if name.starts_with("bad") {
                faults.clone()
            } else {
                Vec::new()
            };
            FakeHost::new(LocalHost, faults)
        }),
        limits(),
    )
}

#[track_caller]
fn failed(outcome: &Outcome) -> (Phase, &str, &str, &str) {
    match outcome {
        Outcome::Failed {
            phase,
            message,
            help,
            stderr,
        } => (*phase, message, help.as_deref().unwrap_or_default(), stderr),
        other => panic!("{other:?}"),
    }
}

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
    let Outcome::Changed { changes, restart } = &report.hosts["leaf"] else {
        panic!("{report:?}")
    };
    assert_eq!((*changes, restart.as_deref()), (6, Some("restarted\n")));

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
    assert_eq!(tree["etc/ntp/crypto/"], "0700");
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
    let undo = fs::read_to_string(state.join("undo")).unwrap();
    let list = fs::read_to_string(state.join(undo.trim()).join("list")).unwrap();
    assert!(
        list.contains(&format!(
            "link ntpkey_RSAhost_leaf.4004178806 {KEYS}/ntpkey_host_leaf\n"
        )),
        "{list}"
    );
    assert_eq!(fs::read_dir(&state).unwrap().count(), 2, "one record only");
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700);
    for entry in fs::read_dir(state.join(undo.trim())).unwrap() {
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
async fn input_cut_short_is_never_acted_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("bad", 0);
    let before = world.tree("bad");
    let observed = world.observe(&here()).await;
    // Inputs are some kilobytes: 512-byte blocks after a prelude of about a hundred bytes.
    for cut in [0, 1, 40, 90, 400, 700, 1100, 1400, 2000, 2500, 3000] {
        let staged = world
            .run(&with_faults(vec![Fault::Cut(cut)]), world.work(&observed))
            .await;
        assert!(!staged.is_good());
        let mut after = world.tree("bad");
        after.retain(|path, _| !["etc/ntp/", "etc/ntp/crypto/"].contains(&path.as_str()));
        assert_eq!(after, before, "stage, cut at {cut}");

        let fleet = with_faults(vec![Fault::None, Fault::Cut(cut)]);
        let host = format!("bad{cut}");
        let mut activating = World::new(dir.path());
        activating.add(&host, 0);
        let conf = activating.read(&host, CONF);
        let report = activating.apply_after_observing(&fleet, &here()).await;
        assert!(!report.is_good());
        let tree = activating.tree(&host);
        assert!(
            !tree.values().any(|value| value.starts_with("->")),
            "activate, cut at {cut}: {tree:?}"
        );
        assert_eq!(activating.read(&host, CONF), conf);
        assert!(!tree.keys().any(|path| path.contains(".keytrail-")), "{tree:?}");
        assert!(!activating.path(&host, KEYS).join(".keytrail").exists());
    }
    let report = world.apply(&here()).await;
    assert!(report.is_good(), "{report:?}");
}

impl World {
    /// Observes by one fleet, applies by another.
    async fn apply_after_observing<A: Connect, B: Connect>(
        &self,
        fleet: &Arc<Fleet<A>>,
        looking: &Arc<Fleet<B>>,
    ) -> keytrail::apply::Report {
        let work = self.work(&self.observe(looking).await);
        self.run(fleet, work).await
    }
}

#[tokio::test]
async fn damaged_input_is_never_acted_on() {
    let dir = tempfile::tempdir().unwrap();
    // From its end a stream is: two empty blocks; then, member by member, a block of content and one of header; the
    // manifest's; the prelude. The first byte of a block is content, a name or a verb, the 110th content or a path.
    let places = (1..=6).flat_map(|block| [1024 + 512 * block - 1, 1024 + 512 * block - 110]);
    for at in places {
        for activating in [false, true] {
            let mut world = World::new(dir.path());
            let host = format!("bad{at}{activating}");
            world.add(&host, 0);
            let fault = vec![Fault::Damage(at)];
            let fault = if activating {
                [vec![Fault::None], fault].concat()
            } else {
                fault
            };
            let observed = world.observe(&here()).await;
            let report = world.run(&with_faults(fault), world.work(&observed)).await;
            let done = world.tree(&host);
            if report.is_good() {
                // The byte was between members, where nothing is.
                assert!(world.apply(&here()).await.is_unchanged(), "{at}");
                continue;
            }
            assert!(
                !done.values().any(|value| value.starts_with("->")),
                "{at}: {done:?}"
            );
            assert_eq!(world.read(&host, CONF), "driftfile /var/lib/ntp/drift\n");
            assert_eq!(world.restarts(&host), 0);
            assert!(!done.keys().any(|path| path.contains(".keytrail-")), "{done:?}");
            let report = world.apply(&here()).await;
            assert!(report.is_good(), "{at}: {report:?}");
            assert_eq!(
                world.tree(&host).len(),
                9,
                "nothing astray: {:?}",
                world.tree(&host)
            );
        }
    }
}

#[tokio::test]
async fn what_changed_since_the_plan_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    let work = world.work(&world.observe(&here()).await);
    fs::write(world.path("one", CONF), "by hand\n").unwrap();
    let report = world.run(&here(), work.clone()).await;
    let (phase, message, help, _) = failed(&report.hosts["one"]);
    assert_eq!(
        (phase, message),
        (
            Phase::Activate,
            "/etc/ntp.conf has been changed since the plan was made"
        )
    );
    assert!(help.contains("new plan"));
    assert_eq!(world.read("one", CONF), "by hand\n");
    assert!(
        !world.path("one", KEYS).join("ntpkey_host_one").is_symlink(),
        "all or nothing"
    );

    fs::remove_file(world.path("one", CONF)).unwrap();
    let report = world.run(&here(), work.clone()).await;
    assert!(failed(&report.hosts["one"]).1.contains("has been changed"));

    // Media of the same name and other content, and something in the way.
    let key = world.path("one", KEYS).join("ntpkey_RSAhost_one.4004178806");
    fs::write(&key, "somebody's").unwrap();
    let report = world.run(&here(), work.clone()).await;
    let (phase, message, ..) = failed(&report.hosts["one"]);
    assert_eq!(phase, Phase::Stage);
    assert!(
        message.contains("is there already with other content"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&key).unwrap(), "somebody's");

    // A plan that knows of the damage repairs it.
    fs::write(world.path("one", CONF), "driftfile /var/lib/ntp/drift\n").unwrap();
    let report = world.apply(&here()).await;
    assert!(report.is_good(), "{report:?}");
    assert!(fs::read_to_string(&key).is_ok_and(|text| text.contains(MARKER)));

    // A link that somebody moved in between.
    world.renew("one", 0, 4_004_200_000);
    let work = world.work(&world.observe(&here()).await);
    let link = world.path("one", KEYS).join("ntpkey_host_one");
    fs::remove_file(&link).unwrap();
    symlink("elsewhere", &link).unwrap();
    let report = world.run(&here(), work).await;
    assert!(
        failed(&report.hosts["one"])
            .1
            .contains("ntpkey_host_one has been changed")
    );
}

#[tokio::test]
async fn links_files_and_modes_that_are_wrong_are_put_right() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    world.apply(&here()).await;
    let keys = world.path("one", KEYS);
    let state = fs::read_to_string(keys.join(".keytrail/undo")).unwrap();
    fs::set_permissions(
        keys.join("ntpkey_RSAhost_one.4004178806"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let report = world.apply(&here()).await;
    assert!(
        matches!(
            &report.hosts["one"],
            Outcome::Changed {
                changes: 1,
                restart: None
            }
        ),
        "{report:?}"
    );
    assert_eq!(
        fs::metadata(keys.join("ntpkey_RSAhost_one.4004178806"))
            .unwrap()
            .mode()
            & 0o7777,
        0o600
    );
    assert_eq!(
        fs::read_to_string(keys.join(".keytrail/undo")).unwrap(),
        state,
        "nothing to undo was added"
    );

    // A link that must not be there, and a key where a link should be.
    symlink("ntpkey_RSAhost_one.4004178806", keys.join("ntpkey_sign_one")).unwrap();
    fs::remove_file(keys.join("ntpkey_host_one")).unwrap();
    fs::write(keys.join("ntpkey_host_one"), "an old key").unwrap();
    let report = world.apply(&here()).await;
    assert!(
        matches!(
            &report.hosts["one"],
            Outcome::Changed {
                changes: 2,
                restart: Some(_)
            }
        ),
        "{report:?}"
    );
    assert!(!keys.join("ntpkey_sign_one").is_symlink());
    assert!(keys.join("ntpkey_host_one").is_symlink());
    let undo = keys
        .join(".keytrail")
        .join(fs::read_to_string(keys.join(".keytrail/undo")).unwrap().trim());
    let list = fs::read_to_string(undo.join("list")).unwrap();
    let line = list
        .lines()
        .find(|line| line.ends_with("ntpkey_host_one"))
        .unwrap();
    let copy = line.split(' ').nth(1).unwrap();
    assert_eq!(
        fs::read_to_string(undo.join(copy)).unwrap(),
        "an old key",
        "the replaced key is kept"
    );
}

#[tokio::test]
async fn an_ntp_conf_that_is_a_link_stays_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    fs::create_dir(world.path("one", "etc/real")).unwrap();
    fs::rename(world.path("one", CONF), world.path("one", "etc/real/ntp.conf")).unwrap();
    // Absolute, as seen from inside the host's own root.
    symlink("/etc/real/ntp.conf", world.path("one", CONF)).unwrap();
    assert!(world.apply(&here()).await.is_good());
    assert!(world.path("one", CONF).is_symlink());
    assert!(world.read("one", "etc/real/ntp.conf").contains("4004178806"));
    assert!(world.apply(&here()).await.is_unchanged());
}

#[tokio::test]
async fn a_failed_restart_is_told_and_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    let good = world.desired["one"].restart.clone();
    let broken = "echo 'ntpd: bad decrypt' >&2; exit 3".to_owned();
    world.desired.get_mut("one").unwrap().restart = Some(broken);
    let report = world.apply(&here()).await;
    let (phase, message, help, stderr) = failed(&report.hosts["one"]);
    assert_eq!(
        (phase, message),
        (Phase::Activate, "the restart command failed with exit status 3")
    );
    assert_eq!(stderr, "ntpd: bad decrypt");
    assert!(help.contains("daemon's log"));

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
    assert!(
        matches!(
            &report.hosts["one"],
            Outcome::Changed {
                changes: 0,
                restart: Some(_)
            }
        ),
        "{report:?}"
    );
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
    let Outcome::Changed {
        restart: Some(said), ..
    } = &report.hosts["one"]
    else {
        panic!("{report:?}")
    };
    let mut lines = said.lines();
    assert_ne!(lines.next(), Some("0077"));
    let ignored = lines
        .next()
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    assert_eq!(ignored & 0b11, 0, "SIGHUP and SIGINT: {ignored:b}");
    assert_eq!(lines.next(), Some("/"));
}

#[tokio::test]
async fn a_run_interrupted_anywhere_is_finished_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("bad", 0);
    // The host does its work and cannot say so.
    let observed = world.observe(&here()).await;
    for fault in [vec![Fault::Deaf], vec![Fault::None, Fault::Deaf]] {
        let report = world.run(&with_faults(fault), world.work(&observed)).await;
        assert!(
            matches!(&report.hosts["bad"], Outcome::Unreachable { message, .. } if message.contains("lost"))
        );
    }
    assert!(
        world.apply(&here()).await.is_unchanged(),
        "all was done, and is seen to be"
    );

    // A host that went down between two renames: links of two generations, and the mark that says so.
    let first = world.tree("bad");
    world.renew("bad", 0, 4_004_200_000);
    assert!(world.apply(&here()).await.is_good());
    let keys = world.path("bad", KEYS);
    fs::remove_file(keys.join("ntpkey_host_bad")).unwrap();
    symlink("ntpkey_RSAhost_bad.4004178806", keys.join("ntpkey_host_bad")).unwrap();
    fs::write(keys.join(".keytrail/pending"), "switching\n").unwrap();
    let leftover = keys.join(".keytrail-new-2000000000-1");
    symlink("x", &leftover).unwrap();
    fs::create_dir(keys.join(".keytrail-stage-2000000000-abcdef")).unwrap();
    let report = world.apply(&here()).await;
    assert!(report.is_good(), "{report:?}");
    assert!(world.apply(&here()).await.is_unchanged());
    let tree = world.tree("bad");
    assert!(
        !tree.keys().any(|path| path.contains(".keytrail-")),
        "leftovers are removed: {tree:?}"
    );
    // The way back leads to the last complete generation, not to the mixture.
    let undo = keys
        .join(".keytrail")
        .join(fs::read_to_string(keys.join(".keytrail/undo")).unwrap().trim());
    let list = fs::read_to_string(undo.join("list")).unwrap();
    for (link, target) in first.iter().filter(|(_, target)| target.starts_with("->")) {
        let target = target.trim_start_matches("-> ");
        assert!(list.contains(&format!("link {target} /{link}\n")), "{list}");
    }
}

#[tokio::test]
async fn waves_follow_each_other_and_stop_where_one_fails() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    for (host, wave) in [("a0", 0), ("b1", 1), ("bad1", 1), ("c2", 2)] {
        world.add(host, wave);
    }
    let events = Arc::new(Recorder::default());
    let work = world.work(&world.observe(&here()).await);
    let fault = Fault::Answer {
        status: 4,
        stderr: "keytrail: cannot write to /etc/ntp/crypto\nmv: No space left on device\n".into(),
    };
    let fleet = with_faults(vec![Fault::None, fault]);
    let contents: Arc<dyn ContentSource> = Arc::clone(&world.contents) as _;
    let report = apply(
        &fleet,
        work,
        contents,
        Arc::clone(&events) as _,
        &Cancel::default(),
    )
    .await;
    assert!(!report.is_good());
    let (phase, message, help, _) = failed(&report.hosts["bad1"]);
    assert_eq!(phase, Phase::Activate);
    assert_eq!(
        message,
        "cannot write to /etc/ntp/crypto: No space left on device"
    );
    assert!(help.contains("free some space"));
    assert!(
        matches!(report.hosts["b1"], Outcome::Changed { .. }),
        "its wave is finished"
    );
    assert_eq!(
        report.hosts["c2"],
        Outcome::NotReached {
            message: "1 host failed in wave 1".into()
        }
    );
    assert_eq!(
        report.hosts.keys().collect::<Vec<_>>(),
        ["a0", "b1", "bad1", "c2"]
    );
    let events = std::mem::take(&mut *events.0.lock().unwrap());
    let position = |text: &str| {
        events
            .iter()
            .position(|event| event == text)
            .unwrap_or_else(|| panic!("{events:?}"))
    };
    assert_eq!(events[0], "stage 4");
    assert!(position("c2 stage done") < position("activate 0 1"));
    assert!(position("a0 activate done") < position("activate 1 2"));
    assert_eq!(events.last().unwrap(), "stopped 1: 1 host failed in wave 1");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["hosts"]["bad1"]["outcome"], "failed");
    assert_eq!(json["hosts"]["c2"]["outcome"], "not-reached");

    let report = world.apply(&here()).await;
    assert!(report.is_good());
    assert!(matches!(report.hosts["a0"], Outcome::Unchanged));
}

#[tokio::test]
async fn nothing_is_activated_unless_all_is_staged() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    for host in ["a", "bad", "c"] {
        world.add(host, 0);
    }
    let work = world.work(&world.observe(&here()).await);
    let refuse = Fault::Refuse(Unreachable::Connect("Connection refused".into()));
    let report = world.run(&with_faults(vec![refuse.clone()]), work.clone()).await;
    assert!(matches!(
        report.hosts["bad"],
        Outcome::Unreachable {
            phase: Phase::Stage,
            ..
        }
    ));
    for host in ["a", "c"] {
        assert!(matches!(report.hosts[host], Outcome::NotReached { .. }));
        assert_eq!(world.restarts(host), 0);
        assert!(
            !world
                .path(host, KEYS)
                .join(format!("ntpkey_host_{host}"))
                .is_symlink()
        );
    }
    // Unless asked for.
    let mut limits = limits();
    limits.skip_unreachable = true;
    let faults = vec![refuse];
    let fleet = Fleet::new(
        By(move |name: &str| {
            FakeHost::new(LocalHost, if name == "bad" { faults.clone() } else { Vec::new() })
        }),
        limits,
    );
    let report = world.run(&fleet, work).await;
    assert!(matches!(report.hosts["bad"], Outcome::Unreachable { .. }));
    assert!(matches!(report.hosts["a"], Outcome::Changed { .. }));
    assert!(!report.is_good(), "a host left out is not a success");
}

/// Asks to stop when the host `h5` is begun.
struct StopAt(Cancel);
impl keytrail::apply::Progress for StopAt {
    fn event(&self, event: keytrail::apply::Event<'_>) {
        if matches!(
            event,
            keytrail::apply::Event::Started {
                host: "h5",
                phase: Phase::Activate
            }
        ) {
            self.0.cancel();
        }
    }
}

#[tokio::test]
async fn a_cancelled_run_leaves_no_host_halfway() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    for host in 0..12 {
        world.add(&format!("h{host}"), host);
    }
    let work = world.work(&world.observe(&here()).await);
    let cancel = Cancel::default();
    let contents: Arc<dyn ContentSource> = Arc::clone(&world.contents) as _;
    let report = apply(&here(), work, contents, Arc::new(StopAt(cancel.clone())), &cancel).await;
    assert!(report.cancelled && !report.is_good());
    for host in 0..12 {
        let name = format!("h{host}");
        if host <= 5 {
            assert!(matches!(report.hosts[&name], Outcome::Changed { .. }), "{name}");
        } else {
            assert_eq!(
                report.hosts[&name],
                Outcome::NotReached {
                    message: "stopped on request".into()
                }
            );
        }
    }
}

#[tokio::test]
async fn owner_and_group_are_set_before_anything_is_seen() {
    // Only root may give files away; as anybody else the answer must say so.
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    let root = rustix::process::geteuid().is_root();
    let desired = world.desired.get_mut("one").unwrap();
    desired.owner = Some("1".into());
    desired.group = Some("2".into());
    let report = world.apply(&here()).await;
    if !root {
        let (_, message, help, _) = failed(&report.hosts["one"]);
        assert!(
            message.contains("Operation not permitted") && help.contains("root"),
            "{message}"
        );
        return;
    }
    assert!(report.is_good(), "{report:?}");
    let keys = world.path("one", KEYS);
    for file in [
        &keys,
        &keys.join("ntpkey_RSAhost_one.4004178806"),
        &world.path("one", CONF),
    ] {
        let meta = fs::metadata(file).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (1, 2), "{file:?}");
    }
    assert_eq!(
        fs::metadata(&keys).unwrap().mode() & 0o7777,
        0o750,
        "open to the group it was made for"
    );
    assert!(
        world.apply(&here()).await.is_unchanged(),
        "numbers are compared with numbers"
    );

    let desired = world.desired.get_mut("one").unwrap();
    (desired.owner, desired.group) = (Some("root".into()), Some("root".into()));
    let report = world.apply(&here()).await;
    assert!(
        matches!(&report.hosts["one"], Outcome::Changed { restart: None, .. }),
        "{report:?}"
    );
    let meta = fs::metadata(world.path("one", CONF)).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (0, 0));
    assert!(world.apply(&here()).await.is_unchanged());

    // Left open: a replaced file keeps the owner it had.
    std::os::unix::fs::chown(world.path("one", CONF), Some(3), Some(4)).unwrap();
    world.renew("one", 0, 4_004_200_000);
    assert!(world.apply(&here()).await.is_good());
    let meta = fs::metadata(world.path("one", CONF)).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (3, 4));

    world.desired.get_mut("one").unwrap().owner = Some("nobody-of-this-name".into());
    world.renew_owner("one");
    let report = world.apply(&here()).await;
    let (_, message, help, _) = failed(&report.hosts["one"]);
    assert!(
        message.contains("invalid user") && help.contains("exists on the host"),
        "{message}"
    );
}

impl World {
    /// A new generation for the owner set before.
    fn renew_owner(&mut self, host: &str) {
        let owner = self.desired[host].owner.clone();
        self.renew(host, 0, 4_004_300_000);
        self.desired.get_mut(host).unwrap().owner = owner;
    }
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
async fn contents_that_are_not_what_was_planned_are_not_sent() {
    struct Wrong;
    impl ContentSource for Wrong {
        fn content(
            &self,
            _: &str,
            _: &str,
            _: &keytrail::digest::Digest,
        ) -> Result<keytrail::secret::Secret, String> {
            Ok("something else".into())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    let work = world.work(&world.observe(&here()).await);
    assert!(
        work[0]
            .plan
            .actions
            .iter()
            .any(|action| matches!(action, Action::PutFile { .. }))
    );
    let silent = Arc::new(keytrail::apply::Silent);
    let report = apply(&here(), work, Arc::new(Wrong), silent, &Cancel::default()).await;
    assert!(failed(&report.hosts["one"]).1.contains("make a new plan"));
    assert!(!world.path("one", KEYS).exists());
}

#[tokio::test]
async fn no_secret_is_seen_in_a_process_list_or_a_file_name() {
    let mut lab = Lab::new();
    let mut world = World::new(lab.dir.path());
    for host in ["one", "two", "three"] {
        lab.start(host, &[]);
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
    for stamp in 0..4 {
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
    // The watch was awake: it saw our commands, and the tools they ran.
    for sign in ["eval \"$(dd ibs=1 count=", "sha256sum", "tar"] {
        assert!(seen.iter().any(|bytes| has(bytes, sign)), "{sign} was never seen");
    }
    assert!(!names.iter().any(|name| name.contains("PLANTED")));
}

#[test]
fn any_tool_for_digests_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file");
    fs::write(&file, "content").unwrap();
    let digest = keytrail::digest::Digest::of(b"content").to_string();
    // The functions every script begins with, on a host that has but one of the tools.
    let common = include_str!("../src/apply/scripts/common.sh");
    for tool in ["sha256sum", "shasum", "openssl"] {
        let text = format!(
            "{common}\ncommand() {{ [ \"$2\" = {tool} ]; }}\nsums=$(digests \"$1\") && holds {digest} \"$1\""
        );
        let output = std::process::Command::new("sh")
            .args(["-c", &text, "sh"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{tool}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = format!("{common}\ncommand() {{ false; }}\nsums=$(digests x)");
    let output = std::process::Command::new("sh")
        .args(["-c", &text])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("none of the programs"));
}
