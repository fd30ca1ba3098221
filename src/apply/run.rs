//! A run under way: phases on many hosts at once, how hosts have ended, and when it is enough.

use super::activate::Activated;
use super::pool::{Cancel, Permit, each};
use super::progress::{Event, Progress};
use super::report::{Outcome, Report};
use super::{Connect, ConnectionPool, Phase, PhaseError};
use crate::vocabulary::counted;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many hosts may still fail before no other is begun.
#[derive(Debug, Clone)]
pub(super) struct FailureBudget {
    failed: Arc<AtomicUsize>,
    most: usize,
}

impl FailureBudget {
    pub(super) fn new(most: usize) -> Self {
        Self {
            failed: Arc::default(),
            most,
        }
    }

    /// As many as there are.
    pub(super) fn any() -> Self {
        Self::new(usize::MAX)
    }

    pub(super) fn add(&self) {
        self.failed.fetch_add(1, Ordering::SeqCst);
    }

    fn is_over(&self) -> bool {
        self.failed.load(Ordering::SeqCst) > self.most
    }

    /// How many have failed, if that is too many.
    pub(super) fn excess(&self) -> usize {
        let failed = self.failed.load(Ordering::SeqCst);
        if failed > self.most { failed } else { 0 }
    }

    /// Where they failed, after that wave. Waves are counted from 1 for people.
    pub(super) fn words(&self, wave: u32) -> String {
        let so_far = if self.most == 0 { "in" } else { "by the end of" };
        format!("{so_far} wave {}", wave + 1)
    }
}

/// A run under way: who is worked on, and how hosts have ended.
pub(super) struct Run<C: Connect> {
    pub(super) fleet: Arc<ConnectionPool<C>>,
    pub(super) progress: Arc<dyn Progress>,
    cancel: Cancel,
    report: Report,
    /// Hosts that were being worked on when their last phase ended well, and have no outcome yet.
    staged: HashSet<String>,
}

/// Something that is done on one host.
pub(super) trait Named: Send + Sync + 'static {
    fn host(&self) -> &str;
}

impl<C: Connect> Run<C> {
    pub(super) fn new(fleet: &Arc<ConnectionPool<C>>, progress: Arc<dyn Progress>, cancel: &Cancel) -> Self {
        Self {
            fleet: Arc::clone(fleet),
            progress,
            cancel: cancel.clone(),
            report: Report::default(),
            staged: HashSet::new(),
        }
    }

    /// Every host has an outcome from the start, so none can be missing at the end.
    pub(super) fn expect(&mut self, host: &str, changes: bool) {
        let outcome = if changes {
            Outcome::NotReached {
                message: String::new(),
            }
        } else {
            Outcome::Unchanged
        };
        self.report.hosts.insert(host.to_owned(), outcome);
    }

    /// Whether a host has no outcome yet.
    pub(super) fn waits(&self, host: &str) -> bool {
        matches!(self.report.hosts.get(host), Some(Outcome::NotReached { .. }))
    }

    pub(super) fn was_staged(&self, host: &str) -> bool {
        self.waits(host) && self.staged.contains(host)
    }

    /// How a host ended.
    pub(super) fn settle(&mut self, host: &str, outcome: Outcome) {
        self.progress.event(Event::Settled {
            host,
            outcome: &outcome,
        });
        self.report.hosts.insert(host.to_owned(), outcome);
    }

    /// One phase on many hosts, with events. No host is begun any more once more have failed than budget.
    pub(super) async fn phase<W: Named, F>(
        &mut self,
        phase: Phase,
        wave: Option<u32>,
        hosts: Vec<Arc<W>>,
        budget: &FailureBudget,
        run: impl Fn(Arc<ConnectionPool<C>>, Arc<W>, Arc<Permit>) -> F + Clone + Send + Sync + 'static,
    ) -> Vec<(Arc<W>, Result<Activated, PhaseError>)>
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
        let stop = || self.cancel.is_cancelled() || budget.is_over();
        let results = each(hosts, self.fleet.room(count), stop, |work, permit| {
            let (fleet, progress) = (Arc::clone(&self.fleet), Arc::clone(&self.progress));
            let (cancel, budget, run) = (self.cancel.clone(), budget.clone(), run.clone());
            async move {
                let host = work.host();
                progress.event(Event::Started { host, phase });
                let attempt = || run(Arc::clone(&fleet), Arc::clone(&work), Arc::clone(&permit));
                let result = fleet.persist(host, phase, &cancel, attempt).await;
                if result.is_err() {
                    budget.add();
                }
                fleet.rest(host, phase != Phase::Stage || result.is_err()).await;
                progress.event(Event::Ended {
                    host,
                    phase,
                    error: result.as_ref().err(),
                });
                (Arc::clone(&work), result)
            }
        })
        .await;
        let good = results.iter().filter(|(_, result)| result.is_ok());
        self.staged.extend(good.map(|(work, _)| work.host().to_owned()));
        results
    }

    /// Whether to go on, after so many failures too many.
    pub(super) fn go_on(&self, failed: usize, wher: &str) -> Result<(), String> {
        if failed > 0 {
            Err(format!("{} failed {wher}", counted(failed, "host")))
        } else if self.cancel.is_cancelled() {
            Err("stopped on request".into())
        } else {
            Ok(())
        }
    }

    /// Says of the hosts whose turn did not come why.
    pub(super) fn end(mut self, stopped: Result<(), String>) -> Report {
        self.report.cancelled = self.cancel.is_cancelled();
        let Err(why) = stopped else { return self.report };
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
        self.report
    }
}
