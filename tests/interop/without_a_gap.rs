//! Identity keys under a new name on the real daemon: two servers and one client, which is never restarted and never without a
//! proven server.

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

/// PROV (0x400): a signature of the identified server was verified.
const PROVEN: u32 = 0x400;

struct Site {
    lab: Lab,
    hosts: BTreeMap<&'static str, Host>,
    _switch: Switch,
}

const HOSTS: [(&str, &str); 3] = [
    ("alice", "10.78.0.1"),
    ("bob", "10.78.0.2"),
    ("leaf", "10.78.0.3"),
];

impl Site {
    fn new(prefix: &Path, scheme: &str) -> Self {
        let switch = Switch::new();
        let mut lab = Lab::new();
        let programs = format!("{0}/sbin:{0}/bin", prefix.display());
        let clock =
            "reference_clock: [server 127.127.1.0 minpoll 3 maxpoll 3 iburst, fudge 127.127.1.0 stratum 5]";
        let mut text = defaults(prefix, &lab);
        let _ = write!(
            text,
            "  keys: {{ file: /mnt/ntp.keys, control: 9 }}
symmetric_keys: {{ 9: {{ type: MD5 }} }}
groups:
  red: {{ identity: {scheme}, trusted: [alice, bob], identity_key: {{ iff: 768, gq: 992, mv: 512 }} }}
hosts:
"
        );
        let mut hosts = BTreeMap::new();
        for (name, address) in HOSTS {
            let own = if name == "leaf" {
                "servers: [alice, bob]"
            } else {
                clock
            };
            let _ = writeln!(text, "  {name}: {{ group: red, address: {address}, {own} }}");
            let host = Host::start(&switch, &mut lab, name, address, &programs);
            fs::write(host.file("restart"), RESTART).expect("written");
            fs::write(host.file("ntp.conf"), CONF).expect("written");
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
        let files = ["log", "stats/cryptostats", "keytrail.conf"];
        let each = |host: &Host| {
            files
                .map(|name| format!("== {} {name}\n{}\n", host.name, host.read(name)))
                .concat()
        };
        self.hosts.values().map(each).collect()
    }

    /// Servers that the leaf has proven and hears, by address, with the `ident` it proved them by.
    fn proven(&self) -> BTreeMap<String, String> {
        let leaf = &self.hosts["leaf"];
        let ask = |question: &str| leaf.sh(&format!("ntpq -n -c '{question}' 127.0.0.1"));
        let rows = associations(&ask("as")).unwrap_or_default();
        let found = rows.iter().filter_map(|row| {
            let text = ask(&format!("rv {}", row.associd));
            let association = Association::read(&text, Some(row.status)).ok()?;
            let proven =
                association.flags?.has(PROVEN) && row.status.authentic() && association.heard_lately();
            proven.then_some((association.srcadr, association.ident.unwrap_or_default()))
        });
        found.collect()
    }

    fn pid(&self, host: &str) -> String {
        self.hosts[host].read("pid").trim().to_owned()
    }
}

/// Rotates the keys of a group of this scheme and watches the leaf all the while.
pub fn rotate(prefix: &Path, scheme: &str) {
    let site = Site::new(prefix, scheme);
    site.must(&["apply"]);
    let both = |ident: &str| {
        HOSTS[..2]
            .iter()
            .map(|(_, address)| ((*address).to_owned(), ident.to_owned()))
            .collect()
    };
    assert_eq!(site.proven(), both("red"), "{}", site.evidence());
    let pid = site.pid("leaf");
    let over = AtomicBool::new(false);
    let (looks, least, said) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let (mut looks, mut least) = (0, usize::MAX);
            while !over.load(Ordering::SeqCst) {
                least = least.min(site.proven().len());
                looks += 1;
                std::thread::sleep(Duration::from_secs(1));
            }
            (looks, least)
        });
        let said = site.keytrail(&["rotate", "identity", "--group", "red", "--strategy", "two-names"]);
        over.store(true, Ordering::SeqCst);
        let (looks, least) = watch.join().expect("the watch");
        (looks, least, said)
    });
    let (status, said) = said;
    assert_eq!(status, 0, "{said}\n{}", site.evidence());
    assert_eq!(site.proven(), both("red2"), "{said}\n{}", site.evidence());
    assert!(looks > 20, "{looks} looks");
    assert!(
        least >= 1,
        "the leaf was without a proven server: {said}\n{}",
        site.evidence()
    );
    assert_eq!(site.pid("leaf"), pid, "the leaf goes on: {said}");
    let links = site.hosts["leaf"].sh("ls /mnt/crypto");
    assert!(links.contains(&format!("ntpkey_{scheme}par_red2\n")), "{links}");
    assert!(!links.contains(&format!("ntpkey_{scheme}par_red\n")), "{links}");
    say(&format!(
        "{scheme}: rotated without a gap, {looks} looks, at least {least} proven:\n{said}"
    ));
    let said = site.must(&["plan"]);
    assert!(said.contains("nothing to change"), "{said}");
    // What the configuration says is what the daemon does after a restart of its own.
    let restart = format!("sh /mnt/restart {}", prefix.display());
    assert_eq!(site.hosts["leaf"].sh(&restart), "");
    site.must(&["verify", "--wait-for", "120"]);
}
