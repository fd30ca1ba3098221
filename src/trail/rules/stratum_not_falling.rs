//! `stratum-not-falling`: a trail line that leads away from the clock.

use super::{Context, Rule, sample, why};
use crate::finding::{Finding, Severity};
use crate::trail::graph::Role;
use crate::trail::stratum::UNSYNCHRONISED;

pub(super) const RULE: Rule = Rule {
    code: "stratum-not-falling",
    severity: Severity::Warning,
    title: "a trail line leads away from the clock",
    why: why!("stratum-not-falling"),
    source: "NTP reference manual, Authentication Options, “NTP Secure Groups”: secondary servers of \
             progressively lower stratum",
    run,
    brings: &[],
    fails: sample!("stratum-not-falling", "fail"),
    passes: sample!("stratum-not-falling", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (inventory, graph) = (context.inventory, context.graph);
    let strata = context.strata;
    for line in graph.graph().edge_indices() {
        let edge = graph.graph()[line];
        if edge.role != Role::Trail || edge.is_heard() {
            continue;
        }
        let (client, server) = graph.ends(line);
        let (Some(here), Some(there)) = (strata[client.index()], strata[server.index()]) else {
            continue;
        };
        if there <= here || there >= UNSYNCHRONISED {
            continue;
        }
        let (entry, association) = graph.association(inventory, line);
        let (name, upstream) = (graph.name(inventory, client), graph.name(inventory, server));
        found.push(
            RULE.found(format!(
                "{name} (stratum {here}) has the server {upstream}, which is at stratum {there}"
            ))
            .at(
                entry.place(&association.steps()),
                format!("{name} → {upstream} leads away from the clock"),
            )
            .help(format!(
                "replace {upstream} by a server of stratum {here} or less, or take the line out"
            ))
            .about(name),
        );
    }
}
