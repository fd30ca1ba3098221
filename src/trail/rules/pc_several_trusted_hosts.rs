//! `pc-several-trusted-hosts`: a private certificate has one owner.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::IdentityScheme;

pub(super) const RULE: Rule = Rule {
    code: "pc-several-trusted-hosts",
    severity: Severity::Error,
    title: "a PC group has several trusted hosts",
    why: why!("pc-several-trusted-hosts"),
    source: "RFC 5906 appendix B (private certificate scheme); measured on 4.2.8p15: another key gives 108",
    run,
    brings: &[],
    fails: sample!("pc-several-trusted-hosts", "fail"),
    passes: sample!("pc-several-trusted-hosts", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for group in &inventory.groups {
        if group.trusted.len() > 1 && group.identity.contains(&IdentityScheme::Pc) {
            let names: Vec<&str> = group
                .trusted
                .iter()
                .map(|&host| &*inventory.host(host).name)
                .collect();
            found.push(
                RULE.found(format!(
                    "the PC group {} has {} trusted hosts",
                    group.name,
                    names.len()
                ))
                .at(group.place(&["trusted".into()]), words::list(&names))
                .help(format!(
                    "name one: the others hold copies of its key and certificate, e.g. `trusted: [{}]`",
                    names[0]
                ))
                .about(&*group.name),
            );
        }
    }
}
