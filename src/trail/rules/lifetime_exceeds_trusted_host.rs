//! `lifetime-exceeds-trusted-host`: a certificate outlives the trusted host's.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{HostEntry, HostId};
use std::collections::HashMap;

pub(super) const RULE: Rule = Rule {
    code: "lifetime-exceeds-trusted-host",
    severity: Severity::Warning,
    title: "a certificate is valid longer than the trusted host's",
    why: why!("lifetime-exceeds-trusted-host"),
    source: "measured on 4.2.8p15: an expired certificate of a trusted host",
    run,
    brings: &[],
    fails: sample!("lifetime-exceeds-trusted-host", "fail"),
    passes: sample!("lifetime-exceeds-trusted-host", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let days = |entry: &HostEntry| entry.settings.certificate_lifetime.days_from(context.today);
    // By group and lifetime, so that a group whose members all exceed is one finding.
    let mut exceeding: HashMap<(u32, u32), Vec<&HostEntry>> = HashMap::new();
    for entry in &inventory.entries {
        let Some(group) = entry.group else { continue };
        let autokey = context.needs.of(context.graph.node_of(entry.first)).autokey;
        let least = inventory
            .group(group)
            .trusted
            .iter()
            .map(|&host| days(inventory.entry(host)))
            .min();
        if autokey && least.is_some_and(|least| days(entry) > least) {
            exceeding.entry((group.0, days(entry))).or_default().push(entry);
        }
    }
    for ((group, lifetime), entries) in exceeding {
        let group = &inventory.groups[group as usize];
        let Some(&root): Option<&HostId> = group
            .trusted
            .iter()
            .min_by_key(|&&host| days(inventory.entry(host)))
        else {
            continue;
        };
        let first = entries[0];
        let path = ["certificate".into(), "lifetime".into()];
        let count = words::count(&entries);
        let whose = if count == 1 {
            first.pattern.to_string()
        } else {
            format!("{} of {}", words::hosts(count), group.name)
        };
        found.push(
            RULE.found(format!(
                "the certificates of {whose} are valid for {lifetime} days, that of the trusted host {} for {}",
                inventory.host(root).name,
                days(inventory.entry(root))
            ))
            .at(first.place(&path), format!("{lifetime} days"))
            .at(inventory.entry(root).place(&path), format!("{} days", days(inventory.entry(root))))
            .help("give trusted hosts the longest lifetime: `certificate: { lifetime: … }`")
            .about(&*first.pattern),
        );
    }
}
