//! `key-missing`: a key id that is declared nowhere, or not for one of the ends.

use super::symmetric::group_name;
use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Place, Severity, Step};
use crate::inventory::{HostEntry, Inventory};
use crate::trail::needs::symmetric_key;
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    code: "key-missing",
    severity: Severity::Error,
    title: "a symmetric key is not declared, or not for both ends",
    why: why!("key-missing"),
    source: "NTP reference manual, Authentication Options, “Symmetric Key Cryptography”; measured on \
             ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3",
    run,
    brings: &[],
    fails: sample!("key-missing", "fail"),
    passes: sample!("key-missing", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let mut seen: HashSet<(*const HostEntry, Option<*const HostEntry>, u32)> = HashSet::new();
    for line in context.keyed {
        let other = line.other.map(std::ptr::from_ref);
        let here = line.here(inventory).is_none();
        let there = line.other.is_some() && line.there(inventory).is_none();
        if !(here || there) || !seen.insert((line.entry, other, line.id)) {
            continue;
        }
        let target = line
            .other
            .map_or(words::target(inventory, line.line), |other| &other.pattern);
        let lacking = match (here, there, line.other) {
            (true, false, _) | (true, true, None) => &*line.entry.pattern,
            (false, _, Some(_)) => target,
            _ => "either end",
        };
        found.push(finding(
            inventory,
            line.id,
            lacking,
            line.entry,
            line.entry.place(&line.line.steps()),
        ));
    }
    for entry in &inventory.entries {
        let keys = &entry.settings;
        let named = [("control", keys.control_key), ("request", keys.request_key)];
        let trusted = keys.trusted_keys.iter().map(|&id| ("trusted", Some(id)));
        for (step, id) in named.into_iter().chain(trusted) {
            let Some(id) = id.filter(|&id| symmetric_key(inventory, entry.group, id).is_none()) else {
                continue;
            };
            if seen.insert((entry, None, id)) {
                let place = entry.place(&[Step::from("keys"), Step::from(step)]);
                found.push(finding(inventory, id, &entry.pattern, entry, place));
            }
        }
    }
}

fn finding(inventory: &Inventory, id: u32, lacking: &str, entry: &HostEntry, place: Place) -> Finding {
    let declared: Vec<_> = inventory.keys.with_id(id).collect();
    let mut finding = RULE.found(if declared.is_empty() {
        format!("the symmetric key {id} is declared nowhere")
    } else {
        format!("the symmetric key {id} is not declared for {lacking}")
    });
    finding = finding.at(place, format!("key {id} is used here"));
    for key in &declared {
        finding = finding.at(
            key.place.clone(),
            format!("declared for {} alone", group_name(inventory, key.group)),
        );
    }
    finding
        .help(format!("declare it for every host that uses it: `symmetric_keys: {{ {id}: {{ type: AES-128-CMAC }} }}` at the top level"))
        .about(&*entry.pattern)
}
