//! Hosts in one generation that are to come to the next, and back.

use super::world::{World, here};
use keytrail::apply::{
    Back, Cancel, Connect, ConnectionPool, HostLock, Job, Judge, Judgement, Outcome, Phase, PhaseError,
    Report, RollbackJob, Rollout, RunInfo, Silent, Target, Trusting, apply, rollback,
};
use keytrail::plan::order::Batch;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const NEW: u64 = 4_004_200_000;

/// A judge who dislikes some hosts, and remembers whom he saw.
pub struct Dislikes {
    pub hosts: Vec<&'static str>,
    pub limit: Duration,
    pub seen: Mutex<Vec<(String, i64)>>,
}

impl Dislikes {
    pub fn new(hosts: &[&'static str]) -> Arc<Self> {
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
pub async fn two_generations(
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

pub fn terms(generation: u64) -> RunInfo {
    RunInfo {
        run: format!("run{generation}"),
        generation,
        lock: Some(lock("us")),
    }
}

pub fn lock(id: &str) -> HostLock {
    HostLock {
        id: id.into(),
        lease: Duration::from_secs(600),
        words: format!("{id}@controller since noon for 'apply'"),
    }
}

pub async fn run<C: Connect>(
    world: &World,
    fleet: &Arc<ConnectionPool<C>>,
    generation: u64,
    rollout: Rollout,
    judge: Arc<dyn Judge<C::Remote>>,
) -> Report {
    let work = world.work(&world.observe(&here()).await);
    let job = Job {
        run_info: terms(generation),
        rollout,
        judge,
        ..world.job(work)
    };
    apply(fleet, job, Arc::new(Silent), &Cancel::default()).await
}

pub async fn back(world: &World, hosts: &[&str], target: &Target, force: bool) -> Report {
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
        RollbackJob {
            hosts: backs,
            target: target.clone(),
            force,
            run_info: terms(9),
            rollout,
            judge: Arc::new(Trusting),
        },
        Arc::new(Silent),
        &Cancel::default(),
    )
    .await
}

#[track_caller]
pub fn rolled_back(outcome: &Outcome) -> (Phase, &str, &str) {
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
pub fn in_use(tree: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let used = |name: &&String| !name.contains("/ntpkey_RSA");
    let entries = tree.iter().filter(|(name, _)| used(name));
    entries
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
