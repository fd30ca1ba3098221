//! Findings for people and for programs: each format is a pure function from findings to a string.

mod arrange;
mod json;
mod text;

pub use arrange::{Located, arrange, path_text};
pub use json::json;
pub use text::{Counts, TextStyle, text};
