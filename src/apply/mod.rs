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
mod work;

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
pub use rollout::{HostLock, Judge, Judgement, NotReady, Rollout, RunInfo, Trusting, Unready};
pub use unlock::{LocksOf, unlock};
pub use work::{ContentSource, HostWork, Site};
