//! Identity keys under a new name on the real daemon: two servers and one client, which is never restarted and never without a
//! proven server.

use crate::common::hosts::{Hosts, Network, meanwhile};
use crate::fleet::{CLOCK, CONF, defaults, programs, start};
use crate::say;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// PROV (0x400): a signature of the identified server was verified.
const PROVEN: u32 = 0x400;

const HOSTS: [(&str, &str); 3] = [
    ("alice", "10.78.0.1"),
    ("bob", "10.78.0.2"),
    ("leaf", "10.78.0.3"),
];

fn hosts(prefix: &Path, scheme: &str) -> Hosts {
    let mut network = Network::new();
    let mut text = defaults(&network.lab);
    let _ = write!(
        text,
        "  keys: {{ file: /mnt/ntp.keys, control: 9 }}
symmetric_keys: {{ 9: {{ type: MD5 }} }}
groups:
  red: {{ identity: {scheme}, trusted: [alice, bob], identity_key: {{ iff: 768, gq: 992, mv: 512 }} }}
hosts:
"
    );
    for (name, address) in HOSTS {
        let own = if name == "leaf" {
            "servers: [alice, bob]"
        } else {
            CLOCK
        };
        let _ = writeln!(text, "  {name}: {{ group: red, address: {address}, {own} }}");
        network.add(name, address, &programs(prefix), &start(prefix), CONF);
    }
    network.managed(&text)
}

/// Servers that the leaf has proven and hears, by address, with the `ident` it proved them by; nothing where
/// its daemon does not answer.
fn proven(hosts: &Hosts) -> Option<BTreeMap<String, String>> {
    let found = hosts.associations("leaf")?.into_iter().filter(|association| {
        association.flags.is_some_and(|flags| flags.has(PROVEN))
            && association.status.authentic()
            && association.heard_lately()
    });
    let by_address = found.map(|found| (found.srcadr, found.ident.unwrap_or_default()));
    Some(by_address.collect())
}

/// Rotates the keys of a group of this scheme and watches the leaf all the while.
pub fn rotate(prefix: &Path, scheme: &str) {
    let site = hosts(prefix, scheme);
    site.must(&["apply"]);
    let both = |ident: &str| {
        let servers = HOSTS[..2].iter();
        let servers = servers.map(|(_, address)| ((*address).to_owned(), ident.to_owned()));
        Some(servers.collect::<BTreeMap<_, _>>())
    };
    assert_eq!(proven(&site), both("red"), "{}", site.evidence());
    let pid = site.pid("leaf");
    let words = ["rotate", "identity", "--group", "red", "--strategy", "two-names"];
    let (looks, (status, said)) = meanwhile(|| proven(&site), || site.keytrail(&words));
    let looks: Vec<usize> = looks.into_iter().flatten().map(|proven| proven.len()).collect();
    let least = looks.iter().copied().min().unwrap_or_default();
    let looks = looks.len();
    assert_eq!(status, 0, "{said}\n{}", site.evidence());
    assert_eq!(proven(&site), both("red2"), "{said}\n{}", site.evidence());
    assert!(looks > 20, "{looks} looks");
    assert!(
        least >= 1,
        "the leaf was without a proven server: {said}\n{}",
        site.evidence()
    );
    assert_eq!(site.pid("leaf"), pid, "the leaf goes on: {said}");
    let links = site["leaf"].sh("ls /mnt/crypto");
    assert!(links.contains(&format!("ntpkey_{scheme}par_red2\n")), "{links}");
    assert!(!links.contains(&format!("ntpkey_{scheme}par_red\n")), "{links}");
    say(&format!(
        "{scheme}: rotated without a gap, {looks} looks, at least {least} proven:\n{said}"
    ));
    let said = site.must(&["plan"]);
    assert!(said.contains("nothing to change"), "{said}");
    // What the configuration says is what the daemon does after a restart of its own.
    site.restart("leaf");
    site.must(&["verify", "--wait-for", "120"]);
}
