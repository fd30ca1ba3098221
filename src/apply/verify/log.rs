//! The part of a daemon's log that counts.

use crate::ntpq::{DaemonLog, LogEntry, Trouble};
use time::{Date, Month, PrimitiveDateTime, Time};

/// Lines of a log's end that are shown with a failure.
const SHOWN: usize = 8;
const DAY: i64 = 86_400;

/// A log without what is older than `since` (Unix seconds, the host's clock), as far as its lines tell their time.
/// `clock` is the host's clock now, `zone` how many seconds its local time is ahead of UTC.
pub(super) fn recent(text: &str, since: Option<i64>, clock: i64, zone: i64) -> DaemonLog {
    let mut log = DaemonLog::read(text);
    if let Some(since) = since {
        log.entries.retain(|entry| {
            let at = entry.time.as_deref().and_then(|time| at(time, clock, zone));
            at.is_none_or(|at| at >= since)
        });
    }
    log
}

/// Why the daemon ended, or could not start beside the one that runs. What a signal has ended is not what runs now.
pub(super) fn end(log: &DaemonLog, running: bool) -> Option<&Trouble> {
    log.end()
        .filter(|trouble| !(running && matches!(trouble, Trouble::Signal(_))))
}

/// The last lines since the daemon's last start.
pub(super) fn tail(log: &DaemonLog) -> String {
    let run = log.last_run();
    let shown = &run[run.len().saturating_sub(SHOWN)..];
    let line = |entry: &LogEntry| match &entry.time {
        Some(time) => format!("{time} {}", entry.message),
        None => entry.message.clone(),
    };
    shown.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The Unix time of a line's time: `20 Nov 16:40:43` and `Nov 20 16:40:43 HOST` in local time of the year that fits,
/// `2026-11-20T16:40:43` in local time, with `Z` or an offset in UTC.
fn at(text: &str, clock: i64, zone: i64) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let Some((date, rest)) = words.first()?.split_once('T')
        && let [year, month, day] = date.split('-').collect::<Vec<_>>()[..]
    {
        let clock_end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
        let (hour, offset) = rest.split_at(clock_end);
        let offset = match offset {
            "" => zone,
            "Z" => 0,
            signed => offset_seconds(signed)?,
        };
        let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
        let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
        return Some(unix(date, hour)? - offset);
    }
    let (day, month, hour) = match words[..] {
        [first, second, hour, ..] if first.parse::<u8>().is_ok() => (first, second, hour),
        [first, second, hour, ..] => (second, first, hour),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = Month::try_from(u8::try_from(month).ok()? + 1).ok()?;
    let day = day.parse().ok()?;
    let now = time::OffsetDateTime::from_unix_timestamp(clock + zone).ok()?;
    let of_year = |year| Some(unix(Date::from_calendar_date(year, month, day).ok()?, hour)? - zone);
    // No line is from tomorrow: then it is from last year.
    of_year(now.year())
        .filter(|at| *at <= clock + DAY)
        .or_else(|| of_year(now.year() - 1))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn unix(date: Date, clock: &str) -> Option<i64> {
    let [hour, minute, second] = clock.split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let whole = second.split_once(['.', ',']).map_or(second, |(whole, _)| whole);
    let time = Time::from_hms(hour.parse().ok()?, minute.parse().ok()?, whole.parse().ok()?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

/// `+01:00` or `+0100` in seconds.
pub(super) fn offset_seconds(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits.replace(':', "")),
        ("-", digits) => (-1, digits.replace(':', "")),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at(2);
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20 16:41:00 UTC.
    const NOW: i64 = 1_795_192_860;

    #[test]
    fn every_spelling_is_the_same_time() {
        for (text, zone) in [
            ("20 Nov 16:41:00", 0),
            ("20 Nov 17:41:00", 3600),
            ("Nov 20 16:41:00 mid", 0),
            ("2026-11-20T16:41:00", 0),
            ("2026-11-20T17:41:00", 3600),
            ("2026-11-20T16:41:00Z", 3600),
            ("2026-11-20T17:41:00.123456+01:00 mid", 0),
            ("2026-11-20T11:11:00-0530 mid", 3600),
        ] {
            assert_eq!(at(text, NOW, zone), Some(NOW), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "32 Nov 16:41:00",
            "20 Nov 16:41",
            "2026-13-20T16:41:00",
        ] {
            assert_eq!(at(text, NOW, 0), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_offset_is_none() {
        assert_eq!(offset_seconds("-05:30"), Some(-19_800));
        for text in [
            "",
            "+1",
            "+-1-1",
            "+009223372036854775807",
            "+99999999999999999999",
            "0100",
        ] {
            assert_eq!(offset_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_of_december_read_in_january_is_of_last_year() {
        let january = 1_798_761_600 + 3600; // 2027-01-01 01:00
        assert_eq!(at("31 Dec 23:59:59", january, 0), Some(1_798_761_599));
    }

    #[test]
    fn what_is_older_than_the_restart_does_not_count() {
        let old = "20 Nov 16:40:00 ntpd[1]: crypto_setup: host key is not RSA key type\n";
        let end_of = |since| recent(old, since, NOW, 0).end().cloned();
        assert_eq!(end_of(None), Some(Trouble::HostKeyNotRsa));
        assert_eq!(end_of(Some(NOW - 60)), Some(Trouble::HostKeyNotRsa));
        assert_eq!(end_of(Some(NOW - 59)), None);
    }

    #[test]
    fn a_signal_has_not_ended_what_runs() {
        let log = DaemonLog::read("20 Nov 16:40:00 ntpd[1]: ntpd exiting on signal 15 (Terminated)\n");
        assert_eq!(end(&log, false), Some(&Trouble::Signal(15)));
        assert_eq!(end(&log, true), None);
    }
}
