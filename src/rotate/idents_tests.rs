//! Keys under a new name, from the first step to the last: who holds what, who proves itself with what, who asks for what.

use super::idents::{Names, Step, number};
use super::seamless::obstacles;
use crate::inventory::{GroupId, Inventory, Verify, load_str};
use crate::trail::needs::ident;
use crate::trail::{Analysis, analyse};
use crate::vault::Snapshot;
use std::collections::BTreeSet;

const FLEET: &str = "version: 1
defaults: { verify: auth, keys: { control: 9 } }
symmetric_keys: { 9: { type: AES-128-CMAC } }
groups:
  red: { identity: iff, trusted: [alice, bob] }
hosts:
  alice: { group: red, reference_clock: true }
  bob: { group: red, reference_clock: true }
  mid1: { group: red, servers: [alice, bob] }
  mid2: { group: red, servers: [alice, bob] }
  'leaf[1-3]': { group: red, servers: [mid1, mid2] }
";
const RED: GroupId = GroupId(0);

fn load(text: &str) -> (Inventory, Analysis) {
    let inventory = load_str(text).unwrap_or_else(|failure| panic!("{failure:?}"));
    let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 20));
    assert!(!analysis.has_errors(), "{:?}", analysis.findings);
    (inventory, analysis)
}

fn why(text: &str, level: Option<Verify>) -> String {
    let (inventory, analysis) = load(text);
    obstacles(&inventory, &analysis, RED, level).join("\n")
}

/// The names that the lines of a host ask for, by server.
fn asks(inventory: &Inventory, host: &str) -> Vec<String> {
    let id = inventory.find(host).expect("a host");
    let lines = inventory.entry(id).associations.iter();
    lines
        .map(|line| ident(inventory.group(RED), &line.target).to_owned())
        .collect()
}

#[test]
fn servers_move_one_after_the_other_and_their_clients_with_them() {
    let (written, analysis) = load(FLEET);
    let mut names = Names::default();
    assert_eq!(names.free(&written, &Snapshot::default(), "red"), "red2");
    names.begin("red", "red2".into(), 100, "rotate".into());
    // Who proves itself with the new name after each step.
    let steps: [(Step, &[&str]); 6] = [
        (Step::Added, &[]),
        (Step::Moving, &["alice"]),
        (Step::Moving, &["alice", "bob"]),
        (Step::Moving, &["alice", "bob", "mid1"]),
        (Step::Moving, &["alice", "bob", "mid1", "mid2"]),
        (Step::Removed, &["alice", "bob", "mid1", "mid2"]),
    ];
    for (at, (step, moved)) in (1..).zip(steps) {
        names.advance(&written, &analysis, RED, 200);
        let next = names.next("red").expect("under way").clone();
        assert_eq!(next.step, step);
        assert_eq!(number(&written, &analysis, RED, &next), (at, 6));
        let expected: BTreeSet<String> = moved.iter().map(|&host| host.to_owned()).collect();
        assert_eq!(next.servers, expected);

        let mut now = written.clone();
        names.apply_to(&mut now);
        let red = now.group(RED);
        let held: Vec<&str> = red.held_idents().collect();
        assert_eq!(
            held,
            if step == Step::Removed {
                vec!["red2"]
            } else {
                vec!["red", "red2"]
            }
        );
        // A line asks for what its server proves itself with, and never do all lines of a host change at once.
        for host in ["mid1", "leaf2"] {
            let servers: &[&str] = if host == "mid1" {
                &["alice", "bob"]
            } else {
                &["mid1", "mid2"]
            };
            let proves = servers
                .iter()
                .map(|server| red.ident_of(now.find(server).expect("a host")));
            assert!(asks(&now, host).iter().eq(proves), "{host}");
        }
        // Not before everybody is there.
        let before = names.clone();
        names.advance(&written, &analysis, RED, 300);
        assert_eq!(names, before);
        names.arrive("red");
    }
    assert!(names.open().next().is_none());
    let mut now = written.clone();
    names.apply_to(&mut now);
    assert_eq!(asks(&now, "leaf1"), ["red2", "red2"]);
    assert_eq!(now.group(RED).name, "red".into(), "certificates stay");
    // The next change starts from the name in force.
    assert_eq!(names.free(&written, &Snapshot::default(), "red"), "red3");
    names.begin("red", "red3".into(), 400, "rotate".into());
    assert_eq!(names.of("red").map(|name| &*name.now), Some("red2"));
}

#[test]
fn names_are_free_of_groups_hosts_and_numbers() {
    let text = FLEET
        .replace("hosts:", "hosts:\n  red2: { servers: [] }")
        .replace(
            "groups:",
            "groups:\n  red3: { identity: tc }\n  site7: { identity: tc }",
        );
    let written = load_str(&text).unwrap_or_else(|failure| panic!("{failure:?}"));
    let names = Names::default();
    assert_eq!(names.free(&written, &Snapshot::default(), "red"), "red4");
    assert_eq!(names.free(&written, &Snapshot::default(), "site7"), "site7-2");
}

#[test]
fn what_stands_in_the_way_is_named_with_its_hosts() {
    assert_eq!(why(FLEET, None), "");
    assert_eq!(why(FLEET, Some(Verify::Auth)), "");
    for (from, to, reason) in [
        (
            "servers: [mid1, mid2]",
            "servers: [mid1]",
            "leaf[1-3] has one server of the group",
        ),
        ("keys: { control: 9 }", "minpoll: 4", "have no control key"),
        (
            "verify: auth",
            "verify: none",
            "alice, bob, leaf[1-3], mid1 and 1 more are not looked at",
        ),
        (
            "identity: iff",
            "identity: gq",
            "mid1, mid2 hand it on with a key of another generation",
        ),
        (
            "mid1: {",
            "mid1: { connection: export,",
            "mid1 gets its files by `keytrail export`",
        ),
    ] {
        let to = if to.starts_with("minpoll") {
            "association: { minpoll: 4 }"
        } else {
            to
        };
        let said = why(&FLEET.replacen(from, to, 1), None);
        assert!(said.contains(reason), "{reason}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(why(FLEET, Some(Verify::Start)).contains("not looked at"));
    // A daemon of another group drops the server's answers under any ident but its group's name.
    let text = FLEET.replace("hosts:", "  blue: { identity: iff, trusted: [carol] }\nhosts:\n  carol: { group: blue, servers: [alice, bob] }");
    assert!(
        why(&text, None).contains("carol is of another group"),
        "{}",
        why(&text, None)
    );
    // GQ with nobody between the trusted hosts and the leaves can.
    let flat = "version: 1
defaults: { keys: { control: 9 }, verify: auth }
symmetric_keys: { 9: { type: AES-128-CMAC } }
groups:
  red: { identity: gq, trusted: [alice, bob] }
hosts:
  alice: { group: red, reference_clock: true }
  bob: { group: red, reference_clock: true, servers: [alice] }
  leaf: { group: red, servers: [alice, bob] }
";
    assert_eq!(why(flat, None), "");
}
