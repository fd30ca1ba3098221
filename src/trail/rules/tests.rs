//! Every rule against its samples, and the catalogue against itself.

use super::{RULES, rule};
use crate::finding::Severity;
use crate::inventory::{Inventory, LoadFailure, load_str};
use crate::trail::catalogue::judge;
use crate::trail::sample;

fn load(code: &str, text: &str) -> Inventory {
    match load_str(text) {
        Ok(inventory) => inventory,
        Err(LoadFailure::Invalid { findings, .. }) => panic!("{code}: {findings:#?}"),
        Err(failure) => panic!("{code}: {failure}"),
    }
}

#[test]
fn failing_samples_are_found_and_nothing_else_is_wrong_with_them() {
    for rule in RULES {
        let inventory = load(rule.code, rule.fails);
        let findings = judge(rule, &inventory, sample::TODAY);
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&rule.code), "{}: found {codes:?}", rule.code);
        for finding in &findings {
            let allowed = rule.code == finding.code || rule.brings.contains(&finding.code);
            assert!(allowed, "{}: also {finding:#?}", rule.code);
            assert!(!finding.labels.is_empty(), "{}: no place", rule.code);
            assert!(!finding.help.is_empty(), "{}: no help", rule.code);
            let mut letters = finding.message.chars();
            // A sentence begins small, unless with an abbreviation.
            let capital = letters.next().is_some_and(char::is_uppercase);
            assert!(
                !capital || letters.next().is_some_and(char::is_uppercase),
                "{}",
                finding.message
            );
            assert!(!finding.message.ends_with('.'), "{}", finding.message);
        }
    }
}

#[test]
fn passing_samples_are_clean() {
    for rule in RULES {
        let findings = judge(rule, &load(rule.code, rule.passes), sample::TODAY);
        let wrong: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity > Severity::Note)
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", rule.code);
    }
}

#[test]
fn codes_are_unique_and_described() {
    for (at, one) in RULES.iter().enumerate() {
        assert!(
            RULES[..at].iter().all(|other| other.code != one.code),
            "{} twice",
            one.code
        );
        assert!(
            one.code.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
            "{}",
            one.code
        );
        assert!(
            !one.title.is_empty() && !one.why.is_empty() && !one.source.is_empty(),
            "{}",
            one.code
        );
        let too_wide = |line: &&str| line.chars().count() > 80 && !line.starts_with('|');
        assert_eq!(one.why.lines().find(too_wide), None, "{}", one.code);
        assert!(std::ptr::eq(rule(one.code).expect("by code"), one));
    }
}

#[test]
fn the_sample_inventory_is_proven() {
    let text = include_str!("../../../inventories/red-green-blue.yaml");
    let findings = crate::trail::analyse(&load("red-green-blue", text), sample::TODAY).findings;
    assert!(
        findings
            .iter()
            .all(|finding| finding.severity < Severity::Warning),
        "{findings:#?}"
    );
}
