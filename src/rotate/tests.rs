//! The record of rotations, and the order in a whole fleet.

use super::record::{Rotation, Rotations, StaleKeyEffect};
use super::subject::{Scope, Subject, What, subject};
use super::{gap, impact, order, removed_hosts};
use crate::inventory::{GroupId, HostId, Inventory, load_str};
use crate::media::GroupScheme;
use crate::plan::{Action, HostPlan, order::batches};
use crate::trail::{Analysis, analyse};
use crate::vault::{Applied, GenerationId, SecretKind};
use std::collections::{BTreeSet, HashMap, HashSet};

const FLEET: &str = "version: 1
defaults: { connection: export, association: { iburst: true, minpoll: 4 } }
symmetric_keys:
  7: { type: AES-128-CMAC }
  8: { type: AES-128-CMAC, value: { env: KEY } }
groups:
  red: { identity: iff, trusted: [mort] }
  blue: { identity: gq, trusted: [macabre] }
  green: { identity: gq, trusted: [howland] }
  black: { identity: pc, trusted: [ink] }
  plain: { identity: tc, trusted: [stone] }
hosts:
  mort: { group: red, reference_clock: true, servers: [macabre] }
  macabre: { group: blue, reference_clock: true, servers: [mort] }
  howland: { group: green, servers: [mort, macabre] }
  yellow: { group: green, servers: [howland], password: { env: PW } }
  amber: { group: green, servers: [howland] }
  'leaf[1-3]': { group: green, servers: [yellow, amber] }
  ink: { group: black, reference_clock: true }
  blot: { group: black, servers: [ink] }
  stone: { group: plain, reference_clock: true }
  pebble: { group: plain, servers: [stone] }
  keyed: { servers: [{ host: stone, key: 7 }, { host: mort, key: 8 }] }
";

fn fleet() -> (Inventory, Analysis) {
    let inventory = load_str(FLEET).unwrap_or_else(|failure| panic!("{failure:?}"));
    let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 20));
    (inventory, analysis)
}

fn host(inventory: &Inventory, name: &str) -> HostId {
    inventory.find(name).expect("a host of the fleet")
}

fn about(what: What, scope: &Scope) -> Result<Subject, Vec<super::subject::Refusal>> {
    let (inventory, analysis) = fleet();
    subject(what, scope, &inventory, &|host| analysis.needs(host))
}

fn hosts(names: &[&str]) -> Scope {
    let (inventory, _) = fleet();
    Scope {
        hosts: names.iter().map(|name| host(&inventory, name)).collect(),
        ..Scope::default()
    }
}

fn groups(numbers: &[u32]) -> Scope {
    Scope {
        groups: numbers.iter().map(|&number| GroupId(number)).collect(),
        ..Scope::default()
    }
}

#[test]
fn a_subject_names_its_secrets() {
    let green = about(What::Identity, &groups(&[2])).unwrap();
    assert_eq!(green.words, "identity of group green");
    assert_eq!(
        green.anew,
        HashSet::from([(SecretKind::Group(GroupScheme::Gq), "green".into())])
    );
    assert!(green.servers_first && green.bite == StaleKeyEffect::WhenExamined);

    let keys = about(What::HostKey, &hosts(&["mort", "leaf2"])).unwrap();
    assert_eq!(keys.words, "host key of mort, leaf2");
    assert_eq!(keys.anew.len(), 2);
    assert_eq!(keys.bite, StaleKeyEffect::Never);

    let shared = about(What::Pc, &groups(&[3])).unwrap();
    assert_eq!(shared.anew, HashSet::from([(SecretKind::HostKey, "ink".into())]));
    let password = about(What::Password, &hosts(&["blot"])).unwrap();
    assert_eq!(
        password.anew,
        HashSet::from([(SecretKind::Password, "ink".into())])
    );
    let certificate = about(What::Certificate, &hosts(&["blot", "stone"])).unwrap();
    assert_eq!(
        certificate.renewing,
        Some(HashSet::from(["ink".into(), "stone".into()]))
    );

    let symmetric = Scope {
        keys: vec!["7".into()],
        ..Scope::default()
    };
    let symmetric = about(What::Symmetric, &symmetric).unwrap();
    assert_eq!(symmetric.bite, StaleKeyEffect::AtOnce);
}

#[test]
fn what_cannot_be_rotated_is_said_with_what_can() {
    let help = |what, scope: &Scope| about(what, scope).unwrap_err()[0].help.clone();
    assert!(help(What::Identity, &groups(&[3])).contains("rotate pc --group black"));
    assert!(help(What::Identity, &groups(&[4])).contains("rotate certificate --group plain"));
    assert!(help(What::Pc, &groups(&[2])).contains("rotate identity --group green"));
    assert!(help(What::HostKey, &hosts(&["blot"])).contains("rotate pc --group black"));
    assert!(help(What::Password, &hosts(&["yellow"])).contains("keytrail apply"));
    assert!(help(What::SignKey, &hosts(&["mort"])).contains("keytrail trail"));
    let given = Scope {
        keys: vec!["8".into(), "9".into()],
        ..Scope::default()
    };
    let refused = about(What::Symmetric, &given).unwrap_err();
    assert_eq!(refused.len(), 2, "all at once");
    assert!(refused[1].help.contains('7'));
}

#[test]
fn long_selections_are_told_apart() {
    let all = about(
        What::HostKey,
        &hosts(&["mort", "macabre", "howland", "yellow", "leaf1"]),
    )
    .unwrap();
    let other = about(
        What::HostKey,
        &hosts(&["mort", "macabre", "howland", "amber", "leaf1"]),
    )
    .unwrap();
    assert!(
        all.words.starts_with("host key of mort … leaf1 (5, "),
        "{}",
        all.words
    );
    assert_ne!(all.words, other.words);
}

fn restarting(inventory: &Inventory, analysis: &Analysis) -> Vec<HostPlan> {
    inventory
        .host_ids()
        .map(|id| HostPlan {
            host: inventory.host(id).name.to_string(),
            range: Some(inventory.entry(id).pattern.to_string()).filter(|_| inventory.entry(id).count > 1),
            wave: analysis.depth(id),
            actions: vec![Action::Restart {
                command: "true".into(),
                because: None,
            }],
            warnings: Vec::new(),
        })
        .collect()
}

#[test]
fn no_host_loses_two_servers_at_once_and_depth_is_kept() {
    let (inventory, analysis) = fleet();
    let plans = restarting(&inventory, &analysis);
    let apart = order::apart(
        &inventory,
        &analysis.graph,
        &plans,
        batches(&plans, &crate::plan::order::Pace::default()),
    );
    let at: HashMap<&str, usize> = apart
        .iter()
        .enumerate()
        .flat_map(|(number, batch)| batch.hosts.iter().map(move |host| (host.as_str(), number)))
        .collect();
    assert_eq!(at.len(), inventory.hosts.len(), "everybody once");
    assert!(apart.is_sorted_by_key(|batch| batch.wave), "depth is kept");
    for id in inventory.host_ids() {
        let name = &*inventory.host(id).name;
        let servers: Vec<usize> = analysis
            .graph
            .lines(analysis.graph.node_of(id))
            .map(|(_, server, _)| at[analysis.graph.name(&inventory, server)])
            .collect();
        let distinct: BTreeSet<usize> = servers.iter().copied().collect();
        assert_eq!(distinct.len(), servers.len(), "{name}: {servers:?}");
        assert!(!servers.contains(&at[name]), "{name} restarts with its server");
    }
    assert_ne!(at["yellow"], at["amber"], "the leaves have both");
    assert_eq!(at["leaf1"], at["leaf3"], "leaves need not wait for each other");
}

#[test]
fn hosts_below_one_that_is_missed_wait() {
    let (inventory, analysis) = fleet();
    let names = |missed: &str| -> BTreeSet<String> {
        order::below(&inventory, &analysis.graph, &[host(&inventory, missed)])
            .into_iter()
            .map(|id| inventory.host(id).name.to_string())
            .collect()
    };
    assert_eq!(
        names("yellow"),
        ["leaf1", "leaf2", "leaf3"].map(str::to_owned).into()
    );
    assert!(names("leaf1").is_empty());
    let all = names("macabre");
    assert!(all.contains("howland") && all.contains("leaf2") && !all.contains("macabre"));
    assert!(!all.contains("pebble"));
}

#[test]
fn every_daemon_has_its_fate() {
    let (inventory, analysis) = fleet();
    let plans: Vec<HostPlan> = restarting(&inventory, &analysis)
        .into_iter()
        .filter(|plan| ["mort", "howland", "yellow", "leaf1", "leaf2", "leaf3"].contains(&&*plan.host))
        .collect();
    let batches = order::apart(
        &inventory,
        &analysis.graph,
        &plans,
        batches(&plans, &crate::plan::order::Pace::default()),
    );
    let impacts = impact::host_impacts(&inventory, &analysis, &plans, &batches);
    snapbox::assert_data_eq!(
        impact::text(&impacts),
        snapbox::str![["
What each daemon does meanwhile (measured on ntp.org 4.2.8p15):
  1  mort               restarts  its 3 clients go on
  2  howland            restarts  without a proven server for 3 polls (50 s); its 2 clients go on; ready for their own restart after 60 s
  3  yellow             restarts  without a proven server for 3 polls (50 s); its 3 clients go on; ready for their own restart after 60 s
  4  leaf1 … leaf3 (3)  restarts  without a proven server for 4 polls (66 s)
  Everybody else goes on: what a daemon has proved it does not examine again before its own restart,
  or 6 days 1 h 38 min after it did so.

"]]
    );
    let certificates = gap::certificates(&analysis.graph);
    let of = |name: &str| {
        let node = analysis.graph.node_of(host(&inventory, name));
        gap::of_node(&inventory, &analysis.graph, &certificates, node)
    };
    assert_eq!(of("ink"), None);
    assert_eq!(of("blot").map(|(first, _)| first.polls), Some(1), "PC");
    assert_eq!(of("pebble").map(|(first, _)| first.polls), Some(2), "TC");
    assert_eq!(of("keyed"), Some((gap::NONE, gap::NONE)));
}

fn applied(stands: &[(&str, u32, i64)]) -> HashMap<Box<str>, Applied> {
    let (mut vault, _dir) = vault();
    let run = vault
        .start_run(&crate::vault::Run {
            command: "apply",
            operator: "ann@controller",
            generation: None,
            started: 0,
        })
        .unwrap();
    stands
        .iter()
        .map(|&(host, generation, at)| {
            let stands = Applied {
                generation: GenerationId(generation),
                run,
                at,
            };
            (host.into(), stands)
        })
        .collect()
}

fn vault() -> (crate::vault::Vault, tempfile::TempDir) {
    use crate::vault::{KeySource, Vault, create_identity};
    let dir = tempfile::tempdir().unwrap();
    let identity = dir.path().join("identity.agekey");
    create_identity(&identity).unwrap();
    let vault = Vault::create(&dir.path().join("x.vault"), &KeySource::File(identity), &[]).unwrap();
    (vault, dir)
}

fn rotation(bite: StaleKeyEffect) -> Rotation {
    Rotation {
        subject: "identity of group green".into(),
        command: "keytrail rotate identity --group green".into(),
        generation: 5,
        minted: 1000,
        began: None,
        bite,
        hosts: ["howland", "leaf1", "leaf2"].map(str::to_owned).into(),
    }
}

#[test]
fn what_is_left_follows_from_where_hosts_stand() {
    let mut rotations = Rotations::default();
    rotations.begin(rotation(StaleKeyEffect::WhenExamined));
    let everybody = |_: &str| true;

    let nobody = rotations.pending(&applied(&[("howland", 4, 900)]), &everybody);
    assert_eq!(
        (nobody[0].done, nobody[0].fails_by),
        (0, None),
        "nothing was begun"
    );

    let some = applied(&[("howland", 5, 2000), ("leaf1", 6, 3000), ("leaf2", 4, 900)]);
    let pending = rotations.pending(&some, &everybody);
    assert_eq!(pending[0].hosts, ["leaf2"]);
    assert_eq!(pending[0].done, 2);
    assert_eq!(pending[0].fails_by, Some(2000 + gap::REEXAMINED));

    // Once it was noted when it began, later runs of those hosts do not put it off.
    rotations.settle(&some, &everybody);
    let later = applied(&[("howland", 7, 90_000), ("leaf1", 7, 90_000), ("leaf2", 4, 900)]);
    let pending = rotations.pending(&later, &everybody);
    assert_eq!(pending[0].fails_by, Some(2000 + gap::REEXAMINED));

    assert!(
        rotations.pending(&later, &|host| host != "leaf2").is_empty(),
        "it was removed"
    );
    // Rolled back, a host has it no longer.
    let back = applied(&[("howland", 4, 99_000), ("leaf1", 7, 90_000), ("leaf2", 7, 90_000)]);
    assert_eq!(rotations.pending(&back, &everybody)[0].hosts, ["howland"]);

    rotations.settle(
        &applied(&[("howland", 7, 1), ("leaf1", 7, 1), ("leaf2", 5, 1)]),
        &everybody,
    );
    assert_eq!(rotations, Rotations::default());
}

#[test]
fn the_most_urgent_comes_first_and_a_vault_keeps_it() {
    let mut rotations = Rotations::default();
    rotations.begin(Rotation {
        subject: "password of mort".into(),
        generation: 4,
        ..rotation(StaleKeyEffect::Never)
    });
    rotations.begin(rotation(StaleKeyEffect::WhenExamined));
    rotations.begin(Rotation {
        subject: "symmetric key of 7".into(),
        ..rotation(StaleKeyEffect::AtOnce)
    });
    let some = applied(&[("howland", 5, 2000)]);
    let pending = rotations.pending(&some, &|_| true);
    let subjects: Vec<&str> = pending.iter().map(|pending| &*pending.subject).collect();
    assert_eq!(
        subjects,
        [
            "symmetric key of 7",
            "identity of group green",
            "password of mort"
        ]
    );

    let (mut vault, _dir) = vault();
    rotations.write(&mut vault).unwrap();
    assert_eq!(Rotations::read(&vault).unwrap(), rotations);
    Rotations::default().write(&mut vault).unwrap();
    assert_eq!(Rotations::read(&vault).unwrap(), Rotations::default());
}

#[test]
fn who_left_is_told_with_what_it_knows() {
    let left = removed_hosts::RemovedHost {
        stays: false,
        host: "yellow".into(),
        knows: [
            (
                ("green".to_owned(), GroupScheme::Gq),
                removed_hosts::Knows::ServerKey,
            ),
            (
                ("red".to_owned(), GroupScheme::Mv),
                removed_hosts::Knows::Parameters,
            ),
        ]
        .into(),
    };
    let words = left.words();
    assert!(words[0].contains("pass for a server") && words[0].contains("rotate identity --group green"));
    assert!(words[1].contains("keytrail revoke yellow"));
}
