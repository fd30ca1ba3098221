//! Findings for people and for programs: each format is a pure function from findings to a string.

mod arrange;
mod checked;
mod github;
mod json;
mod junit;
mod names;
mod ranking;
mod sarif;
mod table;
mod text;
pub mod time_format;

pub use crate::vocabulary::counted;
pub use arrange::{Located, arrange, path_text};
pub use checked::{Checked, Roots};
pub use github::github;
pub use json::{Answers, json, json_with};
pub use junit::junit;
pub use names::names;
pub use ranking::Ranking;
pub use sarif::sarif;
pub use table::{Screen, table, table_text};
pub use text::{Counts, TextStyle, text};
