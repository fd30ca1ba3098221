//! `expiring`: a certificate ends soon. Found from the dates of a vault ([`find`]), not from the inventory.

use super::{Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{HostEntry, HostId, Inventory};

const DAY: i64 = 86_400;

/// How many days are soon, unless the inventory or somebody who asks says otherwise.
const SOON: u16 = 30;

/// Days within which the end of a certificate is soon for this inventory.
pub fn soon(inventory: &Inventory) -> i64 {
    inventory.expiring.unwrap_or(SOON).into()
}

pub(super) const RULE: Rule = Rule {
    code: "expiring",
    severity: Severity::Warning,
    title: "a certificate ends soon, or has ended",
    why: why!("expiring"),
    source: "measured on 4.2.8p15: an expired certificate of a server",
    run: |_, _| {},
    brings: &[],
    fails: sample!("expiring", "fail"),
    passes: sample!("expiring", "pass"),
};

/// When the certificates of a host end, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Of the one the host was last left with.
    pub standing: i64,
    /// Of the latest that was made for it.
    pub latest: i64,
}

/// One finding for each entry with hosts whose certificate ends within `days` from `now` (Unix seconds).
pub fn find(
    inventory: &Inventory,
    ends: &dyn Fn(HostId) -> Option<Ends>,
    now: i64,
    days: i64,
) -> Vec<Finding> {
    let limit = now.saturating_add(days.saturating_mul(DAY));
    let of_entry = |entry: &HostEntry| {
        let soon: Vec<(HostId, Ends)> = entry
            .hosts()
            .filter_map(|host| Some((host, ends(host)?)))
            .filter(|(_, ends)| ends.standing < limit)
            .collect();
        finding(inventory, entry, &soon, (now, limit), days)
    };
    inventory.entries.iter().filter_map(of_entry).collect()
}

fn finding(
    inventory: &Inventory,
    entry: &HostEntry,
    soon: &[(HostId, Ends)],
    (now, limit): (i64, i64),
    days: i64,
) -> Option<Finding> {
    let &(first, Ends { standing, .. }) = soon.iter().min_by_key(|(_, ends)| ends.standing)?;
    let first = &*inventory.host(first).name;
    let count = soon.len() as u64;
    let message = if count == 1 {
        format!("the certificate of {first} {}", ending(standing - now))
    } else {
        format!(
            "the certificates of {} of {} end within {days} days, first that of {first}, which {}",
            words::hosts(count),
            entry.pattern,
            ending(standing - now)
        )
    };
    let mut finding =
        RULE.found(message)
            .at(entry.place(&[]), "")
            .about(if count == 1 { first } else { &entry.pattern });
    if standing <= now {
        finding.severity = Severity::Error;
    }
    // A newer one that ends as soon is no way out.
    let waits = |ends: &Ends| ends.latest > ends.standing && ends.latest >= limit;
    if soon.iter().any(|(_, ends)| !waits(ends)) {
        finding = finding.help(format!(
            "make new ones and bring them to the hosts: keytrail renew --within {}d",
            days.max(1)
        ));
    }
    if soon.iter().any(|(_, ends)| waits(ends)) {
        finding = finding.help("a new one waits in the vault: keytrail apply brings it to the host");
    }
    Some(finding)
}

/// When, seen from now.
fn ending(seconds: i64) -> String {
    let count = |days: i64| match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    if seconds <= 0 {
        format!("ended {} ago", count(-seconds / DAY))
    } else {
        format!("ends in {}", count(seconds / DAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::load_str;

    const NOW: i64 = 1_795_692_912;

    fn said(of: &dyn Fn(&str) -> Option<(i64, i64)>) -> Vec<String> {
        let inventory = load_str(
            "version: 1\ngroups: { green: { identity: gq, trusted: [howland] } }\nhosts:\n  \
             howland: { group: green, reference_clock: true }\n  \"leaf[1-3]\": { group: green, servers: [howland] }\n",
        )
        .expect("well formed");
        let days = |host| {
            let (standing, latest) = of(&inventory.host(host).name)?;
            Some(Ends {
                standing: NOW + standing * DAY + 5,
                latest: NOW + latest * DAY + 5,
            })
        };
        find(&inventory, &days, NOW, 30)
            .into_iter()
            .map(|found| {
                format!(
                    "{} {}: {}; {}",
                    found.severity.word(),
                    found.subject.unwrap_or_default(),
                    found.message,
                    found.help.join("; ")
                )
            })
            .collect()
    }

    const RENEW: &str = "make new ones and bring them to the hosts: keytrail renew --within 30d";
    const WAITS: &str = "a new one waits in the vault: keytrail apply brings it to the host";

    #[test]
    fn one_finding_an_entry_with_the_worst_first() {
        assert_eq!(said(&|_| None), [""; 0]);
        assert_eq!(said(&|_| Some((30, 30))), [""; 0]);
        assert_eq!(
            said(&|host| Some(if host == "howland" { (29, 29) } else { (400, 400) })),
            [format!(
                "warning howland: the certificate of howland ends in 29 days; {RENEW}"
            )]
        );
        let leaves = said(&|host| match host {
            "leaf1" => Some((12, 12)),
            "leaf2" => Some((-4, 365)),
            _ => None,
        });
        assert_eq!(
            leaves,
            [format!(
                "error leaf[1-3]: the certificates of 2 hosts of leaf[1-3] end within 30 days, first that of leaf2, \
                 which ended 3 days ago; {RENEW}; {WAITS}"
            )]
        );
    }

    #[test]
    fn one_that_waits_need_not_be_made_again() {
        let waiting = said(&|host| (host == "leaf3").then_some((0, 365)));
        assert_eq!(
            waiting,
            [format!(
                "warning leaf3: the certificate of leaf3 ends in less than a day; {WAITS}"
            )]
        );
        let both_soon = said(&|host| (host == "leaf3").then_some((1, 5)));
        assert_eq!(
            both_soon,
            [format!(
                "warning leaf3: the certificate of leaf3 ends in 1 day; {RENEW}"
            )]
        );
    }
}
