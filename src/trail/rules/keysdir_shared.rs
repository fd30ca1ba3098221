//! `keysdir-shared`: hosts whose files would overwrite each other on a shared file system.

use super::{Context, Rule, sample, why};
use crate::finding::{Finding, Severity};
use crate::inventory::{GroupId, HostId, IdentityScheme};
use std::collections::HashMap;

pub(super) const RULE: Rule = Rule {
    code: "keysdir-shared",
    severity: Severity::Error,
    title: "hosts on one shared keys directory hold different files of one name",
    why: why!("keysdir-shared"),
    source: "manual ntp-keygen (keys directory in a shared file system); file names of facts measured on 4.2.8p15",
    run,
    brings: &[],
    fails: sample!("keysdir-shared", "fail"),
    passes: sample!("keysdir-shared", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    // File system, directory and what the file is → the first host that holds one.
    let mut first: HashMap<(&str, &str, &str, GroupId), HostId> = HashMap::new();
    for entry in &inventory.entries {
        let Some(shared) = entry.settings.keysdir_on.as_deref() else {
            continue;
        };
        for host in entry.hosts() {
            let needs = context.needs.of(context.graph.node_of(host));
            let own = entry.group.into_iter();
            let server = own.flat_map(|group| needs.server_keys.iter().map(move |_| ("server keys", group)));
            let mv = needs.client_parameters.iter();
            let client = mv
                .filter(|(_, scheme)| *scheme == IdentityScheme::Mv)
                .map(|(group, _)| ("MV parameters", *group));
            let collision = server.chain(client).find_map(|(what, group)| {
                let key = (shared, &*entry.settings.keysdir, what, group);
                let other = *first.entry(key).or_insert(host);
                (other != host).then_some((what, group, other))
            });
            if let Some((what, group, other)) = collision {
                let (name, before) = (&inventory.host(host).name, &inventory.host(other).name);
                found.push(
                    RULE.found(format!(
                        "{name} and {before} hold different {what} of {} under one name in {} on {shared}",
                        inventory.group(group).name,
                        entry.settings.keysdir
                    ))
                    .at(entry.place(&[]), format!("{name} here"))
                    .at(inventory.entry(other).place(&[]), format!("{before} here"))
                    .help("give each a keysdir of its own on that file system, or a local one")
                    .about(&**name),
                );
                // One finding for a line of YAML is enough.
                break;
            }
        }
    }
}
