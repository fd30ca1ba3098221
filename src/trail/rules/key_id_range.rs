//! `key-id-range`: key ids that some daemon does not take.

use super::{Context, Rule, sample, why};
use crate::finding::{Finding, Place, Severity};
use crate::inventory::{Implementation, Target};
use crate::trail::needs::own_keys;
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    code: "key-id-range",
    severity: Severity::Error,
    title: "a key id out of range",
    why: why!("key-id-range"),
    source: "measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3; NTP reference manual, `trustedkey`",
    run,
    brings: &[],
    fails: sample!("key-id-range", "fail"),
    passes: sample!("key-id-range", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let mut seen: HashSet<u32> = HashSet::new();
    for key in &inventory.keys {
        if seen.insert(key.id) {
            found.extend(judge(key.id, key.place.clone()));
        }
    }
    for entry in &inventory.entries {
        for id in own_keys(entry) {
            if seen.insert(id) {
                let line = entry
                    .associations
                    .iter()
                    .find(|line| line.auth == crate::inventory::Auth::Key(id));
                let place = line.map_or_else(
                    || entry.place(&["keys".into()]),
                    |line| entry.place(&line.steps()),
                );
                found.extend(judge(id, place));
            }
        }
    }
    openvms(context, found);
}

fn judge(id: u32, place: Place) -> Option<Finding> {
    let mut finding = match id {
        1..=65534 => return None,
        65535 => {
            let mut finding = RULE.found("the key id 65535 is beyond the manuals' range");
            finding.severity = Severity::Warning;
            finding
        }
        _ => RULE.found(format!("the key id {id} is out of range")),
    };
    finding = finding.at(place, "").help("use an id from 1 to 65534");
    Some(finding)
}

/// OpenVMS reads ids 1 to 15 alone, at either end.
fn openvms(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let mut seen = HashSet::new();
    for line in context.keyed {
        let ends = [Some(line.entry), line.other];
        let ours = ends
            .into_iter()
            .flatten()
            .find(|end| end.settings.ntpd == Implementation::Openvms);
        let Some(entry) = ours.filter(|_| (16..=65535).contains(&line.id)) else {
            continue;
        };
        if seen.insert((&raw const *entry, line.id)) {
            let name = match line.line.target {
                Target::Host(host) => &inventory.host(host).name,
                _ => &entry.pattern,
            };
            found.push(
                RULE.found(format!(
                    "{} runs OpenVMS, which reads key ids 1 to 15, not {}",
                    entry.pattern, line.id
                ))
                .at(
                    line.entry.place(&line.line.steps()),
                    format!("{} → {name}", line.entry.pattern),
                )
                .help("use an id from 1 to 15 for its lines")
                .about(&*entry.pattern),
            );
        }
    }
}
