//! Hosts that wait for their daemons to authenticate do not keep others from being worked on.

mod common;

use common::world::{By, World, limits};
use keytrail::apply::{Cancel, Fleet, Job, Judge, Judgement, Limits, Silent, apply};
use keytrail::remote::LocalHost;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;

/// Is content with a host once so many are looked at together.
struct Together(Barrier);

impl<R: Send + Sync> Judge<R> for Together {
    fn limit(&self, _: &str) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }

    fn judge<'a>(&'a self, _: &'a str, _: &'a R, _: i64) -> Judgement<'a> {
        Box::pin(async move {
            self.0.wait().await;
            Ok(())
        })
    }
}

#[tokio::test]
async fn waits_of_more_hosts_than_jobs_overlap() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    let names: Vec<String> = (0..6).map(|number| format!("h{number}")).collect();
    for name in &names {
        world.add(name, 0);
    }
    let fleet = |connections| {
        let limits = Limits {
            jobs: 2,
            connections,
            ..limits()
        };
        Fleet::new(By(|_: &str| LocalHost::default()), limits)
    };
    // Nobody's wait ends before all six have begun theirs.
    let work = world.work(&world.observe(&fleet(6)).await);
    let job = Job {
        judge: Arc::new(Together(Barrier::new(6))),
        ..world.job(work)
    };
    let report = apply(&fleet(6), job, Arc::new(Silent), &Cancel::default()).await;
    assert!(report.is_good(), "{report:?}");

    // As many as there may be connections, and no more: three wait together, then the other three.
    for name in &names {
        world.renew(name, 0, 4_004_200_000);
    }
    let work = world.work(&world.observe(&fleet(3)).await);
    let job = Job {
        judge: Arc::new(Together(Barrier::new(3))),
        ..world.job(work)
    };
    let report = apply(&fleet(3), job, Arc::new(Silent), &Cancel::default()).await;
    assert!(report.is_good(), "{report:?}");
}
