//! `nat-autokey`: Autokey across address translation.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Auth, Target};

pub(super) const RULE: Rule = Rule {
    code: "nat-autokey",
    severity: Severity::Error,
    title: "Autokey across address translation",
    why: why!("nat-autokey"),
    source: "NTP reference manual, Authentication Options, “Public Key Cryptography”; RFC 5906 section 5",
    run,
    brings: &[],
    fails: sample!("nat-autokey", "fail"),
    passes: sample!("nat-autokey", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (entry, line) in context.lines().filter(|(_, line)| line.auth == Auth::Autokey) {
        let server = match line.target {
            Target::Host(host) => Some(inventory.entry(host)),
            _ => None,
        };
        let (here, there) = (
            entry.settings.nat,
            server.is_some_and(|server| server.settings.nat),
        );
        if !here && !there {
            continue;
        }
        let name = words::target(inventory, line);
        let who = match (here, there) {
            (true, true) => format!("{} and {name} are both", entry.pattern),
            (true, false) => format!("{} is", entry.pattern),
            _ => format!("{name} is"),
        };
        let mut finding = RULE
            .found(format!(
                "{who} behind address translation, which Autokey cannot cross"
            ))
            .at(
                entry.place(&line.steps()),
                format!("{} → {name} by Autokey", entry.pattern),
            )
            .help("authenticate the line with a symmetric key: `key: N`")
            .about(&*entry.pattern);
        if here && there {
            // They may sit behind the same translator and see each other directly.
            finding.severity = Severity::Warning;
            finding = finding.help("if both are behind the same translator and talk directly, waive this");
        }
        found.push(finding);
    }
}
