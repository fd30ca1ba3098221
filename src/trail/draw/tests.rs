//! Tests of the pictures. With `KEYTRAIL_PICTURES=DIR` they are written there to be looked at.

use super::{Kind, Options, Picture, dot, mermaid, picture, svg, text};
use crate::inventory::{Inventory, load_str};
use crate::trail::sample::TODAY;
use crate::trail::{analyse, failure};
use std::fmt::Write;

fn draw(inventory: &Inventory) -> Picture {
    let analysis = analyse(inventory, TODAY);
    let what_if = failure::single(inventory, &analysis.graph, &analysis.proof);
    picture(inventory, &analysis, &what_if, Options::default())
}

fn load(text: &str) -> Inventory {
    load_str(text).expect("valid")
}

/// Every picture is well-formed XML with all its boxes; kept for looking at where that is asked for.
fn drawn(name: &str, picture: &Picture) -> String {
    let svg = svg(picture);
    if let Some(directory) = std::env::var_os("KEYTRAIL_PICTURES") {
        let directory = std::path::Path::new(&directory);
        std::fs::write(directory.join(format!("{name}.svg")), &svg).expect("writable");
        std::fs::write(directory.join(format!("{name}.dot")), dot(picture)).expect("writable");
        std::fs::write(directory.join(format!("{name}.mmd")), mermaid(picture)).expect("writable");
        std::fs::write(directory.join(format!("{name}.txt")), text(picture)).expect("writable");
    }
    for tag in ["g", "text", "svg", "defs", "marker", "tspan"] {
        let opened = svg.matches(&format!("<{tag} ")).count() + svg.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, svg.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    svg
}

#[test]
fn red_green_blue() {
    let inventory = load(include_str!("../../../inventories/red-green-blue.yaml"));
    let picture = draw(&inventory);
    let svg = drawn("red-green-blue", &picture);
    for name in ["mort", "macabre", "howland", "yellow", "leaf[01-04]"] {
        assert!(svg.contains(&format!(">{name}</text>")), "{name}");
    }
    let expected = "
 1  ◆ mort  @red IFF  clock  ⇄ macabre (backup)
 2  └─ ◆ howland  @green GQ  !5 depend on it alone  → macabre
 3     ├─ yellow  @green GQ
 3     └─ leaf[01-04] ×4  @green GQ  → yellow
 1  ◆ macabre  @blue GQ  clock  ⇄ mort (backup)
";
    assert_eq!(format!("\n{}", text(&picture)), expected);
}

#[test]
fn a_cycle_is_red_everywhere() {
    let inventory = load(include_str!("../../../tests/findings/trail-cycle.fail.yaml"));
    let picture = draw(&inventory);
    let svg = drawn("cycle", &picture);
    assert!(svg.contains("2 without a trail"));
    assert_eq!(picture.arrows.iter().filter(|arrow| arrow.cyclic).count(), 2);
    assert!(dot(&picture).contains("color=\"#d1242f\""));
    assert!(mermaid(&picture).contains("linkStyle 0,1 stroke:#d1242f"));
    assert!(text(&picture).contains("→ yellow (cycle)"));
}

/// A campus: two roots, servers by building, rooms below.
fn campus(buildings: usize, rooms: usize) -> Inventory {
    let mut yaml = String::from(
        "version: 1
groups:
  core: { identity: iff, trusted: [root1, root2] }
  north: { identity: gq, trusted: [north-th] }
  south: { identity: mv, trusted: [south-th], identity_key: { mv: 2048 }, mv: { clients: 40 } }
hosts:
  root1: { group: core, reference_clock: true, servers: [root2] }
  root2: { group: core, reference_clock: true, servers: [root1] }
  north-th: { group: north, servers: [root1, root2] }
  south-th: { group: south, servers: [root1, root2] }
  lab: { address: lab.example, servers: [{ host: root1, key: 7 }] }
symmetric_keys:
  7: { type: AES-128-CMAC }
",
    );
    let mut hosts = String::new();
    for building in 0..buildings {
        let group = if building % 2 == 0 { "north" } else { "south" };
        let _ = writeln!(
            hosts,
            "  b{building:02}: {{ group: {group}, servers: [{group}-th] }}"
        );
        for room in 0..rooms {
            let _ = writeln!(
                hosts,
                "  b{building:02}-r{room:03}: {{ group: {group}, servers: [b{building:02}, {group}-th] }}"
            );
        }
    }
    yaml.insert_str(yaml.find("symmetric_keys").expect("there"), &hosts);
    load(&yaml)
}

#[test]
fn sixty_hosts() {
    let inventory = campus(6, 9);
    let picture = draw(&inventory);
    assert_eq!(picture.hosts, 65);
    drawn("sixty", &picture);
    assert!(picture.spots.len() <= 60);
}

#[test]
fn five_thousand_hosts_fold() {
    let inventory = campus(50, 99);
    let picture = draw(&inventory);
    assert_eq!(picture.spots.iter().map(|spot| spot.hosts).sum::<u64>(), 5005);
    assert!(picture.spots.len() <= 60, "{}", picture.spots.len());
    drawn("five-thousand", &picture);
    let trusted = picture
        .spots
        .iter()
        .filter(|spot| spot.kind == Kind::Trusted)
        .count();
    assert_eq!(trusted, 4, "trusted hosts are shown one by one");
}

#[test]
fn names_cannot_break_out() {
    // The loader refuses such names; values of other programs may have them.
    let mut picture = draw(&load(include_str!("../../../inventories/red-green-blue.yaml")));
    picture.spots[0].label = "a\"<script>&\\".to_owned();
    let svg = drawn("escape", &picture);
    assert!(svg.contains("a&quot;&lt;script&gt;&amp;\\") && !svg.contains("<script>"));
    assert!(dot(&picture).contains("label=\"a\\\"<script>&\\\\\""));
    assert!(mermaid(&picture).contains("a&quot;&lt;script&gt;&amp;\\"));
}
