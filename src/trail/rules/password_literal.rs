//! `password-literal`: a secret stands in the inventory.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Place, Severity};
use crate::inventory::PasswordSource;
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    code: "password-literal",
    severity: Severity::Warning,
    title: "a secret stands in the inventory",
    why: why!("password-literal"),
    source: "keytrail's security model",
    run,
    brings: &[],
    fails: sample!("password-literal", "fail"),
    passes: sample!("password-literal", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let mut seen: HashSet<&Place> = HashSet::new();
    for (settings, entries) in context.by_settings {
        let (Some(PasswordSource::Literal(_)), Some(place)) = (&settings.password, &settings.password_place)
        else {
            continue;
        };
        if seen.insert(place) {
            let count = words::count(entries);
            let whose = if count == 1 {
                entries[0].pattern.to_string()
            } else {
                words::hosts(count)
            };
            found.push(
                RULE.found(format!("the password of {whose} stands in the inventory"))
                    .at(place.clone(), "readable for everybody who can read this file")
                    .help("leave it out (keytrail generates one), or use `{env: NAME}`, `{file: PATH}` or `{command: […]}`")
                    .about(&*entries[0].pattern),
            );
        }
    }
    for key in &context.inventory.keys {
        if let Some(PasswordSource::Literal(_)) = key.value {
            found.push(
                RULE.found(format!("the value of symmetric key {} stands in the inventory", key.id))
                    .at(key.place.clone(), "readable for everybody who can read this file")
                    .help("leave `value` out (keytrail generates one), or use `{env: NAME}`, `{file: PATH}` or `{command: […]}`"),
            );
        }
    }
}
