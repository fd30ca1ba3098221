//! Identity keys under a new name, with the whole program over real SSH servers and daemons that answer as the real one did: who
//! restarts, who is told, in which order, and what is left when one refuses.

use crate::common::Lab;
use crate::common::managed::Managed;
use std::fmt::Write as _;
use std::fs;
use std::ops::Deref;
use std::path::PathBuf;

const HOSTS: [(&str, &str); 4] = [
    ("alice", "10.1.0.1"),
    ("bob", "10.1.0.2"),
    ("leaf1", "10.1.0.3"),
    ("leaf2", "10.1.0.4"),
];

/// The daemon: its associations stand in `$1/associations`, lines "ID ADDRESS IDENT", and what it proved in its cryptostats.
const DAEMON: &str = r#"
dir=$1 host=${1##*/}
conf=$dir/etc/ntp/keytrail.conf
prove() { # ID ADDRESS IDENT
    now=$(date +%s)
    at="$((now / 86400 + 40587)) $((now % 86400)).500"
    stamp=$(head -n 1 "$dir/etc/ntp/crypto/ntpkey_iffpar_$3")
    for line in "assoc $1 $1 host x@green sha256WithRSAEncryption" "iff x@green fs ${stamp##*.}" \
        "cook a33938f2 ts 4004697989 fs 4004697953"; do
        echo "$at $2 $line" >>"$dir/stats/cryptostats"
    done
    echo "$1 $2 $3" >>"$dir/associations"
}
number() {
    echo x >>"$dir/numbers"
    echo $((100 + $(wc -l <"$dir/numbers")))
}
read_conf() {
    true >"$dir/associations"
    grep '^server .* autokey' "$conf" | while read -r word address auto word ident rest; do
        prove "$(number)" "$address" "$ident"
    done
}
"#;

/// `restart` of the inventory.
const RESTART: &str = r#"
[ ! -e "$dir/broken" ] || exit 1
echo "restart $host" >>"$dir/../../events"
read_conf
"#;

/// `ntpq`, which is asked with words, and told on standard input by who has the control key.
const NTPQ: &str = r#"
case "$*" in
    *' as '*)
        echo 'ind assid status  conf reach auth condition  last_event cnt'
        while read -r id address ident; do
            echo "  1 $id  f61a   yes   yes   ok   sys.peer    sys_peer  1"
        done <"$dir/associations"
        ;;
    *'rv 0 version'*) echo 'version="ntpd 4.2.8p15", leap=00, stratum=6, peer=1' ;;
    *'rv 0 '*) echo 'host="x@green", flags=0x29c0023, digest="md5"' ;;
    *'rv '*)
        flags=0x29c7f21
        if [ -s "$dir/unsigned" ]; then
            flags=0x29c5f21
            sed -i 1d "$dir/unsigned"
        fi
        id=${*##*rv }
        while read -r known address ident; do
            [ "$known" = "${id%% *}" ] || continue
            echo "srcadr=$address, reach=017, unreach=0, hpoll=3, stratum=5, flash=00 ok, keyid=0xbad924fb,"
            echo "flags=$flags, host=\"x@green\", ident=\"$ident\""
        done <"$dir/associations"
        ;;
    *)
        while IFS= read -r line; do
            case $line in
                'keyid 9' | 'keytype MD5') ;;
                ':config unpeer '*)
                    grep -v " ${line#:config unpeer } " "$dir/associations" >"$dir/fewer"
                    mv "$dir/fewer" "$dir/associations"
                    ;;
                ':config server '*)
                    set -- $line
                    prove "$(number)" "$3" "$6"
                    ;;
                *)
                    [ "9 MD5 ${line#passwd }" = "$(grep '^9 ' "$dir/etc/ntp/ntp.keys")" ] && [ ! -e "$dir/refuses" ] || {
                        echo '***Server disallowed request (authentication?)'
                        exit 0
                    }
                    ;;
            esac
        done
        echo "told $host" >>"$dir/../../events"
        echo 'Config Succeeded'
        ;;
esac
"#;

struct Site(Managed);

impl Deref for Site {
    type Target = Managed;

    fn deref(&self) -> &Managed {
        &self.0
    }
}

impl Site {
    fn new() -> Self {
        let mut lab = Lab::new();
        let mut hosts = String::new();
        for (host, address) in HOSTS {
            let root = lab.root(host);
            let path = format!("SetEnv PATH={}/bin:/usr/bin:/bin", root.display());
            lab.start_bare(host, &[&path], "statsdir /stats/\n");
            fs::create_dir_all(root.join("stats")).expect("a directory");
            fs::create_dir_all(root.join("bin")).expect("a directory");
            let head = format!("#!/bin/sh\nset -- {} \"$@\"{DAEMON}shift\n", root.display());
            let ntpq = lab.program(&format!("ntpq-{host}"), &format!("{head}{NTPQ}"));
            std::os::unix::fs::symlink(ntpq, root.join("bin/ntpq")).expect("a link");
            let restart = lab.program(&format!("restart-{host}"), &format!("{head}{RESTART}"));
            let own = if host.starts_with("leaf") {
                "servers: [alice, bob]"
            } else {
                "reference_clock: true"
            };
            let _ = writeln!(
                hosts,
                "  {host}: {{ group: green, address: {address}, {own}, restart: {} }}",
                restart.display()
            );
        }
        let text = format!(
            "version: 1
defaults:
  verify: auth
  cryptostats: true
  host_key: {{ bits: 512 }}
{way}  association: {{ minpoll: 3 }}
  keys: {{ file: /etc/ntp/ntp.keys, control: 9 }}
symmetric_keys: {{ 9: {{ type: MD5 }} }}
groups:
  green: {{ identity: iff, trusted: [alice, bob], identity_key: {{ iff: 512 }} }}
hosts:
{hosts}",
            way = lab.way(),
        );
        let site = Self(Managed::new(lab, &text));
        site.good(&["apply", "--verify", "none"]);
        site.events();
        site
    }

    fn file(&self, host: &str, name: &str) -> PathBuf {
        self.lab.root(host).join(name)
    }

    /// What happened since the last time: "restart HOST", "told HOST".
    fn events(&self) -> Vec<String> {
        let path = self.dir().join("events");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.dedup();
        lines
    }

    /// The names by which a host's associations were proven.
    fn idents(&self, host: &str) -> Vec<String> {
        let text = fs::read_to_string(self.file(host, "associations")).expect("associations");
        let mut lines: Vec<&str> = text
            .lines()
            .map(|line| line.split_once(' ').expect("words").1)
            .collect();
        lines.sort_unstable();
        lines.into_iter().map(str::to_owned).collect()
    }

    fn has(&self, host: &str, link: &str) -> bool {
        self.file(host, "etc/ntp/crypto").join(link).exists()
    }
}

const ROTATE: [&str; 4] = ["rotate", "identity", "--group", "green"];

#[test]
fn keys_change_under_a_new_name_and_no_client_restarts() {
    let site = Site::new();
    let said = site.good(&[&ROTATE[..], &["--dry-run"]].concat());
    assert!(
        said.contains("Step 1 of 4: all hosts get the new keys under the name green2"),
        "{said}"
    );
    assert!(site.events().is_empty());

    // The first step can be the last for now: nothing is told, nothing reads the keys.
    let said = site.good(&[&ROTATE[..], &["--steps", "1"]].concat());
    assert!(said.contains("Stopped after step 1 of 4"), "{said}");
    assert!(site.events().is_empty());
    assert!(site.has("leaf1", "ntpkey_iffpar_green2") && site.has("alice", "ntpkey_iffkey_green2"));
    assert!(site.has("leaf1", "ntpkey_iffpar_green"));
    let said = site.good(&["plan"]);
    assert!(said.contains("nothing to change"), "{said}");
    // By restarts the keys cannot change meanwhile.
    let (status, said) = site.keytrail(&[&ROTATE[..], &["--strategy", "restart"]].concat());
    assert_eq!(status, 2, "{said}");
    assert!(
        said.contains("changing to the name green2") && said.contains("finish that first"),
        "{said}"
    );
    let said = site.good(&["status"]);
    assert!(said.contains("green2"), "{said}");

    // A client whose daemon refuses is restarted, and that is said.
    fs::write(site.file("leaf2", "refuses"), "").expect("written");
    let said = site.good(&[&ROTATE[..], &["--steps", "1"]].concat());
    assert!(
        said.contains("leaf2: its daemon was restarted, for it could not be told while it ran: it does not take 'unpeer'"),
        "{said}"
    );
    let events = site.events();
    assert_eq!(events[0], "restart alice", "{events:?}");
    assert!(
        events.contains(&"told leaf1".into()) && events.contains(&"restart leaf2".into()),
        "{events:?}"
    );
    for leaf in ["leaf1", "leaf2"] {
        assert_eq!(site.idents(leaf), ["10.1.0.1 green2", "10.1.0.2 green"]);
    }
    fs::remove_file(site.file("leaf2", "refuses")).expect("removed");
    let said = site.good(&["history", "3"]);
    assert!(said.contains("its daemon was restarted"), "{said}");

    // The same command finishes it.
    let said = site.good(&ROTATE);
    let events = site.events();
    assert_eq!(events[0], "restart bob", "{events:?}");
    assert!(
        !events.iter().any(|event| event.starts_with("restart leaf")),
        "{events:?}"
    );
    assert!(
        said.contains("no gap: asks one server anew while another proves the time"),
        "{said}"
    );
    assert!(
        said.contains("The keys of group green are called green2 now"),
        "{said}"
    );
    for leaf in ["leaf1", "leaf2"] {
        assert_eq!(site.idents(leaf), ["10.1.0.1 green2", "10.1.0.2 green2"]);
        assert!(!site.has(leaf, "ntpkey_iffpar_green"), "the old keys go");
    }
    let said = site.good(&["plan"]);
    assert!(said.contains("nothing to change"), "{said}");
    site.good(&["verify"]);
}

#[test]
fn what_stands_in_the_way_is_said_and_restarts_follow() {
    let site = Site::new();
    let line = |servers: &str| format!("address: 10.1.0.3, servers: [{servers}]");
    site.edit(&line("alice, bob"), &line("alice"));
    let (status, said) = site.keytrail(&[&ROTATE[..], &["--strategy", "two-names"]].concat());
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("leaf1 has one server of the group"), "{said}");
    assert!(site.events().is_empty());
    let said = site.good(&[&ROTATE[..], &["--dry-run"]].concat());
    assert!(
        said.contains("Not without a gap: leaf1 has one server of the group"),
        "{said}"
    );
    assert!(said.contains("alice  restarts"), "{said}");
}

#[test]
fn a_server_waits_for_clients_in_the_middle_of_an_exchange() {
    let site = Site::new();
    // Its exchange is complete at the third look.
    fs::write(site.file("leaf1", "unsigned"), "1\n2\n3\n4\n").expect("written");
    let said = site.good(&[&ROTATE[..], &["--strategy", "restart"]].concat());
    assert_eq!(
        fs::read_to_string(site.file("leaf1", "unsigned")).expect("there"),
        "",
        "{said}"
    );
    let events = site.events();
    assert_eq!(events[..2], ["restart alice", "restart bob"], "{events:?}");
}
