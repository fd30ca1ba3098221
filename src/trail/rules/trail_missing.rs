//! `trail-missing`: a certificate trail stops before it has reached a trusted host.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{HostEntry, Inventory};
use crate::trail::graph::Node;
use crate::trail::proof::Stop;
use crate::trail::sources::Dry;

pub(super) const RULE: Rule = Rule {
    code: "trail-missing",
    severity: Severity::Error,
    title: "a host has no trail to a trusted host, or serves time it gets from nowhere",
    why: why!("trail-missing"),
    source: "NTP reference manual, Authentication Options, “NTP Secure Groups”; measured on 4.2.8p15: a root \
             without a trusted certificate keeps its clients at the certificate step",
    run,
    brings: &[],
    fails: sample!("trail-missing", "fail"),
    passes: sample!("trail-missing", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (inventory, graph) = (context.inventory, context.graph);
    for stop in &context.proof.stops {
        if let Some(entry) = graph.entry(inventory, stop.node) {
            found.push(stopped(context, entry, stop));
        }
    }
    for dry in context.sources.dry.iter().filter(|dry| dry.lines.is_empty()) {
        if let Some(entry) = graph.entry(inventory, dry.node) {
            found.push(without_source(context, entry, dry));
        }
    }
    for node in graph.nodes() {
        if let Some(entry) = graph.entry(inventory, node)
            && is_idle_member(context, entry, node)
        {
            let name = graph.name(inventory, node);
            found.push(
                RULE.found(format!(
                    "{name} is a member of {} but has no server",
                    group_name(inventory, entry)
                ))
                .at(entry.place(&[]), "no `servers`")
                .help(format!("give it `servers: [{}]`", suggestion(inventory, entry)))
                .about(name),
            );
        }
    }
}

fn stopped(context: &Context<'_>, entry: &HostEntry, stop: &Stop) -> Finding {
    let (inventory, graph) = (context.inventory, context.graph);
    let name = graph.name(inventory, stop.node);
    let mut finding = if graph.member(stop.node).trusted {
        RULE.found(format!(
            "the trusted host {name} gets no time: it has neither a reference clock nor a server"
        ))
        .at(entry.place(&[]), "no `reference_clock`, no `servers`")
        .help(
            "give it `reference_clock: true` where ntp.conf has the lines of its clock already, the lines \
                 themselves, or servers",
        )
    } else {
        RULE.found(format!(
            "the certificate trail ends at {name}, which is no trusted host"
        ))
        .at(
            entry.place(&[]),
            "serves over Autokey, but no Autokey line of its own leads on",
        )
        .help(format!("give it `servers: [{}]`", suggestion(inventory, entry)))
    };
    for (line, client, edge) in graph.clients(stop.node).take(3) {
        if edge.role.is_autokey() {
            let (entry, association) = graph.association(inventory, line);
            let text = format!("{} relies on it", graph.name(inventory, client));
            finding = finding.at(entry.place(&association.steps()), text);
        }
    }
    if stop.below > 0 {
        finding = finding.help(format!(
            "below it, {} no other trail",
            words::hosts_do(stop.below, "has", "have")
        ));
    }
    finding.about(name)
}

/// A host that serves, authenticated, and has no time to give.
fn without_source(context: &Context<'_>, entry: &HostEntry, dry: &Dry) -> Finding {
    let (inventory, graph) = (context.inventory, context.graph);
    let name = graph.name(inventory, dry.node);
    let mut finding = RULE
        .found(format!(
            "{name} serves time but gets none: it has neither a reference clock nor a server"
        ))
        .at(entry.place(&[]), "no `reference_clock`, no `servers`");
    for (line, client, _) in graph.clients(dry.node).take(3) {
        let (entry, association) = graph.association(inventory, line);
        let text = format!("{} relies on it", graph.name(inventory, client));
        finding = finding.at(entry.place(&association.steps()), text);
    }
    finding
        .help(
            "give it `reference_clock: true` where its configuration has the lines of a clock already, the lines \
             themselves, or servers",
        )
        .help(format!(
            "below it, {} time from nowhere else",
            words::hosts_do(dry.below, "gets", "get")
        ))
        .about(name)
}

/// A member of a group that nobody uses and that has nothing to get time from.
fn is_idle_member(context: &Context<'_>, entry: &HostEntry, node: Node) -> bool {
    entry.group.is_some()
        && entry.associations.is_empty()
        && !entry.broadcast_client
        && !context.graph.member(node).clock
        && !context.graph.takes_part(node)
        && !context
            .graph
            .clients(node)
            .any(|(_, _, edge)| edge.role.is_authenticated())
}

fn group_name<'i>(inventory: &'i Inventory, entry: &HostEntry) -> &'i str {
    entry
        .group
        .map_or("no group", |group| &inventory.group(group).name)
}

fn suggestion<'i>(inventory: &'i Inventory, entry: &HostEntry) -> &'i str {
    entry
        .group
        .and_then(|group| inventory.group(group).trusted.first())
        .map_or("a trusted host", |&host| &inventory.host(host).name)
}
