//! The inventory: what the user declares. Reading it, resolving it, finding the line of anything in it.

mod model;
pub mod range;

pub use model::*;
