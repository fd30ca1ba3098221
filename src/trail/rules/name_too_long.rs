//! `name-too-long`: a certificate name beyond 64 characters.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::trail::needs::Needs;

/// Longest common name of X.509 (RFC 5280, ub-common-name), in characters.
const LONGEST: usize = 64;

pub(super) const RULE: Rule = Rule {
    code: "name-too-long",
    severity: Severity::Error,
    title: "a certificate name is longer than 64 characters",
    why: why!("name-too-long"),
    source: "RFC 5280 appendix A, ub-common-name; measured with ntp-keygen 4.2.8p15",
    run,
    brings: &[],
    fails: sample!("name-too-long", "fail"),
    passes: sample!("name-too-long", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (inventory, graph) = (context.inventory, context.graph);
    for entry in &inventory.entries {
        let group = entry
            .group
            .map_or(0, |group| inventory.group(group).name.chars().count() + 1);
        // Counters may differ in length, so every host of a range is looked at; bytes bound characters.
        let mut too_long = 0u32;
        let mut longest: Option<(usize, &str)> = None;
        for host in entry.hosts() {
            let name = &inventory.host(host).name;
            if name.len() + group <= LONGEST || name.chars().count() + group <= LONGEST {
                continue;
            }
            let needs: &Needs = context.needs.of(graph.node_of(host));
            if !needs.autokey {
                continue;
            }
            too_long += 1;
            let length = name.chars().count() + group;
            if longest.is_none_or(|(known, _)| length > known) {
                longest = Some((length, name));
            }
        }
        if let Some((length, name)) = longest {
            let of = entry
                .group
                .map(|group| format!("@{}", inventory.group(group).name))
                .unwrap_or_default();
            let mut finding = RULE
                .found(format!(
                    "the certificate name {name}{of} has {length} characters; {LONGEST} are possible"
                ))
                .at(entry.place(&[]), "")
                .help("shorten the name of the host or of the group: `address` can hold the full domain name")
                .about(&*entry.pattern);
            if too_long > 1 {
                finding = finding.help(format!(
                    "{} of this range are concerned",
                    words::hosts(u64::from(too_long))
                ));
            }
            found.push(finding);
        }
    }
}
