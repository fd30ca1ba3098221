//! `keytrail verify` over real SSH servers, with daemons that answer as the real ones did in each state.

use crate::common::Lab;
use crate::common::asked::asked;
use crate::common::held::{self, Held};
use std::fs;
use std::process::Command;

#[test]
fn a_proven_fleet_is_as_promised() {
    let asked = asked("ok-iff");
    // A pipe among the daemon's files, which its user may put there, holds nobody up.
    let written = asked.lab.root("mid").join("stats");
    fs::rename(written.join("cryptostats"), written.join("cryptostats.20261120")).expect("a name by day");
    let pipe = Command::new("mkfifo")
        .arg(written.join("cryptostats.20261121"))
        .status();
    assert!(pipe.expect("mkfifo").success());
    let (status, said) = asked.verify(&[]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("2 hosts: 1 as promised, 1 nothing promised."),
        "{said}"
    );
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
        let asked = asked(state);
        let (status, said) = asked.verify(&[]);
        assert_eq!(status, 1, "{state}: {said}");
        for word in words {
            assert!(said.contains(word), "{state}: {word:?} is not said: {said}");
        }
        let at = |host: &str| {
            said.find(host)
                .unwrap_or_else(|| panic!("{host} is not listed: {said}"))
        };
        assert!(at("mid ") < at("th "), "the worst first: {said}");
    }
}

#[test]
fn a_host_out_of_reach_is_no_host_in_order() {
    let mut asked = asked("ok-iff");
    asked.lab.servers.stop("mid");
    let (status, said) = asked.verify(&[]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("UNREACHABLE") && said.contains("1 nothing promised, 1 unreachable"),
        "{said}"
    );
    let (status, said) = asked.verify(&["--on", "th", "--level", "start"]);
    assert_eq!(status, 0, "{said}");
}

/// A login that never ends, and the time that was asked for in place of the default of a minute and more.
#[test]
fn a_host_that_hangs_is_given_up_after_the_timeout() {
    let mut asked = asked("ok-iff");
    let hangs = asked.lab.servers.restart("mid", &["ForceCommand exec sleep 600"]);
    hangs.expect("a server");
    let (status, said) = asked.verify(&["--timeout", "7s", "--on", "mid"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("no answer within 7s"), "{said}");
}

#[test]
fn nothing_is_proven_of_nobody() {
    let asked = asked("ok-iff");
    asked.edit("verify: auth", "verify: none");
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
    let asked = asked("nobody-home");
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
