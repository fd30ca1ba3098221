//! Ways back: hosts that return to their former state by themselves, or are taken back; locks; canaries.

mod common;

use common::Lab;
use common::world::{By, CONF, KEYS, World, failed, here, limits, over_ssh};
use keytrail::apply::{
    Back, Cancel, Connect, Fleet, HostLock, Job, Judge, Judgement, Outcome, Phase, PhaseError, Progress,
    Report, Rollout, Silent, Target, Terms, Trusting, apply, rollback, unlock,
};
use keytrail::plan::SwitchRecord;
use keytrail::plan::order::{Batch, Pace, Share, batches};
use keytrail::remote::fake::{FakeHost, Fault};
use keytrail::remote::{LocalHost, Remote, Unreachable};
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NEW: u64 = 4_004_200_000;

/// A judge who dislikes some hosts, and remembers whom he saw.
struct Dislikes {
    hosts: Vec<&'static str>,
    limit: Duration,
    seen: Mutex<Vec<(String, i64)>>,
}

impl Dislikes {
    fn new(hosts: &[&'static str]) -> Arc<Self> {
        Arc::new(Self {
            hosts: hosts.into(),
            limit: Duration::from_secs(30),
            seen: Mutex::default(),
        })
    }
}

impl<R: Send + Sync> Judge<R> for Dislikes {
    fn limit(&self, _: &str) -> Option<Duration> {
        Some(self.limit)
    }

    fn judge<'a>(&'a self, host: &'a str, _: &'a R, since: i64) -> Judgement<'a> {
        self.seen.lock().unwrap().push((host.to_owned(), since));
        Box::pin(async move {
            if self.hosts.contains(&host) {
                return Err(PhaseError::Failed {
                    message: "error 114 after the restart".into(),
                    help: Some("look at the group key".into()),
                    stderr: "114 identity not verified".into(),
                });
            }
            Ok(())
        })
    }
}

/// Hosts in generation 1, and what generation 2 would be.
async fn two_generations(
    world: &mut World,
    hosts: &[(&str, u32)],
) -> BTreeMap<String, BTreeMap<String, String>> {
    for (host, wave) in hosts {
        world.add(host, *wave);
    }
    let report = run(world, &here(), 1, Rollout::default(), Arc::new(Trusting)).await;
    assert!(report.is_good(), "{report:?}");
    let trees = hosts
        .iter()
        .map(|(host, _)| ((*host).to_owned(), world.tree(host)));
    let trees = trees.collect();
    for (host, wave) in hosts {
        world.renew(host, *wave, NEW);
    }
    trees
}

fn terms(generation: u64) -> Terms {
    Terms {
        run: format!("run{generation}"),
        generation,
        lock: Some(lock("us")),
    }
}

fn lock(id: &str) -> HostLock {
    HostLock {
        id: id.into(),
        lease: Duration::from_secs(600),
        words: format!("{id}@controller since noon for 'apply'"),
    }
}

async fn run<C: Connect>(
    world: &World,
    fleet: &Arc<Fleet<C>>,
    generation: u64,
    rollout: Rollout,
    judge: Arc<dyn Judge<C::Remote>>,
) -> Report {
    let work = world.work(&world.observe(&here()).await);
    let job = Job {
        terms: terms(generation),
        rollout,
        judge,
        ..world.job(work)
    };
    apply(fleet, job, Arc::new(Silent), &Cancel::default()).await
}

async fn back(world: &World, hosts: &[&str], target: &Target, force: bool) -> Report {
    let backs = hosts
        .iter()
        .map(|host| Back {
            host: (*host).to_owned(),
            site: world.site(host),
            restart: world.desired[*host].restart.clone(),
        })
        .collect();
    let rollout = Rollout {
        batches: vec![Batch {
            wave: 0,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        }],
        max_fail: 0,
    };
    rollback(
        &here(),
        backs,
        target,
        force,
        &terms(9),
        rollout,
        Arc::new(Trusting),
        Arc::new(Silent),
        &Cancel::default(),
    )
    .await
}

#[track_caller]
fn rolled_back(outcome: &Outcome) -> (Phase, &str, &str) {
    match outcome {
        Outcome::RolledBack {
            phase,
            message,
            stderr,
            ..
        } => (*phase, message, stderr),
        other => panic!("{other:?}"),
    }
}

/// What counts of a host: its links and configuration. Media of the new generation may be there, unused.
fn in_use(tree: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let used = |name: &&String| !name.contains("/ntpkey_RSA");
    let entries = tree.iter().filter(|(name, _)| used(name));
    entries
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

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

/// A host that hears no word: its connection is lost while it waits, or nobody says anything.
#[tokio::test]
async fn a_host_that_hears_no_word_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    let before = two_generations(&mut world, &[("one", 0)]).await;
    let deaf = Fleet::new(
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
async fn a_fleet_is_taken_back_by_run_or_by_generation() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    let hosts = [("a", 0), ("b", 1)];
    let first = two_generations(&mut world, &hosts).await;
    assert!(
        run(&world, &here(), 2, Rollout::default(), Arc::new(Trusting))
            .await
            .is_good()
    );
    let second = world.tree("a");
    world.renew("a", 0, NEW + 1);
    assert!(
        run(&world, &here(), 3, Rollout::default(), Arc::new(Trusting))
            .await
            .is_good()
    );

    let observed = world.observe(&here()).await;
    let records = observed["a"].as_ref().unwrap().records.iter();
    let shape: Vec<_> = records
        .map(
            |SwitchRecord {
                 run, before, after, ..
             }| (run.as_str(), *before, *after),
        )
        .collect();
    assert_eq!(
        shape,
        [
            ("run3", Some(2), Some(3)),
            ("run2", Some(1), Some(2)),
            ("run1", None, Some(1))
        ]
    );

    // Run 3 changed one host only; taking it back leaves the other alone.
    let report = back(&world, &["a", "b"], &Target::Run("run3".into()), false).await;
    assert!(report.is_good(), "{report:?}");
    assert!(matches!(report.hosts["b"], Outcome::Unchanged));
    assert_eq!(in_use(&world.tree("a")), in_use(&second));

    // From 2 to 1, and then to what was there before keytrail.
    let report = back(&world, &["a", "b"], &Target::Generation(1), false).await;
    assert!(report.is_good(), "{report:?}");
    for host in ["a", "b"] {
        assert_eq!(in_use(&world.tree(host)), in_use(&first[host]), "{host}");
    }
    let report = back(&world, &["a"], &Target::Last, false).await;
    assert!(report.is_good(), "{report:?}");
    assert_eq!(world.read("a", CONF), "driftfile /var/lib/ntp/drift\n");
    assert!(!world.tree("a").values().any(|value| value.starts_with("->")));
    let report = back(&world, &["a"], &Target::Last, false).await;
    assert!(
        matches!(report.hosts["a"], Outcome::Unchanged),
        "nothing further back"
    );

    // Several switches at once, and forward again by an ordinary apply.
    assert!(
        run(&world, &here(), 4, Rollout::default(), Arc::new(Trusting))
            .await
            .is_good()
    );
    assert_eq!(
        world.observe(&here()).await["a"].as_ref().unwrap().generation,
        Some(4)
    );
    let report = back(&world, &["b"], &Target::Generation(0), false).await;
    assert!(report.is_good(), "{report:?}");
    assert_eq!(world.read("b", CONF), "driftfile /var/lib/ntp/drift\n");
}

#[tokio::test]
async fn media_that_nothing_needs_any_more_are_retired() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    two_generations(&mut world, &[("one", 0)]).await;
    let by_hand = world.path("one", KEYS).join("ntpkey_RSAhost_other.4004000000");
    fs::write(&by_hand, "not keytrail's").unwrap();
    let mut former = BTreeMap::new();
    for generation in 2..=9 {
        world.renew("one", 0, NEW + generation);
        let desired = world.desired.get_mut("one").unwrap();
        let now = desired.media.iter();
        let now: Vec<_> = now.map(|(path, file)| (path.clone(), file.digest)).collect();
        desired.former.clone_from(&former);
        former.extend(now);
        let report = run(
            &world,
            &here(),
            generation,
            Rollout::default(),
            Arc::new(Trusting),
        )
        .await;
        assert!(report.is_good(), "{report:?}");
        assert!(
            run(
                &world,
                &here(),
                generation,
                Rollout::default(),
                Arc::new(Trusting)
            )
            .await
            .is_unchanged()
        );
    }
    let tree = world.tree("one");
    let there = |stamp: u64| tree.contains_key(&format!("etc/ntp/crypto/ntpkey_RSAhost_one.{stamp}"));
    // Five ways back need the media of generations 4 to 8; one more goes only with the next change.
    let kept: Vec<u64> = (2..=9).filter(|generation| there(NEW + generation)).collect();
    assert_eq!(kept, [3, 4, 5, 6, 7, 8, 9]);
    assert!(by_hand.exists(), "what keytrail did not place it does not remove");
    let report = back(&world, &["one"], &Target::Generation(4), false).await;
    assert!(report.is_good(), "{report:?}");
    assert!(world.tree("one")["etc/ntp/crypto/ntpkey_host_one"].ends_with(&(NEW + 4).to_string()));
}

#[tokio::test]
async fn hand_made_changes_are_not_rolled_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    let first = two_generations(&mut world, &[("one", 0)]).await;
    assert!(
        run(&world, &here(), 2, Rollout::default(), Arc::new(Trusting))
            .await
            .is_good()
    );
    fs::write(world.path("one", CONF), "by hand\n").unwrap();
    let report = back(&world, &["one"], &Target::Last, false).await;
    let (phase, message, ..) = failed(&report.hosts["one"]);
    assert_eq!(
        (phase, message),
        (
            Phase::Rollback,
            "/etc/ntp.conf has been changed since keytrail put it there"
        )
    );
    assert_eq!(world.read("one", CONF), "by hand\n");
    let report = back(&world, &["one"], &Target::Last, true).await;
    assert!(report.is_good(), "{report:?}");
    assert_eq!(in_use(&world.tree("one")), in_use(&first["one"]));
}

#[tokio::test]
async fn two_controllers_do_not_work_on_one_host() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    two_generations(&mut world, &[("one", 0)]).await;
    let state = world.path("one", KEYS).join(".keytrail");
    let lock_file = state.join("lock");
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    fs::write(
        &lock_file,
        format!("others {} bob@elsewhere since noon for 'apply'\n", now + 500),
    )
    .unwrap();
    let before = world.tree("one");
    let report = run(&world, &here(), 2, Rollout::default(), Arc::new(Trusting)).await;
    let (phase, message, help, _) = failed(&report.hosts["one"]);
    assert_eq!(
        (phase, message),
        (Phase::Stage, "locked by bob@elsewhere since noon for 'apply'")
    );
    assert!(help.contains("keytrail unlock"), "{help}");
    assert_eq!(world.tree("one"), before);

    // Not ours to take away, unless it must be.
    let sites = || vec![("one".to_owned(), world.site("one"))];
    let silent: Arc<dyn Progress> = Arc::new(Silent);
    let (report, owners) = unlock(&here(), sites(), &terms(2), false, &silent, &Cancel::default()).await;
    assert!(report.is_unchanged() && owners.is_empty());
    let (report, owners) = unlock(&here(), sites(), &terms(2), true, &silent, &Cancel::default()).await;
    assert!(report.is_good() && !lock_file.exists());
    assert_eq!(owners["one"], "bob@elsewhere since noon for 'apply'");

    // A dead owner's time ends; our own lock of a run that died is taken on.
    for left in [format!("others {} bob", now - 1), format!("us {} ann", now + 500)] {
        fs::write(&lock_file, left + "\n").unwrap();
        let report = run(&world, &here(), 2, Rollout::default(), Arc::new(Trusting)).await;
        assert!(report.is_good(), "{report:?}");
        assert!(!lock_file.exists());
        world.renew("one", 0, NEW + 7);
    }
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
        let fleet = Fleet::new(By(move |_: &str| Shared(Arc::clone(&shared))), patient);
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
