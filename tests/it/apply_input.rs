//! The phases where what a host gets is not what was planned for it, or the host is not what the plan was made from.

use crate::common::world::{CONF, KEYS, MARKER, World, failed, here, with_faults};
use keytrail::apply::{Cancel, Connect, ConnectionPool, ContentSource, Job, Phase, apply};
use keytrail::plan::Action;
use keytrail::remote::fake::Fault;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

#[tokio::test]
async fn input_cut_short_is_never_acted_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    world.add("bad", 0);
    let before = world.tree("bad");
    let observed = world.observe(&here()).await;
    // Streams are two members of a block of header and one of content each, and two empty blocks that say nothing.
    for cut in [0, 1, 400, 512, 700, 1023, 1024, 1100, 1400, 1536, 2000] {
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
        fleet: &Arc<ConnectionPool<A>>,
        looking: &Arc<ConnectionPool<B>>,
    ) -> keytrail::apply::Report {
        let work = self.work(&self.observe(looking).await);
        self.run(fleet, work).await
    }
}

#[tokio::test]
async fn damaged_input_is_never_acted_on() {
    let dir = tempfile::tempdir().unwrap();
    // From its end a stream is: two empty blocks; then, member by member, a block of content and one of header. The first byte of a block is content, a name or a verb, the 110th content or a path.
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
    let job = Job {
        contents: Arc::new(Wrong),
        ..world.job(work)
    };
    let report = apply(&here(), job, silent, &Cancel::default()).await;
    assert!(failed(&report.hosts["one"]).1.contains("make a new plan"));
    assert!(!world.path("one", KEYS).exists());
}
