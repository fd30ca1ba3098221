//! What the inventory says about findings: other severities, waivers with a last day; and their order.

use crate::finding::{Finding, Part, Place, SourceId, Step};
use crate::inventory::{FindingRule, Inventory};
use std::collections::HashMap;
use time::Date;

/// Applies the inventory's [`FindingRule`]s and sorts by place.
pub fn apply(inventory: &Inventory, found: Vec<Finding>, today: Date) -> Vec<Finding> {
    let mut findings: Vec<Finding> = found;
    if !inventory.findings.is_empty() {
        let rules: Vec<Applied<'_>> = inventory
            .findings
            .iter()
            .map(|rule| Applied::new(rule, today))
            .collect();
        findings = findings
            .into_iter()
            .filter_map(|finding| decide(inventory, &rules, finding))
            .collect();
        findings.extend(
            rules
                .iter()
                .filter(|rule| rule.expired)
                .map(|rule| expired(rule.rule)),
        );
    }
    sort(inventory, &mut findings);
    findings
}

/// The same for findings that come later than the rest: without what is said about the items themselves.
pub fn apply_later(inventory: &Inventory, found: Vec<Finding>, today: Date) -> Vec<Finding> {
    let mut findings = apply(inventory, found, today);
    findings.retain(|finding| finding.code != "waiver-expired");
    findings
}

struct Applied<'i> {
    rule: &'i FindingRule,
    on: Option<globset::GlobSet>,
    expired: bool,
}

impl<'i> Applied<'i> {
    fn new(rule: &'i FindingRule, today: Date) -> Self {
        let on = (!rule.on.is_empty()).then(|| {
            let mut set = globset::GlobSetBuilder::new();
            for pattern in &rule.on {
                // A range such as leaf[01-04] names an entry; brackets are not a character class here.
                if let Ok(glob) = globset::Glob::new(&pattern.replace('[', "[[]")) {
                    set.add(glob);
                }
            }
            set.build().unwrap_or_default()
        });
        Self {
            rule,
            on,
            expired: rule.expires.is_some_and(|day| day < today),
        }
    }

    fn concerns(&self, inventory: &Inventory, finding: &Finding) -> bool {
        *self.rule.code == *finding.code
            && self.on.as_ref().is_none_or(|on| {
                subjects(inventory, finding)
                    .iter()
                    .any(|subject| on.is_match(subject))
            })
    }
}

/// The names a finding can be addressed by: its subject, that host's entry and group.
fn subjects<'a>(inventory: &'a Inventory, finding: &'a Finding) -> Vec<&'a str> {
    let Some(subject) = finding.subject.as_deref() else {
        return Vec::new();
    };
    let mut names = vec![subject];
    let entry = match inventory.find(subject) {
        Some(host) => Some(inventory.entry(host)),
        None => inventory.entries.iter().find(|entry| &*entry.pattern == subject),
    };
    if let Some(entry) = entry {
        names.push(&entry.pattern);
        names.extend(entry.group.map(|group| &*inventory.group(group).name));
    }
    names
}

fn decide(inventory: &Inventory, rules: &[Applied<'_>], mut finding: Finding) -> Option<Finding> {
    // The last that concerns it wins, as with settings.
    let rule = rules
        .iter()
        .rev()
        .find(|rule| !rule.expired && rule.concerns(inventory, &finding));
    match rule.map(|rule| rule.rule.severity) {
        None => Some(finding),
        Some(None) => None,
        Some(Some(severity)) => {
            finding.severity = severity;
            Some(finding)
        }
    }
}

fn expired(rule: &FindingRule) -> Finding {
    let what = if rule.severity.is_some() {
        "changed severity"
    } else {
        "waiver"
    };
    Finding::warning(
        "waiver-expired",
        format!(
            "the {what} of {} ended on {}",
            rule.code,
            rule.expires.map_or_else(|| "?".to_owned(), |day| day.to_string())
        ),
    )
    .at(rule.place.clone(), format!("reason given: {}", rule.reason))
    .help("mend what it covers, or give it a new last day with a fresh reason")
}

/// Where a place stands, as far as that is known without reading the file again: sections in the order
/// they are usually written, entries and groups in the order of the inventory.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Standing(SourceId, u8, usize, Vec<Step>, Part);

fn sort(inventory: &Inventory, findings: &mut [Finding]) {
    if findings.len() < 2 {
        return;
    }
    let entries: HashMap<&str, usize> = inventory
        .entries
        .iter()
        .enumerate()
        .map(|(at, entry)| (&*entry.pattern, at))
        .collect();
    let groups: HashMap<&str, usize> = inventory
        .groups
        .iter()
        .enumerate()
        .map(|(at, group)| (&*group.name, at))
        .collect();
    findings.sort_by_cached_key(|finding| {
        let standing = finding
            .labels
            .first()
            .map(|label| standing(&entries, &groups, &label.place));
        (standing, finding.code)
    });
}

fn standing(entries: &HashMap<&str, usize>, groups: &HashMap<&str, usize>, place: &Place) -> Standing {
    match place {
        Place::Line {
            source, line, column, ..
        } => {
            let at = [Step::Index(*line), Step::Index(*column)];
            Standing(*source, 0, 0, at.to_vec(), Part::Key)
        }
        Place::Path { source, path, part } => {
            let (section, number) = match path.as_slice() {
                [Step::Key(section), Step::Key(key), ..] => match &**section {
                    "groups" => (3, groups.get(&**key).copied().unwrap_or(usize::MAX)),
                    "hosts" => (4, entries.get(&**key).copied().unwrap_or(usize::MAX)),
                    _ => (2, 0),
                },
                _ => (1, 0),
            };
            Standing(*source, section, number, path.clone(), *part)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::finding::Severity;
    use crate::inventory::load_str;
    use crate::trail::analyse;
    use time::macros::date;

    fn judged(rules: &str) -> Vec<(String, Severity)> {
        let text = format!(
            "version: 1
groups:
  green: {{ identity: gq, trusted: [howland] }}
hosts:
  howland: {{ group: green, address: a.example, reference_clock: true }}
  'leaf[01-04]': {{ group: green, address: 'l{{}}.example', servers: [howland], password: correct-horse }}
findings:
{rules}
"
        );
        let inventory = load_str(&text).expect("valid");
        let findings = analyse(&inventory, date!(2026 - 11 - 20)).findings;
        findings
            .iter()
            .map(|finding| (finding.code.to_owned(), finding.severity))
            .collect()
    }

    const LITERAL: &str = "password-literal";
    const SHARED: &str = "password-shared";

    fn expect(rules: &str, expected: &[(&str, Severity)]) {
        let mut found = judged(rules);
        found.sort();
        let mut expected: Vec<_> = expected
            .iter()
            .map(|(code, severity)| ((*code).to_owned(), *severity))
            .collect();
        expected.sort();
        assert_eq!(found, expected, "{rules}");
    }

    #[test]
    fn waivers_name_hosts_entries_groups_and_globs() {
        for on in ["", "on: [green], ", "on: ['leaf[01-04]'], ", "on: ['lea*'], "] {
            let rule = format!("  - {{ code: password-literal, {on}waive: true, reason: lab }}");
            expect(&rule, &[(SHARED, Severity::Warning)]);
        }
        let other = "  - { code: password-literal, on: [howland], waive: true, reason: lab }";
        expect(
            other,
            &[(LITERAL, Severity::Warning), (SHARED, Severity::Warning)],
        );
    }

    #[test]
    fn the_last_rule_that_concerns_a_finding_wins() {
        expect(
            "  - { code: password-literal, waive: true, reason: lab }
  - { code: password-literal, severity: error, reason: house rule }",
            &[(LITERAL, Severity::Error), (SHARED, Severity::Warning)],
        );
    }

    #[test]
    fn a_waiver_counts_on_its_last_day_and_not_after() {
        let until =
            |day: &str| format!("  - {{ code: password-literal, waive: true, reason: lab, expires: {day} }}");
        expect(&until("2026-11-20"), &[(SHARED, Severity::Warning)]);
        let after = [
            (LITERAL, Severity::Warning),
            (SHARED, Severity::Warning),
            ("waiver-expired", Severity::Warning),
        ];
        expect(&until("2026-11-19"), &after);
    }
}
