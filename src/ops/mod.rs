//! Operations: what a user calls check, plan, apply, rollback, verify, status, export, rotate, renew and revoke, as a library.
//!
//! [`Loaded`] is an inventory that was read and analysed, [`Session`] adds the vault, what was minted, and all that operations on
//! a fleet have in common. Operations take values and return values; what happens meanwhile is told to an [`Observer`] as typed
//! [`Notice`]s. They know no command line and no terminal, and take nothing from the environment of the process that
//! [`Environment`] does not give them.

mod apply;
pub(crate) mod atomic_file;
mod belonging;
mod clock;
mod connections;
mod desired;
mod environment;
mod error;
pub mod export;
mod external_values;
mod health_check;
pub(crate) mod hostkeys;
mod in_force;
pub mod inspection;
mod journal;
mod load;
mod minting;
mod notice;
mod plan;
mod readiness;
pub mod rollback;
mod rollout;
pub mod rotation;
pub mod saved_plan;
pub(crate) mod secret_source;
mod session;
pub mod status;
pub mod unlock;
mod vault_access;
pub mod verify;

pub use apply::ApplyJob;
pub use clock::now;
pub use environment::Environment;
pub use error::{Error, Kind, Result};
pub use in_force::InForce;
pub use load::{Loaded, Reach};
pub use minting::Demand;
pub use notice::{Nobody, Notice, Observer};
pub use plan::Planned;
pub use rollout::{Care, RolloutOptions, Task};
pub use session::Session;
pub use vault_access::{FindKey, FindKnown, VaultAccess};
