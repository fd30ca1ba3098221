//! Findings for people.

use crate::finding::Finding;
use crate::inventory::Source;
use crate::report;

/// Findings shown as text before the rest is only counted; JSON always has all.
const SHOWN: usize = 50;

/// Findings as text.
pub fn text(sources: &[Source], findings: &[Finding], color: bool) -> String {
    let style = report::TextStyle {
        color,
        limit: SHOWN,
        ..report::TextStyle::default()
    };
    report::text(sources, findings, style)
}
