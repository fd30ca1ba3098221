//! The hosts of one run and their connections, kept from phase to phase.

use super::observe::{Look, observe};
use super::pool::{Cancel, Room, each};
use super::progress::{Event, Progress};
use super::{Connect, Phase, PhaseError};
use crate::plan::Observed;
use crate::remote::{Cause, Remote, Unreachable};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How much at once, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Hosts worked on at the same time. Those that only wait for their daemon to authenticate are not among them.
    pub jobs: usize,
    /// Connections open at once, one `ssh` process each: between phases, and while a host waits for its daemon. Of more hosts
    /// than that, half as many stay connected from phase to phase, and as many wait together; the others connect anew.
    pub connections: usize,
    /// Longest time to look at a host, without connecting.
    pub observe: Duration,
    /// Longest time to ask a host's daemon how it stands.
    pub ask: Duration,
    /// Longest time to stage.
    pub stage: Duration,
    /// Longest time to activate, restart included.
    pub activate: Duration,
    /// Go on without hosts that cannot be reached before anything was activated.
    pub skip_unreachable: bool,
    /// How often a host is tried again that could not be reached, or was lost where trying again does no harm.
    pub retries: u32,
    /// How long to wait before the first of these; twice as long before each further one.
    pub backoff: Duration,
}

impl Default for Limits {
    /// 16 jobs, 1024 connections, one minute to look, one and a half to ask a daemon, two to stage, five to activate; two retries, after one and two
    /// seconds; one host out of reach stops all.
    fn default() -> Self {
        Self {
            jobs: 16,
            connections: 1024,
            observe: Duration::from_secs(60),
            ask: Duration::from_secs(90),
            stage: Duration::from_secs(120),
            activate: Duration::from_secs(300),
            skip_unreachable: false,
            retries: 2,
            backoff: Duration::from_secs(1),
        }
    }
}

impl Limits {
    /// The same with `longest` for every phase, where it is given.
    #[must_use]
    pub fn within(self, longest: Option<Duration>) -> Self {
        match longest {
            None => self,
            Some(limit) => Self {
                observe: limit,
                ask: limit,
                stage: limit,
                activate: limit,
                ..self
            },
        }
    }
}

/// The hosts of one run. Dropping it closes every connection.
#[derive(Debug)]
pub struct ConnectionPool<C: Connect> {
    connect: C,
    limits: Limits,
    /// There are more hosts than connections.
    crowded: AtomicBool,
    open: Mutex<HashMap<String, Arc<C::Remote>>>,
}

impl<C: Connect> ConnectionPool<C> {
    /// Hosts reached by `connect`.
    pub fn new(connect: C, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            connect,
            limits,
            crowded: AtomicBool::new(false),
            open: Mutex::new(HashMap::new()),
        })
    }

    /// How much at once, and how long.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many of a phase's hosts at once. Those that only wait, for example for their authentication, hold no job, but
    /// their connection.
    pub(super) fn room(&self, hosts: usize) -> Room {
        if hosts > self.limits.connections {
            self.crowded.store(true, Ordering::Relaxed);
        }
        Room {
            jobs: self.limits.jobs,
            in_flight: self.share().max(self.limits.jobs),
        }
    }

    /// The connections for hosts at rest, and as many for those in flight: of all, or half and half.
    fn share(&self) -> usize {
        if self.crowded.load(Ordering::Relaxed) {
            self.limits.connections / 2
        } else {
            self.limits.connections
        }
    }

    /// A host, connected or not.
    pub(super) fn host(&self, name: &str) -> Result<Arc<C::Remote>, PhaseError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = open.get(name) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(self.connect.connect(name).map_err(PhaseError::here)?);
        open.insert(name.to_owned(), Arc::clone(&host));
        Ok(host)
    }

    /// Says that a host will not be needed for a while; `last`: nor ever again.
    pub(super) async fn rest(&self, name: &str, last: bool) {
        let ended = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if last || open.len() > self.share() {
                open.remove(name)
            } else {
                None
            }
        };
        if let Some(host) = ended {
            host.disconnect().await;
        }
    }

    /// Tries again what failed because a host could not be reached, unless somebody wants to stop.
    pub(super) async fn persist<T, F: Future<Output = Result<T, PhaseError>>>(
        &self,
        name: &str,
        phase: Phase,
        stop: &Cancel,
        attempt: impl Fn() -> F,
    ) -> Result<T, PhaseError> {
        let mut wait = self.limits.backoff;
        for _ in 0..self.limits.retries {
            match attempt().await {
                Err(PhaseError::Unreachable(why)) if may_pass(&why, phase) && !stop.is_cancelled() => {
                    tracing::info!("{name}: {phase}: {why}; trying again in {wait:?}");
                    self.rest(name, true).await;
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                ended => return ended,
            }
        }
        attempt().await
    }

    /// Looks at hosts, by name. Hosts left out after a cancellation are missing from the answer.
    pub async fn observe(
        self: &Arc<Self>,
        looks: Vec<(String, Look)>,
        progress: &Arc<dyn Progress>,
        cancel: &Cancel,
    ) -> HashMap<String, Result<Observed, PhaseError>> {
        let hosts = looks.len();
        progress.event(Event::Began {
            phase: Phase::Observe,
            wave: None,
            hosts,
        });
        let stop = || cancel.is_cancelled();
        let results = each(looks, self.room(hosts), stop, |(name, look), _| {
            let (fleet, progress, stop) = (Arc::clone(self), Arc::clone(progress), cancel.clone());
            async move {
                let phase = Phase::Observe;
                progress.event(Event::Started { host: &name, phase });
                let look = || async {
                    let host = fleet.host(&name)?;
                    observe(&*host, &look, fleet.limits.observe).await
                };
                let result = fleet.persist(&name, phase, &stop, look).await;
                fleet.rest(&name, result.is_err()).await;
                progress.event(Event::Ended {
                    host: &name,
                    phase,
                    error: result.as_ref().err(),
                });
                (name, result)
            }
        });
        results.await.into_iter().collect()
    }
}

/// Whether trying again may help and does no harm. What was sent may have been done, and switching is done once.
fn may_pass(why: &Unreachable, phase: Phase) -> bool {
    match why {
        // In our own words.
        Unreachable::Connect(said) => !["cannot run ssh", "the ssh configuration cannot be read"]
            .iter()
            .any(|lasting| said.starts_with(lasting)),
        Unreachable::Refused { cause, .. } => !matches!(cause, Cause::Name | Cause::Login),
        Unreachable::Lost(_) => matches!(
            phase,
            Phase::Observe | Phase::Stage | Phase::Verify | Phase::Unlock
        ),
        Unreachable::HostKey(_)
        | Unreachable::HostKeyChanged { .. }
        | Unreachable::TooMuch(_)
        | Unreachable::TimedOut(_) => false,
    }
}
