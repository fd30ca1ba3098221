//! `trail-cycle`: a certificate trail runs in a circle.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::Inventory;
use crate::trail::graph::{Line, TrailGraph};
use crate::trail::proof::Cycle;
use crate::trail::sources::Dry;

/// Lines shown of one cycle; a longer one is shown by its first lines and its last.
const SHOWN: usize = 12;

pub(super) const RULE: Rule = Rule {
    code: "trail-cycle",
    severity: Severity::Error,
    title: "a certificate trail, or time with no source, runs in a circle",
    why: why!("trail-cycle"),
    source: "NTP reference manual, Authentication Options, “NTP Secure Groups”: all configurations must \
             include only acyclic certificate trails; RFC 5906 section 6",
    run,
    brings: &[],
    fails: sample!("trail-cycle", "fail"),
    passes: sample!("trail-cycle", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    for cycle in &context.proof.cycles {
        found.push(finding(context.inventory, context.graph, cycle));
    }
    for dry in context.sources.dry.iter().filter(|dry| !dry.lines.is_empty()) {
        found.push(without_source(context.inventory, context.graph, dry));
    }
}

/// Hosts that serve each other, and get time from nowhere else.
fn without_source(inventory: &Inventory, graph: &TrailGraph, dry: &Dry) -> Finding {
    let name = graph.name(inventory, dry.node);
    let mut finding = labelled(
        inventory,
        graph,
        RULE.found("hosts get their time from each other in a circle, and none of them from anywhere else")
            .about(name),
        &dry.lines,
        dry.entangled,
    );
    if dry.below > 0 {
        let below = words::hosts_do(dry.below, "gets", "get");
        finding = finding.help(format!("below it, {below} no time either"));
    }
    finding.help(format!(
        "give one of them, say {name}, a `reference_clock` (`true` where ntp.conf has the lines already) or a server \
         outside the circle"
    ))
}

fn finding(inventory: &Inventory, graph: &TrailGraph, cycle: &Cycle) -> Finding {
    let first = graph.ends(cycle.lines[0]).0;
    let mut finding = RULE
        .found(if cycle.escapes {
            "certificate trail can run in a circle"
        } else {
            "certificate trail never reaches a trusted host"
        })
        .about(graph.name(inventory, first));
    finding = labelled(inventory, graph, finding, &cycle.lines, cycle.entangled);
    if cycle.below > 0 {
        finding = finding.help(format!(
            "below it, {} a trail either",
            words::hosts_do(cycle.below, "never gets", "never get")
        ));
    }
    finding.help(advice(inventory, graph, cycle))
}

/// The lines of a circle, and how large the knot is that it is part of.
fn labelled(
    inventory: &Inventory,
    graph: &TrailGraph,
    mut finding: Finding,
    lines: &[Line],
    entangled: usize,
) -> Finding {
    let last = lines.len() - 1;
    for (at, &line) in lines.iter().enumerate() {
        if at >= SHOWN - 1 && at != last {
            continue;
        }
        finding = label(inventory, graph, finding, line, at == last);
    }
    if lines.len() > SHOWN {
        finding = finding.help(format!("the circle has {} lines; {SHOWN} are shown", lines.len()));
    }
    if entangled > lines.len() {
        let entangled = words::hosts(entangled as u64);
        finding = finding.help(format!(
            "this is the shortest of the circles among {entangled}: check again when it is cut"
        ));
    }
    finding
}

fn label(inventory: &Inventory, graph: &TrailGraph, finding: Finding, line: Line, closes: bool) -> Finding {
    let (client, server) = graph.ends(line);
    let (entry, association) = graph.association(inventory, line);
    let arrow = format!(
        "{} → {}",
        graph.name(inventory, client),
        graph.name(inventory, server)
    );
    let text = if closes {
        format!("{arrow} closes the cycle")
    } else {
        arrow
    };
    finding.at(entry.place(&association.steps()), text)
}

fn advice(inventory: &Inventory, graph: &TrailGraph, cycle: &Cycle) -> String {
    if cycle.escapes {
        return "remove one of these lines, or give it a symmetric key: each of these hosts has another way to a \
                trusted host"
            .to_owned();
    }
    let nodes = || cycle.lines.iter().map(|&line| graph.ends(line).0);
    if let Some(trusted) = nodes().find(|&node| graph.member(node).trusted) {
        return format!(
            "{} is a trusted host without a source of time: give it a `reference_clock` (`true` where ntp.conf has \
             the lines already) or a server outside the circle",
            graph.name(inventory, trusted)
        );
    }
    let group = nodes()
        .find_map(|node| graph.group(inventory, node))
        .map(|group| inventory.group(group));
    match group.and_then(|group| Some((group, group.trusted.first()?))) {
        Some((group, &trusted)) => format!(
            "give one of them a server that leads to {}'s trusted host {}",
            group.name,
            inventory.host(trusted).name
        ),
        None => "give one of them a server that leads to a trusted host".to_owned(),
    }
}
