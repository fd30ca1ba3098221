//! Hosts that return to their former state by themselves; canaries and retries.

use crate::common::generations::*;
use crate::common::world::{By, CONF, World, failed, here, limits};
use keytrail::apply::{ConnectionPool, Outcome, Phase, Report, Rollout, Trusting};
use keytrail::plan::order::{Pace, Share, batches};
use keytrail::remote::fake::{FakeHost, Fault};
use keytrail::remote::{LocalHost, Remote, Unreachable};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn a_host_whose_daemon_does_not_restart_goes_back_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    let before = two_generations(&mut world, &[("one", 0)]).await;
    let log = world.path("one", "restarts");
    let conf = world.path("one", CONF);
    world.desired.get_mut("one").unwrap().restart = Some(format!(
        "echo again >>{}; ! grep -q {NEW} {} || {{ echo 'bad decrypt' >&2; exit 255; }}",
        log.display(),
        conf.display()
    ));
    let report = run(&world, &here(), 2, Rollout::default(), Arc::new(Trusting)).await;
    let (phase, message, stderr) = rolled_back(&report.hosts["one"]);
    assert_eq!(phase, Phase::Activate);
    assert_eq!(
        message,
        "the restart command failed with exit status 255; everything is as it was before"
    );
    assert_eq!(stderr, "bad decrypt");
    assert!(!report.is_good(), "rolled back is not good");
    assert_eq!(in_use(&world.tree("one")), in_use(&before["one"]));
    assert_eq!(
        world.restarts("one"),
        3,
        "once by hand of generation 1, with the new files, with the old"
    );
    let observed = world.observe(&here()).await;
    let one = observed["one"].as_ref().unwrap();
    assert_eq!((one.generation, one.restart_pending), (Some(1), false));
    assert_eq!(one.lock, None);
    assert_eq!(one.records.len(), 1, "{:?}", one.records);
}

/// A host that hears no word: its connection is lost while it waits, or nobody says anything.
#[tokio::test]
async fn a_host_that_hears_no_word_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    let before = two_generations(&mut world, &[("one", 0)]).await;
    let deaf = ConnectionPool::new(
        By(|_: &str| FakeHost::new(LocalHost::default(), [Fault::None, Fault::Unanswered])),
        limits(),
    );
    let report = run(&world, &deaf, 2, Rollout::default(), Dislikes::new(&[])).await;
    let Outcome::Unreachable { phase, help, .. } = &report.hosts["one"] else {
        panic!("{report:?}")
    };
    assert_eq!(*phase, Phase::Activate);
    assert!(help.contains("goes back by itself"), "{help}");
    assert_eq!(in_use(&world.tree("one")), in_use(&before["one"]));
    assert_eq!(world.restarts("one"), 3);
}

#[tokio::test]
async fn nothing_is_left_running_on_a_host() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    two_generations(&mut world, &[("one", 0)]).await;
    let report = run(&world, &here(), 2, Rollout::default(), Dislikes::new(&[])).await;
    assert!(report.is_good(), "{report:?}");
    // The watch sleeps a second at a time and then finds its reader gone.
    let mine = || -> Vec<String> {
        let stage = dir.path().display().to_string();
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.unwrap().path().join("cwd")).ok())
            .map(|cwd| cwd.display().to_string())
            .filter(|cwd| cwd.starts_with(&stage))
            .collect()
    };
    for _ in 0..100 {
        if mine().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("still there: {:?}", mine());
}

#[tokio::test]
async fn canaries_and_batches_bound_the_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    let names: Vec<String> = (0..12).map(|number| format!("h{number:02}")).collect();
    let hosts: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 0)).collect();
    two_generations(&mut world, &hosts).await;
    let work = world.work(&world.observe(&here()).await);
    let plans: Vec<_> = work.into_iter().map(|work| work.plan).collect();
    let pace = |serial, canary| Pace { serial, canary };
    let rollout = |pace: &Pace, max_fail| Rollout {
        batches: batches(&plans, pace),
        max_fail,
    };

    // One canary that fails: nobody else is touched.
    let judge = Dislikes::new(&["h00"]);
    let report = run(
        &world,
        &here(),
        2,
        rollout(&pace(None, 1), 0),
        Arc::clone(&judge) as _,
    )
    .await;
    let changed = |report: &Report| {
        let outcomes = report.hosts.values();
        outcomes
            .filter(|outcome| matches!(outcome, Outcome::Changed { .. }))
            .count()
    };
    assert_eq!((changed(&report), judge.seen.lock().unwrap().len()), (0, 1));

    // Batches of three; two failures are borne, the third ends it after its batch.
    let judge = Dislikes::new(&["h00", "h03", "h04"]);
    let third = pace(Some(Share::Percent(25)), 0);
    let report = run(&world, &here(), 2, rollout(&third, 2), Arc::clone(&judge) as _).await;
    assert_eq!(changed(&report), 3, "{report:?}");
    assert_eq!(
        report.hosts["h06"],
        Outcome::NotReached {
            message: "3 hosts failed by the end of wave 1".into()
        }
    );

    // As many as may fail: all others are done.
    let judge = Dislikes::new(&["h00"]);
    let report = run(&world, &here(), 2, rollout(&third, 1), judge).await;
    assert_eq!(changed(&report), 8, "three were done before: {report:?}");
    assert!(!report.is_good());
}

#[tokio::test]
async fn only_lost_connections_are_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("one", 0);
    let refused = Fault::Refuse(Unreachable::Connect("Connection refused".into()));
    let lost = Fault::Refuse(Unreachable::Lost("closed".into()));
    let wrong = Fault::Answer {
        status: 4,
        stderr: "keytrail: no\n".into(),
    };
    let mut patient = limits();
    patient.retries = 2;
    patient.backoff = Duration::from_millis(1);
    let calls = |faults: Vec<Fault>| {
        let host = Arc::new(FakeHost::new(LocalHost::default(), faults));
        let shared = Arc::clone(&host);
        let fleet = ConnectionPool::new(By(move |_: &str| Shared(Arc::clone(&shared))), patient);
        (fleet, host)
    };
    // Staged at the third attempt, activated at the second.
    let (fleet, host) = calls(vec![refused.clone(), lost.clone(), Fault::None, refused.clone()]);
    let report = run(&world, &fleet, 1, Rollout::default(), Arc::new(Trusting)).await;
    assert!(report.is_good(), "{report:?}");
    assert_eq!(host.calls(), 5);
    // A switch that may have been done is not begun again, and a host that says no is believed.
    world.renew("one", 0, NEW);
    let (fleet, host) = calls(vec![Fault::None, lost]);
    let report = run(&world, &fleet, 2, Rollout::default(), Arc::new(Trusting)).await;
    assert!(matches!(
        report.hosts["one"],
        Outcome::Unreachable {
            phase: Phase::Activate,
            ..
        }
    ));
    assert_eq!(host.calls(), 2, "stage, activate");
    let (fleet, host) = calls(vec![wrong]);
    let report = run(&world, &fleet, 2, Rollout::default(), Arc::new(Trusting)).await;
    assert_eq!(failed(&report.hosts["one"]).0, Phase::Activate);
    assert_eq!(host.calls(), 1);
}

/// One host that keeps its faults over reconnections.
struct Shared(Arc<FakeHost<LocalHost>>);

impl Remote for Shared {
    async fn talk(
        &self,
        script: keytrail::remote::Script,
        answer: Option<keytrail::remote::Answer<'_>>,
    ) -> Result<keytrail::remote::Output, Unreachable> {
        self.0.talk(script, answer).await
    }
}
