//! Certificate trails: the graph of authenticated associations, its proof, and what follows from it.
//!
//! [`analyse`] is pure: an inventory and a date go in, an [`Analysis`] comes out.

pub mod broadcast;
pub mod catalogue;
pub mod cryptotype;
pub mod draw;
pub mod explain_host;
pub mod failure;
#[cfg(test)]
mod failure_tests;
mod flow;
pub mod graph;
pub mod layers;
pub mod method;
pub mod needs;
mod overrides;
pub mod platform;
pub mod proof;
pub mod rules;
#[cfg(test)]
mod sample;
pub mod sources;
#[cfg(test)]
mod sources_tests;
pub mod stratum;
pub mod tally;
#[cfg(test)]
mod tests;

use crate::finding::{Finding, Place, Step};
use crate::inventory::{Association, Auth, HostId, Inventory, Mode};
use graph::{Role, TrailGraph};
use needs::{LineIdent, Needs, NeedsTable};
use proof::Proof;
use sources::Sources;

/// All that can be known of an inventory before a host is touched.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// Every association between its hosts.
    pub graph: TrailGraph,
    /// Where the trails lead.
    pub proof: Proof,
    /// Where hosts get their time from.
    pub sources: Sources,
    /// What was proven of how many hosts.
    pub tally: tally::Tally,
    /// What is wrong, sorted by place, with the inventory's own severities and waivers applied.
    pub findings: Vec<Finding>,
    /// What its hosts must hold.
    pub needs: NeedsTable,
}

/// What the inventory says of failures as findings, with its own severities and waivers applied; single points
/// on which at least `threshold` hosts depend.
pub fn what_if_findings(
    inventory: &Inventory,
    analysis: &Analysis,
    what_if: &failure::WhatIf,
    threshold: u64,
    today: time::Date,
) -> Vec<Finding> {
    let found = failure::findings(inventory, &analysis.graph, what_if, threshold);
    overrides::apply_later(inventory, found, today)
}

/// Certificates that end within `days` from `now` (Unix seconds) as findings, with the inventory's own severities
/// and waivers applied; `ends` is what a vault knows of a host.
pub fn expiring_findings(
    inventory: &Inventory,
    ends: &dyn Fn(HostId) -> Option<rules::expiring::Ends>,
    now: i64,
    days: i64,
    today: time::Date,
) -> Vec<Finding> {
    let found = rules::expiring::find(inventory, ends, now, days);
    overrides::apply_later(inventory, found, today)
}

/// Analyses an inventory. `today` (UTC) decides which waivers have expired.
pub fn analyse(inventory: &Inventory, today: time::Date) -> Analysis {
    let graph = TrailGraph::new(inventory);
    let (needs, (proof, strata)) = rayon::join(
        || needs::derive(inventory, &graph),
        || (proof::prove(&graph), stratum::strata(inventory, &graph)),
    );
    let sources = Sources::new(inventory, &graph, &proof);
    let found = rules::run(&rules::Context {
        inventory,
        graph: &graph,
        proof: &proof,
        sources: &sources,
        needs: &needs,
        strata: &strata,
        by_settings: &rules::by_settings(inventory),
        keyed: &rules::symmetric::keyed_lines(inventory),
        today,
    });
    let raw = errors_alone(&found);
    let findings = overrides::apply(inventory, found, today);
    let tally = tally::Tally::new(inventory, &graph, &sources, raw.iter().chain(&findings));
    Analysis {
        graph,
        proof,
        sources,
        tally,
        findings,
        needs,
    }
}

/// The errors among findings: they count for what is proven even where the inventory waives them.
fn errors_alone(found: &[Finding]) -> Vec<Finding> {
    let errors = found
        .iter()
        .filter(|finding| finding.severity == crate::finding::Severity::Error);
    errors.cloned().collect()
}

impl Analysis {
    /// What a host must hold.
    pub fn needs(&self, host: HostId) -> &Needs {
        self.needs.of(self.graph.node_of(host))
    }

    /// A host's wave: 0 for trusted hosts with a clock, else one more than the latest of its servers.
    pub fn depth(&self, host: HostId) -> u32 {
        self.proof.depth[self.graph.node_of(host).index()]
    }

    /// The `ident` of an association line, where it has one.
    pub fn line_ident(&self, inventory: &Inventory, association: &Association) -> Option<LineIdent> {
        needs::line_ident(inventory, association)
    }

    /// Whether the inventory promises that a host authenticates anybody: by a line of its own, or a broadcast it hears.
    pub fn promises(&self, inventory: &Inventory, host: HostId) -> bool {
        let own = inventory.entry(host).associations.iter();
        own.filter(|line| line.mode != Mode::Broadcast)
            .any(|line| line.auth != Auth::None)
            || self
                .graph
                .lines(self.graph.node_of(host))
                .any(|(_, _, edge)| edge.is_heard() && edge.role != Role::Plain)
    }

    /// Whether a finding has error severity.
    pub fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == crate::finding::Severity::Error)
    }
}

/// The path of a place as people write it: `hosts.yellow.servers.0`.
fn place_path(place: &Place) -> String {
    match place {
        Place::Path { path, .. } => {
            let steps = path.iter().map(|step| match step {
                Step::Key(key) => key.to_string(),
                Step::Index(at) => at.to_string(),
            });
            steps.collect::<Vec<_>>().join(".")
        }
        Place::Line { line, column, .. } => format!("{line}:{column}"),
    }
}
