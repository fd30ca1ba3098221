//! Inventories: loading answers, and what is wrong can be shown.
#![no_main]

use keytrail::inventory::{LoadFailure, load_str};
use keytrail::report::{TextStyle, json, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    match load_str(input) {
        Ok(inventory) => {
            // What is wrong with its trails can be said too.
            let today = time::macros::date!(2026 - 11 - 26);
            let findings = keytrail::trail::analyse(&inventory, today).findings;
            text(&inventory.sources, &findings, TextStyle::default());
        }
        Err(LoadFailure::Invalid { sources, findings }) => {
            assert!(!findings.is_empty());
            text(&sources, &findings, TextStyle::default());
            json(&sources, &findings);
        }
        Err(LoadFailure::Unreadable { .. }) => unreachable!("no file is read"),
    }
});
