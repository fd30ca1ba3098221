//! `key-mismatch`: two ends mean different keys by one id.

use super::symmetric::group_name;
use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    code: "key-mismatch",
    severity: Severity::Error,
    title: "two ends mean different keys by one id",
    why: why!("key-mismatch"),
    source: "measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3: other secret, or same secret with \
             another type, is refused in all nine combinations",
    run,
    brings: &[],
    fails: sample!("key-mismatch", "fail"),
    passes: sample!("key-mismatch", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let mut seen = HashSet::new();
    for line in context.keyed {
        let (Some(here), Some(there), Some(other)) =
            (line.here(inventory), line.there(inventory), line.other)
        else {
            continue;
        };
        if std::ptr::eq(here, there) || !seen.insert((&raw const *line.entry, &raw const *other, line.id)) {
            continue;
        }
        let name = match line.line.target {
            crate::inventory::Target::Host(_) => words::target(inventory, line.line),
            _ => &other.pattern,
        };
        found.push(
            RULE.found(format!(
                "{} and {name} mean different keys by id {}",
                line.entry.pattern, line.id
            ))
            .at(
                line.entry.place(&line.line.steps()),
                format!("{} → {name}", line.entry.pattern),
            )
            .at(
                here.place.clone(),
                format!("the key of {}", group_name(inventory, here.group)),
            )
            .at(
                there.place.clone(),
                format!("the key of {}", group_name(inventory, there.group)),
            )
            .help("give keys that cross groups an id of their own and declare them at the top level")
            .about(&*line.entry.pattern),
        );
    }
}
