//! A symmetric key changed by the whole program over SSH, on real daemons of both kinds that serve each other's clients: they
//! are told, and go on; one that does not take it is restarted.

use crate::common::{Lab, ended, keytrail};
use crate::daemon::Kind;
use crate::hosts::{Host, Switch};
use crate::unpacked;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Two servers, and a client of both of each kind.
const HOSTS: [(&str, Kind, &str); 4] = [
    ("clock-c", Kind::Chrony, "10.79.0.1"),
    ("clock-s", Kind::Ntpsec, "10.79.0.2"),
    ("reader-c", Kind::Chrony, "10.79.0.3"),
    ("reader-s", Kind::Ntpsec, "10.79.0.4"),
];

/// The service manager of these hosts: one daemon, ended and started again.
const RESTART: &str = r#"
if pid=$(cat /mnt/pid 2>/dev/null) && kill "$pid" 2>/dev/null; then
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
fi
rm -f /mnt/pid
DAEMON
# Both have forked before they are ready.
while [ ! -s /mnt/pid ]; do sleep 0.1; done
"#;

struct Site {
    lab: Lab,
    hosts: BTreeMap<&'static str, Host>,
    _switch: Switch,
}

impl Site {
    fn new() -> Self {
        let switch = Switch::new();
        let mut lab = Lab::new();
        let mut text = format!(
            "version: 1
defaults:
  file_group: root
  verify: auth
  ssh: {{ host: \"{{host}}\", config: {} }}
  association: {{ iburst: true, minpoll: 3, maxpoll: 3 }}
symmetric_keys: {{ 7: {{ type: AES-128-CMAC }}, 9: {{ type: AES-128-CMAC }} }}
hosts:
",
            lab.servers.config().display()
        );
        let mut hosts = BTreeMap::new();
        for (name, kind, address) in HOSTS {
            let own = match (name.starts_with("clock"), kind) {
                (true, _) => format!("reference_clock: [{}]", kind.clock()),
                (false, _) => "servers: [{ host: clock-c, key: 7 }, { host: clock-s, key: 7 }]".to_owned(),
            };
            // NTPsec's client takes orders by the very key that changes.
            let control = match name {
                "clock-s" => ", control: 9",
                "reader-s" => ", control: 7",
                _ => "",
            };
            let _ = writeln!(
                text,
                "  {name}: {{ ntpd: {}, address: {address}, {own}, keys: {{ file: /mnt/ntp.keys{control} }}, \
                 conf: /mnt/ntp.conf, keysdir: /mnt/keys, restart: sh /mnt/restart }}",
                kind.word()
            );
            let programs = programs(lab.dir.path(), kind);
            let host = Host::start(&switch, &mut lab, name, address, &programs);
            // chronyd makes no socket where others may look.
            fs::set_permissions(&host.dir, fs::Permissions::from_mode(0o700)).expect("ours");
            let (daemon, conf) = daemon(kind);
            fs::write(host.file("restart"), RESTART.replace("DAEMON", &daemon)).expect("written");
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

    fn must(&self, words: &[&str]) -> String {
        let dir = self.lab.dir.path();
        let (status, said) = ended(keytrail(dir).args(words).arg(dir.join("fleet.yaml")));
        assert_eq!(status, 0, "keytrail {words:?}: {said}\n{}", self.evidence());
        said
    }

    fn evidence(&self) -> String {
        let files = ["log", "ntp.conf"];
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

    /// Every client is authenticated by this key with both servers.
    fn proven_by(&self, key: u32) {
        let said = self.must(&["verify", "--quiet", "--wait-for", "60", "--format", "json"]);
        let sentence = format!("authenticated by symmetric key {key}\"");
        assert_eq!(said.matches(&sentence).count(), 4, "{said}");
    }

    /// The ids of a host's key file.
    fn ids(&self, host: &str) -> Vec<String> {
        let text = self.hosts[host].read("ntp.keys");
        let ids = text.lines().filter_map(|line| line.split(' ').next());
        ids.map(str::to_owned).collect()
    }

    /// What servers have seen that was not authenticated by a key they hold: packets without, or refused.
    fn refused(&self) -> (u64, u64) {
        let said = self.hosts["clock-c"].sh("chronyc -c serverstats");
        let count = |at: usize| -> u64 {
            let field = said.trim().split(',').nth(at).expect("as many fields");
            field.parse().unwrap_or_else(|_| panic!("no number: {said}"))
        };
        let (received, authenticated) = (count(0), count(7));
        assert!(authenticated > 0, "{said}");
        let said = self.hosts["clock-s"].sh("ntpq -n -c sysstats 127.0.0.1");
        let failed = said
            .lines()
            .find_map(|line| line.strip_prefix("authentication failed:"))
            .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("no count of failures: {said}"));
        (received - authenticated, failed)
    }
}

/// A directory with the query program of a daemon; it says no to every order where its host has a file `refuses`.
fn programs(dir: &Path, kind: Kind) -> String {
    let root = unpacked::root(kind.word());
    let root = root.display();
    let (name, order, run) = match kind {
        Kind::Chrony => (
            "chronyc",
            "delete",
            format!("{root}/usr/bin/chronyc -h /mnt/socket"),
        ),
        Kind::Ntpsec => ("ntpq", ":config", format!("python3 {root}/usr/bin/ntpq")),
    };
    let bin = dir.join("bin").join(kind.word());
    fs::create_dir_all(&bin).expect("a directory");
    let text = format!(
        "#!/bin/sh\n[ ! -e /mnt/refuses ] || case \"$*\" in *{order}*) echo 'not today'; exit 0 ;; esac\n\
         export LD_LIBRARY_PATH={} PYTHONPATH={root}/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1\n\
         exec {run} \"$@\"\n",
        unpacked::libraries(kind.word())
    );
    fs::write(bin.join(name), text).expect("a program");
    fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("its mode");
    bin.display().to_string()
}

/// The command that starts a daemon, and what a distribution's own configuration would say.
fn daemon(kind: Kind) -> (String, String) {
    let (program, libraries) = match kind {
        Kind::Chrony => unpacked::daemon("chrony", "chronyd"),
        Kind::Ntpsec => unpacked::daemon("ntpsec", "ntpd"),
    };
    let start = format!("LD_LIBRARY_PATH={libraries} {}", program.display());
    match kind {
        Kind::Chrony => (
            // -x: never the clock. -u: chrony's own user need not exist here.
            format!("{start} -x -u root -l /mnt/log -f /mnt/ntp.conf"),
            "pidfile /mnt/pid\nbindcmdaddress /mnt/socket\ncmdport 0\n".to_owned(),
        ),
        Kind::Ntpsec => (
            format!("{start} -l /mnt/log -p /mnt/pid -c /mnt/ntp.conf"),
            // Without it NTPsec answers no ntpq.
            "restrict default nomodify\nrestrict 127.0.0.1\n".to_owned(),
        ),
    }
}

const ROTATE: [&str; 4] = ["rotate", "symmetric", "--key", "7"];

#[test]
fn running_daemons_are_told_another_key() {
    let site = Site::new();
    site.must(&["apply"]);
    site.proven_by(7);
    let pids = site.pids();
    assert!(pids.values().all(|pid| !pid.is_empty()), "{pids:?}");

    // Three waves, each by itself.
    let said = site.must(&[&ROTATE[..], &["--steps", "1"]].concat());
    assert!(said.contains("goes on") && !said.contains("not told"), "{said}");
    assert_eq!(site.ids("clock-c"), ["7", "8"], "{said}");
    site.proven_by(7);
    let said = site.must(&[&ROTATE[..], &["--steps", "1"]].concat());
    assert!(
        said.contains("no gap: takes the new keys while it runs"),
        "{said}"
    );
    site.proven_by(8);
    let said = site.must(&ROTATE);
    assert!(said.contains("is in use as id 8 now"), "{said}");
    site.proven_by(8);
    assert_eq!(site.pids(), pids, "{}", site.evidence());
    for (host, ids) in [
        ("clock-c", ["8"].as_slice()),
        ("clock-s", &["8", "9"]),
        ("reader-s", &["8"]),
    ] {
        assert_eq!(site.ids(host), ids, "{host}");
    }
    assert_eq!(site.refused(), (0, 0), "{}", site.evidence());

    // Who does not take it restarts, with the same files.
    fs::write(site.hosts["reader-c"].file("refuses"), "").expect("written");
    fs::write(site.hosts["clock-s"].file("refuses"), "").expect("written");
    let said = site.must(&ROTATE);
    for (host, order) in [("reader-c", "delete"), ("clock-s", "keys")] {
        assert!(
            said.contains(&format!(
                "{host}: its daemon was restarted, for it could not be told while it ran: it does not take '{order}'"
            )),
            "{said}"
        );
    }
    site.proven_by(10);
    let now = site.pids();
    for (host, pid) in &pids {
        let refused = ["reader-c", "clock-s"].contains(host);
        assert_eq!(now[host] != *pid, refused, "{host}: {said}");
    }

    // What was told stands in the files: a restart finds the same. And one that is asked for comes.
    let said = site.must(&["plan"]);
    assert!(said.contains("nothing to change"), "{said}");
    fs::remove_file(site.hosts["reader-c"].file("refuses")).expect("removed");
    fs::remove_file(site.hosts["clock-s"].file("refuses")).expect("removed");
    let said = site.must(&[&ROTATE[..], &["--restart"]].concat());
    assert!(
        said.contains("restarts") && said.contains("not told: a restart was asked for"),
        "{said}"
    );
    site.proven_by(11);
    assert!(site.pids().iter().all(|(host, pid)| now[host] != *pid), "{said}");
}
