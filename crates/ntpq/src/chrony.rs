//! chronyd's answers as `chronyc -n -c` prints them: comma-separated, one line a source. Fields as in chrony 4.3;
//! later versions add some at the end.
//!
//! `authdata` and `ntpdata` are answered on the local socket only, to root and chrony's own user.

use super::error::{ReadError, excerpt, refusal};

mod source;

pub use source::{Source, join};

/// chronyc's "never" and "unknown".
const NONE: u64 = 4_294_967_295;

/// One line split at its commas.
struct Row<'a> {
    output: &'static str,
    line: usize,
    fields: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// Field by number from 1, as chrony's manual and people count them.
    fn text(&self, number: usize) -> &'a str {
        self.fields.get(number - 1).copied().unwrap_or_default()
    }

    fn bad(&self, number: usize, what: &str) -> ReadError {
        ReadError::malformed(
            self.output,
            self.line,
            format!(
                "field {number} should be {what}, found '{}'",
                excerpt(self.text(number))
            ),
        )
    }

    fn number<T: std::str::FromStr>(&self, number: usize) -> Result<T, ReadError> {
        self.text(number)
            .parse()
            .map_err(|_| self.bad(number, "a number"))
    }

    fn flag(&self, number: usize, yes: &str, no: &str) -> Result<bool, ReadError> {
        match self.text(number) {
            word if word == yes => Ok(true),
            word if word == no => Ok(false),
            _ => Err(self.bad(number, &format!("{yes} or {no}"))),
        }
    }
}

fn rows<'a>(output: &'static str, text: &'a str, fields: usize) -> Result<Vec<Row<'a>>, ReadError> {
    if let Some(refusal) = refusal(text) {
        return Err(ReadError::Refused(refusal));
    }
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let row = Row {
                output,
                line: index + 1,
                fields: line.trim_end().split(',').collect(),
            };
            if row.fields.len() < fields {
                return Err(ReadError::malformed(
                    output,
                    index + 1,
                    format!(
                        "expected {fields} fields or more, found {} in '{}'",
                        row.fields.len(),
                        excerpt(line)
                    ),
                ));
            }
            Ok(row)
        })
        .collect()
}

/// The only line of an output that has one.
fn single<'a>(output: &'static str, text: &'a str, fields: usize) -> Result<Row<'a>, ReadError> {
    rows(output, text, fields)?
        .into_iter()
        .next()
        .ok_or_else(|| ReadError::malformed(output, 1, "the output is empty"))
}

/// How a source is configured to be authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Not at all.
    None,
    /// A symmetric key of that id.
    Key(u32),
    /// NTS.
    Nts,
}

/// A line of `authdata`: what is configured, not whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthData {
    /// Address (`-n`) or name (`-N`).
    pub name: String,
    /// Mode and key id.
    pub mode: AuthMode,
    /// Number of the key's type (1 MD5, 13 AES-128 …; NTS: 15 AES-SIV-CMAC-256); 0: no key.
    pub key_type: u32,
    /// Length of the key in bits; 0: no key.
    pub key_bits: u32,
    /// Seconds since the last NTS key establishment.
    pub last_establishment: Option<u64>,
    /// NTS key establishments tried since the last that worked.
    pub attempts: u32,
    /// The server did not know the cookies.
    pub nak: bool,
    /// NTS cookies held.
    pub cookies: u32,
}

/// Reads `chronyc -n -c authdata`.
pub fn authdata(text: &str) -> Result<Vec<AuthData>, ReadError> {
    rows("chronyc authdata", text, 10)?
        .iter()
        .map(|row| {
            Ok(AuthData {
                name: row.text(1).to_owned(),
                mode: match row.text(2) {
                    "-" => AuthMode::None,
                    "SK" => AuthMode::Key(row.number(3)?),
                    "NTS" => AuthMode::Nts,
                    _ => return Err(row.bad(2, "SK, NTS or -")),
                },
                key_type: row.number(4)?,
                key_bits: row.number(5)?,
                last_establishment: Some(row.number(6)?).filter(|seconds| *seconds != NONE),
                attempts: row.number(7)?,
                nak: row.flag(8, "1", "0")?,
                cookies: row.number(9)?,
            })
        })
        .collect()
}

/// A line of `ntpdata`: what came of the packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NtpData {
    /// Address.
    pub address: String,
    /// Leap status of the last valid answer (`Normal`, `Not synchronised` …).
    pub leap: String,
    /// Stratum in it, 0 before the first.
    pub stratum: u8,
    /// Whether it was authenticated.
    pub authenticated: bool,
    /// Requests sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Of those, valid ones: authentication is part of it.
    pub valid: u64,
    /// Of those, good for a measurement.
    pub good: u64,
}

/// Reads `chronyc -n -c ntpdata`.
pub fn ntpdata(text: &str) -> Result<Vec<NtpData>, ReadError> {
    rows("chronyc ntpdata", text, 34)?
        .iter()
        .map(|row| {
            Ok(NtpData {
                address: row.text(1).to_owned(),
                leap: row.text(6).to_owned(),
                stratum: row.number(9)?,
                authenticated: row.flag(28, "Yes", "No")?,
                sent: row.number(31)?,
                received: row.number(32)?,
                valid: row.number(33)?,
                good: row.number(34)?,
            })
        })
        .collect()
}

/// A line of `sources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// `^` server, `=` peer, `#` reference clock.
    pub mode: char,
    /// `*` in use, `+` combined, `-` not combined, `?` unusable, `x` falseticker, `~` too variable.
    pub state: char,
    /// Address, name or reference id.
    pub name: String,
    /// Stratum.
    pub stratum: u8,
    /// Poll interval, log2 seconds.
    pub poll: i8,
    /// Last eight polls, newest in the lowest bit.
    pub reach: u8,
    /// Seconds since the last sample.
    pub last: Option<u64>,
}

/// Reads `chronyc -n -c sources`.
pub fn sources(text: &str) -> Result<Vec<SourceRow>, ReadError> {
    rows("chronyc sources", text, 7)?
        .iter()
        .map(|row| {
            let sign = |number: usize, known: &str| {
                let mut chars = row.text(number).chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) if known.contains(c) => Ok(c),
                    _ => Err(row.bad(number, &format!("one of {known}"))),
                }
            };
            Ok(SourceRow {
                mode: sign(1, "^=#")?,
                state: sign(2, "*+-?x~")?,
                name: row.text(3).to_owned(),
                stratum: row.number(4)?,
                poll: row.number(5)?,
                reach: u8::from_str_radix(row.text(6), 8).map_err(|_| row.bad(6, "an octal register"))?,
                last: Some(row.number(7)?).filter(|seconds| *seconds != NONE),
            })
        })
        .collect()
}

/// `tracking`: the host's own state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracking {
    /// Name or address of the source in use; empty where there is none.
    pub source: String,
    /// Own stratum, 0 while not synchronised.
    pub stratum: u8,
    /// Leap status (`Normal`, `Not synchronised` …).
    pub leap: String,
}

/// Reads `chronyc -c tracking`.
pub fn tracking(text: &str) -> Result<Tracking, ReadError> {
    let row = single("chronyc tracking", text, 14)?;
    Ok(Tracking {
        source: row.text(2).to_owned(),
        stratum: row.number(3)?,
        leap: row.text(14).to_owned(),
    })
}

/// `activity`: how many sources are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Online.
    pub online: u32,
    /// Offline.
    pub offline: u32,
    /// In a burst, online after it.
    pub burst_online: u32,
    /// In a burst, offline after it.
    pub burst_offline: u32,
    /// Names not resolved.
    pub unresolved: u32,
}

/// Reads `chronyc -c activity`.
pub fn activity(text: &str) -> Result<Activity, ReadError> {
    let row = single("chronyc activity", text, 5)?;
    Ok(Activity {
        online: row.number(1)?,
        offline: row.number(2)?,
        burst_online: row.number(3)?,
        burst_offline: row.number(4)?,
        unresolved: row.number(5)?,
    })
}

/// `serverstats`: what a server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerStats {
    /// NTP packets received.
    pub received: u64,
    /// NTP packets dropped.
    pub dropped: u64,
    /// NTS key establishments accepted.
    pub nts_accepted: u64,
    /// NTS key establishments dropped.
    pub nts_dropped: u64,
    /// Authenticated NTP packets.
    pub authenticated: u64,
}

/// Reads `chronyc -c serverstats`.
pub fn serverstats(text: &str) -> Result<ServerStats, ReadError> {
    let row = single("chronyc serverstats", text, 8)?;
    Ok(ServerStats {
        received: row.number(1)?,
        dropped: row.number(2)?,
        nts_accepted: row.number(6)?,
        nts_dropped: row.number(7)?,
        authenticated: row.number(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_named_by_field() {
        let error = |result: Result<Vec<AuthData>, ReadError>| result.unwrap_err().to_string();
        assert!(error(authdata("a,b\n")).contains("expected 10 fields or more, found 2"));
        assert!(error(authdata("a,XX,0,0,0,0,0,0,0,0\n")).contains("field 2 should be SK, NTS or -"));
        assert!(error(authdata("\na,SK,1,x,0,0,0,0,0,0\n")).contains("line 2: field 4"));
        assert!(
            sources("^,*,a,1,4,9,0\n")
                .unwrap_err()
                .to_string()
                .contains("octal")
        );
        assert!(tracking("").unwrap_err().to_string().contains("empty"));
    }

    #[test]
    fn later_versions_may_add_fields() {
        assert_eq!(activity("7,0,1,0,0,99\n").unwrap().online, 7);
    }

    #[test]
    fn never_is_no_number() {
        let row = authdata("a,NTS,0,0,0,4294967295,1,0,0,0\n").unwrap().remove(0);
        assert_eq!((row.last_establishment, row.attempts), (None, 1));
    }
}
