//! `peer-not-trusted`: Autokey peers that are not both trusted hosts.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Auth, Mode, Target};
use crate::trail::platform::autokey_works;

pub(super) const RULE: Rule = Rule {
    code: "peer-not-trusted",
    severity: Severity::Warning,
    title: "Autokey peers that are not both trusted hosts",
    why: why!("peer-not-trusted"),
    source: "NTP reference manual, Authentication Options, “NTP Secure Groups” and Examples (the note on RED \
             and BLUE)",
    run,
    brings: &[],
    fails: sample!("peer-not-trusted", "fail"),
    passes: sample!("peer-not-trusted", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (entry, line) in context.lines() {
        let Target::Host(host) = line.target else { continue };
        let peer = inventory.entry(host);
        let works = || autokey_works(line.mode, &entry.settings, Some(&peer.settings));
        if line.mode != Mode::Peer || line.auth != Auth::Autokey || !works() {
            continue;
        }
        let untrusted: Vec<&str> = [
            (entry.first, &*entry.pattern),
            (host, &*inventory.host(host).name),
        ]
        .into_iter()
        .filter(|(id, _)| !inventory.is_trusted(*id))
        .map(|(_, name)| name)
        .collect();
        if untrusted.is_empty() {
            continue;
        }
        let name = words::target(inventory, line);
        let is = if untrusted.len() == 1 {
            "is no trusted host"
        } else {
            "are no trusted hosts"
        };
        found.push(
            RULE.found(format!(
                "{} and {name} are Autokey peers, but {} {is}",
                entry.pattern,
                words::list(&untrusted)
            ))
            .at(entry.place(&line.steps()), format!("{} ⇄ {name}", entry.pattern))
            .help(format!(
                "make one the client of the other (`servers: [{name}]`), or use a symmetric key"
            ))
            .about(&*entry.pattern),
        );
    }
}
