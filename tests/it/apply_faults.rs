//! The phases where something goes wrong: runs cut off, hosts that fail or are not there, and what becomes of the others.

use crate::common::world::{By, KEYS, Recorder, World, failed, here, limits, with_faults};
use keytrail::apply::{Cancel, ConnectionPool, Outcome, Phase, apply};
use keytrail::remote::fake::{FakeHost, Fault};
use keytrail::remote::{LocalHost, Unreachable};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

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
    fs::write(keys.join(".keytrail/pending"), "switch\n").unwrap();
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
    let list = fs::read_to_string(world.record("bad").join("list")).unwrap();
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
    let report = apply(
        &fleet,
        world.job(work),
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
            message: "1 host failed in wave 2".into()
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
    assert_eq!(events.last().unwrap(), "stopped 1: 1 host failed in wave 2");
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
    let fleet = ConnectionPool::new(
        By(move |name: &str| {
            FakeHost::new(
                LocalHost::default(),
                if name == "bad" { faults.clone() } else { Vec::new() },
            )
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
    let report = apply(
        &here(),
        world.job(work),
        Arc::new(StopAt(cancel.clone())),
        &cancel,
    )
    .await;
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
