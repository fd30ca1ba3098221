//! A symmetric key, and the key by which the daemons take orders, changed on the real daemon while it runs.

use crate::common::hosts::{Hosts, Network, meanwhile};
use crate::fleet::{CLOCK, CONF, defaults, programs, start};
use crate::say;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Two servers, a host below both that serves, and one below that.
const HOSTS: [(&str, &str, &str); 4] = [
    ("clock1", "10.78.1.1", ""),
    ("clock2", "10.78.1.2", ""),
    (
        "mid",
        "10.78.1.3",
        "{ host: clock1, key: 7 }, { host: clock2, key: 7 }",
    ),
    (
        "leaf",
        "10.78.1.4",
        "{ host: mid, key: 7 }, { host: clock2, key: 7 }",
    ),
];

/// One server is reached by its name, which only the hosts know.
const NAME: &str = "clock2.test";
const NAMES: &str = "127.0.0.1 localhost\n10.78.1.2 clock2.test\n";

/// What a look at a client's associations showed.
#[derive(Debug, Default)]
struct Look {
    /// Heard, and authenticated.
    proven: usize,
    /// Heard without.
    plain: usize,
}

impl Look {
    fn at(hosts: &Hosts, client: &str) -> Self {
        let mut look = Self::default();
        for association in hosts.associations(client).unwrap_or_default() {
            if association.heard_lately() {
                let seen = if association.status.authentic() {
                    &mut look.proven
                } else {
                    &mut look.plain
                };
                *seen += 1;
            }
        }
        look
    }
}

fn hosts(prefix: &Path) -> Hosts {
    let mut network = Network::new();
    // A query program that says no where its host has a file `refuses`.
    let query = network.lab.program(
        "ntpq",
        &format!(
            "#!/bin/sh\ncase \"$*\" in *-c*) ;; *) [ ! -e /mnt/refuses ] || {{ cat >/dev/null; echo 'not today'; exit; }} ;; esac\n\
             exec {}/bin/ntpq \"$@\"\n",
            prefix.display()
        ),
    );
    let bin = query.parent().expect("a directory").display();
    let programs = format!("{bin}:{}", programs(prefix));
    let mut text = defaults(&network.lab);
    text.push_str(
        "  keys: { file: /mnt/ntp.keys, control: 9 }
symmetric_keys: { 7: { type: AES-128-CMAC }, 9: { type: SHA1 } }
hosts:
",
    );
    for (name, address, servers) in HOSTS {
        // Only a clock of its own is to be believed at once: the others would run free at once, too.
        let (own, conf) = match servers {
            "" => (CLOCK.to_owned(), CONF.to_owned()),
            servers => (
                format!("servers: [{servers}]"),
                CONF.replace("tos orphanwait 1\n", ""),
            ),
        };
        let called = if name == "clock2" { NAME } else { address };
        let _ = writeln!(text, "  {name}: {{ address: {called}, {own} }}");
        network.add(name, address, &programs, &start(prefix), &conf);
    }
    let hosts = network.managed(&text);
    for (name, ..) in HOSTS {
        fs::write(hosts[name].file("hosts"), NAMES).expect("written");
        assert_eq!(hosts[name].sh("mount --bind /mnt/hosts /etc/hosts"), "");
    }
    hosts
}

/// Associations of the two clients with their two servers.
const LINES: usize = 4;

/// Rotates both keys and watches the clients all the while.
pub fn rotate(prefix: &Path) {
    let site = hosts(prefix);
    site.must(&["apply"]);
    site.proven_by(7, LINES);
    let pids = site.pids();
    let look = || ["mid", "leaf"].map(|client| Look::at(&site, client));
    let (looks, said) = meanwhile(look, || {
        let mut said = String::new();
        for words in [
            &["--key", "7", "--steps", "1"][..],
            &["--key", "7"],
            &["--key", "9"],
        ] {
            let (status, more) = site.keytrail(&[&["rotate", "symmetric"], words].concat());
            said = format!("{said}{words:?}: {status}\n{more}");
            if status != 0 {
                break;
            }
        }
        said
    });
    let looks: Vec<Look> = looks.into_iter().flatten().collect();
    assert!(
        said.contains("7 is in use as id 8 now") && said.contains("9 is in use as id 10 now"),
        "{said}\n{}",
        site.evidence()
    );
    site.proven_by(8, LINES);
    assert_eq!(site.pids(), pids, "all go on: {said}");
    assert!(looks.len() > 20, "{looks:?}");
    assert!(looks.iter().all(|look| look.plain == 0), "{looks:?}\n{said}");
    for host in HOSTS.map(|(host, ..)| host) {
        assert_eq!(site.refused(host), 0, "{host}: {said}\n{}", site.evidence());
    }
    say(&format!("symmetric keys rotated, {} looks:\n{said}", looks.len()));

    // Who does not take it restarts with the same files.
    fs::write(site["mid"].file("refuses"), "").expect("written");
    let said = site.must(&["rotate", "symmetric", "--key", "7"]);
    assert!(
        said.contains("mid: its daemon was restarted, for it could not be told while it ran: it does not take 'keys': not today"),
        "{said}"
    );
    site.proven_by(11, LINES);
    let now = site.pids();
    for (host, pid) in &pids {
        assert_eq!(now[host] != *pid, *host == "mid", "{host}: {said}");
    }
    fs::remove_file(site["mid"].file("refuses")).expect("removed");

    // The way back of the last step restarts; what is in the files is then what runs.
    let said = site.must(&["rollback"]);
    site.proven_by(11, LINES);
    say(&format!("and the last step back:\n{said}"));
    let said = site.must(&["apply"]);
    assert!(!said.contains("could not be told"), "{said}");
    site.proven_by(11, LINES);
    let said = site.must(&["plan"]);
    assert!(said.contains("nothing to change"), "{said}");
}
