//! `waiver-expired`: a waiver's last day has passed. Found where waivers are applied (`trail::overrides`).

use super::{Rule, sample, why};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    code: "waiver-expired",
    severity: Severity::Warning,
    title: "a waiver's last day has passed",
    why: why!("waiver-expired"),
    source: "keytrail's own",
    run: |_, _| {},
    brings: &["password-literal"],
    fails: sample!("waiver-expired", "fail"),
    passes: sample!("waiver-expired", "pass"),
};
