//! Hosts that are taken back by their own records, what of their media is retired, and whose turn it is.

use crate::common::generations::*;
use crate::common::world::{CONF, KEYS, World, failed, here};
use keytrail::apply::{Cancel, LocksOf, Outcome, Phase, Progress, Rollout, Silent, Target, Trusting, unlock};
use keytrail::plan::SwitchRecord;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

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
    let (report, owners) = unlock(
        &here(),
        sites(),
        LocksOf::Run(terms(2)),
        &silent,
        &Cancel::default(),
    )
    .await;
    assert!(report.is_unchanged() && owners.is_empty());
    let (report, owners) = unlock(&here(), sites(), LocksOf::Anybody, &silent, &Cancel::default()).await;
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
