//! The catalogue of findings as a document: `docs/findings.md` is generated from the rules, and
//! `keytrail explain CODE` shows one of them.

use super::rules::expiring::{self, Ends};
use super::rules::{RULES, Rule};
use super::{analyse, failure};
use crate::finding::Finding;
use crate::inventory::{Inventory, load_str};
use std::fmt::Write;

/// Everything about one rule, as Markdown that reads well as plain text.
pub fn explain(rule: &Rule) -> String {
    let mut text = String::new();
    section(&mut text, rule, "#");
    text
}

/// `docs/findings.md`.
pub fn document() -> String {
    let mut text = String::from(
        "<!-- Generated from src/trail/rules; KEYTRAIL_BLESS=1 cargo test catalogue writes it again. -->\n\n\
         # Findings\n\n\
         What `keytrail check` can say about an inventory. Errors stop `plan` and `apply`. An inventory may change \
         a severity or waive a finding, with a reason and a last day:\n\n\
         ```yaml\nfindings:\n  - { code: password-literal, on: [yellow], waive: true, reason: lab, expires: 2027-06-30 }\n  \
         - { code: weak-crypto, severity: error, reason: house rule }\n```\n\n\
         `on` takes names and globs of hosts, entries and groups; without it the item holds everywhere. After its \
         last day an item no longer counts and is reported itself (`waiver-expired`).\n\n\
         | code | severity | what is wrong |\n|---|---|---|\n",
    );
    for rule in RULES {
        let _ = writeln!(
            text,
            "| [{0}](#{0}) | {1} | {2} |",
            rule.code,
            rule.severity.word(),
            rule.title
        );
    }
    for rule in RULES {
        text.push('\n');
        section(&mut text, rule, "##");
    }
    text
}

fn section(text: &mut String, rule: &Rule, heading: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{heading} {}\n", rule.code);
    let _ = writeln!(text, "**{}**: {}.\n", rule.severity.word(), rule.title);
    let _ = writeln!(text, "{}\n", rule.why);
    let _ = writeln!(text, "Source: {}.\n", rule.source);
    let _ = writeln!(text, "This fails:\n\n```yaml\n{}```\n", rule.fails);
    let _ = writeln!(text, "```text\n{}```\n", says(rule));
    let _ = writeln!(text, "This passes:\n\n```yaml\n{}```", rule.passes);
}

/// What keytrail says to the failing sample.
fn says(rule: &Rule) -> String {
    // Waivers of samples ended long ago or end late; any day between will do.
    let day = time::macros::date!(2026 - 01 - 01);
    let Ok(inventory) = load_str(rule.fails) else {
        return String::new();
    };
    let mut text = String::new();
    for finding in judge(rule, &inventory, day)
        .iter()
        .filter(|finding| finding.code == rule.code)
    {
        say(&mut text, finding);
    }
    text
}

/// What is found in a sample of a rule: what a check finds, and for what only failures show
/// or a vault, that as well.
pub(super) fn judge(rule: &Rule, inventory: &Inventory, day: time::Date) -> Vec<Finding> {
    let analysis = analyse(inventory, day);
    let what_if = failure::single(inventory, &analysis.graph, &analysis.proof);
    let failures = failure::findings(inventory, &analysis.graph, &what_if, 3);
    // As if the certificates had been made that day.
    let made = day.midnight().assume_utc().unix_timestamp();
    let ends = |host| {
        let days = i64::from(inventory.entry(host).settings.certificate_lifetime.days_from(day));
        let ends = made + days * 86_400;
        Some(Ends {
            standing: ends,
            latest: ends,
        })
    };
    let ending = expiring::find(inventory, &ends, made, expiring::soon(inventory));
    let mut findings = analysis.findings;
    let more = failures.into_iter().chain(ending);
    findings.extend(more.filter(|finding| finding.code == rule.code));
    findings
}

fn say(text: &mut String, finding: &Finding) {
    let _ = writeln!(
        text,
        "{}[{}]: {}",
        finding.severity.word(),
        finding.code,
        finding.message
    );
    for label in finding.labels.iter().filter(|label| !label.text.is_empty()) {
        let _ = writeln!(text, "  {}: {}", super::place_path(&label.place), label.text);
    }
    for help in &finding.help {
        let _ = writeln!(text, "  = help: {help}");
    }
}

#[cfg(test)]
mod tests {
    use super::document;
    use std::path::Path;

    #[test]
    fn catalogue_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings.md");
        let document = document();
        if std::env::var_os("KEYTRAIL_BLESS").is_some() {
            std::fs::write(&path, &document).expect("docs is writable");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == document,
            "docs/findings.md is out of date: KEYTRAIL_BLESS=1 cargo test catalogue"
        );
    }
}
