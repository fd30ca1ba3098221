//! `dsa-sign-key-serves`: a server with a DSA sign key.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity};
use crate::inventory::{Dialect, Implementation, KeyAlgorithm};
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    code: "dsa-sign-key-serves",
    severity: Severity::Error,
    title: "a server with a DSA sign key",
    why: why!("dsa-sign-key-serves"),
    source: "measured on 4.2.8p15 with OpenSSL 3.0; source of 4.2.8p15, ntp_control.c",
    run,
    brings: &["weak-crypto"],
    fails: sample!("dsa-sign-key-serves", "fail"),
    passes: sample!("dsa-sign-key-serves", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (inventory, graph) = (context.inventory, context.graph);
    let mut seen = HashSet::new();
    for node in graph.nodes() {
        let Some(entry) = graph.entry(inventory, node) else {
            continue;
        };
        let settings = &entry.settings;
        let dsa = settings.sign_key.is_some_and(|key| key.kind == KeyAlgorithm::Dsa);
        let current = settings.ntpd == Implementation::NtpOrg && settings.dialect == Dialect::Current;
        if !dsa || !current || !context.needs.of(node).serves || !seen.insert(&raw const *entry) {
            continue;
        }
        let name = graph.name(inventory, node);
        let mut finding = RULE
            .found(format!(
                "{name} serves over Autokey with a DSA sign key: its clients refuse it"
            ))
            .at(entry.place(&["sign_key".into()]), "DSA")
            .about(name);
        if let Some((line, client, _)) = graph.clients(node).find(|(_, _, edge)| edge.role.is_autokey()) {
            let (at, association) = graph.association(inventory, line);
            finding = finding.at(
                at.place(&association.steps()),
                format!("{} is its client", graph.name(inventory, client)),
            );
        }
        let clients: u64 = graph
            .clients(node)
            .filter(|(_, _, edge)| edge.role.is_autokey())
            .map(|(_, client, _)| u64::from(graph.member(client).count))
            .sum();
        found.push(finding.help(format!(
            "leave `sign_key` out ({} on it), or make it RSA",
            words::hosts_do(clients, "relies", "rely")
        )));
    }
}
