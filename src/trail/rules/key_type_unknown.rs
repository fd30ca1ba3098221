//! `key-type-unknown`: a key type that one end does not have.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Implementation, KeyType};
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    code: "key-type-unknown",
    severity: Severity::Error,
    title: "a key type that one end does not have",
    why: why!("key-type-unknown"),
    source: "measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3; TCP/IP Services for OpenVMS, NTP \
             chapter",
    run,
    brings: &[],
    fails: sample!("key-type-unknown", "fail"),
    passes: sample!("key-type-unknown", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for key in inventory.keys.iter().filter(|key| key.kind.known().is_none()) {
        found.push(
            RULE.found(format!("no NTP daemon has the key type {}", key.kind))
                .at(key.place.clone(), format!("key {}", key.id))
                .help("use AES-128-CMAC: all daemons but OpenVMS's have it"),
        );
    }
    let mut seen = HashSet::new();
    for line in context.keyed {
        for (entry, key) in line.ends(inventory) {
            let Some((key, kind)) = key.and_then(|key| Some((key, *key.kind.known()?))) else {
                continue;
            };
            let ntpd = entry.settings.ntpd;
            if kind.name_for(ntpd).is_some() || !seen.insert((key.place.clone(), &raw const *entry)) {
                continue;
            }
            let name = words::implementation(ntpd);
            found.push(
                RULE.found(format!("{} runs {name}, which has no {kind} keys", entry.pattern))
                    .at(key.place.clone(), format!("key {} is {kind}", line.id))
                    .at(
                        line.entry.place(&line.line.steps()),
                        format!("used between {} and {}", line.entry.pattern, other(line, context)),
                    )
                    .help(format!("choose a type both ends have: {}", types_of(ntpd)))
                    .about(&*entry.pattern),
            );
        }
    }
}

fn other<'i>(line: &super::symmetric::KeyedLine<'i>, context: &Context<'i>) -> &'i str {
    line.other
        .map_or(words::target(context.inventory, line.line), |other| {
            &other.pattern
        })
}

fn types_of(ntpd: Implementation) -> String {
    if KeyType::Aes128Cmac.name_for(ntpd).is_some() {
        return "AES-128-CMAC is the best that ntp.org, NTPsec and chrony share".to_owned();
    }
    let names: Vec<&str> = KeyType::ALL
        .iter()
        .filter(|kind| kind.name_for(ntpd).is_some())
        .map(|kind| kind.as_str())
        .collect();
    format!("{} has {}", words::implementation(ntpd), words::list(&names))
}
