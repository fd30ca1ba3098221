//! A symmetric key, and the key by which the daemons take orders, changed on the real daemon while it runs.

use crate::common::{Lab, ended, keytrail};
use crate::fleet::{CONF, RESTART, defaults};
use crate::network::{Host, Switch};
use crate::say;
use keytrail::ntpq::{Association, associations};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

struct Site {
    lab: Lab,
    hosts: BTreeMap<&'static str, Host>,
    _switch: Switch,
}

/// What a look at a client's associations showed.
#[derive(Debug, Default)]
struct Look {
    /// Heard, and authenticated.
    proven: usize,
    /// Heard without.
    plain: usize,
}

impl Site {
    fn new(prefix: &Path) -> Self {
        let switch = Switch::new();
        let mut lab = Lab::new();
        let clock =
            "reference_clock: [server 127.127.1.0 minpoll 3 maxpoll 3 iburst, fudge 127.127.1.0 stratum 5]";
        let mut text = defaults(prefix, &lab);
        let _ = write!(
            text,
            "  keys: {{ file: /mnt/ntp.keys, control: 9 }}
symmetric_keys: {{ 7: {{ type: AES-128-CMAC }}, 9: {{ type: SHA1 }} }}
hosts:
"
        );
        let mut hosts = BTreeMap::new();
        for (name, address, servers) in HOSTS {
            let own = match servers {
                "" => clock.to_owned(),
                servers => format!("servers: [{servers}]"),
            };
            let _ = writeln!(text, "  {name}: {{ address: {address}, {own} }}");
            // A query program that says no where its host has a file `refuses`.
            let bin = lab.program(
                "ntpq",
                &format!(
                    "#!/bin/sh\ncase \"$*\" in *-c*) ;; *) [ ! -e /mnt/refuses ] || {{ cat >/dev/null; echo 'not today'; exit; }} ;; esac\n\
                     exec {}/bin/ntpq \"$@\"\n",
                    prefix.display()
                ),
            );
            let bin = bin.parent().expect("a directory").display().to_string();
            let programs = format!("{bin}:{}/sbin", prefix.display());
            let host = Host::start(&switch, &mut lab, name, address, &programs);
            fs::write(host.file("restart"), RESTART).expect("written");
            // Only a clock of its own is to be believed at once: the others would run free at once, too.
            let conf = match servers {
                "" => CONF.to_owned(),
                _ => CONF.replace("tos orphanwait 1\n", ""),
            };
            fs::write(host.file("ntp.conf"), conf).expect("written");
            hosts.insert(name, host);
        }
        fs::write(lab.dir.path().join("fleet.yaml"), text).expect("written");
        Self {
            lab,
            hosts,
            _switch: switch,
        }
    }

    fn keytrail(&self, words: &[&str]) -> (i32, String) {
        let dir = self.lab.dir.path();
        ended(keytrail(dir).args(words).arg(dir.join("fleet.yaml")))
    }

    fn must(&self, words: &[&str]) -> String {
        let (status, said) = self.keytrail(words);
        assert_eq!(status, 0, "keytrail {words:?}: {said}\n{}", self.evidence());
        said
    }

    fn evidence(&self) -> String {
        let files = ["log", "keytrail.conf"];
        let each = |host: &Host| {
            files
                .map(|name| format!("== {} {name}\n{}\n", host.name, host.read(name)))
                .concat()
        };
        self.hosts.values().map(each).collect()
    }

    fn pids(&self) -> BTreeMap<&str, String> {
        let pid = |(name, host): (&&'static str, &Host)| (*name, host.read("pid").trim().to_owned());
        self.hosts.iter().map(pid).collect()
    }

    /// Every line of a client is authenticated by this key.
    fn proven_by(&self, key: u32) {
        let said = self.must(&["verify", "--quiet", "--wait-for", "120", "--format", "json"]);
        let sentence = format!("authenticated by symmetric key {key}\"");
        assert_eq!(said.matches(&sentence).count(), 4, "{said}");
    }

    fn look(&self, host: &str) -> Look {
        let ask = |question: &str| self.hosts[host].sh(&format!("ntpq -n -c '{question}' 127.0.0.1"));
        let mut look = Look::default();
        for row in associations(&ask("as")).unwrap_or_default() {
            let text = ask(&format!("rv {}", row.associd));
            let Ok(association) = Association::read(&text, Some(row.status)) else {
                continue;
            };
            if association.heard_lately() {
                let seen = if row.status.authentic() {
                    &mut look.proven
                } else {
                    &mut look.plain
                };
                *seen += 1;
            }
        }
        look
    }

    /// Packets that a host refused.
    fn refused(&self, host: &str) -> u64 {
        let said = self.hosts[host].sh("ntpq -n -c sysstats 127.0.0.1");
        said.lines()
            .find_map(|line| line.strip_prefix("authentication failed:"))
            .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("no count of failures: {said}"))
    }
}

/// Rotates both keys and watches the clients all the while.
pub fn rotate(prefix: &Path) {
    let site = Site::new(prefix);
    site.must(&["apply"]);
    site.proven_by(7);
    let pids = site.pids();
    let over = AtomicBool::new(false);
    let (looks, said) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut looks = Vec::new();
            while !over.load(Ordering::SeqCst) {
                looks.extend(["mid", "leaf"].map(|host| site.look(host)));
                std::thread::sleep(Duration::from_millis(500));
            }
            looks
        });
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
        over.store(true, Ordering::SeqCst);
        (watch.join().expect("the watch"), said)
    });
    assert!(
        said.contains("7 is in use as id 8 now") && said.contains("9 is in use as id 10 now"),
        "{said}\n{}",
        site.evidence()
    );
    site.proven_by(8);
    assert_eq!(site.pids(), pids, "all go on: {said}");
    assert!(looks.len() > 20, "{looks:?}");
    assert!(looks.iter().all(|look| look.plain == 0), "{looks:?}\n{said}");
    for host in HOSTS.map(|(host, ..)| host) {
        assert_eq!(site.refused(host), 0, "{host}: {said}\n{}", site.evidence());
    }
    say(&format!("symmetric keys rotated, {} looks:\n{said}", looks.len()));

    // Who does not take it restarts with the same files.
    fs::write(site.hosts["mid"].file("refuses"), "").expect("written");
    let said = site.must(&["rotate", "symmetric", "--key", "7"]);
    assert!(
        said.contains("mid: its daemon was restarted, for it could not be told while it ran: it does not take 'keys': not today"),
        "{said}"
    );
    site.proven_by(11);
    let now = site.pids();
    for (host, pid) in &pids {
        assert_eq!(now[host] != *pid, *host == "mid", "{host}: {said}");
    }
    fs::remove_file(site.hosts["mid"].file("refuses")).expect("removed");

    // The way back of the last step restarts; what is in the files is then what runs.
    let said = site.must(&["rollback"]);
    site.proven_by(11);
    say(&format!("and the last step back:\n{said}"));
    let said = site.must(&["apply"]);
    assert!(!said.contains("could not be told"), "{said}");
    site.proven_by(11);
    let said = site.must(&["plan"]);
    assert!(said.contains("nothing to change"), "{said}");
}
