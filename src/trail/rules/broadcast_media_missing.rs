//! `broadcast-media-missing`: on a shared medium somebody cannot be verified, or nobody sends.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::HostEntry;
use crate::trail::broadcast::{Medium, media};
use crate::trail::cryptotype::Cryptotype;
use crate::trail::platform::autokey_works;

pub(super) const RULE: Rule = Rule {
    code: "broadcast-media-missing",
    severity: Severity::Warning,
    title: "a broadcast medium on which somebody cannot be verified",
    why: why!("broadcast-media-missing"),
    source: "NTP reference manual, Authentication Options, Examples: the note on servers that share broadcast media",
    run,
    brings: &["broadcast-several-groups"],
    fails: sample!("broadcast-media-missing", "fail"),
    passes: sample!("broadcast-media-missing", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let media = media(inventory);
    for medium in &media {
        found.extend(unverifiable(context, medium));
    }
    for entry in inventory.entries.iter().filter(|entry| entry.broadcast_client) {
        let heard = |medium: &Medium<'_>| {
            medium.may_be_heard_by(inventory, entry.first)
                && medium
                    .servers
                    .iter()
                    .any(|(server, _)| !std::ptr::eq(*server, entry))
        };
        if !media.iter().any(heard) {
            found.push(
                RULE.found(format!(
                    "no server of the inventory broadcasts to {}",
                    entry.pattern
                ))
                .at(entry.place(&["broadcastclient".into()]), "hears nobody")
                .help("give it `servers`, or a server of its network `broadcast: [ADDRESS]`")
                .about(&*entry.pattern),
            );
        }
    }
}

/// Servers without an identity on a medium that several groups share.
fn unverifiable(context: &Context<'_>, medium: &Medium<'_>) -> Option<Finding> {
    let inventory = context.inventory;
    let servers: Vec<_> = medium
        .autokey_servers()
        .filter(|(entry, line)| autokey_works(line.mode, &entry.settings, None))
        .collect();
    let identity = |entry: &HostEntry| Cryptotype::of_server(entry.group.map(|group| inventory.group(group)));
    let several = servers.iter().any(|(entry, _)| entry.group != servers[0].0.group);
    let (bare, line) = servers
        .iter()
        .find(|(entry, _)| several && identity(entry) != Cryptotype::Ident)?;
    let mut finding = RULE
        .found(format!(
            "nobody on {} can verify {}, which has no identity scheme",
            medium.address, bare.pattern
        ))
        .at(bare.place(&line.steps()), format!("{} server", identity(bare)))
        .about(&*bare.pattern);
    for (other, line) in servers.iter().filter(|(entry, _)| !std::ptr::eq(*entry, *bare)) {
        finding = finding.at(
            other.place(&line.steps()),
            format!("{} shares the medium", other.pattern),
        );
    }
    let group = bare
        .group
        .map_or("its group", |group| &inventory.group(group).name);
    Some(finding.help(format!(
        "give {} an identity scheme: `identity: iff`",
        words::list(&[group])
    )))
}
