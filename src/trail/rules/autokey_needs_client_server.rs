//! `autokey-needs-client-server`: Autokey on `peer` and `broadcast` lines.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Association, Auth, HostEntry, Inventory, Mode, Target};
use crate::trail::platform::{autokey_works, has_autokey};

pub(super) const RULE: Rule = Rule {
    code: "autokey-needs-client-server",
    severity: Severity::Error,
    title: "Autokey on a `peer` or `broadcast` line",
    why: why!("autokey-needs-client-server"),
    source: "source of 4.2.8p15, ntp_proto.c receive (“Bug 3454”); measured on 4.2.8p15: seven variants of \
             peer, two of broadcast",
    run,
    brings: &[],
    fails: sample!("autokey-needs-client-server", "fail"),
    passes: sample!("autokey-needs-client-server", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (entry, association) in context.lines() {
        if association.mode == Mode::Server || association.auth != Auth::Autokey {
            continue;
        }
        let server = match association.target {
            Target::Host(host) => Some(&*inventory.entry(host).settings),
            _ => None,
        };
        // Where an end has no Autokey at all, `platform-lacks-autokey` has the word.
        let able = has_autokey(entry.settings.ntpd) && server.is_none_or(|end| has_autokey(end.ntpd));
        if able && !autokey_works(association.mode, &entry.settings, server) {
            found.push(finding(inventory, entry, association));
        }
    }
}

fn finding(inventory: &Inventory, entry: &HostEntry, association: &Association) -> Finding {
    let name = words::target(inventory, association);
    let finding = RULE
        .found(match association.mode {
            Mode::Broadcast => format!(
                "no client stays authenticated by {}'s Autokey broadcasts",
                entry.pattern
            ),
            _ => format!("{} and {name} never authenticate as Autokey peers", entry.pattern),
        })
        .at(
            entry.place(&association.steps()),
            "the daemon drops Autokey in every mode but client/server",
        )
        .about(&*entry.pattern);
    match (association.mode, &association.target) {
        (Mode::Broadcast, _) => finding
            .help(format!(
                "let its clients name it instead: `servers: [{}]`, each line gets an `ident`",
                entry.pattern
            ))
            .help("or give the broadcast a symmetric key: `key: N`"),
        (_, Target::Host(host)) if trails_end_at_both(inventory, entry, *host) => finding.help(format!(
            "let each be the other's client: `servers: [{name}]` here and `servers: [{}]` at {name}",
            entry.pattern
        )),
        _ => finding
            .help(format!("make one the client of the other: `servers: [{name}]`"))
            .help("or give the peers a symmetric key: `key: N`"),
    }
}

/// Mutual `servers` lines make no circle where both are trusted hosts with a clock.
fn trails_end_at_both(inventory: &Inventory, entry: &HostEntry, peer: crate::inventory::HostId) -> bool {
    let ends = |host| inventory.is_trusted(host) && crate::trail::platform::has_clock(inventory.entry(host));
    ends(entry.first) && ends(peer)
}
