//! Values that several options take: forms of output, colour, spans of time.

use crate::vocabulary::{parse_days, parse_span};
use clap::ValueEnum;
use std::time::Duration;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What a verb prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs; documented and versioned
    Json,
    /// What JSON has, as YAML
    Yaml,
}

/// `30d`, `30`.
pub fn days(text: &str) -> Result<i64, String> {
    parse_days(text)
        .filter(|days| *days <= 36_500)
        .map(i64::from)
        .ok_or_else(|| format!("'{text}' is no number of days (30d)"))
}

/// A length of time on the command line.
pub fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).ok_or_else(|| "expected a time from one second to a day: 30s, 5m, 1h, or seconds".into())
}
