//! Stored plans: what is taken in can be shown and stored again as the same.
#![no_main]

use keytrail::plan::{Plan, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(plan) = Plan::from_json(text) else { return };
    let again = serde_json::to_string(&plan).expect("names and numbers");
    assert_eq!(Plan::from_json(&again).as_ref(), Ok(&plan));
    let shown = render::text(&plan);
    assert!(!shown.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
});
