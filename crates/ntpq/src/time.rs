//! Points in time as the outputs write them.

use serde::Serialize;
use std::fmt;
use std::ops::Sub;
use std::time::Duration;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// Seconds between the NTP epoch (1900) and the Unix epoch (1970).
const NTP_TO_UNIX: i64 = 2_208_988_800;
/// Modified Julian day of the Unix epoch.
const MJD_OF_UNIX_EPOCH: i64 = 40_587;

/// A point in time by the clock of the host that wrote it: milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From Unix seconds.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// From Unix milliseconds.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Unix milliseconds.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// From the first two words of a statistics file: modified Julian day and seconds of that day.
    pub(super) fn from_mjd(day: &str, second: &str) -> Option<Self> {
        let day: i64 = day.parse().ok().filter(|d| (0..1_000_000).contains(d))?;
        let (whole, fraction) = second.split_once('.').unwrap_or((second, ""));
        let whole: i64 = whole.parse().ok().filter(|s| (0..=86_400).contains(s))?;
        let millis = if fraction.is_empty() {
            0
        } else {
            let digits: String = fraction.chars().take(3).collect();
            if !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            format!("{digits:0<3}").parse().ok()?
        };
        Some(Self(((day - MJD_OF_UNIX_EPOCH) * 86_400 + whole) * 1000 + millis))
    }

    /// From ntpq's `eeaaf6c4.a20597e5 …` (NTP seconds and fraction, hexadecimal). `(no time)` and zero are `None`
    /// inside `Ok`; what is neither is an error. Seconds below 2³¹ are those after February 2036.
    pub(super) fn from_ntp_hex(text: &str) -> Result<Option<Self>, ()> {
        let word = text.split_whitespace().next().unwrap_or_default();
        if word.is_empty() || text.starts_with('(') {
            return Ok(None);
        }
        let (seconds, fraction) = word.split_once('.').ok_or(())?;
        if seconds.len() != 8 || fraction.len() != 8 {
            return Err(());
        }
        let seconds = u32::from_str_radix(seconds, 16).map_err(|_| ())?;
        let fraction = u32::from_str_radix(fraction, 16).map_err(|_| ())?;
        if seconds == 0 && fraction == 0 {
            return Ok(None);
        }
        let era = if seconds < 1 << 31 { 1_i64 << 32 } else { 0 };
        let millis = (i64::from(fraction) * 1000) >> 32;
        Ok(Some(Self(
            (i64::from(seconds) + era - NTP_TO_UNIX) * 1000 + millis,
        )))
    }

    /// From `YYYYMMDDhhmm`, the daemon's spelling of `until` and `update` (UTC).
    pub(super) fn from_minutes(text: &str) -> Option<Self> {
        if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u8>().ok();
        let date = Date::from_calendar_date(
            text.get(0..4)?.parse().ok()?,
            Month::try_from(number(4..6)?).ok()?,
            number(6..8)?,
        )
        .ok()?;
        let time = Time::from_hms(number(8..10)?, number(10..12)?, 0).ok()?;
        Some(Self::from_unix(
            PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp(),
        ))
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    /// How long `self` is after `other`; zero where it is before it.
    fn sub(self, other: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(other.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)) {
            Ok(t) => write!(
                f,
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second()
            ),
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_gives_the_same_instant() {
        // The daemon wrote all three within one second.
        let hex = Timestamp::from_ntp_hex("eeaaf6c9.d79e71c4  Fri, Nov 20 2026 16:41:45.842")
            .unwrap()
            .unwrap();
        assert_eq!(hex.to_string(), "2026-11-20 16:41:45 UTC");
        assert_eq!(hex.unix_millis() % 1000, 842);
        assert_eq!(Timestamp::from_mjd("61364", "60105.842"), Some(hex));
        assert_eq!(
            Timestamp::from_minutes("202611201641").unwrap().to_string(),
            "2026-11-20 16:41:00 UTC"
        );
    }

    #[test]
    fn no_time_is_not_an_error_and_nonsense_is() {
        assert_eq!(Timestamp::from_ntp_hex("(no time)"), Ok(None));
        assert_eq!(
            Timestamp::from_ntp_hex("00000000.00000000 2036-02-07T06:28:16.000Z"),
            Ok(None)
        );
        assert!(Timestamp::from_ntp_hex("eeaaf6c9").is_err());
        assert!(Timestamp::from_ntp_hex("yesterday").is_err());
        assert_eq!(Timestamp::from_minutes("202613010000"), None);
        assert_eq!(Timestamp::from_minutes("20261101000é"), None);
        assert_eq!(Timestamp::from_mjd("61364", "90000"), None);
        assert_eq!(Timestamp::from_mjd("61364", "1.é"), None);
    }

    #[test]
    fn seconds_after_the_wrap_of_2036_are_later() {
        let late = Timestamp::from_ntp_hex("00000010.00000000").unwrap().unwrap();
        assert_eq!(late.to_string(), "2036-02-07 06:28:32 UTC");
    }
}
