//! A symmetric key changed by the whole program over SSH, on real daemons of both kinds that serve each other's clients: they
//! are told, and go on; one that does not take it is restarted.

use crate::common::hosts::{Hosts, Network, RESTART};
use crate::common::unpacked;
use crate::daemon::Kind;
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

/// What servers are called, as every host's `/etc/hosts` has it: one is reached by its name.
const NAMES: &str = "127.0.0.1 localhost\n10.79.0.2 clock-s.test\n";

/// Associations of the two clients with their two servers.
const LINES: usize = 4;

fn hosts() -> Hosts {
    let mut network = Network::new();
    let mut text = format!(
        "version: 1
defaults:
  file_group: nogroup
  verify: auth
  ssh: {{ host: \"{{host}}\", config: {} }}
  association: {{ iburst: true, minpoll: 3, maxpoll: 3 }}
symmetric_keys: {{ 7: {{ type: AES-128-CMAC }}, 9: {{ type: AES-128-CMAC }} }}
hosts:
",
        network.lab.servers.config().display()
    );
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
        let called = if name == "clock-s" {
            "clock-s.test"
        } else {
            address
        };
        let _ = writeln!(
            text,
            "  {name}: {{ ntpd: {}, address: {called}, {own}, keys: {{ file: /mnt/etc/ntp.keys{control} }}, \
             conf: /mnt/ntp.conf, keysdir: /mnt/keys, restart: {RESTART} }}",
            kind.word()
        );
        let bin = programs(&network, kind);
        let (start, conf) = daemon(kind);
        network.add(name, address, &bin, &confinable(&start), &conf);
    }
    let hosts = network.managed(&text);
    for (name, ..) in HOSTS {
        let host = &hosts[name];
        fs::write(host.file("hosts"), NAMES).expect("written");
        // The daemon's user comes by; chronyd makes its socket where nobody else may.
        fs::set_permissions(host.file(""), fs::Permissions::from_mode(0o755)).expect("ours");
        let ready = "mkdir /mnt/etc /mnt/run && chown nobody:nogroup /mnt/run && chmod 750 /mnt/run && \
                     mount --bind /mnt/hosts /etc/hosts";
        assert_eq!(host.sh(ready), "");
    }
    hosts
}

/// A command that, where a file says so, lets a daemon see a copy of its keys' directory in their place, as a service does
/// that has a file system of its own.
fn confinable(start: &str) -> String {
    format!(
        "if [ -e /mnt/confined ]; then
    mkdir -p /mnt/copy && cp -p /mnt/etc/ntp.keys /mnt/copy &&
        unshare --mount sh -c 'mount --bind /mnt/copy /mnt/etc && {start}'
else
    {start}
fi"
    )
}

/// A directory with the query program of a daemon; it says no to every order where its host has a file `refuses`.
fn programs(network: &Network, kind: Kind) -> String {
    let (name, run) = kind.query(Path::new("/mnt/run/socket"));
    let order = match kind {
        Kind::Chrony => "delete",
        Kind::Ntpsec => ":config",
    };
    let text = format!(
        "#!/bin/sh\n[ ! -e /mnt/refuses ] || case \"$*\" in *{order}*) echo 'not today'; exit 0 ;; esac\n{run}"
    );
    let program = network.lab.program(&format!("{}/{name}", kind.word()), &text);
    program.parent().expect("a directory").display().to_string()
}

/// The command that starts a daemon, and what a distribution's own configuration would say.
fn daemon(kind: Kind) -> (String, String) {
    let (program, libraries) = unpacked::daemon(kind.word(), kind.program());
    let start = format!("LD_LIBRARY_PATH={libraries} {}", program.display());
    match kind {
        Kind::Chrony => (
            // -x: never the clock. -u: not as root; chrony's own user need not exist here.
            format!("{start} -x -u nobody -l /mnt/log -f /mnt/ntp.conf"),
            "pidfile /mnt/pid\nbindcmdaddress /mnt/run/socket\ncmdport 0\n".to_owned(),
        ),
        Kind::Ntpsec => (
            format!("{start} -l /mnt/log -p /mnt/pid -c /mnt/ntp.conf"),
            // Without it NTPsec answers no ntpq.
            "restrict default nomodify\nrestrict 127.0.0.1\n".to_owned(),
        ),
    }
}

/// The ids of a host's key file.
fn ids(hosts: &Hosts, host: &str) -> Vec<String> {
    let text = hosts[host].read("etc/ntp.keys");
    let ids = text.lines().filter_map(|line| line.split(' ').next());
    ids.map(str::to_owned).collect()
}

/// What the servers have seen that was not authenticated by a key they hold: packets without, or refused.
fn refused(hosts: &Hosts) -> (u64, u64) {
    let said = hosts["clock-c"].sh("chronyc -c serverstats");
    let count = |at: usize| -> u64 {
        let field = said.trim().split(',').nth(at).expect("as many fields");
        field.parse().unwrap_or_else(|_| panic!("no number: {said}"))
    };
    let (received, authenticated) = (count(0), count(7));
    assert!(authenticated > 0, "{said}");
    (received - authenticated, hosts.refused("clock-s"))
}

const ROTATE: [&str; 4] = ["rotate", "symmetric", "--key", "7"];

#[test]
fn running_daemons_are_told_another_key() {
    let site = hosts();
    site.must(&["apply"]);
    site.proven_by(7, LINES);
    let pids = site.pids();
    assert!(pids.values().all(|pid| !pid.is_empty()), "{pids:?}");

    // Three waves, each by itself.
    let said = site.must(&[&ROTATE[..], &["--steps", "1"]].concat());
    assert!(said.contains("goes on") && !said.contains("not told"), "{said}");
    assert_eq!(ids(&site, "clock-c"), ["7", "8"], "{said}");
    site.proven_by(7, LINES);
    let said = site.must(&[&ROTATE[..], &["--steps", "1"]].concat());
    assert!(
        said.contains("no gap: takes the new keys while it runs"),
        "{said}"
    );
    site.proven_by(8, LINES);
    let said = site.must(&ROTATE);
    assert!(said.contains("is in use as id 8 now"), "{said}");
    site.proven_by(8, LINES);
    assert_eq!(site.pids(), pids, "{}", site.evidence());
    for (host, left) in [
        ("clock-c", ["8"].as_slice()),
        ("clock-s", &["8", "9"]),
        ("reader-s", &["8"]),
    ] {
        assert_eq!(ids(&site, host), left, "{host}");
    }
    assert_eq!(refused(&site), (0, 0), "{}", site.evidence());

    // Who does not take it restarts, with the same files.
    fs::write(site["reader-c"].file("refuses"), "").expect("written");
    fs::write(site["clock-s"].file("refuses"), "").expect("written");
    let said = site.must(&ROTATE);
    for (host, order) in [("reader-c", "delete"), ("clock-s", "keys")] {
        assert!(
            said.contains(&format!(
                "{host}: its daemon was restarted, for it could not be told while it ran: it does not take '{order}'"
            )),
            "{said}"
        );
    }
    site.proven_by(10, LINES);
    let now = site.pids();
    for (host, pid) in &pids {
        let refused = ["reader-c", "clock-s"].contains(host);
        assert_eq!(now[host] != *pid, refused, "{host}: {said}");
    }

    // What was told stands in the files: a restart finds the same. And one that is asked for comes.
    let said = site.must(&["plan"]);
    assert!(said.contains("nothing to change"), "{said}");
    fs::remove_file(site["reader-c"].file("refuses")).expect("removed");
    fs::remove_file(site["clock-s"].file("refuses")).expect("removed");
    let said = site.must(&[&ROTATE[..], &["--restart"]].concat());
    assert!(
        said.contains("restarts") && said.contains("not told: a restart was asked for"),
        "{said}"
    );
    site.proven_by(11, LINES);
    assert!(site.pids().iter().all(|(host, pid)| now[host] != *pid), "{said}");

    // A key file that the running daemon cannot read, or does not see, is named, and its daemon restarted.
    fs::write(site["clock-s"].file("confined"), "").expect("written");
    // NTPsec says on its terminal that it starts.
    site["clock-s"].sh(RESTART);
    site.edit("file_group: nogroup", "file_group: root");
    site.must(&["verify", "--wait-for", "60"]);
    let said = site.must(&ROTATE);
    for (host, why) in [
        (
            "reader-c",
            "it runs as user 65534, who cannot read /mnt/etc/ntp.keys (file_group)",
        ),
        (
            "clock-s",
            "what it sees as /mnt/etc/ntp.keys is another file, or none",
        ),
    ] {
        let told = format!("{host}: its daemon was restarted, for it could not be told while it ran: {why}");
        assert!(said.contains(&told), "{told}: {said}");
    }
    site.proven_by(12, LINES);
}
