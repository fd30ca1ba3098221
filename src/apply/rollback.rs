//! Bringing back an earlier state of hosts, from the records they keep.

use super::activate::{Activated, read, restart_output};
use super::payload::{Payload, Prelude, Sent};
use super::phase::{failure, garbled};
use super::pool::Cancel;
use super::run::{FailureBudget, Named, Run};
use super::{
    Connect, ConnectionPool, Judge, Outcome, Phase, PhaseError, Progress, Report, Rollout, RunInfo, Site,
};
use crate::plan::SwitchRecord;
use crate::remote::Remote;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const TEXT: &str = concat!(
    include_str!("../remote/scripts/guard.sh"),
    include_str!("scripts/common.sh"),
    include_str!("scripts/receive.sh"),
    include_str!("scripts/switch.sh"),
    include_str!("scripts/rollback.sh")
);

/// How far back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To what was there before that run; hosts which it did not change stay as they are.
    Run(String),
    /// Until the host stands in that generation of the vault or an earlier one.
    Generation(u64),
    /// One switch, whatever it was.
    Last,
}

impl Target {
    /// The records a host undoes to get there, of those it keeps (the last switch first).
    pub fn chosen<'r>(&self, records: &'r [SwitchRecord]) -> &'r [SwitchRecord] {
        let count = match self {
            Self::Last => records.len().min(1),
            Self::Run(run) => records
                .iter()
                .position(|record| record.run == *run)
                .map_or(0, |at| at + 1),
            Self::Generation(wanted) => records
                .iter()
                .take_while(|record| record.after.unwrap_or(0) > *wanted)
                .count(),
        };
        &records[..count]
    }

    fn line(&self) -> String {
        match self {
            Self::Run(run) => format!("run {run}"),
            Self::Generation(generation) => format!("generation {generation}"),
            Self::Last => "last".to_owned(),
        }
    }
}

/// A host that is to go back.
#[derive(Debug, Clone)]
pub struct Back {
    /// Its name.
    pub host: String,
    /// Where its files are.
    pub site: Site,
    /// The command that restarts its daemon.
    pub restart: Option<String>,
}

impl Named for Back {
    fn host(&self) -> &str {
        &self.host
    }
}

/// Everything there is to take back.
pub struct RollbackJob<R> {
    /// The hosts.
    pub hosts: Vec<Back>,
    /// How far back.
    pub target: Target,
    /// Also over files that somebody changed by hand since.
    pub force: bool,
    /// What hosts are told of the run.
    pub run_info: RunInfo,
    /// In which order, and how much trouble is borne.
    pub rollout: Rollout,
    /// Who says whether a host is well.
    pub judge: Arc<dyn Judge<R>>,
}

/// Takes hosts back, batch by batch as the rollout says, and has a judge look at each.
pub async fn rollback<C: Connect>(
    fleet: &Arc<ConnectionPool<C>>,
    job: RollbackJob<C::Remote>,
    progress: Arc<dyn Progress>,
    cancel: &Cancel,
) -> Report {
    let RollbackJob {
        hosts,
        target,
        force,
        run_info,
        rollout,
        judge,
    } = job;
    let mut run = Run::new(fleet, progress, cancel);
    for back in &hosts {
        run.expect(&back.host, true);
    }
    let hosts: HashMap<String, Arc<Back>> = hosts
        .into_iter()
        .map(|back| (back.host.clone(), Arc::new(back)))
        .collect();
    let budget = FailureBudget::new(rollout.max_fail);
    let (run_info, target) = (Arc::new(run_info), target.line());
    let mut stopped = Ok(());
    for batch in rollout.batches {
        let work = batch.hosts.iter().filter_map(|name| hosts.get(name).cloned());
        let (run_info, target, judge) = (Arc::clone(&run_info), target.clone(), Arc::clone(&judge));
        let results = run
            .phase(
                Phase::Rollback,
                Some(batch.wave),
                work.collect(),
                &budget,
                move |fleet, back: Arc<Back>, permit| {
                    let (run_info, target, judge) =
                        (Arc::clone(&run_info), target.clone(), Arc::clone(&judge));
                    async move {
                        let prelude = Prelude {
                            lock: run_info.lock.as_ref(),
                            target: Some(&target),
                            force,
                            ..Prelude::default()
                        };
                        let input = input(&back, &prelude)?;
                        let host = fleet.host(&back.host)?;
                        let (done, since) = go(&*host, input, fleet.limits().activate).await?;
                        if let Some(since) = since.filter(|_| judge.limit(&back.host).is_some()) {
                            permit.lend(judge.judge(&back.host, &*host, since)).await?;
                        }
                        Ok(done)
                    }
                },
            )
            .await;
        for (back, result) in results {
            let outcome = match result {
                Ok(done) if done.changed == 0 => Outcome::Unchanged,
                Ok(done) => Outcome::Changed {
                    changes: done.changed,
                    restart: done.restart,
                    untold: None,
                },
                Err(error) => Outcome::of(Phase::Rollback, error),
            };
            run.settle(&back.host, outcome);
        }
        stopped = run.go_on(budget.excess(), &budget.words(batch.wave));
        if stopped.is_err() {
            break;
        }
    }
    run.end(stopped)
}

fn input(back: &Back, prelude: &Prelude<'_>) -> Result<Sent, PhaseError> {
    let mut payload = Payload::default();
    if let Some(command) = &back.restart {
        payload.set_restart(command);
    }
    payload.finish(&back.site, prelude)
}

/// Sends it. What changed, and when the daemon was restarted.
async fn go(host: &impl Remote, sent: Sent, limit: Duration) -> Result<(Activated, Option<i64>), PhaseError> {
    let script = sent.script(TEXT, limit);
    let output = host.run(script).await?;
    let stdout = output.stdout.expose();
    if output.status != 0 {
        let said = restart_output(stdout).ok().flatten();
        return Err(failure(&output).with_output(said.as_deref().unwrap_or_default()));
    }
    let done = read(stdout).map_err(|why| garbled(&why))?;
    Ok((done, super::activate::since(stdout)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undone_follows_from_the_records() {
        let record = |run: &str, before, after| SwitchRecord {
            run: run.into(),
            before,
            after,
            at: 0,
        };
        let kept = [
            record("9", Some(5), Some(7)),
            record("8", Some(5), Some(5)),
            record("6", None, Some(5)),
        ];
        let count = |target: &Target| target.chosen(&kept).len();
        assert_eq!(count(&Target::Last), 1);
        assert_eq!(count(&Target::Run("8".into())), 2);
        assert_eq!(count(&Target::Run("7".into())), 0);
        assert_eq!(count(&Target::Generation(7)), 0);
        assert_eq!(count(&Target::Generation(6)), 1);
        assert_eq!(count(&Target::Generation(5)), 1);
        assert_eq!(count(&Target::Generation(0)), 3);
    }
}
