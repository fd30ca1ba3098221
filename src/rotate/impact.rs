//! What each daemon does while hosts change one after the other: who restarts, who goes on, who is without a proven server
//! for how long.

use super::gap::{self, Gap};
use crate::inventory::Inventory;
use crate::plan::HostPlan;
use crate::plan::order::Batch;
use crate::trail::Analysis;
use crate::trail::graph::Role;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::Write as _;

/// Hosts of one batch with the same impact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostImpact {
    /// Their batch, from 1.
    pub batch: usize,
    /// Names.
    pub hosts: Vec<String>,
    /// The daemon is restarted.
    pub restarts: bool,
    /// The daemon goes on, and is told what changes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// Why it is restarted though only what it could be told changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
    /// Without any proven server from its restart on; `None`: it needs none, or is not restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Gap>,
    /// Until all of its servers are proven, where that is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<Gap>,
    /// Hosts that have it as a server: they go on as they are.
    pub clients: u64,
    /// Seconds until it can take part in new exchanges of its clients; `None`: it has none, or a clock of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<u64>,
}

/// What the hosts of a plan do, in the order of the batches.
pub fn host_impacts(
    inventory: &Inventory,
    analysis: &Analysis,
    hosts: &[HostPlan],
    batches: &[Batch],
) -> Vec<HostImpact> {
    let graph = &analysis.graph;
    let certificates = gap::certificates(graph);
    let by_name: HashMap<&str, &HostPlan> = hosts.iter().map(|host| (host.host.as_str(), host)).collect();
    let mut impacts: Vec<(Option<&str>, HostImpact)> = Vec::new();
    for (number, batch) in (1..).zip(batches) {
        for name in &batch.hosts {
            let (Some(plan), Some(host)) = (by_name.get(name.as_str()), inventory.find(name)) else {
                continue;
            };
            let node = graph.node_of(host);
            let restarts = plan.restarts();
            let told = !plan.told().is_empty();
            let gaps = gap::of_node(inventory, graph, &certificates, node);
            let exchange = plan.told().iter().any(|line| line.contains(" autokey"));
            let anew = gaps.map(|(_, all)| all).filter(|_| exchange);
            let gaps = gaps.filter(|_| restarts);
            // A clock of its own sets the time without any server.
            let clock = graph.member(node).clock;
            let clients: u64 = graph
                .clients(node)
                .filter(|(_, _, edge)| edge.role != Role::Dead)
                .map(|(_, client, _)| u64::from(graph.member(client).count))
                .sum();
            let unproven = gaps.map(|(first, _)| first).filter(|_| !clock);
            let impact = HostImpact {
                batch: number,
                hosts: vec![name.clone()],
                restarts,
                told,
                untold: plan.untold().map(str::to_owned),
                unproven: unproven.or(told.then_some(gap::NONE)),
                complete: gaps
                    .filter(|(first, all)| all > first && !clock)
                    .map(|(_, all)| all)
                    .or(anew),
                clients,
                ready: unproven.filter(|_| clients > 0).map(gap::ready_to_serve),
            };
            let range = plan.range.as_deref();
            match impacts.last_mut() {
                Some((Some(last), same)) if range == Some(*last) && alike(same, &impact) => {
                    same.hosts.push(name.clone());
                }
                _ => impacts.push((range, impact)),
            }
        }
    }
    impacts.into_iter().map(|(_, impact)| impact).collect()
}

fn alike(one: &HostImpact, other: &HostImpact) -> bool {
    let parts = |impact: &HostImpact| {
        (
            impact.batch,
            impact.restarts,
            impact.told,
            impact.untold.clone(),
            impact.unproven,
            impact.complete,
            impact.clients,
        )
    };
    parts(one) == parts(other)
}

/// The same for people.
pub fn text(impacts: &[HostImpact]) -> String {
    let mut out = String::from("What each daemon does meanwhile (measured on ntp.org 4.2.8p15):\n");
    let rows: Vec<[String; 4]> = impacts
        .iter()
        .map(|impact| {
            let name = match impact.hosts.as_slice() {
                [first, .., last] => format!("{first} … {last} ({})", impact.hosts.len()),
                hosts => hosts.concat(),
            };
            let does = if impact.restarts { "restarts" } else { "goes on" };
            [impact.batch.to_string(), name, does.into(), effect(impact)]
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let (number, name, does) = (width(0), width(1), width(2));
    for [batch, host, doing, effect] in &rows {
        let line = format!("  {batch:>number$}  {host:<name$}  {doing:<does$}  {effect}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str(
        "  Everybody else goes on: what a daemon has proved it does not examine again before its own restart,\n  \
         or 6 days 1 h 38 min after it did so.\n",
    );
    out
}

fn effect(impact: &HostImpact) -> String {
    let mut parts = Vec::new();
    if impact.told && impact.complete.is_none() {
        parts.push("no gap: takes the new keys while it runs".to_owned());
    } else if let Some(all) = impact.complete.filter(|_| impact.told) {
        parts.push(format!(
            "no gap: asks one server anew while another proves the time, done after {}",
            time(all)
        ));
    } else if let Some(gap) = impact.unproven {
        let mut words = format!("without a proven server for {}", time(gap));
        if let Some(all) = impact.complete {
            let _ = write!(words, ", complete after {}", time(all));
        }
        parts.push(words);
    }
    if impact.clients > 0 && impact.restarts {
        let (goes, verb) = if impact.clients == 1 {
            ("client goes", "its")
        } else {
            ("clients go", "their")
        };
        let mut words = format!("its {} {goes} on", impact.clients);
        if let Some(seconds) = impact.ready {
            let _ = write!(words, "; ready for {verb} own restart after {seconds} s");
        }
        parts.push(words);
    }
    parts.extend(impact.untold.as_ref().map(|why| format!("not told: {why}")));
    parts.join("; ")
}

fn time(gap: Gap) -> String {
    match gap.polls {
        0 => "no time".into(),
        1 => format!("1 poll ({} s)", gap.seconds),
        polls => format!("{polls} polls ({} s)", gap.seconds),
    }
}
