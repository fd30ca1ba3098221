//! Tests of the what-if analysis: known scenarios, and dominators against taking hosts away one by one.

use super::failure::{Failure, Part, WhatIf, double, single};
use super::graph::{Node, TrailGraph, Who};
use super::sample::{TODAY, random};
use super::{Analysis, analyse};
use crate::inventory::{GroupId, Inventory, load_str};
use proptest::prelude::*;

fn what_if(inventory: &Inventory) -> (Analysis, WhatIf) {
    let analysis = analyse(inventory, TODAY);
    let answer = single(inventory, &analysis.graph, &analysis.proof);
    (analysis, answer)
}

fn ranked(inventory: &Inventory) -> Vec<(String, u64)> {
    let (analysis, answer) = what_if(inventory);
    let name = |part: &Part| match part {
        Part::Host(node) => analysis.graph.name(inventory, *node).to_owned(),
        Part::Clock(node) => format!("clock of {}", analysis.graph.name(inventory, *node)),
        Part::Group(id) => format!("group {}", inventory.group(*id).name),
    };
    answer
        .failures
        .iter()
        .map(|failure| {
            (
                failure.parts.iter().map(name).collect::<Vec<_>>().join(" + "),
                failure.loses,
            )
        })
        .collect()
}

#[test]
fn red_and_blue_turn_cyclic_and_howland_is_the_single_point() {
    let inventory = load_str(include_str!("../../inventories/red-green-blue.yaml")).expect("valid");
    let (analysis, answer) = what_if(&inventory);
    assert_eq!(answer.hosts, 8);
    let cycles: Vec<Vec<&str>> = answer
        .cycles
        .iter()
        .map(|cycle| {
            cycle
                .clocks
                .iter()
                .map(|&node| analysis.graph.name(&inventory, node))
                .collect()
        })
        .collect();
    assert_eq!(cycles, [["mort", "macabre"]]);
    let ranked = ranked(&inventory);
    assert!(ranked.contains(&("howland".to_owned(), 5)), "{ranked:?}");
    // Either of mort and macabre may fail: howland has the other, and each has the other as backup.
    assert!(
        !ranked
            .iter()
            .any(|(what, _)| what.contains("mort") || what.contains("macabre")),
        "{ranked:?}"
    );
}

#[test]
fn a_clock_without_backup_takes_its_host_along() {
    let inventory = load_str(
        "version: 1
groups: { red: { trusted: [a] }, blue: { trusted: [b, b2] } }
hosts:
  a: { group: red, reference_clock: true }
  b: { group: blue, reference_clock: true, servers: [c] }
  b2: { group: blue, reference_clock: true }
  c: { group: red, servers: [a] }
  d: { group: blue, servers: [b, b2] }
",
    )
    .expect("valid");
    let ranked = ranked(&inventory);
    let expected = [
        ("clock of a", 2),
        ("host a", 1),
        ("group blue", 1),
        ("group red", 1),
        ("clock of b2", 1),
    ];
    for (what, loses) in expected {
        let what = what.strip_prefix("host ").unwrap_or(what);
        assert!(ranked.contains(&(what.to_owned(), loses)), "{what} in {ranked:?}");
    }
    // b has c behind it, whose trail comes from a.
    assert!(!ranked.iter().any(|(what, _)| what == "clock of b"), "{ranked:?}");
}

#[test]
fn pairs_cost_what_neither_costs_alone() {
    let inventory = load_str(
        "version: 1
groups: { red: { trusted: [a] } }
hosts:
  a: { group: red, reference_clock: true }
  b: { group: red, servers: [a] }
  c: { group: red, servers: [a] }
  'leaf[1-9]': { group: red, servers: [b, c] }
",
    )
    .expect("valid");
    let analysis = analyse(&inventory, TODAY);
    let graph = &analysis.graph;
    let pairs = double(graph);
    let host = |name: &str| graph.node_of(inventory.find(name).expect("declared"));
    let leaf = host("leaf1");
    let expected = Failure {
        parts: vec![Part::Host(host("b")), Part::Host(host("c"))],
        loses: 9,
        examples: vec![leaf],
    };
    assert_eq!(pairs, [expected]);
}

/// Nodes with a trail when some are taken away, found by walking.
fn alive(graph: &TrailGraph, gone: &[Node]) -> Vec<bool> {
    let mut alive = vec![false; graph.graph().node_count()];
    loop {
        let mut changed = false;
        for node in graph.nodes().filter(|node| !gone.contains(node)) {
            let by_server = || {
                graph
                    .lines(node)
                    .any(|(_, server, edge)| super::proof::is_trail(edge) && alive[server.index()])
            };
            if !alive[node.index()] && (graph.member(node).root || by_server()) {
                alive[node.index()] = true;
                changed = true;
            }
        }
        if !changed {
            return alive;
        }
    }
}

fn lost(graph: &TrailGraph, gone: &[Node]) -> Vec<Node> {
    let (before, after) = (alive(graph, &[]), alive(graph, gone));
    graph
        .nodes()
        .filter(|node| before[node.index()] && !after[node.index()] && !gone.contains(node))
        .collect()
}

fn count(graph: &TrailGraph, nodes: &[Node]) -> u64 {
    nodes
        .iter()
        .map(|node| graph.member(*node))
        .filter(|member| matches!(member.who, Who::Hosts { .. }))
        .map(|member| u64::from(member.count))
        .sum()
}

fn any_graph() -> impl Strategy<Value = (u32, Vec<(u32, u32)>)> {
    (3u32..14).prop_flat_map(|hosts| (Just(hosts), prop::collection::vec((0..hosts, 0..hosts), 0..30)))
}

proptest! {
    #[test]
    fn dominators_agree_with_taking_hosts_away((hosts, lines) in any_graph()) {
        let inventory = random(hosts, &lines);
        let (analysis, answer) = what_if(&inventory);
        let graph = &analysis.graph;
        for node in graph.nodes() {
            let loses = count(graph, &lost(graph, &[node]));
            let reported = answer.failures.iter().find(|failure| failure.parts == [Part::Host(node)]);
            prop_assert_eq!(reported.map_or(0, |failure| failure.loses), loses);
        }
        for number in 0..2 {
            let group = GroupId(number);
            let trusted: Vec<Node> =
                inventory.group(group).trusted.iter().map(|&host| graph.node_of(host)).collect();
            let loses = count(graph, &lost(graph, &trusted));
            let reported = answer.failures.iter().find(|failure| failure.parts == [Part::Group(group)]);
            prop_assert_eq!(reported.map_or(0, |failure| failure.loses), loses);
        }
    }

    #[test]
    fn pairs_agree_with_taking_hosts_away((hosts, lines) in any_graph()) {
        let inventory = random(hosts, &lines);
        let analysis = analyse(&inventory, TODAY);
        let graph = &analysis.graph;
        let pairs = double(graph);
        let nodes: Vec<Node> = graph.nodes().collect();
        for (at, &first) in nodes.iter().enumerate() {
            for &second in &nodes[at + 1..] {
                let (one, other) = (lost(graph, &[first]), lost(graph, &[second]));
                let new: Vec<Node> = lost(graph, &[first, second])
                    .into_iter()
                    .filter(|node| !one.contains(node) && !other.contains(node))
                    .collect();
                let parts = [Part::Host(first), Part::Host(second)];
                let reported = pairs.iter().find(|failure| failure.parts == parts);
                prop_assert_eq!(reported.map_or(0, |failure| failure.loses), count(graph, &new));
            }
        }
    }
}
