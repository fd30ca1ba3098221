//! YAML as the inventory needs it: a small tree with the place of every node, and serde on top of it.
//!
//! Own code, because no library gave all of this at once: the place of every value and key, every duplicate
//! key and unknown field of a file in one run, merge keys, aliases without copies, literal passwords that
//! never reach a diagnostic, and 100,000 hosts in a third of the memory (measured; docs/dependencies.md).
//! The YAML itself is parsed by `saphyr-parser`.

mod de;
mod events;
mod problem;
mod reader;
mod span;
mod tree;

#[cfg(test)]
mod bombs;

pub use de::{mapping, read, read_both};
pub use problem::{clip, one_of};
pub use reader::{Visit, Walked, walk};
pub use span::Span;
pub use tree::{Content, NodeId, Tree, duplicate_key};
