//! Filestamps: the NTP second a file was made in, which ntpd compares between hosts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::Refused;

/// Seconds from the NTP epoch (1900) to the Unix epoch (1970).
const UNIX_EPOCH_IN_NTP: i64 = 2_208_988_800;

/// NTP seconds since 1900-01-01, as at the end of a media file's name and first line.
///
/// Unsigned 32 bit, era 0: ends in February 2036. IFF and MV demand that the server's and the clients' stamps are
/// equal, GQ that the client's is not later, and a new certificate needs a later one than the old (measured).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Filestamp(pub u32);

impl Filestamp {
    /// The stamp of a Unix time in seconds.
    ///
    /// # Errors
    /// Times before 1900 or after 2036-02-07 06:28:15 UTC do not fit.
    pub fn from_unix(seconds: i64) -> Result<Self, Refused> {
        let ntp = seconds.checked_add(UNIX_EPOCH_IN_NTP);
        ntp.and_then(|ntp| u32::try_from(ntp).ok())
            .map(Self)
            .ok_or_else(|| {
                Refused::new(
                    format!("filestamp for Unix time {seconds}"),
                    "filestamps are 32-bit NTP seconds, which run from 1900 to February 2036",
                    "check the clock of this machine",
                )
            })
    }

    /// The Unix time in seconds.
    pub fn unix(self) -> i64 {
        i64::from(self.0) - UNIX_EPOCH_IN_NTP
    }

    /// The moment in UTC.
    pub fn date(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.unix())
            .expect("32-bit NTP seconds lie between 1900 and 2036")
    }
}

impl fmt::Display for Filestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Filestamp {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits
            .then(|| text.parse().ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| {
                Refused::new(
                    format!("filestamp {:?}", shorten(text)),
                    "a filestamp is the decimal number of NTP seconds since 1900, at most 4294967295",
                    "write it as ntp-keygen does, for example 4004178813",
                )
            })
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_1900() {
        let stamp: Filestamp = "4004178813".parse().unwrap();
        assert_eq!(stamp.date().to_string(), "2026-11-20 15:53:33.0 +00:00:00");
        assert_eq!(Filestamp::from_unix(stamp.unix()).unwrap(), stamp);
        assert_eq!(stamp.to_string(), "4004178813");
    }

    #[test]
    fn refuses_what_ntp_seconds_cannot_say() {
        assert!(Filestamp::from_unix(2_085_978_495).is_ok());
        assert!(Filestamp::from_unix(2_085_978_496).is_err());
        assert!(Filestamp::from_unix(i64::MAX).is_err());
        for text in ["", "4294967296", "-1", "+1", "12x", " 1"] {
            assert!(text.parse::<Filestamp>().is_err(), "{text:?}");
        }
    }
}
