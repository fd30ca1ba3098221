//! `finding-unknown`: a waiver or severity for a code that does not exist.

use super::{Context, RULES, Rule, sample, why};
use crate::finding::{Finding, Severity};

pub(super) const RULE: Rule = Rule {
    code: "finding-unknown",
    severity: Severity::Warning,
    title: "a waiver for a finding that does not exist",
    why: why!("finding-unknown"),
    source: "keytrail's own",
    run,
    brings: &["password-literal"],
    fails: sample!("finding-unknown", "fail"),
    passes: sample!("finding-unknown", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let known = || RULES.iter().map(|rule| rule.code);
    for rule in &context.inventory.findings {
        if known().any(|code| *code == *rule.code) {
            continue;
        }
        let near = known()
            .map(|code| (strsim::damerau_levenshtein(code, &rule.code), code))
            .min()
            .filter(|(distance, _)| *distance <= 4);
        found.push(
            RULE.found(format!("no finding has the code {}", rule.code))
                .at(rule.place.clone(), "changes nothing")
                .help(match near {
                    Some((_, code)) => format!("did you mean {code}?"),
                    None => "docs/findings.md lists the codes".to_owned(),
                }),
        );
    }
}
