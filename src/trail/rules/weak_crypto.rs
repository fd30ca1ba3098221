//! `weak-crypto`: what works and is weak, where something better works as well.

use super::{Context, Rule, sample, weak, why, words};
use crate::finding::{Finding, Severity};

pub(super) const RULE: Rule = Rule {
    code: "weak-crypto",
    severity: Severity::Warning,
    title: "weak algorithms or sizes where better ones work",
    why: why!("weak-crypto"),
    source: "measured on 4.2.8p15 with OpenSSL 3.0; NIST SP 800-131A",
    run,
    brings: &[],
    fails: sample!("weak-crypto", "fail"),
    passes: sample!("weak-crypto", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let policies: Vec<_> = inventory.policies.iter().map(|(policy, _)| *policy).collect();
    // What a policy forbids is an error of `policy-violated`, not a warning here.
    let reported = |weakness: &weak::Weakness| {
        weakness.always
            && !weakness
                .forbidden_by
                .iter()
                .any(|policy| policies.contains(policy))
    };
    for (settings, entries) in context.by_settings {
        let autokey: Vec<_> = context.with_autokey(entries);
        let Some(first) = autokey.first() else { continue };
        for weakness in weak::of_settings(settings).into_iter().filter(reported) {
            found.push(
                RULE.found(format!(
                    "{} on {}, where {} would do",
                    weakness.what,
                    words::hosts(words::count(&autokey)),
                    weakness.better
                ))
                .at(context.setting_place(entries, &weakness.path), "")
                .help(format!("use {}", weakness.better))
                .about(&*first.pattern),
            );
        }
    }
    for key in &inventory.keys {
        if let Some(weakness) = weak::of_key(key).filter(reported) {
            found.push(
                RULE.found(format!("{} is weak", weakness.what))
                    .at(key.place.clone(), "")
                    .help(format!(
                        "use {}: ntp.org, NTPsec and chrony have it",
                        weakness.better
                    )),
            );
        }
    }
}
