//! Tests of the trail over inventories built as values.

use super::graph::{Role, TrailGraph};
use super::layers::layers;
use super::proof::is_trail;
use super::sample::{Builder, TODAY, random};
use super::{Analysis, analyse, place_path};
use crate::inventory::{Auth, HostId, IdentityScheme, Inventory};
use proptest::prelude::*;

fn codes(analysis: &Analysis) -> Vec<&'static str> {
    analysis.findings.iter().map(|finding| finding.code).collect()
}

/// RED, GREEN and BLUE as in the sample inventory.
fn red_green_blue() -> Inventory {
    let mut b = Builder::new();
    let red = b.group("red", &[IdentityScheme::Iff]);
    let blue = b.group("blue", &[IdentityScheme::Gq]);
    let green = b.group("green", &[IdentityScheme::Gq]);
    let mort = b.host("mort", Some(red));
    let macabre = b.host("macabre", Some(blue));
    let howland = b.host("howland", Some(green));
    let yellow = b.host("yellow", Some(green));
    let leaf = b.host("leaf", Some(green));
    b.root(mort);
    b.root(macabre);
    b.trust(howland);
    for (client, server) in [
        (mort, macabre),
        (macabre, mort),
        (howland, mort),
        (howland, macabre),
        (yellow, howland),
        (leaf, yellow),
        (leaf, howland),
    ] {
        b.line(client, server, Auth::Autokey);
    }
    b.inventory
}

#[test]
fn red_green_blue_is_proven() {
    let inventory = red_green_blue();
    let analysis = analyse(&inventory, TODAY);
    assert_eq!(codes(&analysis), Vec::<&str>::new());
    let host = |name: &str| inventory.find(name).expect("declared");
    let depth = |name: &str| analysis.depth(host(name));
    assert_eq!(
        ["mort", "macabre", "howland", "yellow", "leaf"].map(depth),
        [0, 0, 1, 2, 3]
    );

    let red = inventory.entry(host("mort")).group.expect("red");
    let blue = inventory.entry(host("macabre")).group.expect("blue");
    let green = inventory.entry(host("howland")).group.expect("green");
    let mort = analysis.needs(host("mort"));
    assert!(mort.trusted && mort.serves);
    assert_eq!(mort.server_keys, [IdentityScheme::Iff]);
    assert_eq!(mort.client_parameters, [(blue, IdentityScheme::Gq)]);
    assert_eq!(mort.crypto_ident, Some(red));
    let howland = analysis.needs(host("howland"));
    assert_eq!(
        howland.client_parameters,
        [(red, IdentityScheme::Iff), (blue, IdentityScheme::Gq)]
    );
    assert_eq!(howland.server_keys, [IdentityScheme::Gq]);
    let leaf = analysis.needs(host("leaf"));
    assert!(leaf.autokey && !leaf.serves && !leaf.trusted);
    assert_eq!(leaf.server_keys, []);
    assert_eq!(leaf.client_parameters, [(green, IdentityScheme::Gq)]);
    assert_eq!(leaf.crypto_ident, None);
}

#[test]
fn cycle_shows_every_line_and_names_the_way_out() {
    let mut b = Builder::new();
    let green = b.group("green", &[IdentityScheme::Gq]);
    let howland = b.host("howland", Some(green));
    b.root(howland);
    let names = ["yellow", "howland2", "amber", "below"];
    let [yellow, howland2, amber, below] = names.map(|name| b.host(name, Some(green)));
    b.line(yellow, howland2, Auth::Autokey);
    b.line(howland2, amber, Auth::Autokey);
    b.line(amber, yellow, Auth::Autokey);
    b.line(below, amber, Auth::Autokey);
    let analysis = analyse(&b.inventory, TODAY);
    assert_eq!(codes(&analysis), ["trail-cycle"]);
    let finding = &analysis.findings[0];
    assert_eq!(finding.message, "certificate trail never reaches a trusted host");
    let labels: Vec<(String, &str)> = finding
        .labels
        .iter()
        .map(|label| (place_path(&label.place), label.text.as_str()))
        .collect();
    assert_eq!(
        labels,
        [
            ("hosts.yellow.servers.0".to_owned(), "yellow → howland2"),
            ("hosts.howland2.servers.0".to_owned(), "howland2 → amber"),
            (
                "hosts.amber.servers.0".to_owned(),
                "amber → yellow closes the cycle"
            ),
        ]
    );
    assert_eq!(
        finding.help,
        [
            "below it, 1 host never gets a trail either",
            "give one of them a server that leads to green's trusted host howland",
        ]
    );
}

#[test]
fn a_host_that_is_its_own_server_is_a_cycle() {
    let mut b = Builder::new();
    let green = b.group("green", &[]);
    let howland = b.host("howland", Some(green));
    b.root(howland);
    let yellow = b.host("yellow", Some(green));
    b.line(yellow, yellow, Auth::Autokey);
    b.line(yellow, howland, Auth::Autokey);
    let analysis = analyse(&b.inventory, TODAY);
    assert_eq!(codes(&analysis), ["trail-cycle"]);
    assert_eq!(
        analysis.findings[0].message,
        "certificate trail can run in a circle"
    );
}

#[test]
fn symmetric_keys_are_held_at_both_ends_and_certify_nobody() {
    let mut b = Builder::new();
    let a = b.host("a", None);
    let c = b.host("c", None);
    b.entry(a).reference_clock = Some(Vec::new());
    b.line(c, a, Auth::Key(5));
    b.line(a, c, Auth::Key(7));
    let analysis = analyse(&b.inventory, TODAY);
    assert_eq!(analysis.needs(a).symmetric_keys, [5, 7]);
    assert_eq!(analysis.needs(c).symmetric_keys, [5, 7]);
    assert!(!analysis.needs(a).autokey);
    assert!(!codes(&analysis).contains(&"trail-cycle"));
}

/// A chain of `depth` hosts below one trusted host.
fn chain(depth: u32) -> Inventory {
    let mut b = Builder::new();
    let green = b.group("green", &[IdentityScheme::Iff]);
    let mut above = b.host("th", Some(green));
    b.root(above);
    for number in 0..depth {
        let host = b.host(&format!("h{number}"), Some(green));
        b.line(host, above, Auth::Autokey);
        above = host;
    }
    b.inventory
}

#[test]
fn a_chain_of_a_million_hosts_does_not_overflow() {
    let inventory = chain(1_000_000);
    let analysis = analyse(&inventory, TODAY);
    assert_eq!(analysis.depth(HostId(1_000_000)), 1_000_000);
    assert!(analysis.proof.reaches.iter().all(|&reaches| reaches));
}

#[test]
fn a_ring_of_many_hosts_is_shown_in_part() {
    let mut inventory = chain(100_000);
    inventory.entries[1].associations[0].target = crate::inventory::Target::Host(HostId(100_000));
    let analysis = analyse(&inventory, TODAY);
    let cycle = &analysis.proof.cycles[0];
    assert_eq!(
        (cycle.entangled, cycle.lines.len(), cycle.escapes),
        (100_000, 100_000, false)
    );
    let finding = analysis
        .findings
        .iter()
        .find(|finding| finding.code == "trail-cycle")
        .expect("found");
    assert_eq!(finding.labels.len(), 12);
}

fn any_graph() -> impl Strategy<Value = (u32, Vec<(u32, u32)>)> {
    (2u32..30).prop_flat_map(|hosts| (Just(hosts), prop::collection::vec((0..hosts, 0..hosts), 0..60)))
}

/// Whether the graph has a cycle, found in another way: nodes without outgoing lines are taken away until
/// none is left.
fn has_cycle(graph: &TrailGraph) -> bool {
    let mut alive: Vec<_> = graph.nodes().collect();
    loop {
        let before = alive.len();
        let now = alive.clone();
        alive.retain(|&node| {
            graph
                .lines(node)
                .any(|(_, server, edge)| is_trail(edge) && now.contains(&server))
        });
        if alive.len() == before {
            return !alive.is_empty();
        }
    }
}

#[test]
fn a_trusted_agent_keeps_the_group_key_and_serves_nobody() {
    let inventory = crate::inventory::load_str(
        "version: 1\ngroups: { red: { identity: iff, trusted: [mort], agent: keeper } }\nhosts:\n  \
         mort: { group: red, reference_clock: true }\n  keeper: { group: red, servers: [mort] }\n  \
         leaf: { group: red, servers: [mort] }\n",
    )
    .expect("a good inventory");
    let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 21));
    let needs = |name| analysis.needs(inventory.find(name).expect("a host"));
    assert_eq!(needs("keeper").server_keys, [IdentityScheme::Iff]);
    assert!(!needs("keeper").serves && needs("keeper").crypto_ident.is_none());
    assert_eq!(needs("leaf").server_keys, []);
}

proptest! {
    #[test]
    fn every_reported_cycle_is_one_and_none_is_missed((hosts, lines) in any_graph()) {
        let inventory = random(hosts, &lines);
        let analysis = analyse(&inventory, TODAY);
        let graph = &analysis.graph;
        for cycle in &analysis.proof.cycles {
            for (at, &line) in cycle.lines.iter().enumerate() {
                let next = cycle.lines[(at + 1) % cycle.lines.len()];
                prop_assert_eq!(graph.ends(line).1, graph.ends(next).0);
                prop_assert_eq!(graph.graph()[line].role, Role::Trail);
            }
        }
        prop_assert_eq!(has_cycle(graph), !analysis.proof.cycles.is_empty());
    }

    #[test]
    fn lines_to_earlier_hosts_alone_make_no_cycle(
        (hosts, lines) in any_graph()
    ) {
        let lines: Vec<_> = lines.into_iter().filter(|(client, server)| client > server).collect();
        let inventory = random(hosts, &lines);
        let analysis = analyse(&inventory, TODAY);
        prop_assert!(analysis.proof.cycles.is_empty());
        for node in analysis.graph.nodes() {
            let has_line = analysis.graph.lines(node).any(|(_, _, edge)| is_trail(edge));
            // Host 0 is before all; whoever has a line at all ends at 0 or 1 or at a host without lines.
            if !has_line && !analysis.graph.member(node).root {
                prop_assert!(!analysis.proof.reaches[node.index()]);
            }
        }
    }

    #[test]
    fn a_host_reaches_the_roots_iff_a_walk_does((hosts, lines) in any_graph()) {
        let inventory = random(hosts, &lines);
        let analysis = analyse(&inventory, TODAY);
        for host in inventory.host_ids() {
            let mut seen = vec![host.0];
            let mut at = 0;
            while at < seen.len() {
                let client = seen[at];
                at += 1;
                for &(from, to) in lines.iter().filter(|(from, _)| *from == client && client > 1) {
                    debug_assert_eq!(from, client);
                    if !seen.contains(&to) {
                        seen.push(to);
                    }
                }
            }
            let walked = seen.iter().any(|&reached| reached < 2);
            let node = analysis.graph.node_of(host);
            prop_assert_eq!(analysis.proof.reaches[node.index()], walked);
        }
    }

    #[test]
    fn server_keys_only_for_hosts_somebody_points_at((hosts, lines) in any_graph()) {
        let inventory = random(hosts, &lines);
        let analysis = analyse(&inventory, TODAY);
        for host in inventory.host_ids() {
            let needs = analysis.needs(host);
            let pointed_at = lines.iter().any(|(_, server)| *server == host.0);
            prop_assert_eq!(needs.serves, pointed_at);
            prop_assert_eq!(needs.server_keys.is_empty(), !pointed_at);
            prop_assert_eq!(needs.crypto_ident.is_some(), pointed_at);
            prop_assert_eq!(
                needs.client_parameters.is_empty(),
                !lines.iter().any(|(client, _)| *client == host.0)
            );
        }
    }

    #[test]
    fn servers_come_in_earlier_waves((hosts, lines) in any_graph()) {
        let inventory = random(hosts, &lines);
        let analysis = analyse(&inventory, TODAY);
        let graph = &analysis.graph;
        let cyclic = layers(graph, |_, edge| is_trail(edge)).components;
        for line in graph.graph().edge_indices() {
            if !is_trail(graph.graph()[line]) {
                continue;
            }
            let (client, server) = graph.ends(line);
            let depth = |node: super::graph::Node| analysis.proof.depth[node.index()];
            let together = cyclic.iter().any(|nodes| nodes.contains(&client) && nodes.contains(&server));
            if together {
                prop_assert_eq!(depth(client), depth(server));
            } else {
                prop_assert!(depth(client) > depth(server));
            }
        }
    }
}
