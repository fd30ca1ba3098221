//! Stage everywhere, then activate wave by wave.

use super::activate::{self, Activated};
use super::pool::{Cancel, each};
use super::progress::{Event, Progress};
use super::report::{Outcome, Report};
use super::{Connect, ContentSource, Fleet, HostWork, Phase, PhaseError, stage};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs `work`. Nothing is activated anywhere before everything is staged everywhere; a wave in which a host
/// fails is the last one. Hosts in flight always finish their phase.
pub async fn apply<C: Connect>(
    fleet: &Arc<Fleet<C>>,
    work: Vec<HostWork>,
    contents: Arc<dyn ContentSource>,
    progress: Arc<dyn Progress>,
    cancel: &Cancel,
) -> Report {
    let mut run = Run {
        fleet: Arc::clone(fleet),
        contents,
        progress,
        cancel: cancel.clone(),
        report: Report::default(),
    };
    run.all(work.into_iter().map(Arc::new).collect()).await;
    run.report
}

struct Run<C: Connect> {
    fleet: Arc<Fleet<C>>,
    contents: Arc<dyn ContentSource>,
    progress: Arc<dyn Progress>,
    cancel: Cancel,
    report: Report,
}

impl<C: Connect> Run<C> {
    async fn all(&mut self, work: Vec<Arc<HostWork>>) {
        // Every host has an outcome from the start, so none can be missing at the end.
        for host in &work {
            let outcome = if host.plan.is_changed() {
                Outcome::NotReached {
                    message: String::new(),
                }
            } else {
                Outcome::Unchanged
            };
            self.report.hosts.insert(host.plan.host.clone(), outcome);
        }
        let stopped = self.phases(&work).await;
        self.report.cancelled = self.cancel.is_cancelled();
        self.close(stopped);
    }

    /// All phases. `Err`: why not all.
    async fn phases(&mut self, work: &[Arc<HostWork>]) -> Result<(), String> {
        let to_stage: Vec<_> = work
            .iter()
            .filter(|host| stage::is_needed(host))
            .cloned()
            .collect();
        self.stage(to_stage).await?;

        let mut waves: BTreeMap<u32, Vec<Arc<HostWork>>> = BTreeMap::new();
        for host in work.iter().filter(|host| activate::is_needed(host)) {
            if self.waits(host) {
                waves.entry(host.plan.wave).or_default().push(Arc::clone(host));
            }
        }
        for (wave, hosts) in waves {
            self.activate(wave, hosts).await?;
        }
        Ok(())
    }

    async fn stage(&mut self, hosts: Vec<Arc<HostWork>>) -> Result<(), String> {
        let phase = Phase::Stage;
        let results = self
            .phase(phase, None, hosts, |fleet, contents, work| async move {
                let input = prepared(contents, Arc::clone(&work), stage::input).await?;
                let host = fleet.host(&work.plan.host)?;
                let placed = stage::stage(&*host, input, fleet.limits().stage).await?;
                Ok(Activated {
                    changed: placed,
                    restart: None,
                })
            })
            .await;
        let skip = self.fleet.limits().skip_unreachable;
        let mut failed = 0;
        for (work, result) in results {
            let outcome = match result {
                // The rest of it comes with its wave.
                Ok(_) if activate::is_needed(&work) => continue,
                Ok(staged) => changed(&staged, 0),
                Err(err) => {
                    failed += usize::from(!(skip && matches!(err, PhaseError::Unreachable(_))));
                    Outcome::of(phase, err)
                }
            };
            self.report.hosts.insert(work.plan.host.clone(), outcome);
        }
        self.go_on(failed, "while staging, so nothing was activated anywhere")
    }

    async fn activate(&mut self, wave: u32, hosts: Vec<Arc<HostWork>>) -> Result<(), String> {
        let phase = Phase::Activate;
        let results = self
            .phase(phase, Some(wave), hosts, |fleet, contents, work| async move {
                let input = prepared(contents, Arc::clone(&work), activate::input).await?;
                let host = fleet.host(&work.plan.host)?;
                activate::activate(&*host, input, fleet.limits().activate).await
            })
            .await;
        let mut failed = 0;
        for (work, result) in results {
            let outcome = match result {
                Ok(activated) => changed(&activated, staged_files(&work)),
                Err(err) => {
                    failed += 1;
                    Outcome::of(phase, err)
                }
            };
            self.report.hosts.insert(work.plan.host.clone(), outcome);
        }
        self.go_on(failed, &format!("in wave {wave}"))
    }

    /// One phase on many hosts, with events.
    async fn phase<F>(
        &self,
        phase: Phase,
        wave: Option<u32>,
        hosts: Vec<Arc<HostWork>>,
        run: impl Fn(Arc<Fleet<C>>, Arc<dyn ContentSource>, Arc<HostWork>) -> F + Clone + Send + 'static,
    ) -> Vec<(Arc<HostWork>, Result<Activated, PhaseError>)>
    where
        F: Future<Output = Result<Activated, PhaseError>> + Send,
    {
        let count = hosts.len();
        if count > 0 {
            self.progress.event(Event::Began {
                phase,
                wave,
                hosts: count,
            });
        }
        each(hosts, self.fleet.limits().jobs, &self.cancel, |work| {
            let (fleet, progress) = (Arc::clone(&self.fleet), Arc::clone(&self.progress));
            let (contents, run) = (Arc::clone(&self.contents), run.clone());
            async move {
                let host = work.plan.host.as_str();
                progress.event(Event::Started { host, phase });
                let result = run(Arc::clone(&fleet), contents, Arc::clone(&work)).await;
                fleet
                    .rest(host, count, phase == Phase::Activate || result.is_err())
                    .await;
                progress.event(Event::Ended {
                    host,
                    phase,
                    error: result.as_ref().err(),
                });
                (work, result)
            }
        })
        .await
    }

    /// Whether a host has no outcome yet.
    fn waits(&self, host: &HostWork) -> bool {
        matches!(
            self.report.hosts.get(&host.plan.host),
            Some(Outcome::NotReached { .. })
        )
    }

    fn go_on(&self, failed: usize, wher: &str) -> Result<(), String> {
        if failed > 0 {
            let hosts = if failed == 1 { "host" } else { "hosts" };
            Err(format!("{failed} {hosts} failed {wher}"))
        } else if self.cancel.is_cancelled() {
            Err("stopped on request".into())
        } else {
            Ok(())
        }
    }

    /// Says of the hosts whose turn did not come why.
    fn close(&mut self, stopped: Result<(), String>) {
        let Err(why) = stopped else { return };
        let mut left = 0;
        for outcome in self.report.hosts.values_mut() {
            if let Outcome::NotReached { message } = outcome {
                message.clone_from(&why);
                left += 1;
            }
        }
        if left > 0 {
            self.progress.event(Event::Stopped {
                hosts: left,
                why: &why,
            });
        }
    }
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
    }
}

/// Gets contents and packs them, off the threads that talk to hosts: the vault decrypts.
async fn prepared(
    contents: Arc<dyn ContentSource>,
    work: Arc<HostWork>,
    input: fn(&HostWork, &dyn ContentSource) -> Result<crate::secret::Secret, PhaseError>,
) -> Result<crate::secret::Secret, PhaseError> {
    tokio::task::spawn_blocking(move || input(&work, &*contents))
        .await
        .unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}
