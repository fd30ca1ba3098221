//! Moments and spans of time, as people and programs read them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// `2026-11-26`.
pub fn day(unix: i64) -> String {
    let format = format_description!("[year]-[month]-[day]");
    said(unix, |at| at.format(format))
}

/// `2026-11-26 11:17 UTC`.
pub fn minute(unix: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    said(unix, |at| at.format(format))
}

/// `2026-11-26T11:17:00Z`, for programs.
pub fn rfc3339(unix: i64) -> String {
    said(unix, |at| at.format(&Rfc3339))
}

/// `2026-11-26 11:17:00 UTC`: what [`rfc3339`] gives, for people.
pub fn spoken(rfc3339: &str) -> String {
    rfc3339.replace('T', " ").replace('Z', " UTC")
}

fn said(unix: i64, format: impl Fn(OffsetDateTime) -> Result<String, time::error::Format>) -> String {
    OffsetDateTime::from_unix_timestamp(unix)
        .ok()
        .and_then(|at| format(at).ok())
        .unwrap_or_else(|| unix.to_string())
}

/// `12 s`, `3 min`, `2 h`.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_moments_and_spans() {
        assert_eq!(spoken(&rfc3339(1_795_692_912)), "2026-11-26 11:35:12 UTC");
        assert_eq!(day(1_795_692_912), "2026-11-26");
        assert_eq!(minute(1_795_692_912), "2026-11-26 11:35 UTC");
        assert_eq!(rfc3339(1_795_692_912), "2026-11-26T11:35:12Z");
        assert_eq!(day(i64::MAX), i64::MAX.to_string());
        assert_eq!([59, 150, 7300].map(span), ["59 s", "2 min", "2 h"]);
    }
}
