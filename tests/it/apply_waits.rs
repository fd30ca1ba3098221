//! Hosts that wait for their daemons to authenticate do not keep others from being worked on.

use crate::common::world::{By, World, limits};
use keytrail::apply::{Cancel, ConnectionPool, Job, Judge, Judgement, Limits, Silent, apply};
use keytrail::remote::LocalHost;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    let names: Vec<String> = (0..9).map(|number| format!("h{number}")).collect();
    for name in &names {
        world.add(name, 0);
    }
    let fleet = |connections| {
        let limits = Limits {
            jobs: 2,
            connections,
            ..limits()
        };
        ConnectionPool::new(By(|_: &str| LocalHost::default()), limits)
    };
    // Nobody's wait ends before all nine have begun theirs.
    let work = world.work(&world.observe(&fleet(9)).await);
    let job = Job {
        judge: Arc::new(Together(Barrier::new(9))),
        ..world.job(work)
    };
    let report = apply(&fleet(9), job, Arc::new(Silent), &Cancel::default()).await;
    assert!(report.is_good(), "{report:?}");

    // Of seven connections three are for hosts at rest, and three wait together, three times.
    for name in &names {
        world.renew(name, 0, 4_004_200_000);
    }
    let work = world.work(&world.observe(&fleet(7)).await);
    let job = Job {
        judge: Arc::new(Together(Barrier::new(3))),
        ..world.job(work)
    };
    let report = apply(&fleet(7), job, Arc::new(Silent), &Cancel::default()).await;
    assert!(report.is_good(), "{report:?}");
}

/// How often hosts are connected to by a run that looks, stages and activates.
async fn connects(connections: usize) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path());
    for number in 0..9 {
        world.add(&format!("h{number}"), 0);
    }
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let connect = By(move |_: &str| {
        counted.fetch_add(1, Ordering::Relaxed);
        LocalHost::default()
    });
    let limits = Limits {
        jobs: 1,
        connections,
        ..limits()
    };
    let fleet = ConnectionPool::new(connect, limits);
    let work = world.work(&world.observe(&fleet).await);
    let report = apply(&fleet, world.job(work), Arc::new(Silent), &Cancel::default()).await;
    assert!(report.is_good(), "{report:?}");
    count.load(Ordering::Relaxed)
}

#[tokio::test]
async fn hosts_stay_connected_as_far_as_there_is_room() {
    assert_eq!(connects(9).await, 9);
    assert_eq!(connects(7).await, 3 + 3 * 6);
    assert_eq!(connects(1).await, 3 * 9);
}
