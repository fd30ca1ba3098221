//! `scheme-order`: a group with several identity schemes uses the first.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::IdentityScheme;
use crate::trail::cryptotype::server_schemes;

pub(super) const RULE: Rule = Rule {
    code: "scheme-order",
    severity: Severity::Note,
    title: "a group has identity schemes it never uses",
    why: why!("scheme-order"),
    source: "source of 4.2.8p15, crypto_ident; measured on 4.2.8p15 with two schemes at one server",
    run,
    brings: &[],
    fails: sample!("scheme-order", "fail"),
    passes: sample!("scheme-order", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    for group in &context.inventory.groups {
        let schemes: Vec<&str> = server_schemes(group)
            .into_iter()
            .map(IdentityScheme::name)
            .collect();
        if let [first, unused @ ..] = schemes.as_slice()
            && !unused.is_empty()
        {
            found.push(
                RULE.found(format!(
                    "the group {} uses {first}; {} is never used",
                    group.name,
                    words::list(unused)
                ))
                .at(
                    group.place(&["identity".into()]),
                    "the daemon takes the first of IFF, GQ, MV",
                )
                .help(format!("keep one: `identity: {}`", first.to_ascii_lowercase()))
                .about(&*group.name),
            );
        }
    }
}
