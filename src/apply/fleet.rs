//! The hosts of one run and their connections, kept from phase to phase.

use super::observe::{Look, observe};
use super::pool::{Cancel, each};
use super::progress::{Event, Progress};
use super::{Connect, Phase, PhaseError};
use crate::plan::Observed;
use crate::remote::Remote;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How much at once, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Hosts worked on at the same time.
    pub jobs: usize,
    /// Connections kept open between phases; more hosts than that connect anew for every phase. One `ssh` process each.
    pub connections: usize,
    /// Longest time to look at a host, without connecting.
    pub observe: Duration,
    /// Longest time to stage.
    pub stage: Duration,
    /// Longest time to activate, restart included.
    pub activate: Duration,
    /// Go on without hosts that cannot be reached before anything was activated.
    pub skip_unreachable: bool,
}

impl Default for Limits {
    /// 16 jobs, 256 connections, one minute to look, two to stage, five to activate; one host out of reach stops all.
    fn default() -> Self {
        Self {
            jobs: 16,
            connections: 256,
            observe: Duration::from_secs(60),
            stage: Duration::from_secs(120),
            activate: Duration::from_secs(300),
            skip_unreachable: false,
        }
    }
}

/// The hosts of one run. Dropping it closes every connection.
#[derive(Debug)]
pub struct Fleet<C: Connect> {
    connect: C,
    limits: Limits,
    open: Mutex<HashMap<String, Arc<C::Remote>>>,
}

impl<C: Connect> Fleet<C> {
    /// Hosts reached by `connect`.
    pub fn new(connect: C, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            connect,
            limits,
            open: Mutex::new(HashMap::new()),
        })
    }

    /// How much at once, and how long.
    pub fn limits(&self) -> &Limits {
        &self.limits
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

    /// Says that a host will not be needed for a while, of `hosts` in this phase; `last`: nor ever again.
    pub(super) async fn rest(&self, name: &str, hosts: usize, last: bool) {
        if last || hosts > self.limits.connections {
            let host = self
                .open
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(name);
            if let Some(host) = host {
                host.disconnect().await;
            }
        }
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
        let results = each(looks, self.limits.jobs, cancel, |(name, look)| {
            let (fleet, progress) = (Arc::clone(self), Arc::clone(progress));
            async move {
                let phase = Phase::Observe;
                progress.event(Event::Started { host: &name, phase });
                let result = match fleet.host(&name) {
                    Ok(host) => observe(&*host, &look, fleet.limits.observe).await,
                    Err(err) => Err(err),
                };
                fleet.rest(&name, hosts, result.is_err()).await;
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
