//! Hosts whose running daemon is told instead of restarted: what is run on them, and what they are left with when that fails.

use crate::common::world::{CONF, World, here};
use keytrail::apply::{
    Cancel, Connect, ConnectionPool, HostWork, Job, Judge, Judgement, Outcome, PhaseError, Report, Silent,
    Trusting, apply,
};
use keytrail::plan::Action;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

const NEW: u64 = 4_004_200_000;

/// A judge who is never content.
struct Dislikes;

impl<R: Send + Sync> Judge<R> for Dislikes {
    fn limit(&self, _: &str) -> Option<Duration> {
        Some(Duration::from_secs(30))
    }

    fn judge<'a>(&'a self, _: &'a str, _: &'a R, _: i64) -> Judgement<'a> {
        let message = "refused by its server".into();
        Box::pin(async {
            Err(PhaseError::Failed {
                message,
                help: None,
                stderr: String::new(),
            })
        })
    }
}

struct LiveUpdate {
    world: World,
    work: Vec<HostWork>,
    _dir: tempfile::TempDir,
}

impl LiveUpdate {
    /// A host in its first generation, and the work of the second with a daemon that is told by `tell` and restarted by
    /// `restart`; both say so in a log.
    async fn new(tell: &str, restart: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::new(dir.path());
        world.add("one", 0);
        assert!(world.apply(&here()).await.is_good());
        fs::remove_file(world.path("one", "restarts")).unwrap();
        world.renew("one", 0, NEW);
        let log = world.path("one", "restarts");
        let (log, conf) = (log.display(), world.path("one", CONF));
        let command = |word: &str, then: &str| {
            let then = then.replace("CONF", &conf.display().to_string());
            format!("echo {word} >>{log}; {then}")
        };
        let (tell, restart) = (command("tell", tell), command("restart", restart));
        let spec = world.contents.add(tell, 0o600);
        let mut work = world.work(&world.observe(&here()).await);
        for action in &mut work[0].plan.actions {
            if let Action::Restart { .. } = action {
                *action = Action::Tell {
                    changes: vec!["read the key file again".into()],
                    digest: spec.digest,
                    restart: restart.clone(),
                };
            }
        }
        assert!(!work[0].plan.told().is_empty());
        Self {
            world,
            work,
            _dir: dir,
        }
    }

    async fn run<C: Connect>(
        &self,
        fleet: &Arc<ConnectionPool<C>>,
        judge: Arc<dyn Judge<C::Remote>>,
    ) -> Report {
        let work = self.work.iter().map(|work| HostWork {
            plan: work.plan.clone(),
            site: work.site.clone(),
            record: work.record.clone(),
        });
        let job = Job {
            judge,
            ..self.world.job(work.collect())
        };
        apply(fleet, job, Arc::new(Silent), &Cancel::default()).await
    }

    /// What was run, in order.
    fn ran(&self) -> String {
        let text = fs::read_to_string(self.world.path("one", "restarts")).unwrap_or_default();
        text.lines().collect::<Vec<_>>().join(" ")
    }

    fn is_new(&self) -> bool {
        self.world.read("one", CONF).contains(&NEW.to_string())
    }
}

#[tokio::test]
async fn who_is_told_is_not_restarted() {
    let told = LiveUpdate::new("true", "true").await;
    let report = told.run(&here(), Arc::new(Trusting)).await;
    let Outcome::Changed { restart, untold, .. } = &report.hosts["one"] else {
        panic!("{report:?}");
    };
    assert_eq!((restart, untold), (&None, &None));
    assert_eq!(told.ran(), "tell");
    assert!(told.is_new());
    let observed = told.world.observe(&here()).await;
    assert!(!observed["one"].as_ref().unwrap().restart_pending);
    // The same work once more, as after a lost answer: whether it was told nobody knows.
    let report = told.run(&here(), Arc::new(Trusting)).await;
    assert!(report.is_good(), "{report:?}");
    assert_eq!(told.ran(), "tell restart");
}

#[tokio::test]
async fn who_does_not_take_it_is_restarted_with_the_new_files() {
    let told = LiveUpdate::new("echo 'no such key'; exit 1", "echo well").await;
    let report = told.run(&here(), Arc::new(Trusting)).await;
    let Outcome::Changed { restart, untold, .. } = &report.hosts["one"] else {
        panic!("{report:?}");
    };
    assert_eq!(untold.as_deref(), Some("no such key"));
    assert_eq!(restart.as_deref(), Some("well\n"));
    assert_eq!(told.ran(), "tell restart");
    assert!(told.is_new());
}

#[tokio::test]
async fn who_does_not_come_up_then_goes_back() {
    let told = LiveUpdate::new(
        "echo 'no such key'; exit 1",
        &format!("! grep -q {NEW} CONF || {{ echo 'bad file'; exit 3; }}"),
    )
    .await;
    let report = told.run(&here(), Arc::new(Trusting)).await;
    let Outcome::RolledBack { message, stderr, .. } = &report.hosts["one"] else {
        panic!("{report:?}");
    };
    assert_eq!(
        message,
        "the restart command failed with exit status 3; everything is as it was before"
    );
    assert_eq!(stderr, "no such key\nbad file");
    assert_eq!(told.ran(), "tell restart restart");
    assert!(!told.is_new());
}

#[tokio::test]
async fn who_is_told_and_not_well_goes_back_with_a_restart() {
    let told = LiveUpdate::new("true", "true").await;
    let report = told.run(&here(), Arc::new(Dislikes)).await;
    let Outcome::RolledBack { message, .. } = &report.hosts["one"] else {
        panic!("{report:?}");
    };
    assert_eq!(message, "refused by its server");
    assert_eq!(told.ran(), "tell restart");
    assert!(!told.is_new());
}
