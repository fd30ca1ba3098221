//! Why an output could not be read: the command was refused, or the text is not what it should be.

use std::fmt;

/// An output that says nothing usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The command ran but got no answer, or the daemon refused it.
    #[error("{0}")]
    Refused(Refusal),
    /// The text is not such an output.
    #[error("{output}, line {line}: {what}")]
    Malformed {
        /// Which output (`ntpq as`).
        output: &'static str,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

impl ReadError {
    pub(super) fn malformed(output: &'static str, line: usize, what: impl Into<String>) -> Self {
        Self::Malformed {
            output,
            line,
            what: what.into(),
        }
    }
}

/// An answer of ntpq, chronyc or the shell that is no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing, or not everything, came back in time: not running, or `restrict … noquery`, or the wrong address.
    TimedOut,
    /// Nothing listens on port 123 of that address: the daemon does not run.
    ConnectionRefused,
    /// One of the names asked for is unknown to the daemon, which then refuses the whole list.
    UnknownVariable,
    /// No association has that number (any more): numbers are new with every restart.
    UnknownAssociation,
    /// chronyd answers this command only on its local socket, for root and its own user (501).
    NotAuthorised,
    /// chronyc found no daemon to talk to (506).
    NoDaemon,
    /// The host has no such program.
    NoProgram,
    /// Another complaint, as it was.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => {
                "the daemon did not answer the query in time: it is not running, or its `restrict` lines do not let \
                 this address query it"
            }
            Self::ConnectionRefused => "nothing listens on the NTP port: the daemon is not running",
            Self::UnknownVariable => "the daemon does not know one of the variables asked for",
            Self::UnknownAssociation => {
                "the daemon has no association of that number: it was restarted or the association was replaced \
                 meanwhile"
            }
            Self::NotAuthorised => {
                "chronyd gives this answer on its local socket only: ask as root or as chrony's own user"
            }
            Self::NoDaemon => "chronyc found no running chronyd",
            Self::NoProgram => "the query program is not installed on the host, or not in its PATH",
            Self::Other(text) => return write!(f, "the query was refused: {text}"),
        })
    }
}

/// The complaint in a text that holds one instead of, or before, data.
pub(super) fn refusal(text: &str) -> Option<Refusal> {
    text.lines().map(str::trim).find_map(|line| {
        let lower = line.to_ascii_lowercase();
        if lower.contains("timed out, nothing received")
            || lower.contains("timed out with incomplete data")
            || lower.starts_with("***request timed out")
            || lower.starts_with("***response from server was incomplete")
        {
            Some(Refusal::TimedOut)
        } else if lower.ends_with("connection refused") {
            Some(Refusal::ConnectionRefused)
        } else if lower.starts_with("***a request variable unknown")
            || lower.starts_with("***server indicates a request variable was bad")
        {
            Some(Refusal::UnknownVariable)
        } else if lower.starts_with("***association id") {
            Some(Refusal::UnknownAssociation)
        } else if lower.starts_with("501 ") {
            Some(Refusal::NotAuthorised)
        } else if lower.starts_with("506 ") {
            Some(Refusal::NoDaemon)
        } else if lower.ends_with(": not found") || lower.ends_with("command not found") {
            Some(Refusal::NoProgram)
        } else if line.starts_with("***") || (lower.starts_with('5') && is_chrony_status(&lower)) {
            Some(Refusal::Other(excerpt(line.trim_start_matches('*'))))
        } else {
            None
        }
    })
}

/// chronyc's complaints are a number and words: `503 No such source`.
fn is_chrony_status(line: &str) -> bool {
    let Some((number, words)) = line.split_once(' ') else {
        return false;
    };
    number.len() == 3
        && number.bytes().all(|b| b.is_ascii_digit())
        && words.starts_with(|c: char| c.is_ascii_alphabetic())
        && !words.contains(',')
}

/// A short, printable piece of a text for messages.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut short: String = text
        .trim()
        .chars()
        .take(LONGEST)
        .map(|c| {
            if keytrail_vocabulary::foreign::is_hidden(c) {
                ' '
            } else {
                c
            }
        })
        .collect();
    if text.trim().chars().count() > LONGEST {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_apart() {
        for (text, refusal_) in [
            (
                "localhost: timed out, nothing received\n***Request timed out\n",
                Refusal::TimedOut,
            ),
            ("ntpq: read: Connection refused\n", Refusal::ConnectionRefused),
            (
                "***A request variable unknown to the server\n",
                Refusal::UnknownVariable,
            ),
            (
                "***Association ID 7 unknown to server\n",
                Refusal::UnknownAssociation,
            ),
            ("501 Not authorised\n", Refusal::NotAuthorised),
            ("506 Cannot talk to daemon\n", Refusal::NoDaemon),
            (
                "503 No such source\n",
                Refusal::Other("503 No such source".into()),
            ),
            ("sh: 1: ntpq: not found\n", Refusal::NoProgram),
        ] {
            assert_eq!(refusal(text), Some(refusal_), "{text}");
        }
        assert_eq!(refusal("associd=1 status=f61a conf,\nsrcadr=10.0.0.1\n"), None);
        assert_eq!(refusal("50,0,1,0,0\n"), None);
    }

    #[test]
    fn excerpts_are_short_and_printable() {
        let text = excerpt(&format!("a\u{1b}[2J{}", "é".repeat(200)));
        assert!(text.chars().count() <= 81 && !text.chars().any(char::is_control));
    }
}
