//! `failure-makes-cycle`: trails that turn cyclic when a clock fails. Found by `trail::failure`.

use super::{Rule, sample, why};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    code: "failure-makes-cycle",
    severity: Severity::Warning,
    title: "a trail turns cyclic when a reference clock fails",
    why: why!("failure-makes-cycle"),
    source: "NTP reference manual, Authentication Options, Examples: the closing note on RED and BLUE",
    run: |_, _| {},
    brings: &[],
    fails: sample!("failure-makes-cycle", "fail"),
    passes: sample!("failure-makes-cycle", "pass"),
};
