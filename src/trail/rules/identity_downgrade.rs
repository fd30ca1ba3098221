//! `identity-downgrade`: a line that silently falls back to trusted certificates alone.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::Auth;
use crate::trail::cryptotype::Cryptotype;
use crate::trail::needs::target_group;

pub(super) const RULE: Rule = Rule {
    code: "identity-downgrade",
    severity: Severity::Warning,
    title: "a line falls back to trusted certificates alone",
    why: why!("identity-downgrade"),
    source: "source of 4.2.8p15, cert_hike; measured on 4.2.8p15: a server without an identity key is accepted",
    run,
    brings: &[],
    fails: sample!("identity-downgrade", "fail"),
    passes: sample!("identity-downgrade", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (entry, line) in context.lines().filter(|(_, line)| line.auth == Auth::Autokey) {
        let (Some(own), Some(target)) = (entry.group, target_group(inventory, &line.target)) else {
            continue;
        };
        let kind = |group| Cryptotype::of_server(Some(inventory.group(group)));
        if kind(own) != Cryptotype::Ident || kind(target) != Cryptotype::Tc {
            continue;
        }
        let (own, target) = (inventory.group(own), inventory.group(target));
        let name = words::target(inventory, line);
        found.push(
            RULE.found(format!(
                "{} believes {name} without proof of identity",
                entry.pattern
            ))
            .at(entry.place(&line.steps()), "TC only")
            .at(
                target.place(&[]),
                format!("{} has no identity scheme, {} has", target.name, own.name),
            )
            .help(format!(
                "give {} an identity scheme: `identity: iff`",
                target.name
            ))
            .about(&*entry.pattern),
        );
    }
}
