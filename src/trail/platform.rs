//! What NTP implementations can do with Autokey.

use crate::inventory::{Dialect, HostEntry, Implementation, Mode, Settings};

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

/// Whether the host has a source of time that needs no other host: a reference clock, or extra lines with a
/// clock driver (`server 127.127.…`) or the orphan mode (`tos orphan …`).
pub fn has_clock(entry: &HostEntry) -> bool {
    entry.reference_clock.is_some()
        || entry.settings.extra.iter().any(|line| {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("server") => words
                    .next()
                    .is_some_and(|address| address.starts_with("127.127.")),
                Some("tos") => words.any(|word| word == "orphan"),
                _ => false,
            }
        })
}
