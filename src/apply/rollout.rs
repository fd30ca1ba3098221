//! How a run goes about: what it is called on the hosts, who holds them, in which batches they change, and who says
//! whether a host that has changed is well.

use super::PhaseError;
use crate::plan::order::Batch;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The lock a run takes on every host that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLock {
    /// Whose it is, one word: the same for every run that cannot be under way at the same time as this one (the same
    /// vault on the same controller). Such a run takes it on.
    pub id: String,
    /// How long it holds from the last step on the host, by the host's clock. A run that died holds nobody longer.
    pub lease: Duration,
    /// Owner, time and reason, for whoever meets it.
    pub words: String,
}

/// What every host of a run is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// The run's name, one word: records of switches carry it.
    pub run: String,
    /// The vault's generation it brings; 0 for none.
    pub generation: u64,
    /// The lock; `None`: hosts are not locked.
    pub lock: Option<HostLock>,
}

impl Default for RunInfo {
    /// A run that has no page in any journal, no generation and no locks.
    fn default() -> Self {
        Self {
            run: "unnamed".to_owned(),
            generation: 0,
            lock: None,
        }
    }
}

/// In which order hosts change, and how much trouble is borne.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollout {
    /// Hosts of one batch do not wait for each other; the next begins when all of them have ended. Hosts in no batch
    /// come last, by their waves.
    pub batches: Vec<Batch>,
    /// Hosts that may fail before no other is begun.
    pub max_fail: usize,
}

/// What a [`Judge`] answers, later.
pub type Judgement<'a> = Pin<Box<dyn Future<Output = Result<(), PhaseError>> + Send + 'a>>;

/// Hosts that must not begin, later.
pub type Unready<'a> = Pin<Box<dyn Future<Output = Vec<NotReady>> + Send + 'a>>;

/// A host that must not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// Which.
    pub host: String,
    /// Who is not ready for it, and why.
    pub message: String,
    /// What to do now.
    pub help: String,
}

/// Says whether hosts are well, while their way back is still open.
pub trait Judge<R>: Send + Sync {
    /// How long a look at this host may take once its daemon was restarted; `None`: nobody looks, and nothing is
    /// taken back for it.
    fn limit(&self, host: &str) -> Option<Duration>;

    /// Looks at a host whose daemon was restarted at `since` (Unix seconds, the host's clock). An error makes
    /// the host go back.
    fn judge<'a>(&'a self, host: &'a str, remote: &'a R, since: i64) -> Judgement<'a>;

    /// Which hosts of a batch must not begin, because others are not ready for it: their servers must serve again first,
    /// or their clients are in the middle of an exchange with them. May take its time to see whether that passes.
    fn unready<'a>(&'a self, hosts: &'a [String]) -> Unready<'a> {
        let _ = hosts;
        Box::pin(async { Vec::new() })
    }
}

/// Takes a restart command's word for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trusting;

impl<R> Judge<R> for Trusting {
    fn limit(&self, _: &str) -> Option<Duration> {
        None
    }

    fn judge<'a>(&'a self, _: &'a str, _: &'a R, _: i64) -> Judgement<'a> {
        Box::pin(async { Ok(()) })
    }
}
