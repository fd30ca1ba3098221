//! `cryptotype-incompatible`: client and server of a line cannot go together.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{
    Association, Auth, Group, HostEntry, HostId, IdentityScheme, Inventory, Mode, Target,
};
use crate::trail::cryptotype::{Compatibility, Cryptotype};
use crate::trail::needs::target_group;
use std::net::IpAddr;

pub(super) const RULE: Rule = Rule {
    code: "cryptotype-incompatible",
    severity: Severity::Error,
    title: "client and server have cryptotypes that do not go together",
    why: why!("cryptotype-incompatible"),
    source: "NTP reference manual, Authentication Options, “Identity Schemes and Cryptotypes”; PC measured on \
             4.2.8p15",
    run,
    brings: &[],
    fails: sample!("cryptotype-incompatible", "fail"),
    passes: sample!("cryptotype-incompatible", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    for group in &context.inventory.groups {
        if group.identity.len() > 1 && group.identity.contains(&IdentityScheme::Pc) {
            found.push(
                RULE.found(format!(
                    "the group {} cannot use PC together with another scheme",
                    group.name
                ))
                .at(
                    group.place(&["identity".into()]),
                    "PC replaces certificate trails and identity keys",
                )
                .help("choose one: `identity: pc`, or the other scheme")
                .about(&*group.name),
            );
        }
    }
    for (entry, association) in context.lines().filter(|(_, line)| line.mode == Mode::Server) {
        found.extend(match association.auth {
            Auth::Autokey => private(context.inventory, entry, association),
            Auth::None => untrusted(context.inventory, entry, association),
            Auth::Key(_) => None,
        });
    }
}

/// Autokey lines into or out of a PC group.
fn private(inventory: &Inventory, entry: &HostEntry, association: &Association) -> Option<Finding> {
    let target = target_group(inventory, &association.target);
    let server_group = target.map(|id| inventory.group(id));
    let client_group = entry.group.map(|id| inventory.group(id));
    // Where only one end is in a group, `group-mixed` has the word.
    let (Some(server_group), Some(client_group)) = (server_group, client_group) else {
        return None;
    };
    let server = Cryptotype::of_server(Some(server_group));
    let client = Cryptotype::of_client(association, Some(client_group), server);
    let name = words::target(inventory, association);
    let message = if client.as_client_of(server) == Compatibility::No {
        format!(
            "{} is of cryptotype {client} and cannot be a client of {name}, which is {server}",
            entry.pattern
        )
    } else if client == Cryptotype::Pc && target != entry.group {
        format!(
            "{} and {name} are of different PC groups and share no certificate",
            entry.pattern
        )
    } else {
        return None;
    };
    Some(
        RULE.found(message)
            .at(entry.place(&association.steps()), format!("{client} client of a {server} server"))
            .at(scheme_place(server_group), format!("{} is {server}", server_group.name))
            .at(scheme_place(client_group), format!("{} is {}", client_group.name, Cryptotype::of_server(Some(client_group))))
            .help("authenticate this line with a symmetric key (`key: N`), or give both groups schemes that go together")
            .about(&*entry.pattern),
    )
}

fn scheme_place(group: &Group) -> crate::finding::Place {
    group.place(&["identity".into()])
}

/// Lines without authentication to a server that restricts this client with `notrust`.
fn untrusted(inventory: &Inventory, entry: &HostEntry, association: &Association) -> Option<Finding> {
    let Target::Host(host) = association.target else {
        return None;
    };
    let server = inventory.entry(host);
    let restricted = server
        .settings
        .restrict_notrust
        .iter()
        .find(|restriction| covers(restriction, &inventory.address(first_of(entry))))?;
    Some(
        RULE.found(format!(
            "{} asks {} without authentication, which refuses that (`restrict {restricted} … notrust`)",
            entry.pattern,
            inventory.host(host).name
        ))
        .at(entry.place(&association.steps()), "NONE client")
        .at(
            server.place(&["restrict_notrust".into()]),
            "not valid with `notrust`",
        )
        .help("authenticate the line (Autokey or `key: N`), or take the client out of the restriction")
        .about(&*entry.pattern),
    )
}

fn first_of(entry: &HostEntry) -> HostId {
    entry.first
}

/// Whether a restriction (`default`, an address, `address/bits`, `address mask M`) covers a client's address.
fn covers(restriction: &str, client: &str) -> bool {
    let mut words = restriction.split_ascii_whitespace();
    let Some(address) = words.next() else { return false };
    if address == "default" || address == client {
        return true;
    }
    let Ok(IpAddr::V4(client)) = client.parse() else {
        return false;
    };
    let (network, mask) = match address.split_once('/') {
        Some((network, bits)) => {
            let Some(bits) = bits.parse().ok().filter(|&bits: &u32| bits <= 32) else {
                return false;
            };
            (network, u32::MAX.checked_shl(32 - bits).unwrap_or(0))
        }
        None => match (words.next(), words.next().map(str::parse)) {
            (Some("mask"), Some(Ok(IpAddr::V4(mask)))) => (address, mask.to_bits()),
            _ => (address, u32::MAX),
        },
    };
    matches!(network.parse(), Ok(IpAddr::V4(network)) if network.to_bits() & mask == client.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn restrictions_cover_networks() {
        assert!(covers("default", "192.0.2.1"));
        assert!(covers("192.0.2.1", "192.0.2.1"));
        assert!(covers("192.0.2.0/24", "192.0.2.77"));
        assert!(!covers("192.0.2.0/25", "192.0.2.177"));
        assert!(covers("192.0.2.0 mask 255.255.255.0", "192.0.2.9"));
        assert!(covers("0.0.0.0/0", "192.0.2.9"));
        assert!(!covers("192.0.2.0/24", "leaf.example"));
    }
}
