//! Stage everywhere, then activate batch by batch.

use super::activate::{self, Activated};
use super::pool::Cancel;
use super::progress::{Event, Progress};
use super::report::{Outcome, Report};
use super::run::{FailureBudget, Named, Run};
use super::unlock::{LocksOf, unlock};
use super::{
    Connect, ConnectionPool, ContentSource, HostWork, Judge, NotReady, Phase, PhaseError, Rollout, RunInfo,
    Site, stage,
};
use crate::plan::order::Batch;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Everything there is to do.
pub struct Job<R> {
    /// On which hosts.
    pub work: Vec<HostWork>,
    /// Where contents come from.
    pub contents: Arc<dyn ContentSource>,
    /// What hosts are told of the run.
    pub run_info: RunInfo,
    /// In which order, and how much trouble is borne.
    pub rollout: Rollout,
    /// Who says whether a host is well.
    pub judge: Arc<dyn Judge<R>>,
}

/// Runs a job. Nothing is activated anywhere before everything is staged everywhere; when more hosts have failed
/// than are budget to, no other host is begun. Hosts in flight always finish their phase.
pub async fn apply<C: Connect>(
    fleet: &Arc<ConnectionPool<C>>,
    job: Job<C::Remote>,
    progress: Arc<dyn Progress>,
    cancel: &Cancel,
) -> Report {
    let mut run = Run::new(fleet, progress, cancel);
    let Job {
        work,
        contents,
        run_info,
        rollout,
        judge,
    } = job;
    let steps = Steps {
        contents,
        run_info: Arc::new(run_info),
        judge,
    };
    let work: Vec<_> = work.into_iter().map(Arc::new).collect();
    for host in &work {
        run.expect(&host.plan.host, host.plan.is_changed());
    }
    let stopped = steps.all(&mut run, &work, rollout).await;
    steps.unlock_waiting(&mut run, &work).await;
    run.end(stopped)
}

/// What is done to hosts.
struct Steps<R> {
    contents: Arc<dyn ContentSource>,
    run_info: Arc<RunInfo>,
    judge: Arc<dyn Judge<R>>,
}

impl<R: crate::remote::Remote + 'static> Steps<R> {
    /// All phases. `Err`: why not all.
    async fn all<C: Connect<Remote = R>>(
        &self,
        run: &mut Run<C>,
        work: &[Arc<HostWork>],
        rollout: Rollout,
    ) -> Result<(), String> {
        let to_stage = work.iter().filter(|host| host.needs_staging());
        self.stage(run, to_stage.cloned().collect()).await?;

        let by_name: HashMap<&str, &Arc<HostWork>> = work
            .iter()
            .filter(|host| host.needs_activation())
            .map(|host| (host.plan.host.as_str(), host))
            .collect();
        let mut budget = FailureBudget::new(rollout.max_fail);
        for Batch { wave, hosts } in in_order(work, rollout.batches) {
            let hosts: Vec<_> = hosts
                .iter()
                .filter_map(|name| by_name.get(name.as_str()).copied().cloned())
                .filter(|host| run.waits(&host.plan.host))
                .collect();
            if hosts.is_empty() {
                continue;
            }
            let hosts = self.ready(run, hosts, &budget).await;
            self.activate(run, wave, hosts, &mut budget).await?;
        }
        Ok(())
    }

    /// The hosts of a batch that may begin; the others end here.
    async fn ready<C: Connect<Remote = R>>(
        &self,
        run: &mut Run<C>,
        mut hosts: Vec<Arc<HostWork>>,
        budget: &FailureBudget,
    ) -> Vec<Arc<HostWork>> {
        let names: Vec<String> = hosts.iter().map(|host| host.plan.host.clone()).collect();
        for NotReady { host, message, help } in self.judge.unready(&names).await {
            hosts.retain(|work| work.plan.host != host);
            budget.add();
            run.settle(&host, Outcome::NotReady { message, help });
        }
        hosts
    }

    async fn stage<C: Connect<Remote = R>>(
        &self,
        run: &mut Run<C>,
        hosts: Vec<Arc<HostWork>>,
    ) -> Result<(), String> {
        let phase = Phase::Stage;
        let (contents, run_info) = (Arc::clone(&self.contents), Arc::clone(&self.run_info));
        let results = run
            .phase(
                phase,
                None,
                hosts,
                &FailureBudget::any(),
                move |fleet, work, _| {
                    let (contents, run_info) = (Arc::clone(&contents), Arc::clone(&run_info));
                    async move {
                        let input = off_thread({
                            let work = Arc::clone(&work);
                            move || stage::input(&work, &*contents, &run_info)
                        });
                        let input = input.await?;
                        let host = fleet.host(&work.plan.host)?;
                        let placed = stage::stage(&*host, input, fleet.limits().stage).await?;
                        Ok(Activated {
                            changed: placed,
                            ..Activated::default()
                        })
                    }
                },
            )
            .await;
        let skip = run.fleet.limits().skip_unreachable;
        let mut failed = 0;
        for (work, result) in results {
            let outcome = match result {
                // The rest of it comes with its batch.
                Ok(_) if work.needs_activation() => continue,
                Ok(staged) => changed(&staged, 0),
                Err(err) => {
                    failed += usize::from(!(skip && matches!(err, PhaseError::Unreachable(_))));
                    Outcome::of(phase, err)
                }
            };
            run.settle(&work.plan.host, outcome);
        }
        run.go_on(failed, "while staging, so nothing was activated anywhere")
    }

    async fn activate<C: Connect<Remote = R>>(
        &self,
        run: &mut Run<C>,
        wave: u32,
        hosts: Vec<Arc<HostWork>>,
        budget: &mut FailureBudget,
    ) -> Result<(), String> {
        let phase = Phase::Activate;
        let (contents, run_info) = (Arc::clone(&self.contents), Arc::clone(&self.run_info));
        let judge = Arc::clone(&self.judge);
        let results = run
            .phase(phase, Some(wave), hosts, budget, move |fleet, work, permit| {
                let (contents, run_info, judge) =
                    (Arc::clone(&contents), Arc::clone(&run_info), Arc::clone(&judge));
                async move {
                    let name = work.plan.host.as_str();
                    let guard = judge.limit(name).filter(|_| work.plan.begins_anew());
                    let input = off_thread({
                        let work = Arc::clone(&work);
                        move || activate::input(&work, &*contents, &run_info, guard)
                    });
                    let input = input.await?;
                    let host = fleet.host(name)?;
                    let judge = guard.map(|_| (&*judge, &*permit));
                    activate::activate(name, &*host, input, fleet.limits().activate, judge).await
                }
            })
            .await;
        for (work, result) in results {
            let outcome = match result {
                Ok(activated) => changed(&activated, staged_files(&work)),
                Err(err) => Outcome::of(phase, err),
            };
            run.settle(&work.plan.host, outcome);
        }
        run.go_on(budget.excess(), &budget.words(wave))
    }

    /// Gives back hosts that were locked while staging and whose turn did not come. Best effort: locks end by
    /// themselves.
    async fn unlock_waiting<C: Connect<Remote = R>>(&self, run: &mut Run<C>, work: &[Arc<HostWork>]) {
        if self.run_info.lock.is_none() {
            return;
        }
        let waiting = work
            .iter()
            .filter(|host| host.needs_staging() && run.was_staged(&host.plan.host));
        let sites: Vec<(String, Site)> = waiting
            .map(|host| (host.plan.host.clone(), host.site.clone()))
            .collect();
        if !sites.is_empty() {
            let heard: Arc<dyn Progress> = Arc::new(Unsettled(Arc::clone(&run.progress)));
            let locks = LocksOf::Run((*self.run_info).clone());
            let _ = unlock(&run.fleet, sites, locks, &heard, &Cancel::default()).await;
        }
    }
}

/// Passes on what happens, but not how hosts end: giving a host back is not how its run ended.
struct Unsettled(Arc<dyn Progress>);

impl Progress for Unsettled {
    fn event(&self, event: Event<'_>) {
        if !matches!(event, Event::Settled { .. }) {
            self.0.event(event);
        }
    }
}

/// The batches, and after them whatever is in none of them, by waves.
fn in_order(work: &[Arc<HostWork>], mut batches: Vec<Batch>) -> Vec<Batch> {
    let named: HashSet<&str> = batches
        .iter()
        .flat_map(|batch| batch.hosts.iter().map(String::as_str))
        .collect();
    let mut rest: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for host in work {
        if !named.contains(host.plan.host.as_str()) {
            rest.entry(host.plan.wave)
                .or_default()
                .push(host.plan.host.clone());
        }
    }
    batches.extend(rest.into_iter().map(|(wave, hosts)| Batch { wave, hosts }));
    batches
}

fn staged_files(work: &HostWork) -> usize {
    let files = work.plan.actions.iter();
    files
        .filter(|action| matches!(action, crate::plan::Action::PutFile { .. }))
        .count()
}

fn changed(activated: &Activated, staged: usize) -> Outcome {
    Outcome::Changed {
        changes: activated.changed + staged,
        restart: activated.restart.clone(),
        untold: activated.untold.clone(),
    }
}

/// Off the threads that talk to hosts: the vault decrypts.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}

impl Named for HostWork {
    fn host(&self) -> &str {
        &self.plan.host
    }
}
