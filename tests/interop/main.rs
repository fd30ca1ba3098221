//! The ntp.org daemon itself, the only one with Autokey, on what the program provisioned: it is in no package registry
//! any more, so these are the only tests that are ignored unless they are asked for: as root, with `KEYTRAIL_NTPD` for the prefix
//! of an installation of 4.2.8 (`sbin/ntpd`, `bin/ntpq`). They take half an hour.

#[path = "../common/mod.rs"]
mod common;
mod fleet;
mod keys;
mod state;
mod without_a_gap;

use fleet::{Fleet, LINES, SCHEMES};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

/// Says something at once and past the test harness, which keeps to itself what a passing test prints.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Where the daemon is installed.
fn daemon() -> PathBuf {
    let prefix = std::env::var_os("KEYTRAIL_NTPD").map(PathBuf::from);
    let prefix = prefix.expect("KEYTRAIL_NTPD: the prefix of an installed ntp.org ntpd 4.2.8");
    for program in ["sbin/ntpd", "bin/ntpq"] {
        assert!(
            prefix.join(program).is_file(),
            "KEYTRAIL_NTPD={}: no {program} there",
            prefix.display()
        );
    }
    prefix
}

#[test]
#[ignore = "needs ntp.org's ntpd, which is in no package registry: as root, KEYTRAIL_NTPD=PREFIX cargo test --test interop -- --ignored"]
fn every_scheme_authenticates_on_the_real_daemon() {
    let prefix = daemon();
    let fleet = Fleet::new(&prefix, SCHEMES);
    run(&fleet, &["apply"], 15, "provisioned");
    renew(&fleet);
    rotate(&fleet);
    roll_back(&fleet);
    leave_one_behind(&fleet);
    let_one_go_ahead(&fleet);
}

#[test]
#[ignore = "needs ntp.org's ntpd, which is in no package registry: as root, KEYTRAIL_NTPD=PREFIX cargo test --test interop -- --ignored"]
fn what_is_shared_changes_and_clients_are_shut_out_on_the_real_daemon() {
    let prefix = daemon();
    let fleet = Fleet::new(&prefix, &["pc", "iff", "mv"]);
    run(&fleet, &["apply"], 9, "provisioned");
    revoke(&fleet);
    rotate_private_certificate(&fleet);
    rotate_passwords(&fleet);
}

#[test]
#[ignore = "needs ntp.org's ntpd, which is in no package registry: as root, KEYTRAIL_NTPD=PREFIX cargo test --test interop -- --ignored"]
fn identity_keys_change_without_a_gap_on_the_real_daemon() {
    let prefix = daemon();
    for scheme in ["iff", "mv", "gq"] {
        without_a_gap::rotate(&prefix, scheme);
    }
}

#[test]
#[ignore = "needs ntp.org's ntpd, which is in no package registry: as root, KEYTRAIL_NTPD=PREFIX cargo test --test interop -- --ignored"]
fn symmetric_keys_change_while_the_real_daemon_runs() {
    let prefix = daemon();
    keys::rotate(&prefix);
}

/// Brings hosts to a new state; after that all must be as promised.
fn run(fleet: &Fleet, arguments: &[&str], hosts: usize, what: &str) {
    let said = fleet.must(arguments);
    assert!(said.contains(&format!("{hosts} changed")), "{said}");
    say(&format!("{what}:\n{}", state::settle(fleet, &[])));
}

fn links(fleet: &Fleet, name: &str) -> Vec<String> {
    let link = |group: &&str| fleet.host(group, "th").link(&format!("{name}_{group}-th"));
    fleet.groups.iter().map(link).collect()
}

/// New certificates for all that are due, of the same keys.
fn renew(fleet: &Fleet) {
    let (keys, certificates) = (links(fleet, "host"), links(fleet, "cert"));
    let said = fleet.must(&["renew", "--within", "30d"]);
    assert_eq!(links(fleet, "cert"), certificates, "a year is left: {said}");
    run(fleet, &["renew", "--within", "400d"], 15, "certificates renewed");
    assert_eq!(links(fleet, "host"), keys);
    for (before, after) in certificates.iter().zip(links(fleet, "cert")) {
        assert!(*before < after, "{before} -> {after}: a later filestamp");
    }
}

/// The groups with a key.
const KEYED: [&str; 3] = ["iff", "gq", "mv"];

fn generations(fleet: &Fleet) -> [u32; 3] {
    KEYED.map(|group| fleet.generation(group))
}

/// New group keys; then new host keys, so new certificates, and group keys of another size, all at once.
fn rotate(fleet: &Fleet) {
    let before = generations(fleet);
    let arguments = [
        "rotate", "identity", "--group", "iff", "--group", "gq", "--group", "mv",
    ];
    run(fleet, &arguments, 9, "group keys rotated");
    let rotated = generations(fleet);
    assert!(before.iter().zip(&rotated).all(|(before, after)| before < after));
    fleet.edit("bits: 2048", "bits: 1536");
    fleet.edit("iff: 1024, gq: 1008, mv: 512", "iff: 768, gq: 1000, mv: 768");
    run(fleet, &["apply"], 15, "keys of other sizes");
    let resized = generations(fleet);
    assert!(rotated.iter().zip(&resized).all(|(before, after)| before < after));
}

/// The key and private certificate of the PC group, which its trusted host lends to all: one set, changed on all of them.
fn rotate_private_certificate(fleet: &Fleet) {
    let set = || ["th", "mid", "leaf"].map(|role| fleet.host("pc", role).link("cert_pc-th"));
    let before = set();
    run(fleet, &["rotate", "pc", "--group", "pc"], 3, "the PC set rotated");
    let after = set();
    assert!(before[0] < after[0], "{before:?} -> {after:?}: a later filestamp");
    assert!(after.iter().all(|name| *name == after[0]), "{after:?}");
}

/// The files of the IFF group are encrypted anew; what they hold stays.
fn rotate_passwords(fleet: &Fleet) {
    let key = |role: &str| {
        let host = fleet.host("iff", role);
        host.read(&format!("crypto/{}", host.link(&format!("host_iff-{role}"))))
    };
    let (keys, before) = (links(fleet, "host"), key("mid"));
    run(
        fleet,
        &["rotate", "password", "--group", "iff"],
        3,
        "passwords rotated",
    );
    assert_ne!(key("mid"), before, "encrypted anew");
    // The key keeps its filestamp, and the file gets a name beside the one that is in use.
    for (before, after) in keys.iter().zip(links(fleet, "host")) {
        assert!(after.starts_with(before), "{before} -> {after}: the same key");
    }
}

/// Back to what was before the last run, and forward again: the daemons follow both ways.
fn roll_back(fleet: &Fleet) {
    let before = generations(fleet);
    let arguments = [
        "rotate", "identity", "--group", "iff", "--group", "gq", "--group", "mv",
    ];
    run(fleet, &arguments, 9, "group keys rotated once more");
    let rotated = generations(fleet);
    let said = fleet.must(&["rollback"]);
    assert_eq!(generations(fleet), before, "{said}");
    assert!(before.iter().zip(&rotated).all(|(before, after)| before < after));
    say(&format!("rolled back:\n{said}"));
    run(fleet, &["apply"], 9, "and forward again");
    assert_eq!(generations(fleet), rotated, "what the vault held");
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
    for (group, _, _) in &old {
        fleet.restart(&format!("{group}-{}", line.client));
    }
    for (group, _, _) in &old {
        // IFF and MV compare filestamps; GQ only asks that the client's be no later, and then finds the key wrong.
        let code = if *group == "gq" { "114" } else { "103" };
        let found = state::wait(fleet, group, line, |found| found.sentence.contains(code));
        assert_eq!(found.standing, "unmet", "{found:?}");
        let generation = fleet.generation(group).to_string();
        assert!(found.sentence.contains(&generation), "{found:?}");
        assert_ne!(found.help, "[]", "{found:?}");
        say(&format!("{group}-{}: {}\n", line.client, found.sentence));
    }
    let said = fleet.must(&["apply"]);
    assert!(said.contains("3 changed, 12 unchanged"), "{said}");
    for (group, leaf, link) in &old {
        assert_eq!(leaf.link(&format!("{group}par_{group}")), *link);
    }
    state::settle(fleet, &[]);
}

/// A leaf of GQ that is to change before its servers goes back by itself. Where nobody looks, it does not heal when they
/// follow: it holds on to the certificate it took. That must be told, and a restart is what helps.
fn let_one_go_ahead(fleet: &Fleet) {
    let ([_, line], group) = (LINES, "gq");
    let wait = |what: &str| {
        let found = state::wait(fleet, group, line, |found| found.sentence.contains(what));
        say(&format!("{group}-{}: {}\n", line.client, found.sentence));
        found
    };
    fleet.edit("gq: 1000", "gq: 992");
    let leaf = fleet.host(group, line.client);
    let before = leaf.link("gqpar_gq");
    let (status, said) = fleet.keytrail(&["apply", "--on", "gq-leaf"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("error 103 (bad filestamp)"), "{said}");
    assert_eq!(leaf.link("gqpar_gq"), before, "{said}");
    let said = fleet.must(&["apply", "--on", "gq-leaf", "--verify", "none"]);
    assert!(said.contains("1 changed"), "{said}");
    assert_ne!(leaf.link("gqpar_gq"), before);
    wait("103");
    let said = fleet.must(&["apply"]);
    assert!(said.contains("2 changed, 13 unchanged"), "{said}");
    let found = wait("114");
    assert!(found.help.contains("restart this host"), "{found:?}");
    fleet.restart(&format!("{group}-{}", line.client));
    state::settle(fleet, &["group:gq"]);
}

/// An MV client that is shut out is refused at its next exchange, and nobody else; let in again it comes back by itself.
fn revoke(fleet: &Fleet) {
    let [upper, line] = LINES;
    let parameters = fleet.host("mv", "leaf").link("mvpar_mv");
    let generation = fleet.generation("mv");
    let said = fleet.must(&["revoke", "mv-leaf", "--enforce"]);
    assert_eq!(fleet.generation("mv"), generation, "the same filestamp: {said}");
    let found = state::wait(fleet, "mv", line, |found| found.sentence.contains("114"));
    assert_ne!(found.standing, "met", "{found:?}");
    say(&format!("mv-leaf, revoked: {}\n", found.sentence));
    state::wait(fleet, "mv", upper, |found| found.standing == "met");
    let said = fleet.must(&["unrevoke", "mv-leaf"]);
    assert_eq!(fleet.host("mv", "leaf").link("mvpar_mv"), parameters, "{said}");
    say(&format!(
        "mv-leaf, let in again:\n{}",
        state::settle(fleet, &["group:mv"])
    ));
}
