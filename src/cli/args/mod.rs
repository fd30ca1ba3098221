//! Groups of options that several verbs share. They name no verb; what only one verb takes stands beside that verb.

mod change;
mod fleet;
mod inventory;
mod restart;
mod rollout;
mod value;
mod vault;

pub use change::ChangeArgs;
pub use fleet::FleetArgs;
pub use inventory::InventoryArgs;
pub use restart::RestartArgs;
pub use rollout::RolloutArgs;
pub use value::{Color, Format, days};
pub use vault::{EXPECTED, VaultArgs};
