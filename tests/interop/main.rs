//! The ntp.org daemon itself, the only one with Autokey, on what the program provisioned: it is in no package registry
//! any more, so this runs where `KEYTRAIL_NTPD` names an installation of 4.2.8 (`sbin/ntpd`, `bin/ntpq`), as root.

#[path = "../common/mod.rs"]
mod common;
mod fleet;
mod network;
mod state;
mod without_a_gap;

use fleet::{Fleet, LINES, SCHEMES};
use keytrail::ntpq::{Standing, Timestamp};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Says something at once and past the test harness, which keeps to itself what a passing test prints.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Where the daemon is installed; says so loudly where nobody said.
fn daemon() -> Option<PathBuf> {
    let Some(prefix) = std::env::var_os("KEYTRAIL_NTPD").map(PathBuf::from) else {
        say(
            "\n*** NOT RUN: the interop suite. No real Autokey daemon has judged the media of this build.\n\
             *** That is no failure: ntp.org's ntpd 4.2.8 is in no package registry. Build it, then say where it is:\n\
             ***     KEYTRAIL_NTPD=/usr/local cargo test --test interop      (as root; takes a quarter of an hour)\n\n",
        );
        return None;
    };
    for program in ["sbin/ntpd", "bin/ntpq"] {
        assert!(
            prefix.join(program).is_file(),
            "KEYTRAIL_NTPD={}: no {program} there",
            prefix.display()
        );
    }
    Some(prefix)
}

fn now() -> Timestamp {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_unix(passed.as_secs().try_into().expect("before the year 292 billion"))
}

#[test]
fn every_scheme_authenticates_on_the_real_daemon_or_stderr_says_that_there_is_none() {
    let Some(prefix) = daemon() else { return };
    let fleet = Fleet::new(&prefix);
    run(&fleet, &["apply"], "provisioned");
    renew(&fleet);
    rotate(&fleet);
    roll_back(&fleet);
    leave_one_behind(&fleet);
    let_one_go_ahead(&fleet);
}

#[test]
fn identity_keys_change_without_a_gap_on_the_real_daemon() {
    let Some(prefix) = daemon() else { return };
    for scheme in ["iff", "mv", "gq"] {
        without_a_gap::rotate(&prefix, scheme);
    }
}

/// Brings all to a new state, and waits until all is proven since.
fn run(fleet: &Fleet, arguments: &[&str], what: &str) {
    let since = now();
    let said = fleet.must(arguments);
    assert!(said.contains("15 changed"), "{said}");
    say(&format!("{what}:\n{}", state::settle(fleet, since)));
}

/// New certificates for all, of the same keys.
fn renew(fleet: &Fleet) {
    let links =
        |name: &str| SCHEMES.map(|(group, _)| fleet.host(group, "th").link(&format!("{name}_{group}-th")));
    let (keys, certificates) = (links("host"), links("cert"));
    run(fleet, &["renew", "--all"], "certificates renewed");
    assert_eq!(links("host"), keys);
    for (before, after) in certificates.iter().zip(links("cert")) {
        assert!(*before < after, "{before} -> {after}: a later filestamp");
    }
}

/// The groups with a key.
const KEYED: [&str; 3] = ["iff", "gq", "mv"];

/// New group keys; then new host keys, so new certificates, and group keys of another size, all at once.
fn rotate(fleet: &Fleet) {
    let before = KEYED.map(|group| fleet.generation(group));
    let since = now();
    let said = fleet.must(&[
        "rotate", "identity", "--group", "iff", "--group", "gq", "--group", "mv",
    ]);
    assert!(said.contains("9 changed"), "{said}");
    say(&format!(
        "group keys rotated:\n{}",
        state::settle_groups(fleet, &KEYED, since)
    ));
    let rotated = KEYED.map(|group| fleet.generation(group));
    assert!(before.iter().zip(&rotated).all(|(before, after)| before < after));
    fleet.change("bits: 2048", "bits: 1536");
    fleet.change("iff: 1024, gq: 1008, mv: 512", "iff: 768, gq: 1000, mv: 768");
    run(fleet, &["apply"], "keys of other sizes");
    let resized = KEYED.map(|group| fleet.generation(group));
    assert!(rotated.iter().zip(&resized).all(|(before, after)| before < after));
}

/// Back to the keys of before the rotation, and forward again: the daemons follow both ways.
fn roll_back(fleet: &Fleet) {
    let generations = || KEYED.map(|group| fleet.generation(group));
    let rotated = generations();
    let since = now();
    let said = fleet.must(&["rollback"]);
    let before = generations();
    for (before, rotated) in before.iter().zip(&rotated) {
        assert!(before < rotated, "{said}");
    }
    say(&format!("rolled back:\n{}", state::settle(fleet, since)));
    run(fleet, &["apply"], "and forward again");
    assert_eq!(generations(), rotated, "what the vault held");
}

/// A leaf that is restarted with the parameters of before the rotation is told apart, explained, and healed.
fn leave_one_behind(fleet: &Fleet) {
    let [_, line] = LINES;
    let mut old = Vec::new();
    for group in KEYED {
        let leaf = fleet.host(group, line.client);
        let name = format!("{group}par_{group}");
        let now = leaf.link(&name);
        let mut kept: Vec<String> = fs::read_dir(leaf.file("crypto"))
            .expect("media")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .filter(|file| file.starts_with(&format!("ntpkey_{group}par_{group}.")) && *file != now)
            .collect();
        kept.sort();
        let before = kept.pop().expect("the generation before is kept on the host");
        leaf.relink(&name, &before);
        old.push((group, leaf, now));
    }
    let since = now();
    for (group, _, _) in &old {
        fleet.restart(group, line.client);
    }
    for (group, _, _) in &old {
        // IFF and MV compare filestamps; GQ only asks that the client's be no later, and then finds the key wrong.
        let code = if *group == "gq" { "114" } else { "103" };
        let outcome = state::wait(fleet, group, line, since, |outcome| {
            outcome.sentence.contains(code)
        });
        assert_eq!(outcome.standing, Standing::Unmet, "{outcome:?}");
        let generation = fleet.generation(group).to_string();
        assert!(outcome.sentence.contains(&generation), "{outcome:?}");
        assert!(!outcome.help.is_empty(), "{outcome:?}");
        say(&format!("{group}-{}: {}\n", line.client, outcome.sentence));
    }
    let since = now();
    let said = fleet.must(&["apply"]);
    assert!(said.contains("3 changed, 12 unchanged"), "{said}");
    for (group, leaf, link) in &old {
        assert_eq!(leaf.link(&format!("{group}par_{group}")), *link);
        state::wait(fleet, group, line, since, |outcome| {
            outcome.standing == Standing::Met
        });
    }
}

/// A leaf of GQ that is to change before its servers goes back by itself. Where nobody looks, it does not heal when they
/// follow: it holds on to the certificate it took. That must be told, and a restart is what helps.
fn let_one_go_ahead(fleet: &Fleet) {
    let ([_, line], group) = (LINES, "gq");
    let wait = |since, what: &str| {
        let outcome = state::wait(fleet, group, line, since, |outcome| {
            outcome.sentence.contains(what)
        });
        say(&format!("{group}-{}: {}\n", line.client, outcome.sentence));
        outcome
    };
    fleet.change("gq: 1000", "gq: 992");
    let leaf = fleet.host(group, line.client);
    let before = leaf.link("gqpar_gq");
    let (status, said) = fleet.keytrail(&["apply", "--on", "gq-leaf"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("error 103 (bad filestamp)"), "{said}");
    assert_eq!(leaf.link("gqpar_gq"), before, "{said}");
    let since = now();
    let said = fleet.must(&["apply", "--on", "gq-leaf", "--verify", "none"]);
    assert!(said.contains("1 changed"), "{said}");
    assert_ne!(leaf.link("gqpar_gq"), before);
    wait(since, "103");
    let said = fleet.must(&["apply"]);
    assert!(said.contains("2 changed, 13 unchanged"), "{said}");
    let outcome = wait(since, "114");
    assert!(
        outcome.help.iter().any(|help| help.contains("restart this host")),
        "{outcome:?}"
    );
    fleet.restart(group, line.client);
    state::wait(fleet, group, line, now(), |outcome| {
        outcome.standing == Standing::Met
    });
}
