//! `group-mixed`: one end of an Autokey line is in a group, the other is not.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Auth, Target};

pub(super) const RULE: Rule = Rule {
    code: "group-mixed",
    severity: Severity::Error,
    title: "one end of an Autokey line is in a group, the other is not",
    why: why!("group-mixed"),
    source: "source of 4.2.8p15, ntp_proto.c receive; measured on 4.2.8p15 in both directions",
    run,
    brings: &[],
    fails: sample!("group-mixed", "fail"),
    passes: sample!("group-mixed", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (entry, association) in context.lines().filter(|(_, line)| line.auth == Auth::Autokey) {
        let server = match association.target {
            Target::Host(host) => inventory.entry(host).group,
            Target::External(group, _) => Some(group),
            Target::Address(_) => continue,
        };
        if entry.group.is_some() == server.is_some() {
            continue;
        }
        let name = words::target(inventory, association);
        let (grouped, bare, group) = match (entry.group, server) {
            (Some(group), _) => (&*entry.pattern, name, group),
            (None, Some(group)) => (name, &*entry.pattern, group),
            (None, None) => continue,
        };
        let group = &inventory.group(group).name;
        let mut finding = RULE
            .found(format!(
                "{grouped} is in the group {group}, {bare} in none: the daemon drops the exchange"
            ))
            .at(
                entry.place(&association.steps()),
                format!("{} → {name}", entry.pattern),
            );
        if let (Target::Host(host), None) = (&association.target, server) {
            finding = finding.at(
                inventory.entry(*host).place(&[]),
                format!("{name} has no `group`"),
            );
        }
        found.push(
            finding
                .help(format!(
                    "put {bare} into a group (`group: {group}`), or authenticate the line with a symmetric key"
                ))
                .about(&*entry.pattern),
        );
    }
}
