//! Findings with their lines, in the order of the files.

use crate::finding::{Finding, Place, Step};
use crate::inventory::{Source, Spot, locate};
use std::fmt::Write;

/// A finding whose places have been looked up.
#[derive(Debug, Clone)]
pub struct Located<'f> {
    /// The finding.
    pub finding: &'f Finding,
    /// Where its labels are, in their order.
    pub spots: Vec<Spot>,
}

/// Looks up all places (one walk per file) and sorts by the first of each finding; those without any come last.
/// What many hosts share by an anchor is said once.
pub fn arrange<'f>(sources: &[Source], findings: &'f [Finding]) -> Vec<Located<'f>> {
    let labels = || findings.iter().flat_map(|finding| &finding.labels);
    let places: Vec<&Place> = labels().map(|label| &label.place).collect();
    let mut spots = locate(sources, &places).into_iter();
    let mut located: Vec<_> = findings
        .iter()
        .map(|finding| Located {
            finding,
            spots: spots.by_ref().take(finding.labels.len()).collect(),
        })
        .collect();
    located.sort_by_key(|located| {
        (
            located.spots.is_empty(),
            located.spots.first().copied(),
            located.finding.code,
        )
    });
    located.dedup_by(|again, first| {
        let (a, b) = (again.finding, first.finding);
        !again.spots.is_empty() && again.spots == first.spots && a.code == b.code && a.message == b.message
    });
    located
}

/// A path as people write it: `hosts.yellow.servers[0]`; keys that need it in quotes. `None` for a place that is
/// known by its line only.
pub fn path_text(place: &Place) -> Option<String> {
    let Place::Path { path, .. } = place else {
        return None;
    };
    let mut text = String::new();
    for step in path {
        // Writing into a String cannot fail.
        let _ = match step {
            Step::Index(at) => write!(text, "[{at}]"),
            Step::Key(key)
                if key
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) =>
            {
                write!(text, "{}{key}", if text.is_empty() { "" } else { "." })
            }
            Step::Key(key) => write!(text, "[{key:?}]"),
        };
    }
    Some(text)
}
