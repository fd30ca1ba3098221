//! `group-without-trusted-host`: a group no trail can end in.

use super::{Context, Rule, sample};
use crate::finding::{Finding, Severity};
use crate::inventory::GroupId;

pub(super) const RULE: Rule = Rule {
    code: "group-without-trusted-host",
    severity: Severity::Error,
    title: "a secure group has no trusted host",
    why: "A secure group has one or more trusted hosts: certificate trails end at their self-signed, trusted \
          certificates, and the group's keys are made for them. A group without one has no trail, and a host \
          of another group cannot stand in: its certificate names that other group.",
    source: "NTP reference manual, Authentication Options, “NTP Secure Groups”",
    run,
    brings: &[],
    fails: sample!("group-without-trusted-host", "fail"),
    passes: sample!("group-without-trusted-host", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let mut members = vec![false; inventory.groups.len()];
    for entry in &inventory.entries {
        if let Some(group) = entry.group {
            members[group.0 as usize] = true;
        }
    }
    for (number, group) in inventory.groups.iter().enumerate() {
        if group.is_external() {
            continue;
        }
        if group.trusted.is_empty() && members[number] {
            found.push(
                RULE.found(format!("the group {} has no trusted host", group.name))
                    .at(group.place(&[]), "no `trusted`")
                    .help("name the hosts at the root of the group: `trusted: [HOST]`")
                    .about(&*group.name),
            );
        }
        for (at, &host) in group.trusted.iter().enumerate() {
            let is_of = inventory.entry(host).group;
            if is_of.is_none_or(|GroupId(id)| id as usize != number) {
                let name = &inventory.host(host).name;
                let of = is_of.map_or("no group", |id| &inventory.group(id).name);
                found.push(
                    RULE.found(format!(
                        "{name} cannot be a trusted host of {}: it belongs to {of}",
                        group.name
                    ))
                    .at(group.place(&["trusted".into(), at.into()]), "")
                    .at(
                        inventory.entry(host).place(&["group".into()]),
                        format!("{name} belongs to {of}"),
                    )
                    .help(format!("name a member of {}, or move {name}", group.name))
                    .about(&*group.name),
                );
            }
        }
    }
}
