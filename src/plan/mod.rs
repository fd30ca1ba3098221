//! Plans: what would change where, as a pure value.

mod model;

pub use model::*;
