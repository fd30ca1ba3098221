//! `failure-makes-cycle`: trails that turn cyclic when a clock fails. Found by `trail::failure`.

use super::{Rule, sample};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    code: "failure-makes-cycle",
    severity: Severity::Warning,
    title: "a trail turns cyclic when a reference clock fails",
    why: "Trusted hosts with clocks of their own watch each other as monitoring and backup. That is no trail as \
          long as the clocks live. When one fails, its host follows the others, and its trail leads back to it: \
          the manual warns of just this between RED and BLUE and calls the scenario unwise for practical use. \
          What keeps the time right then is loop detection of NTP, not the certificates.\n\n\
          Found by `check --what-if single`. Give the lines a symmetric key, which certifies nobody, let only one \
          side watch the other, or waive this if the backup is worth it to you.",
    source: "NTP reference manual, Authentication Options, Examples: the closing note on RED and BLUE",
    run: |_, _| {},
    brings: &[],
    fails: sample!("failure-makes-cycle", "fail"),
    passes: sample!("failure-makes-cycle", "pass"),
};
