//! `waiver-expired`: a waiver's last day has passed. Found where waivers are applied (`trail::settle`).

use super::{Rule, sample};
use crate::finding::Severity;

pub(super) const RULE: Rule = Rule {
    code: "waiver-expired",
    severity: Severity::Warning,
    title: "a waiver's last day has passed",
    why: "A waiver or a changed severity under `findings:` names a last day so that what was accepted for a \
          while does not stay for ever. After that day it no longer counts: what it covered is reported again, \
          and so is the waiver.\n\n\
          Mend what it covered and remove it, or write a new day and reason.",
    source: "keytrail's own",
    run: |_, _| {},
    brings: &["password-literal"],
    fails: sample!("waiver-expired", "fail"),
    passes: sample!("waiver-expired", "pass"),
};
