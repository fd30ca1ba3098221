//! Words that several rules use.

use super::super::needs::target_group;
use crate::inventory::{Association, HostEntry, Implementation, Inventory, Target};
use crate::vocabulary::counted;

/// `1 host`, `250 hosts`.
pub fn hosts(count: u64) -> String {
    counted(count, "host")
}

/// `1 host relies`, `250 hosts rely`.
pub fn hosts_do(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", hosts(count), if count == 1 { one } else { many })
}

/// The number of hosts of several entries.
pub fn count(entries: &[&HostEntry]) -> u64 {
    entries.iter().map(|entry| u64::from(entry.count)).sum()
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// The name of the other end of a line.
pub fn target<'i>(inventory: &'i Inventory, association: &'i Association) -> &'i str {
    match &association.target {
        Target::Host(host) => &inventory.host(*host).name,
        Target::External(group, server) => {
            let external = inventory.group(*group).external.as_ref();
            external.map_or("", |external| &external.servers[*server as usize].name)
        }
        Target::Address(address) => address,
    }
}

/// The name of the group at the other end of a line, where it has one.
pub fn group_of_target<'i>(inventory: &'i Inventory, association: &Association) -> Option<&'i str> {
    target_group(inventory, &association.target).map(|group| &*inventory.group(group).name)
}

/// An implementation as the inventory spells it.
pub fn implementation(ntpd: Implementation) -> &'static str {
    match ntpd {
        Implementation::NtpOrg => "ntp.org",
        Implementation::Ntpsec => "ntpsec",
        Implementation::Chrony => "chrony",
        Implementation::Openvms => "openvms",
    }
}
