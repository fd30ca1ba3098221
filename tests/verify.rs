//! `keytrail verify` over real SSH servers, with daemons that answer as the real ones did in each state.

mod common;

use common::held::{self, Held};
use common::{Lab, ended, keytrail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

struct Asked {
    lab: Lab,
    inventory: PathBuf,
}

impl Asked {
    /// Trusted host th, whose daemon is well, and mid, whose daemon answers as it did in `state`.
    fn new(state: &str) -> Self {
        let mut lab = Lab::new();
        let golden = format!("{}/tests/golden/ntpq", env!("CARGO_MANIFEST_DIR"));
        // The outputs are of that day; a proof of six days ago would be another story.
        lab.program(
            "date",
            "#!/bin/sh\n[ \"$*\" = +%s ] || exec /bin/date \"$@\"\necho 1795192905\n",
        );
        for (host, state) in [("th", "ok-th"), ("mid", state)] {
            let bin = lab.dir.path().join(format!("{host}-bin"));
            fs::create_dir(&bin).expect("a directory");
            let program = lab.program(
                &format!("ntpq-{host}"),
                &format!(
                    "#!/bin/sh\nat={golden}/{state}\n[ -e $at.as.txt ] || {{ echo 'ntpq: read: Connection refused'; exit 1; }}\n\
                     case \"$*\" in\n*' as '*) cat $at.as.txt ;;\n*'rv 0 host'*) cat $at.rv-crypto.txt ;;\n\
                     *'rv 0 '*) cat $at.rv.txt ;;\n*) cat $at.rv-assoc.txt $at.rv-clock.txt 2>/dev/null ;;\nesac\n"
                ),
            );
            std::os::unix::fs::symlink(program, bin.join("ntpq")).expect("a link");
            let line = format!(
                "SetEnv PATH={}:{}:/usr/bin:/bin",
                bin.display(),
                lab.dir.path().join("bin").display()
            );
            lab.start(host, &[&line]);
            let etc = lab.dir.path().join("hosts").join(host).join("etc");
            fs::create_dir_all(&etc).expect("a root directory");
            let written = lab.dir.path().join("hosts").join(host).join("stats");
            fs::create_dir_all(&written).expect("a directory");
            fs::write(etc.join("ntp.conf"), "statsdir /stats/\n").expect("ntp.conf");
            if let Ok(said) = fs::read(format!("{golden}/{state}.cryptostats.txt")) {
                fs::write(written.join("cryptostats"), said).expect("cryptostats");
            }
        }
        let inventory = lab.dir.path().join("fleet.yaml");
        let text = format!(
            "version: 1
defaults:
  ssh: {{ host: \"{{host}}\", config: {config} }}
  root: \"{dir}/hosts/{{host}}\"
  conf: /etc/ntp.conf
  verify: auth
groups:
  red: {{ identity: iff, trusted: [th] }}
hosts:
  th: {{ group: red, address: 10.77.0.1, reference_clock: true }}
  mid: {{ group: red, address: 10.77.0.2, servers: [{{ host: th, minpoll: 3 }}] }}
",
            config = lab.servers.config().display(),
            dir = lab.dir.path().display(),
        );
        fs::write(&inventory, text).expect("the inventory");
        Self { lab, inventory }
    }

    fn verify(&self, more: &[&str]) -> (i32, String) {
        let mut command = keytrail(self.lab.dir.path());
        ended(command.arg("verify").arg(&self.inventory).args(more))
    }
}

#[test]
fn a_proven_fleet_is_as_promised() {
    let asked = Asked::new("ok-iff");
    let (status, said) = asked.verify(&[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("2 hosts: 2 as promised."), "{said}");
    assert!(said.contains("1 of 1"), "{said}");
    let (status, said) = asked.verify(&["--format", "json", "--quiet"]);
    assert_eq!(status, 0, "{said}");
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {said}"));
    assert_eq!(answer["version"], 1);
    let mid = answer["hosts"]
        .as_array()
        .expect("hosts")
        .iter()
        .find(|row| row["host"] == "mid")
        .expect("mid");
    assert_eq!(mid["good"], true);
    assert_eq!(mid["found"]["associations"][0]["standing"], "met");
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    for (state, words) in [
        ("err-114", &["error 114", "in trouble"][..]),
        ("ok-noident", &["TC", "but IFF was promised"][..]),
        ("lost-server", &["nothing usable is heard any more"][..]),
        ("plain", &["works without authentication"][..]),
        ("nobody-home", &["DOWN"][..]),
    ] {
        let asked = Asked::new(state);
        let (status, said) = asked.verify(&[]);
        assert_eq!(status, 1, "{state}: {said}");
        for word in words {
            assert!(said.contains(word), "{state}: {word:?} is not said: {said}");
        }
        assert!(said.find("mid ") < said.find("th "), "the worst first: {said}");
    }
}

#[test]
fn a_host_out_of_reach_is_no_host_in_order() {
    let mut asked = Asked::new("ok-iff");
    asked.lab.servers.stop("mid");
    let (status, said) = asked.verify(&[]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("UNREACHABLE") && said.contains("1 as promised, 1 unreachable"),
        "{said}"
    );
    let (status, said) = asked.verify(&["--on", "th", "--level", "start"]);
    assert_eq!(status, 0, "{said}");
}

#[test]
fn nothing_is_proven_of_nobody() {
    let asked = Asked::new("ok-iff");
    let text = fs::read_to_string(&asked.inventory).expect("the inventory");
    fs::write(&asked.inventory, text.replace("verify: auth", "verify: none")).expect("the inventory");
    let (status, said) = asked.verify(&[]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("No host was looked at.") && said.contains("2 of the hosts are not looked at"),
        "{said}"
    );
    assert_eq!(asked.verify(&["--level", "auth"]).0, 0);
}

/// A process by that name that does nothing, and is there as long as the value lives.
fn daemon(lab: &Lab, before: &[&str]) -> Held {
    let program = lab.program("ntpd", "#!/bin/sh\nwhile read -r line; do echo \"$line\"; done\n");
    let mut words = before.to_vec();
    words.push(program.to_str().expect("a path in UTF-8"));
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    Held::start(command)
}

#[test]
fn the_daemon_of_a_container_is_not_the_hosts() {
    held::must_have(&held::PROGRAMS);
    let asked = Asked::new("nobody-home");
    let verify = || asked.verify(&["--on", "mid", "--level", "start"]);
    let elsewhere = daemon(&asked.lab, &["unshare", "--user", "--map-root-user", "--net"]);
    let (status, said) = verify();
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("DOWN"), "{said}");
    drop(elsewhere);
    let _here = daemon(&asked.lab, &[]);
    let (status, said) = verify();
    assert_eq!(status, 0, "{said}");
    let (status, said) = asked.verify(&["--on", "mid"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("has a process, but nothing listens"), "{said}");
}
