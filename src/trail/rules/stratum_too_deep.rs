//! `stratum-too-deep`: hosts so far from a clock that they count as not synchronised.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::trail::stratum::UNSYNCHRONISED;

pub(super) const RULE: Rule = Rule {
    code: "stratum-too-deep",
    severity: Severity::Error,
    title: "hosts too far from a clock",
    why: why!("stratum-too-deep"),
    source: "RFC 5905 section 7.3",
    run,
    brings: &[],
    fails: sample!("stratum-too-deep", "fail"),
    passes: sample!("stratum-too-deep", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (inventory, graph) = (context.inventory, context.graph);
    let strata = context.strata;
    let deep = |stratum: Option<u32>| stratum.is_some_and(|stratum| stratum >= UNSYNCHRONISED);
    let all: u64 = graph
        .nodes()
        .filter(|node| deep(strata[node.index()]))
        .map(|node| u64::from(graph.member(node).count))
        .sum();
    for node in graph
        .nodes()
        .filter(|node| strata[node.index()] == Some(UNSYNCHRONISED))
    {
        let Some(entry) = graph.entry(inventory, node) else {
            continue;
        };
        let name = graph.name(inventory, node);
        let best = graph
            .lines(node)
            .find(|(_, server, _)| strata[server.index()] == Some(UNSYNCHRONISED - 1));
        let place = match best {
            Some((line, ..)) => entry.place(&graph.association(inventory, line).1.steps()),
            None => entry.place(&[]),
        };
        found.push(
            RULE.found(format!(
                "{name} is {UNSYNCHRONISED} servers away from a clock, which means not synchronised"
            ))
            .at(
                place,
                format!("its best server is at stratum {}", UNSYNCHRONISED - 1),
            )
            .help(format!(
                "give it a server nearer to a clock (in all, {} that deep)",
                words::hosts_do(all, "is", "are")
            ))
            .about(name),
        );
    }
}
