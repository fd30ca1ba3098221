//! Lengths of time and days as people write them, on the command line and in inventories alike.

use std::time::Duration;
use time::{Date, macros::format_description};

/// A length of time in whole seconds, from one second to a day: `30s`, `5m`, `1h`, or seconds.
pub fn parse_span(text: &str) -> Option<Duration> {
    let (number, unit) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    let seconds = digits(number)?.checked_mul(unit)?;
    (1..=86_400)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

/// A number of days: `30d` or `30`.
pub fn parse_days(text: &str) -> Option<u32> {
    digits(text.strip_suffix('d').unwrap_or(text))?.try_into().ok()
}

/// A day as `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

/// Digits alone: `parse` takes a sign, too.
fn digits(text: &str) -> Option<u64> {
    let only = text.bytes().all(|byte| byte.is_ascii_digit());
    only.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spans_and_days() {
        assert_eq!(parse_span("5m"), Some(Duration::from_secs(300)));
        assert_eq!(parse_span("86400"), Some(Duration::from_secs(86_400)));
        for text in ["", "0", "-1", "+5m", "25h", "1d", "m", "99999999999999999999h"] {
            assert_eq!(parse_span(text), None, "{text:?}");
        }
        assert_eq!((parse_days("30d"), parse_days("365")), (Some(30), Some(365)));
        for text in ["", "d", "+3", "-1d", "3w", "4294967296"] {
            assert_eq!(parse_days(text), None, "{text:?}");
        }
        assert_eq!(
            parse_date("2027-06-30").map(|day| day.to_string()).as_deref(),
            Some("2027-06-30")
        );
        assert_eq!(parse_date("2027-6-30"), None);
    }
}
