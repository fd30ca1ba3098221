//! The inventory: what the user declares. Reading it, resolving it, finding the line of anything in it.
//!
//! [`load`] goes from files to an [`Inventory`] in steps of their own: `yaml` (nodes with places), `raw` (what
//! is written), `draft` (all files together), `resolve` (defaults, ranges, references).

mod defaults;
mod draft;
mod load;
mod load_errors;
mod locate;
mod model;
mod names;
pub mod range;
mod raw;
mod redact;
mod resolve;
mod schema;
mod select;
mod starter;
mod suggest;
mod variables;
mod yaml;

pub use keytrail_vocabulary::KeyType;
pub use load::{LoadFailure, load, load_str};
pub use load_errors::LOAD_ERRORS;
pub use locate::{Spot, locate};
pub use model::*;
pub use names::Names;
pub use schema::schema;
pub use select::{SelectError, select};
pub use starter::STARTER;
pub use suggest::closest;
pub use variables::VAULT_KEY_VARIABLES;
