//! YAML as the inventory needs it: a small tree with the place of every node, and serde on top of it.
//!
//! Own code, because no library gave all of this at once: the place of every value and key, every duplicate
//! key and unknown field of a file in one run, merge keys, aliases without copies, literal passwords that
//! never reach a diagnostic, and 100,000 hosts in a third of the memory (measured; docs/dependencies.md).
//! The YAML itself is parsed by `saphyr-parser`, the plain bulk of a large inventory by [`plain`].

mod de;
mod events;
mod plain;
#[cfg(test)]
mod plain_tests;
mod reader;
mod tree;

pub use de::{clip, mapping, one_of, read, read_both};
pub use reader::{Visit, Walked, walk};
pub use tree::{Content, NodeId, Span, Tree, duplicate_key};
