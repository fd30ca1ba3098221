//! `key-restriction-ignored`: addresses in a key file that only ntp.org reads.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::Implementation;
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    code: "key-restriction-ignored",
    severity: Severity::Error,
    title: "a key restricted to addresses at a daemon that knows no such restriction",
    why: why!("key-restriction-ignored"),
    source: "measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3",
    run,
    brings: &[],
    fails: sample!("key-restriction-ignored", "fail"),
    passes: sample!("key-restriction-ignored", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let mut seen = HashSet::new();
    for line in context.keyed {
        for (entry, key) in line.ends(inventory) {
            let Some(key) = key.filter(|key| !key.restrict.is_empty()) else {
                continue;
            };
            let ntpd = entry.settings.ntpd;
            if ntpd == Implementation::NtpOrg || !seen.insert((key.place.clone(), &raw const *entry)) {
                continue;
            }
            found.push(
                RULE.found(format!(
                    "{} runs {}, which cannot restrict key {} to addresses",
                    entry.pattern,
                    words::implementation(ntpd),
                    key.id
                ))
                .at(key.place.clone(), "restricted here")
                .at(entry.place(&[]), format!("{} holds it", entry.pattern))
                .help("leave `restrict` out and use a firewall, or another key for these hosts")
                .about(&*entry.pattern),
            );
        }
    }
}
