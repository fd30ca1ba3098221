//! `chrony-needs-version`: SHA-2 keys from a chrony client to an ntpd.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Implementation, Mode};

pub(super) const RULE: Rule = Rule {
    code: "chrony-needs-version",
    severity: Severity::Error,
    title: "a long digest from a chrony client to an ntpd without `version 4`",
    why: why!("chrony-needs-version"),
    source: "measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3",
    run,
    brings: &[],
    fails: sample!("chrony-needs-version", "fail"),
    passes: sample!("chrony-needs-version", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for line in context.keyed {
        let (Some(other), Some(key)) = (line.other, line.here(inventory)) else {
            continue;
        };
        let needs = line.entry.settings.ntpd == Implementation::Chrony
            && other.settings.ntpd != Implementation::Chrony
            && line.line.mode != Mode::Broadcast
            && key
                .kind
                .known()
                .is_some_and(|kind| kind.needs_version_4_from_chrony());
        let options = line.line.options.join(" ");
        if !needs || options.contains("version 4") {
            continue;
        }
        let name = words::target(inventory, line.line);
        found.push(
            RULE.found(format!(
                "{name} refuses the {} packets of chrony on {}",
                key.kind, line.entry.pattern
            ))
            .at(line.entry.place(&line.line.steps()), "no `version 4`")
            .at(key.place.clone(), format!("key {} is {}", line.id, key.kind))
            .help(format!(
                "write `{{ host: {name}, key: {}, options: [version 4] }}`, or use AES-128-CMAC",
                line.id
            ))
            .about(&*line.entry.pattern),
        );
    }
}
