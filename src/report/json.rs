//! Findings as JSON, for programs; docs/check-json.md is its reference. Version 1:
//!
//! ```json
//! {
//!   "version": 1,
//!   "summary": { "errors": 1, "warnings": 0, "notes": 0 },
//!   "findings": [
//!     {
//!       "code": "trail-cycle",
//!       "severity": "error",
//!       "message": "certificate trail never reaches a trusted host",
//!       "subject": "yellow",
//!       "path": "hosts.yellow.servers[0]",
//!       "locations": [{ "file": "campus.yaml", "line": 31, "column": 16, "length": 8, "text": "yellow → howland2" }],
//!       "help": ["give one of them a server that leads to green's trusted host howland"]
//!     }
//!   ],
//!   "authentication": {
//!     "hosts": 38, "authenticated": 36, "by": [{ "how": "AES-128-CMAC", "hosts": 30 }, { "how": "IFF", "hosts": 6 }],
//!     "clocks": 0, "accepted": 0, "unauthenticated": 2
//!   }
//! }
//! ```
//!
//! `subject` (host or group) and `path` are `null` where there is none; the first location is where the finding is
//! reported; lines and columns count from 1, columns and lengths in characters. Fields may be added in version 1,
//! none is removed.

use super::arrange::{arrange, path_text};
use super::ranking::Ranking;
use super::text::Counts;
use crate::finding::{Finding, Severity};
use crate::inventory::Source;
use crate::trail::tally::Tally;
use serde::Serialize;
use std::borrow::Cow;

#[derive(Serialize)]
struct Document<'f> {
    version: u32,
    summary: Counts,
    findings: Vec<Entry<'f>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<&'f Tally>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what_if: Option<&'f Ranking<'f>>,
}

#[derive(Serialize)]
struct Entry<'f> {
    code: &'static str,
    severity: Severity,
    message: &'f str,
    subject: Option<&'f str>,
    path: Option<String>,
    locations: Vec<Location<'f>>,
    help: &'f [String],
}

#[derive(Serialize)]
struct Location<'f> {
    file: Cow<'f, str>,
    line: u32,
    column: u32,
    length: u32,
    text: &'f str,
}

/// All findings as one JSON document, never capped.
pub fn json(sources: &[Source], findings: &[Finding]) -> String {
    json_with(sources, findings, Answers::default())
}

/// What a check answers beside findings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers<'a> {
    /// What was proven of how many hosts; nothing is of an inventory that cannot be read.
    pub tally: Option<&'a Tally>,
    /// Where `--what-if` was asked.
    pub ranking: Option<&'a Ranking<'a>>,
}

/// The same, with what a check answers beside them.
pub fn json_with(sources: &[Source], findings: &[Finding], answers: Answers<'_>) -> String {
    let located = arrange(sources, findings);
    let entries = located.iter().map(|located| {
        let finding = located.finding;
        let locations = finding
            .labels
            .iter()
            .zip(&located.spots)
            .map(|(label, spot)| Location {
                file: match sources.get(usize::from(spot.source.0)) {
                    Some(source) => source.path.to_string_lossy(),
                    None => "".into(),
                },
                line: spot.line,
                column: spot.column,
                length: spot.len,
                text: &label.text,
            });
        Entry {
            code: finding.code,
            severity: finding.severity,
            message: &finding.message,
            subject: finding.subject.as_deref(),
            path: finding.labels.first().and_then(|label| path_text(&label.place)),
            locations: locations.collect(),
            help: &finding.help,
        }
    });
    let document = Document {
        version: 1,
        summary: Counts::of(located.iter().map(|located| located.finding)),
        findings: entries.collect(),
        authentication: answers.tally,
        what_if: answers.ranking,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("strings and numbers always serialize");
    text.push('\n');
    crate::foreign::json(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Place, SourceId, Step};

    #[test]
    fn says_everything_a_program_needs() {
        let source = Source {
            path: "campus.yaml".into(),
            text: std::sync::Arc::new("hosts:\n  \"leaf[1-2]\": { servers: [mört, b] }\n".into()),
        };
        let path = ["hosts", "leaf[1-2]", "servers"]
            .map(Step::from)
            .into_iter()
            .chain([Step::from(1)]);
        let finding = Finding::warning("trail-cycle", "round and round")
            .at(Place::value(SourceId(0), path.collect()), "b")
            .help("stop")
            .about("leaf1");
        let document: serde_json::Value = serde_json::from_str(&json(&[source], &[finding])).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "version": 1,
                "summary": { "errors": 0, "warnings": 1, "notes": 0 },
                "findings": [{
                    "code": "trail-cycle",
                    "severity": "warning",
                    "message": "round and round",
                    "subject": "leaf1",
                    "path": "hosts[\"leaf[1-2]\"].servers[1]",
                    "locations": [{ "file": "campus.yaml", "line": 2, "column": 34, "length": 1, "text": "b" }],
                    "help": ["stop"],
                }],
            })
        );
    }
}
