//! Who holds a vault.

use serde::{Deserialize, Serialize};
use std::fmt;
use time::OffsetDateTime;
use time::macros::format_description;

/// Who holds a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@host`.
    pub owner: String,
    /// Its process there.
    pub pid: u32,
    /// Since when, Unix seconds.
    pub since: i64,
    /// What it does: the words of its command line.
    pub why: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
        let since = OffsetDateTime::from_unix_timestamp(self.since)
            .ok()
            .and_then(|since| since.format(format).ok())
            .unwrap_or_else(|| self.since.to_string());
        write!(
            f,
            "{} (process {}) since {since}, for '{}'",
            self.owner, self.pid, self.why
        )
    }
}
