//! `broadcast-several-groups`: a broadcast client can follow one foreign group.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::trail::broadcast::media;
use crate::trail::cryptotype::scheme_in_use;

pub(super) const RULE: Rule = Rule {
    code: "broadcast-several-groups",
    severity: Severity::Error,
    title: "a broadcast client would have to prove several groups by one `ident`",
    why: why!("broadcast-several-groups"),
    source: "source of 4.2.8p15, ntp_proto.c receive (group_test, AM_NEWBCL); measured on 4.2.8p15",
    run,
    brings: &[],
    fails: sample!("broadcast-several-groups", "fail"),
    passes: sample!("broadcast-several-groups", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let media = media(inventory);
    if media.is_empty() {
        return;
    }
    for entry in inventory.entries.iter().filter(|entry| entry.broadcast_client) {
        let mut groups = Vec::new();
        let mut servers = Vec::new();
        let mut own = None;
        for medium in media
            .iter()
            .filter(|medium| medium.may_be_heard_by(inventory, entry.first))
        {
            for (server, line) in medium.autokey_servers() {
                let Some(group) = server.group else { continue };
                if server.group == entry.group {
                    // Without an identity scheme there is nothing that the `ident` of another group breaks.
                    let proven =
                        scheme_in_use(inventory.group(group)).is_some() && !std::ptr::eq(server, entry);
                    own = own.or(Some((group, server, line)).filter(|_| proven));
                } else if !groups.contains(&group) {
                    groups.push(group);
                    servers.push((server, line));
                }
            }
        }
        if let Some((group, server, line)) = own.filter(|_| !groups.is_empty()) {
            groups.push(group);
            servers.push((server, line));
        }
        if groups.len() < 2 {
            continue;
        }
        let names: Vec<&str> = groups
            .iter()
            .map(|&group| &*inventory.group(group).name)
            .collect();
        let mut finding = RULE
            .found(format!(
                "{} hears broadcasts of {} and can verify only one of these groups",
                entry.pattern,
                words::list(&names)
            ))
            .at(entry.place(&["broadcastclient".into()]), "one global `ident`")
            .about(&*entry.pattern);
        for ((server, line), group) in servers.iter().zip(&names) {
            finding = finding.at(
                server.place(&line.steps()),
                format!("{} of {group}", server.pattern),
            );
        }
        let patterns: Vec<&str> = servers.iter().map(|(server, _)| &*server.pattern).collect();
        found.push(finding.help(format!(
            "use unicast lines, each with an `ident` of its own: `servers: [{}]`",
            patterns.join(", ")
        )));
    }
}
