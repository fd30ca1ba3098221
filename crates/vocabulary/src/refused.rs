//! A word that is none, or that names something which cannot work.

/// What was asked for does not exist or would not work on the daemon.
///
/// The `Display` form says what and why; `help` says what to use instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Refused {
    /// The thing refused.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to use instead.
    pub help: String,
}

impl Refused {
    /// From its three sentences.
    pub fn new(what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            help: help.into(),
        }
    }
}
