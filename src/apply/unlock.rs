//! Taking locks of hosts away.

use super::payload::Prelude;
use super::phase::{failure, garbled};
use super::pool::Cancel;
use super::reply::Reply;
use super::run::{FailureBudget, Named, Run};
use super::{Connect, ConnectionPool, Outcome, Phase, PhaseError, Progress, Report, RunInfo, Site};
use crate::remote::{Facts, Remote, Script};
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const TEXT: &str = concat!(
    include_str!("../remote/scripts/guard.sh"),
    include_str!("scripts/common.sh"),
    include_str!("scripts/unlock.sh")
);

struct Locked {
    host: String,
    site: Site,
}

impl Named for Locked {
    fn host(&self) -> &str {
        &self.host
    }
}

/// Whose locks are taken away.
#[derive(Debug, Clone)]
pub enum LocksOf {
    /// Those of this run.
    Run(RunInfo),
    /// Anybody's.
    Anybody,
}

/// Takes away locks. Says how hosts ended, and whose the locks were.
pub async fn unlock<C: Connect>(
    fleet: &Arc<ConnectionPool<C>>,
    sites: Vec<(String, Site)>,
    locks: LocksOf,
    progress: &Arc<dyn Progress>,
    cancel: &Cancel,
) -> (Report, BTreeMap<String, String>) {
    let mut run = Run::new(fleet, Arc::clone(progress), cancel);
    let hosts: Vec<_> = sites
        .into_iter()
        .map(|(host, site)| Arc::new(Locked { host, site }))
        .collect();
    for locked in &hosts {
        run.expect(&locked.host, true);
    }
    let owners = Arc::new(Mutex::new(BTreeMap::new()));
    let (locks, told) = (Arc::new(locks), Arc::clone(&owners));
    let results = run
        .phase(
            Phase::Unlock,
            None,
            hosts,
            &FailureBudget::any(),
            move |fleet, locked, _| {
                let (locks, told) = (Arc::clone(&locks), Arc::clone(&told));
                async move {
                    let prelude = Prelude {
                        lock: match &*locks {
                            LocksOf::Run(run) => run.lock.as_ref(),
                            LocksOf::Anybody => None,
                        },
                        force: matches!(*locks, LocksOf::Anybody),
                        ..Prelude::default()
                    };
                    let facts = prelude.facts(&locked.site)?;
                    let host = fleet.host(&locked.host)?;
                    let owner = take_away(&*host, facts, fleet.limits().observe).await?;
                    let changed = usize::from(owner.is_some());
                    if let Some(owner) = owner {
                        told.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(locked.host.clone(), owner);
                    }
                    Ok(super::activate::Activated {
                        changed,
                        ..super::activate::Activated::default()
                    })
                }
            },
        )
        .await;
    for (locked, result) in results {
        let outcome = match result {
            Ok(done) if done.changed == 0 => Outcome::Unchanged,
            Ok(done) => Outcome::Changed {
                changes: done.changed,
                restart: None,
                untold: None,
            },
            Err(error) => Outcome::of(Phase::Unlock, error),
        };
        run.settle(&locked.host, outcome);
    }
    let stopped = run.go_on(0, "");
    let owners = std::mem::take(&mut *owners.lock().unwrap_or_else(PoisonError::into_inner));
    (run.end(stopped), owners)
}

/// Whose the lock was, if there was one to take away.
async fn take_away(host: &impl Remote, facts: Facts, limit: Duration) -> Result<Option<String>, PhaseError> {
    let script = Script {
        text: TEXT,
        facts,
        input: Secret::new(Vec::new()),
        limit,
    };
    let output = host.run(script).await?;
    if output.status != 0 {
        return Err(failure(&output));
    }
    let read = || -> Result<Option<String>, String> {
        let mut reply = Reply::open(output.stdout.expose())?;
        let mut owner = None;
        loop {
            match reply.line()? {
                "end" => return Ok(owner),
                line => owner = line.strip_prefix("lock ").map(str::to_owned),
            }
        }
    };
    read().map_err(|why| garbled(&why))
}
