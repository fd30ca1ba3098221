//! Running a plan: look at hosts, stage everywhere, activate in waves from the trusted hosts down, report.
//!
//! A phase is one round trip: a constant POSIX `sh` script (`scripts/`) with all data on standard input.
//!
//! * **observe** changes nothing and answers what a plan is made from.
//! * **stage** puts media under their filestamped names. No link names them yet, so nothing changes.
//! * **activate** switches a host's links and configuration files by rename and restarts the daemon. What was
//!   there before is kept on the host, and a host where a switch was interrupted says so when it is next observed.
//!   Then it waits for word that all is well ([`Judge`]): where none comes in time, or the restart fails, the host
//!   goes back by itself, whatever has become of the connection.
//! * **rollback** brings an earlier state back later, from the records that switches have left.
//!
//! Nothing here prints: [`Progress`] hears what happens, and [`Report`] says how every host ended.

mod activate;
mod connection_pool;
mod contact;
mod executor;
mod host_keys;
mod observe;
mod payload;
mod phase;
mod pool;
mod progress;
mod reply;
mod report;
mod rollback;
mod rollout;
mod run;
mod stage;
mod unlock;
pub mod verify;

pub use connection_pool::{ConnectionPool, Limits};
pub use contact::{Connect, InventoryConnect};
pub use executor::{Job, apply};
pub use host_keys::presented;
pub use observe::Look;
pub use phase::{Phase, PhaseError};
pub use pool::Cancel;
pub use progress::{Event, Progress, Silent};
pub use report::{Outcome, Report, restarted_because};
pub use rollback::{Back, RollbackJob, Target, rollback};
pub use rollout::{HostLock, Judge, Judgement, NotReady, Rollout, Terms, Trusting, Unready};
pub use unlock::unlock;

use crate::digest::Digest;
use crate::plan::HostPlan;
use crate::secret::Secret;

/// Where on a host files go, and whose they become.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// Directory that stands for `/` on the host; `None`: `/`. It must exist.
    pub root: Option<String>,
    /// Directory of the key media, absolute; made where it is missing.
    pub keysdir: String,
    /// Owner of placed files, by name or number; `None`: whoever writes them, or the owner of the file replaced.
    pub owner: Option<String>,
    /// Group of placed files, by name or number.
    pub group: Option<String>,
}

/// What is to be done on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostWork {
    /// Its part of the plan.
    pub plan: HostPlan,
    /// Where.
    pub site: Site,
    /// What the host keeps of the vault once it is changed (`vault::Signer::host_record`); empty: what it has.
    pub record: String,
}

/// Where contents come from, one at a time: a plan holds digests only, and the contents of ten thousand hosts
/// are never in memory together. Called from worker threads.
pub trait ContentSource: Send + Sync {
    /// The content of the file at `path` on `host`, whose digest is `digest`. `Err`: why it cannot be had.
    fn content(&self, host: &str, path: &str, digest: &Digest) -> Result<Secret, String>;
}
