//! `policy-violated`: what a policy the inventory demands of itself forbids.

use super::{Context, Rule, sample, weak, why, words};
use crate::finding::{Finding, Place, Severity};
use crate::inventory::{IdentityScheme, Policy, Settings};
use crate::trail::cryptotype::server_schemes;

pub(super) const RULE: Rule = Rule {
    code: "policy-violated",
    severity: Severity::Error,
    title: "something a policy of the inventory forbids",
    why: why!("policy-violated"),
    source: "NIST SP 800-131A and SP 800-140C; NTP reference manual, `crypto digest`",
    run,
    brings: &[],
    fails: sample!("policy-violated", "fail"),
    passes: sample!("policy-violated", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (policy, demanded) in &inventory.policies {
        for (settings, entries) in context.by_settings {
            host_settings(context, *policy, demanded, settings, entries, found);
        }
        for key in &inventory.keys {
            if let Some(weakness) =
                weak::of_key(key).filter(|weakness| weakness.forbidden_by.contains(policy))
            {
                found.push(
                    RULE.found(format!("the policy {} forbids {}", name(*policy), weakness.what))
                        .at(key.place.clone(), "")
                        .at(demanded.clone(), "demanded here")
                        .help(format!("use {}", weakness.better)),
                );
            }
        }
        if *policy == Policy::Fips {
            identities(context, demanded, found);
        }
    }
}

fn host_settings(
    context: &Context<'_>,
    policy: Policy,
    demanded: &Place,
    settings: &Settings,
    entries: &[&crate::inventory::HostEntry],
    found: &mut Vec<Finding>,
) {
    let autokey = context.with_autokey(entries);
    let Some(first) = autokey.first() else { return };
    for weakness in weak::of_settings(settings) {
        if weakness.forbidden_by.contains(&policy) {
            let count = words::hosts(words::count(&autokey));
            found.push(
                RULE.found(format!(
                    "the policy {} forbids {} ({count})",
                    name(policy),
                    weakness.what
                ))
                .at(context.setting_place(entries, &weakness.path), "")
                .at(demanded.clone(), "demanded here")
                .help(format!("use {}", weakness.better))
                .about(&*first.pattern),
            );
        }
    }
}

fn identities(context: &Context<'_>, demanded: &Place, found: &mut Vec<Finding>) {
    for group in &context.inventory.groups {
        let schemes: Vec<&str> = server_schemes(group)
            .into_iter()
            .map(IdentityScheme::name)
            .collect();
        if !schemes.is_empty() {
            found.push(
                RULE.found(format!(
                    "the policy fips forbids the identity scheme {} of {}",
                    words::list(&schemes),
                    group.name
                ))
                .at(group.place(&["identity".into()]), "no approved algorithm")
                .at(demanded.clone(), "demanded here")
                .help("use trusted certificates alone (`identity: tc`), or symmetric keys")
                .about(&*group.name),
            );
        }
    }
}

fn name(policy: Policy) -> &'static str {
    match policy {
        Policy::Modern => "modern",
        Policy::Fips => "fips",
        Policy::Strict => "strict",
    }
}
