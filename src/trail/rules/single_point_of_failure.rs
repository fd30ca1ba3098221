//! `single-point-of-failure`: hosts whose every trail comes by one host. Found by `trail::failure`.

use super::{Rule, sample};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    code: "single-point-of-failure",
    severity: Severity::Warning,
    title: "hosts lose their last trail when one host or clock fails",
    why: "Every certificate trail of some hosts comes by one other host: when that fails, is restarted or gets \
          new keys, they are without authenticated time until it is back. Two servers whose own trails are \
          apart also make rotations without a gap possible, one server after the other.\n\n\
          Found by `check --what-if single`, from the number of dependents on that you choose.",
    source: "graph dominators; measured on 4.2.8p15: with two servers a client stays authenticated through the \
             rotation of either",
    run: |_, _| {},
    brings: &[],
    fails: sample!("single-point-of-failure", "fail"),
    passes: sample!("single-point-of-failure", "pass"),
};
