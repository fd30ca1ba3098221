//! The rules: each in a file of its own, with what it is about, where that is written or was measured, and
//! two small inventories, one that it finds fault with and one that it accepts. The inventories are its test
//! and its documentation.

mod address_shared;
mod autokey_needs_client_server;
mod broadcast_several_groups;
mod cryptotype_incompatible;
mod group_mixed;
mod group_without_trusted_host;
mod ident_missing;
mod name_too_long;
mod password_literal;
mod pc_several_trusted_hosts;
mod platform_lacks_autokey;
mod size_unusable;
mod trail_cycle;
mod trail_foreign_group;
mod trail_missing;
mod waiver_expired;
mod words;

use super::graph::TrailGraph;
use super::needs::NeedsTable;
use super::proof::Proof;
use crate::finding::{Finding, Severity};
use crate::inventory::{Association, HostEntry, Inventory, Settings};
use std::collections::HashMap;
use std::sync::Arc;

/// What a rule looks at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What was declared.
    pub inventory: &'a Inventory,
    /// Its associations.
    pub graph: &'a TrailGraph,
    /// Where the trails lead.
    pub proof: &'a Proof,
    /// What hosts must hold.
    pub needs: &'a NeedsTable,
}

/// A rule.
pub struct Rule {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// Usual severity.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: &'static str,
    /// Why it is wrong, what happens on the hosts, and the way out; paragraphs separated by empty lines.
    pub why: &'static str,
    /// Where this comes from: a section of the manual or RFC, or "measured on 4.2.8p15".
    pub source: &'static str,
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

/// The samples of a rule: `samples!("trail-cycle")` gives both texts.
macro_rules! sample {
    ($code:literal, $outcome:literal) => {
        include_str!(concat!("../../../tests/findings/", $code, ".", $outcome, ".yaml"))
    };
}
use sample;

/// All rules, by subject.
pub static RULES: &[Rule] = &[
    trail_cycle::RULE,
    trail_missing::RULE,
    trail_foreign_group::RULE,
    group_without_trusted_host::RULE,
    pc_several_trusted_hosts::RULE,
    cryptotype_incompatible::RULE,
    ident_missing::RULE,
    group_mixed::RULE,
    autokey_needs_client_server::RULE,
    broadcast_several_groups::RULE,
    platform_lacks_autokey::RULE,
    size_unusable::RULE,
    name_too_long::RULE,
    password_literal::RULE,
    address_shared::RULE,
    waiver_expired::RULE,
];

/// The rule with a code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code)
}

/// Runs every rule.
pub fn run(context: &Context<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES {
        (rule.run)(context, &mut found);
    }
    found
}

impl<'a> Context<'a> {
    /// Every association line once, whatever number of hosts its entry stands for.
    fn lines(&self) -> impl Iterator<Item = (&'a HostEntry, &'a Association)> + use<'a> {
        let entries = self.inventory.entries.iter();
        entries.flat_map(|entry| entry.associations.iter().map(move |line| (entry, line)))
    }

    /// Entries by the settings they share, in the order written: what is wrong with settings is wrong once.
    fn by_settings(&self) -> Vec<(&'a Settings, Vec<&'a HostEntry>)> {
        let mut number: HashMap<*const Settings, usize> = HashMap::new();
        let mut found: Vec<(&Settings, Vec<&HostEntry>)> = Vec::new();
        for entry in &self.inventory.entries {
            let at = *number.entry(Arc::as_ptr(&entry.settings)).or_insert_with(|| {
                found.push((&entry.settings, Vec::new()));
                found.len() - 1
            });
            found[at].1.push(entry);
        }
        found
    }
}
