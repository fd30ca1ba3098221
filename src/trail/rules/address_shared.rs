//! `address-shared`: two hosts that are one.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Connection, HostEntry, HostId, Inventory, Settings};
use hashbrown::DefaultHashBuilder;
use std::borrow::Cow;
use std::hash::BuildHasher as _;

pub(super) const RULE: Rule = Rule {
    code: "address-shared",
    severity: Severity::Error,
    title: "two hosts have one address",
    why: why!("address-shared"),
    source: "keytrail's own",
    run,
    brings: &[],
    fails: sample!("address-shared", "fail"),
    passes: sample!("address-shared", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let hasher = DefaultHashBuilder::default();
    // Where a host is reached, as a number, and the host. Sorting these goes through memory from one end to the other; a
    // table of a million hosts is looked up all over it, and the texts themselves are large.
    let mut places: Vec<(u64, HostId)> = Vec::with_capacity(inventory.hosts.len());
    for entry in &inventory.entries {
        if entry.settings.connection == Connection::Export {
            continue;
        }
        if entry.count > 1 && !varies(entry) {
            found.push(same_for_range(inventory, entry));
            continue;
        }
        let hosts = entry.hosts();
        places.extend(hosts.map(|host| (hasher.hash_one(reached(inventory, host)), host)));
    }
    places.sort_unstable();
    let mut again: Vec<(HostId, HostId)> = Vec::new();
    for alike in places
        .chunk_by(|one, other| one.0 == other.0)
        .filter(|alike| alike.len() > 1)
    {
        // Two places may have one number.
        let mut firsts: Vec<HostId> = Vec::new();
        for &(_, host) in alike {
            let place = reached(inventory, host);
            match firsts.iter().find(|&&first| reached(inventory, first) == place) {
                Some(&first) => again.push((host, first)),
                None => firsts.push(host),
            }
        }
    }
    again.sort_unstable();
    // One of an entry says it all.
    again.dedup_by_key(|(host, _)| inventory.host(*host).entry);
    found.extend(
        again
            .into_iter()
            .map(|(host, first)| shared(inventory, first, host)),
    );
}

/// Address and port, login's own host alias, and root directory: what makes a place on the network.
fn reached(inventory: &Inventory, host: HostId) -> (Cow<'_, str>, u16, Cow<'_, str>) {
    let settings: &Settings = &inventory.entry(host).settings;
    let root = settings
        .root
        .as_deref()
        .map(|root| inventory.fill(host, root))
        .unwrap_or_default();
    match &settings.connection {
        Connection::Ssh(ssh) => {
            let address = match &ssh.host {
                Some(alias) => inventory.fill(host, alias),
                None => inventory.address(host),
            };
            (address, ssh.port.unwrap_or(22), root)
        }
        // This machine: what tells two apart is the directory.
        Connection::Local | Connection::Export => (Cow::Borrowed(""), 0, root),
    }
}

/// Whether the hosts of a range are reached at different places.
fn varies(entry: &HostEntry) -> bool {
    let has_counter = |text: &Option<Box<str>>| text.as_deref().is_some_and(|text| text.contains('{'));
    let by_root = has_counter(&entry.settings.root);
    match &entry.settings.connection {
        Connection::Ssh(ssh) => match &ssh.host {
            Some(alias) => by_root || alias.contains('{'),
            None => by_root || entry.address.is_none() || has_counter(&entry.address),
        },
        Connection::Local | Connection::Export => by_root,
    }
}

fn same_for_range(inventory: &Inventory, entry: &HostEntry) -> Finding {
    let (address, _, root) = reached(inventory, entry.first);
    let (what, step) = match &entry.settings.connection {
        Connection::Ssh(_) => (format!("the address {address}"), "address"),
        _ if root.is_empty() => ("this machine's root directory".to_owned(), "root"),
        _ => (format!("the directory {root}"), "root"),
    };
    RULE.found(format!(
        "all {} of {} have {what}",
        words::hosts(u64::from(entry.count)),
        entry.pattern
    ))
    .at(entry.place(&[step.into()]), "no counter in it")
    .help(format!(
        "put `{{}}` where the counter belongs: `{step}: \"…{{}}…\"`"
    ))
    .about(&*entry.pattern)
}

fn shared(inventory: &Inventory, first: HostId, host: HostId) -> Finding {
    let (address, port, root) = reached(inventory, host);
    let (one, other) = (&inventory.host(first).name, &inventory.host(host).name);
    let at = match (&*address, port, &*root) {
        ("", _, "") => "this machine's root directory".to_owned(),
        ("", _, root) => format!("the directory {root}"),
        (address, 22, _) => address.to_owned(),
        (address, port, _) => format!("{address} port {port}"),
    };
    let step = if address.is_empty() { "root" } else { "address" };
    RULE.found(format!("{one} and {other} are both at {at}"))
        .at(
            inventory.entry(host).place(&[step.into()]),
            format!("{other} here"),
        )
        .at(
            inventory.entry(first).place(&[step.into()]),
            format!("{one} here"),
        )
        .help("give each an address (or ssh port) of its own, or make them one host")
        .about(&**other)
}
