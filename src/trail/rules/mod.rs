//! The rules: each in a file of its own, with where it is written or was measured. Beside one another below
//! `tests/findings` are why it is wrong (`CODE.md`) and two small inventories, one that the rule finds fault with
//! and one that it accepts (`CODE.fail.yaml`, `CODE.pass.yaml`): its documentation and its test.

mod address_shared;
mod autokey_needs_client_server;
mod broadcast_media_missing;
mod broadcast_several_groups;
mod chrony_needs_version;
mod cryptotype_incompatible;
mod digest_mixed;
mod dsa_sign_key_serves;
pub mod expiring;
mod failure_makes_cycle;
mod finding_unknown;
mod group_mixed;
mod group_without_trusted_host;
mod ident_missing;
mod identity_downgrade;
mod key_id_range;
mod key_mismatch;
mod key_missing;
mod key_not_trusted;
mod key_restriction_ignored;
mod key_type_unknown;
mod keysdir_shared;
mod lifetime_exceeds_trusted_host;
mod name_too_long;
mod nat_autokey;
mod password_literal;
mod password_shared;
mod pc_several_trusted_hosts;
mod peer_not_trusted;
mod platform_lacks_autokey;
mod policy_violated;
mod scheme_order;
mod single_point_of_failure;
mod size_unusable;
mod stratum_not_falling;
mod stratum_too_deep;
pub(super) mod symmetric;
mod trail_cycle;
mod trail_foreign_group;
mod trail_missing;
mod unauthenticated;
mod waiver_expired;
mod weak;
mod weak_crypto;
pub(super) mod words;

#[cfg(test)]
mod tests;

use super::graph::TrailGraph;
use super::needs::NeedsTable;
use super::proof::Proof;
use super::sources::Sources;
use crate::finding::{Finding, Place, Severity, Step};
use crate::inventory::{Association, HostEntry, Inventory, Settings};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use symmetric::KeyedLine;

/// What a rule looks at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What was declared.
    pub inventory: &'a Inventory,
    /// Its associations.
    pub graph: &'a TrailGraph,
    /// Where the trails lead.
    pub proof: &'a Proof,
    /// Where hosts get their time from.
    pub sources: &'a Sources,
    /// What hosts must hold.
    pub needs: &'a NeedsTable,
    /// By node: its stratum, where it is known.
    pub strata: &'a [Option<u32>],
    /// Entries by the settings they share.
    pub by_settings: &'a [SharedSettings<'a>],
    /// Lines with a symmetric key.
    pub keyed: &'a [KeyedLine<'a>],
    /// The day for which lifetimes and waivers are judged (UTC).
    pub today: time::Date,
}

/// A rule.
pub struct Rule {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// Usual severity.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: &'static str,
    /// Why it is wrong, what happens on the hosts, and the way out: Markdown, lines of at most 80 columns.
    pub why: &'static str,
    /// Where this comes from: a section of the manual or RFC, or "measured on 4.2.8p15".
    pub source: &'static str,
    /// Codes its failing sample cannot but bring along.
    pub brings: &'static [&'static str],
    /// Looks for it.
    pub run: fn(&Context<'_>, &mut Vec<Finding>),
    /// A complete inventory that it finds fault with.
    pub fails: &'static str,
    /// The same, mended.
    pub passes: &'static str,
}

impl Rule {
    /// A finding of this rule.
    fn found(&self, message: impl Into<String>) -> Finding {
        Finding::new(self.code, self.severity, message)
    }
}

/// A sample of a rule: `sample!("trail-cycle", "fail")`.
macro_rules! sample {
    ($code:literal, $outcome:literal) => {
        include_str!(concat!("../../../tests/findings/", $code, ".", $outcome, ".yaml"))
    };
}
use sample;

/// Why a rule's finding is wrong, in Markdown beside its samples: `why!("trail-cycle")`.
macro_rules! why {
    ($code:literal) => {
        include_str!(concat!("../../../tests/findings/", $code, ".md")).trim_ascii_end()
    };
}
use why;

/// All rules, by subject.
pub static RULES: &[Rule] = &[
    trail_cycle::RULE,
    trail_missing::RULE,
    unauthenticated::RULE,
    trail_foreign_group::RULE,
    group_without_trusted_host::RULE,
    pc_several_trusted_hosts::RULE,
    stratum_not_falling::RULE,
    stratum_too_deep::RULE,
    cryptotype_incompatible::RULE,
    identity_downgrade::RULE,
    ident_missing::RULE,
    group_mixed::RULE,
    scheme_order::RULE,
    autokey_needs_client_server::RULE,
    peer_not_trusted::RULE,
    broadcast_several_groups::RULE,
    broadcast_media_missing::RULE,
    nat_autokey::RULE,
    digest_mixed::RULE,
    dsa_sign_key_serves::RULE,
    platform_lacks_autokey::RULE,
    size_unusable::RULE,
    name_too_long::RULE,
    key_missing::RULE,
    key_mismatch::RULE,
    key_type_unknown::RULE,
    keysdir_shared::RULE,
    key_not_trusted::RULE,
    key_id_range::RULE,
    key_restriction_ignored::RULE,
    chrony_needs_version::RULE,
    password_literal::RULE,
    password_shared::RULE,
    weak_crypto::RULE,
    policy_violated::RULE,
    lifetime_exceeds_trusted_host::RULE,
    expiring::RULE,
    failure_makes_cycle::RULE,
    single_point_of_failure::RULE,
    address_shared::RULE,
    waiver_expired::RULE,
    finding_unknown::RULE,
];

/// The rule with a code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code)
}

/// A finding of the rule with this code, for what is found elsewhere than in the rule itself.
pub(super) fn found(code: &'static str, message: impl Into<String>) -> Finding {
    rule(code).map_or_else(|| unreachable!("no rule {code}"), |rule| rule.found(message))
}

/// Runs every rule.
pub fn run(context: &Context<'_>) -> Vec<Finding> {
    let found = RULES.par_iter().map(|rule| {
        let mut found = Vec::new();
        (rule.run)(context, &mut found);
        found
    });
    // Collected rule by rule, so that the order does not depend on the threads.
    found.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// Settings with the entries that share them.
pub type SharedSettings<'a> = (&'a Settings, Vec<&'a HostEntry>);

/// Entries by the settings they share, in the order written: what is wrong with settings is wrong once.
pub fn by_settings(inventory: &Inventory) -> Vec<SharedSettings<'_>> {
    let mut number: HashMap<*const Settings, usize> = HashMap::new();
    let mut found: Vec<SharedSettings<'_>> = Vec::new();
    for entry in &inventory.entries {
        let at = *number.entry(Arc::as_ptr(&entry.settings)).or_insert_with(|| {
            found.push((&entry.settings, Vec::new()));
            found.len() - 1
        });
        found[at].1.push(entry);
    }
    found
}

/// Every association line of an inventory.
fn lines(inventory: &Inventory) -> impl Iterator<Item = (&HostEntry, &Association)> {
    let entries = inventory.entries.iter();
    entries.flat_map(|entry| entry.associations.iter().map(move |line| (entry, line)))
}

impl<'a> Context<'a> {
    /// Every association line once, whatever number of hosts its entry stands for.
    fn lines(&self) -> impl Iterator<Item = (&'a HostEntry, &'a Association)> + use<'a> {
        lines(self.inventory)
    }

    /// Where a setting that these entries share most likely stands: under `defaults` if all entries have it, in
    /// their group if all of the group have it, else at the first.
    fn setting_place(&self, entries: &[&'a HostEntry], path: &[Step]) -> Place {
        let first = entries[0];
        let of_group = |entry: &&HostEntry| entry.group == first.group;
        let place = |base: Vec<Step>| {
            Place::value(
                first.source,
                base.into_iter().chain(path.iter().cloned()).collect(),
            )
        };
        match first.group {
            _ if entries.len() < 2 => first.place(path),
            _ if entries.len() == self.inventory.entries.len() => place(vec!["defaults".into()]),
            Some(group)
                if entries.iter().all(of_group)
                    && entries.len() == self.inventory.entries.iter().filter(of_group).count() =>
            {
                place(vec![
                    "groups".into(),
                    Step::Key(self.inventory.group(group).name.clone()),
                ])
            }
            _ => first.place(path),
        }
    }

    /// Those of the entries whose hosts use Autokey.
    fn with_autokey(&self, entries: &[&'a HostEntry]) -> Vec<&'a HostEntry> {
        let uses = |entry: &&&HostEntry| self.needs.of(self.graph.node_of(entry.first)).autokey;
        entries.iter().filter(uses).copied().collect()
    }
}
