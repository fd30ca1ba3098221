//! `single-point-of-failure`: hosts whose every trail comes by one host. Found by `trail::failure`.

use super::{Rule, sample, why};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    code: "single-point-of-failure",
    severity: Severity::Warning,
    title: "hosts lose their last trail when one host or clock fails",
    why: why!("single-point-of-failure"),
    source: "graph dominators; measured on 4.2.8p15: with two servers a client stays authenticated through the \
             rotation of either",
    run: |_, _| {},
    brings: &[],
    fails: sample!("single-point-of-failure", "fail"),
    passes: sample!("single-point-of-failure", "pass"),
};
