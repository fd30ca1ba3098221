//! Findings as GitHub annotations: workflow commands that the runner shows beside the lines of a pull request.
//!
//! One line a finding, `::error file=…,line=…,col=…,endColumn=…,title=CODE::MESSAGE`. GitHub shows ten errors,
//! ten warnings and ten notices a step and keeps the rest in the log, so the worst come first.

use super::arrange::{Located, arrange};
use super::checked::{Checked, printable};
use super::text::Counts;
use crate::finding::Severity;
use std::cmp::Reverse;
use std::fmt::Write;

/// All findings, one command each, and a last line that counts them.
pub fn github(checked: &Checked<'_>) -> String {
    let mut located = arrange(checked.sources, checked.findings);
    located.sort_by_key(|located| Reverse(located.finding.severity));
    let mut text = String::new();
    for located in &located {
        annotate(&mut text, checked, located);
    }
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "{}",
        Counts::of(located.iter().map(|located| located.finding))
    );
    text
}

fn annotate(text: &mut String, checked: &Checked<'_>, located: &Located<'_>) {
    let finding = located.finding;
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let _ = write!(text, "::{command} ");
    if let Some(&spot) = located.spots.first() {
        let _ = write!(
            text,
            "file={},line={},col={},endColumn={},",
            property(&checked.file(spot).to_string_lossy()),
            spot.line,
            spot.column,
            spot.column + spot.len - 1,
        );
    }
    let _ = writeln!(
        text,
        "title={}::{}",
        property(finding.code),
        message(checked, located)
    );
}

/// The finding, what is at the other places, and the help, each on a line of the annotation.
fn message(checked: &Checked<'_>, located: &Located<'_>) -> String {
    let finding = located.finding;
    let mut lines = vec![printable(&finding.message).into_owned()];
    for (at, (label, &spot)) in finding.labels.iter().zip(&located.spots).enumerate() {
        let text = printable(&label.text);
        match at {
            0 if text.is_empty() => {}
            0 => lines.push(text.into_owned()),
            _ => lines.push(format!("{}:{}: {text}", checked.file(spot).display(), spot.line)),
        }
    }
    lines.extend(
        finding
            .help
            .iter()
            .map(|help| format!("help: {}", printable(help))),
    );
    data(&lines.join("\n"))
}

/// Text after the last `::` of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text of a property, which ends at a comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Finding, Place, SourceId, Step};
    use crate::inventory::Source;
    use crate::report::Roots;
    use std::path::Path;

    #[test]
    fn nothing_in_a_finding_can_break_out_of_its_command() {
        let sources = [Source {
            path: "a,b:100%\n::warning::c.yaml".into(),
            text: std::sync::Arc::new("hosts:\n  a: { group: b }\n".into()),
        }];
        let place =
            |steps: &[&str]| Place::value(SourceId(0), steps.iter().map(|&step| Step::from(step)).collect());
        let findings = [
            Finding::new("n", Severity::Note, "nowhere"),
            Finding::error("c", "100% of\r\n::error::it\u{1b}[0m, all: of it")
                .at(place(&["hosts", "a", "group"]), "here")
                .at(place(&["hosts"]), "and there")
                .help("mend it"),
        ];
        let shown = github(&Checked {
            sources: &sources,
            findings: &findings,
            readable: true,
            what_if: false,
            fail_on: Severity::Error,
            roots: Roots {
                here: Path::new("/w"),
                root: Path::new("/w"),
            },
        });
        assert_eq!(
            shown,
            "::error file=a%2Cb%3A100%25%0A%3A%3Awarning%3A%3Ac.yaml,line=2,col=15,endColumn=15,title=c::100%25 of\u{fffd}\u{fffd}::error::it\u{fffd}[0m, all: of it%0A\
             here%0Aa,b:100%25%0A::warning::c.yaml:1: and there%0Ahelp: mend it\n\
             ::notice title=n::nowhere\n\
             1 error, 1 note\n"
        );
    }
}
