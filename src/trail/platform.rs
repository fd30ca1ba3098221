//! What NTP implementations can do with Autokey.

use crate::inventory::{Dialect, HostEntry, Implementation, Mode, Settings, Target};

/// Whether the implementation has Autokey at all. NTPsec and chrony have none.
pub fn has_autokey(ntpd: Implementation) -> bool {
    matches!(ntpd, Implementation::NtpOrg | Implementation::Openvms)
}

/// Whether the daemon drops Autokey packets in every mode but client/server: 4.2.8p15 does since its safety
/// check for bug 3454 (measured in seven variants of `peer` and two of `broadcast`). Hosts with media of the
/// documented layout run an older daemon, for which nothing was measured.
pub fn client_server_only(settings: &Settings) -> bool {
    settings.ntpd == Implementation::NtpOrg && settings.dialect == Dialect::Current
}

/// Whether an Autokey association of this mode can come about between two hosts; `None`: the other end is
/// outside the inventory and taken to be able.
pub fn autokey_works(mode: Mode, client: &Settings, server: Option<&Settings>) -> bool {
    let ends = || std::iter::once(client).chain(server);
    ends().all(|end| has_autokey(end.ntpd)) && (mode == Mode::Server || !ends().any(client_server_only))
}

/// Whether the host has a source of time that needs no other host: a reference clock, an association or extra line
/// with the address of a clock driver (`server 127.127.…`), or the orphan mode (`tos orphan …`).
pub fn has_clock(entry: &HostEntry) -> bool {
    entry.reference_clock.is_some()
        || entry
            .associations
            .iter()
            .any(|line| matches!(&line.target, Target::Address(address) if is_clock_driver(address)))
        || entry.settings.extra.iter().any(|line| {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("server") => words.next().is_some_and(is_clock_driver),
                Some("tos") => words.any(|word| word == "orphan"),
                _ => false,
            }
        })
}

/// Whether the daemon takes this address for one of its clock drivers.
pub fn is_clock_driver(address: &str) -> bool {
    address.starts_with("127.127.")
}

/// Extra lines by which the daemon gets time from another machine, with their number; `true`: the line names a way to
/// authenticate it.
pub fn extra_servers(settings: &Settings) -> impl Iterator<Item = (usize, bool)> + '_ {
    settings.extra.iter().enumerate().filter_map(|(number, line)| {
        let mut words = line.split_ascii_whitespace();
        let asks = matches!(words.next()?, "server" | "pool" | "peer" | "manycastclient");
        let elsewhere = words.next().is_some_and(|address| !is_clock_driver(address));
        let proven = words.any(|word| matches!(word, "key" | "autokey" | "nts"));
        (asks && elsewhere).then_some((number, proven))
    })
}
