//! Tests of where time comes from, over every way to authenticate.

use super::sample::{Builder, TODAY};
use super::sources::Trust;
use super::{Analysis, analyse};
use crate::inventory::{Auth, HostId, Inventory, Mode, load_str};
use proptest::prelude::*;

fn analysed(text: &str) -> (Inventory, Analysis) {
    let inventory = load_str(text).expect("a good inventory");
    let analysis = analyse(&inventory, TODAY);
    (inventory, analysis)
}

/// The last line of `check`, and the codes of errors.
fn answer(text: &str) -> (String, Vec<&'static str>) {
    let (_, analysis) = analysed(text);
    let errors = analysis
        .findings
        .iter()
        .filter(|finding| finding.severity == crate::finding::Severity::Error)
        .map(|finding| finding.code);
    (analysis.tally.to_string(), errors.collect())
}

#[test]
fn a_keyed_circle_needs_a_clock_somewhere() {
    let circle = |clock: &str| {
        format!(
            "version: 1
defaults: {{ ntpd: chrony, association: {{ key: 5 }} }}
symmetric_keys: {{ 5: {{ type: AES-128-CMAC }} }}
hosts:
  a: {{ address: 10.0.0.1, servers: [b]{clock} }}
  b: {{ address: 10.0.0.2, servers: [c] }}
  c: {{ address: 10.0.0.3, servers: [a] }}
  d: {{ address: 10.0.0.4, servers: [c] }}
"
        )
    };
    let (line, errors) = answer(&circle(""));
    assert_eq!(
        line,
        "4 hosts: 0 authenticated on every line to a trusted time source, 4 not"
    );
    assert_eq!(errors, ["trail-cycle"]);
    let (line, errors) = answer(&circle(", reference_clock: true"));
    assert_eq!(
        line,
        "4 hosts: 4 authenticated on every line to a trusted time source (3 by AES-128-CMAC, 1 by a clock of its own)"
    );
    assert_eq!(errors, [""; 0]);
}

#[test]
fn a_server_without_time_has_none_to_give() {
    let (inventory, analysis) = analysed(
        "version: 1
symmetric_keys: { 5: {} }
hosts:
  a: { ntpd: chrony, address: 10.0.0.1 }
  'c[1-9]': { ntpd: chrony, address: '10.0.0.1{}', servers: [{ host: a, key: 5 }] }
",
    );
    let a = analysis.graph.node_of(inventory.find("a").expect("declared"));
    assert_eq!(analysis.sources.dry.len(), 1);
    assert_eq!(
        (analysis.sources.dry[0].node, analysis.sources.dry[0].below),
        (a, 9)
    );
    let codes: Vec<_> = analysis.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["trail-missing"]);
    assert_eq!(analysis.tally.unauthenticated, 10);
}

#[test]
fn trusted_hosts_that_follow_each_other_by_key_have_no_time() {
    let (_, errors) = answer(
        "version: 1
groups: { red: { identity: iff, trusted: [a] }, blue: { identity: iff, trusted: [b] } }
symmetric_keys: { 5: {} }
hosts:
  a: { group: red, address: 10.0.0.1, servers: [{ host: b, key: 5 }] }
  b: { group: blue, address: 10.0.0.2, servers: [{ host: a, key: 5 }] }
  leaf: { group: red, address: 10.0.0.3, servers: [a] }
",
    );
    assert_eq!(errors, ["trail-cycle"]);
}

#[test]
fn broadcasts_are_sources_as_far_as_they_authenticate() {
    let fleet = |more: &str, auth: &str| {
        format!(
            "version: 1
defaults: {{ {more} }}
symmetric_keys: {{ 7: {{}} }}
groups: {{ red: {{ identity: iff, trusted: [mort] }}, green: {{ identity: gq, trusted: [howland] }} }}
hosts:
  mort: {{ group: red, address: 192.0.2.1, reference_clock: true, broadcast: [{{ address: 192.0.2.255{auth} }}] }}
  howland: {{ group: green, address: 192.0.2.3, broadcastclient: true }}
  yellow: {{ group: green, address: 192.0.2.4, servers: [howland] }}
"
        )
    };
    let keyed = "3 hosts: 3 authenticated on every line to a trusted time source \
                 (1 by AES-128-CMAC, 1 by GQ, 1 by a clock of its own)";
    assert_eq!(
        answer(&fleet("dialect: current", ", key: 7")),
        (keyed.to_owned(), vec![])
    );
    let autokey = "3 hosts: 3 authenticated on every line to a trusted time source \
                   (1 by IFF, 1 by GQ, 1 by a clock of its own)";
    assert_eq!(
        answer(&fleet("dialect: documented", "")),
        (autokey.to_owned(), vec![])
    );
    // The daemon of today drops Autokey broadcasts.
    let (line, errors) = answer(&fleet("dialect: current", ""));
    assert_eq!(errors, ["autokey-needs-client-server"]);
    assert!(line.ends_with("source, 3 not"), "{line}");
    let (line, errors) = answer(&fleet("dialect: current", ", auth: none"));
    assert_eq!(errors, [""; 0]);
    assert_eq!(
        line,
        "3 hosts: 2 authenticated on every line to a trusted time source (1 by GQ, 1 by a clock of its own), 1 by way \
         of lines with `auth: none`"
    );
}

#[test]
fn what_is_not_authenticated_is_not_counted_so_nor_who_depends_on_it() {
    let fleet = |auth: &str| {
        format!(
            "version: 1
symmetric_keys: {{ 5: {{ type: SHA1 }} }}
hosts:
  relay: {{ address: 10.0.0.1, servers: [{{ address: pool.ntp.org{auth} }}] }}
  'c[1-9]': {{ address: '10.0.0.1{{}}', servers: [{{ host: relay, key: 5 }}] }}
  other: {{ address: 10.0.0.9, servers: [{{ address: time.example, key: 5 }}] }}
"
        )
    };
    let one = "11 hosts: 1 authenticated on every line to a trusted time source (1 by SHA1), 10";
    assert_eq!(answer(&fleet("")).0, format!("{one} not"));
    assert_eq!(
        answer(&fleet(", auth: none")).0,
        format!("{one} by way of lines with `auth: none`")
    );
}

#[test]
fn what_ntp_conf_says_counts() {
    let (line, errors) = answer(
        "version: 1
groups: { red: { identity: iff, trusted: [a] } }
hosts:
  a: { group: red, address: 10.0.0.1, ntp_conf: [pool 0.pool.ntp.org iburst] }
  leaf: { group: red, address: 10.0.0.3, servers: [a], ntp_conf: [server 127.127.1.0] }
",
    );
    assert_eq!(errors, [""; 0]);
    assert_eq!(
        line,
        "2 hosts: 1 authenticated on every line to a trusted time source (1 by a clock of its own), 1 not"
    );
}

#[test]
fn long_chains_and_rings_of_keys_do_not_overflow() {
    let mut b = Builder::new();
    let mut above = b.host("h0", None);
    for number in 1..200_000 {
        let host = b.host(&format!("h{number}"), None);
        b.line(host, above, Auth::Key(1));
        above = host;
    }
    // Without a clock at its end.
    let analysis = analyse(&b.inventory, TODAY);
    assert_eq!(analysis.sources.dry[0].below, 199_999);
    b.line(HostId(0), above, Auth::Key(1));
    let analysis = analyse(&b.inventory, TODAY);
    assert_eq!(analysis.sources.dry[0].lines.len(), 200_000);
    b.entry(HostId(0)).reference_clock = Some(Vec::new());
    let analysis = analyse(&b.inventory, TODAY);
    assert!(analysis.sources.dry.is_empty());
    let node = |host| analysis.graph.node_of(HostId(host));
    assert!(analysis.sources.is_proven(node(199_999)));
}

/// Hosts with lines of every kind; some have a clock.
fn any_fleet() -> impl Strategy<Value = (u32, Vec<(u32, u32, u8)>, Vec<bool>)> {
    (2u32..12).prop_flat_map(|hosts| {
        (
            Just(hosts),
            prop::collection::vec((0..hosts, 0..hosts, 0u8..4), 0..25),
            prop::collection::vec(prop::bool::weighted(0.15), hosts as usize),
        )
    })
}

fn fleet(hosts: u32, lines: &[(u32, u32, u8)], clocks: &[bool]) -> Inventory {
    let mut b = Builder::new();
    for number in 0..hosts {
        let host = b.host(&format!("h{number}"), None);
        if clocks[number as usize] {
            b.entry(host).reference_clock = Some(Vec::new());
        }
    }
    for &(client, server, kind) in lines {
        let auth = if kind == 0 { Auth::None } else { Auth::Key(1) };
        b.line(HostId(client), HostId(server), auth);
        if kind == 3 {
            let lines = &mut b.entry(HostId(client)).associations;
            lines.last_mut().expect("just added").mode = Mode::Peer;
        }
    }
    b.inventory
}

/// Grows a set along lines until nothing changes.
fn grown(mut set: Vec<bool>, lines: &[(u32, u32, u8)], passes: impl Fn(u32, u8) -> bool) -> Vec<bool> {
    loop {
        let before = set.clone();
        for &(client, server, kind) in lines {
            let (at, to) = (client as usize, server as usize);
            set[at] |= set[to] && passes(server, kind);
            set[to] |= kind == 3 && set[at] && passes(client, kind);
        }
        if set == before {
            return set;
        }
    }
}

proptest! {
    #[test]
    fn trust_is_what_a_walk_finds((hosts, lines, clocks) in any_fleet()) {
        let inventory = fleet(hosts, &lines, &clocks);
        let analysis = analyse(&inventory, TODAY);
        let timed = grown(clocks.clone(), &lines, |_, _| true);
        let proven = grown(clocks.clone(), &lines, |_, kind| kind > 0);
        let plain = (0..hosts).map(|host| lines.iter().any(|line| line.0 == host && line.2 == 0)).collect();
        let tainted = grown(plain, &lines, |server, _| !clocks[server as usize]);
        for host in 0..hosts {
            let at = host as usize;
            let node = analysis.graph.node_of(HostId(host));
            prop_assert_eq!(analysis.sources.is_proven(node), proven[at]);
            let trusted = proven[at] && !tainted[at];
            prop_assert_eq!(analysis.sources.trust(node) == Trust::Authenticated, trusted);
        }
        // Whoever has an authenticated line and no time is below something that is reported.
        let missing = lines.iter().any(|&(client, _, kind)| kind > 0 && !timed[client as usize]);
        prop_assert_eq!(!analysis.sources.dry.is_empty(), missing);
        let tally = &analysis.tally;
        prop_assert_eq!(tally.hosts, tally.authenticated + tally.accepted + tally.unauthenticated);
        let by: u64 = tally.by.iter().map(|by| by.hosts).sum();
        prop_assert_eq!(tally.authenticated, by + tally.clocks);
    }
}
