//! Findings as JUnit XML, for the test tab of CI systems.
//!
//! One test case a rule: the names are the same in every run, so a CI system can say what is new and what is
//! mended, and a fleet of any size makes no more of them. A case fails if its rule has found something of the
//! severity that fails the check; what it found below that is its output. An inventory that cannot be read
//! makes an error of each kind of mistake, and no case of rules that never ran.

use super::arrange::{Located, arrange};
use super::checked::{Checked, printable};
use super::text::Counts;
use crate::trail::rules::RULES;
use indexmap::IndexMap;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::fmt::Write;

/// Rules that only run with `--what-if`.
const WHAT_IF: [&str; 2] = ["single-point-of-failure", "failure-makes-cycle"];

/// All findings as one JUnit report.
pub fn junit(checked: &Checked<'_>) -> String {
    let located = arrange(checked.sources, checked.findings);
    let mut cases: IndexMap<&str, Vec<&Located<'_>>> = IndexMap::new();
    if checked.readable {
        cases.extend(RULES.iter().map(|rule| (rule.code, Vec::new())));
    }
    for located in &located {
        cases.entry(located.finding.code).or_default().push(located);
    }
    let mut suite = TestSuite::new("keytrail check");
    for (code, found) in cases {
        suite.add_test_case(case(checked, code, &found));
    }
    let mut report = Report::new("keytrail");
    report.add_test_suite(suite);
    report.to_string().expect("writing to memory cannot fail")
}

fn case(checked: &Checked<'_>, code: &str, found: &[&Located<'_>]) -> TestCase {
    let fails = found
        .iter()
        .any(|located| located.finding.severity >= checked.fail_on);
    let mut text = String::new();
    for located in found {
        describe(&mut text, checked, located);
    }
    let kind = match (checked.readable, fails) {
        (false, _) => Some(NonSuccessKind::Error),
        (true, true) => Some(NonSuccessKind::Failure),
        (true, false) => None,
    };
    let mut case = match kind {
        Some(kind) => {
            let mut status = TestCaseStatus::non_success(kind);
            let first = found.first().map(|located| printable(&located.finding.message));
            let counts = Counts::of(found.iter().map(|located| located.finding));
            status.set_message(match first {
                Some(first) if found.len() == 1 => first.into_owned(),
                _ => counts.to_string(),
            });
            status.set_type(code);
            status.set_description(text);
            TestCase::new(code, status)
        }
        None if WHAT_IF.contains(&code) && !checked.what_if => TestCase::new(code, TestCaseStatus::skipped()),
        None => {
            let mut case = TestCase::new(code, TestCaseStatus::success());
            if !text.is_empty() {
                case.set_system_out(text);
            }
            case
        }
    };
    case.set_classname("keytrail.check");
    if let Some(&spot) = found.first().and_then(|located| located.spots.first()) {
        let file = checked.file(spot).to_string_lossy().into_owned();
        case.extra.insert("file".into(), file.into());
        case.extra.insert("line".into(), spot.line.to_string().into());
    }
    case
}

/// A finding as a paragraph: where, what, the other places, the help.
fn describe(text: &mut String, checked: &Checked<'_>, located: &Located<'_>) {
    let finding = located.finding;
    // Writing into a String cannot fail.
    if let Some(&spot) = located.spots.first() {
        let file = checked.file(spot);
        let _ = write!(text, "{}:{}:{}: ", file.display(), spot.line, spot.column);
    }
    let _ = writeln!(
        text,
        "{}: {}",
        finding.severity.word(),
        printable(&finding.message)
    );
    for (label, &spot) in finding.labels.iter().zip(&located.spots) {
        if !label.text.is_empty() {
            let _ = writeln!(text, "  line {}: {}", spot.line, printable(&label.text));
        }
    }
    for help in &finding.help {
        let _ = writeln!(text, "  help: {}", printable(help));
    }
}
