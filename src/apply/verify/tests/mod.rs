//! What is promised, and what is made of what daemons really said (tests/golden/ntpq and its neighbours).

mod looks;
mod promises;
mod waiting;

use super::Verification;
use super::ask::Seen;
use crate::apply::Site;
use crate::digest::Digest;
use crate::inventory::{Inventory, load_str};
use crate::mint::{Given, Request, State, mint, reconcile};
use crate::ntpq::System;
use crate::trail::analyse;
use crate::vault::{KeySource, Vault, create_identity};
use std::collections::HashSet;
use std::path::Path;

/// About when the outputs of the goldens were taken, where they do not say: 2026-11-20 16:41:45 UTC.
const TAKEN: i64 = 1_795_192_905;

fn golden(path: &str) -> Option<String> {
    std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(path),
    )
    .ok()
}

fn site() -> Site {
    Site {
        keysdir: "/etc/ntp/crypto".into(),
        ..Site::default()
    }
}

fn what(inventory: &str, host: &str) -> Verification {
    what_of(inventory, host, &State::default())
}

fn what_of(inventory: &str, host: &str, state: &State) -> Verification {
    let inventory: Inventory = load_str(inventory).unwrap_or_else(|error| panic!("{error}"));
    let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 21));
    let host = inventory.find(host).expect("in the inventory");
    super::verification(&inventory, &analysis, state, host, site())
}

/// When [`minted`] mints.
const MINTED: i64 = 1_795_226_400;

/// What is minted for an inventory.
fn minted(inventory: &str) -> State {
    let inventory: Inventory = load_str(inventory).unwrap_or_else(|error| panic!("{error}"));
    let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 21));
    let dir = tempfile::tempdir().expect("a directory");
    let identity = dir.path().join("identity");
    create_identity(&identity).expect("made");
    let mut vault = Vault::create(&dir.path().join("vault"), &KeySource::File(identity), &[]).expect("made");
    let request = Request {
        inventory: &inventory,
        needs: &|host| analysis.needs(host),
        given: &Given::default(),
        now: MINTED,
        renew_until: MINTED,
        renewing: None,
        anew: &HashSet::new(),
    };
    let work = reconcile(&request, &State::read(&vault).expect("read")).expect("possible");
    mint(&mut vault, &work, "test", Digest::of(b""), &()).expect("minted");
    State::read(&vault).expect("read")
}

/// The goldens' fleet with another scheme.
fn red(scheme: &str) -> String {
    format!(
        "version: 1\ndefaults: {{ host_key: {{ bits: 1024 }} }}\n\
         groups:\n  red: {{ identity: {scheme}, trusted: [th] }}\n\
         hosts:\n  th: {{ group: red, address: 10.77.0.1, reference_clock: true }}\n  \
         mid: {{ group: red, address: 10.77.0.2, servers: [{{ host: th, minpoll: 3 }}] }}\n  \
         leaf: {{ group: red, address: 10.77.0.3, servers: [{{ host: mid, minpoll: 3 }}] }}\n"
    )
}

/// What the script would have answered on the host of a golden.
fn seen(state: &str) -> Seen {
    let file = |kind: &str| golden(&format!("ntpq/{state}.{kind}.txt"));
    let system = file("rv").and_then(|text| System::read(&text).ok()?.clock);
    let clock = system.map_or(TAKEN, |clock| clock.unix_millis() / 1000);
    let mut seen = Seen {
        clock,
        asked: clock,
        here: clock,
        ..Seen::default()
    };
    let mut part = |name: String, text: Option<String>| {
        seen.parts.extend(text.map(|text| (name, text)));
    };
    let table = file("as");
    let number = |table: &str| {
        table
            .lines()
            .find_map(|line| line.split_whitespace().nth(1)?.parse::<u16>().ok())
    };
    if let Some(number) = table.as_deref().and_then(number) {
        part(
            format!("association-{number}"),
            file("rv-assoc").or(file("rv-clock")),
        );
    }
    part("as".into(), table);
    part("system".into(), file("rv"));
    part("crypto".into(), file("rv-crypto"));
    part("cryptostats".into(), file("cryptostats"));
    part("log".into(), file("log"));
    if seen.part("as").is_some() {
        seen.processes.push(super::ask::Process {
            name: "ntpd".into(),
            pid: 42,
            age: Some(100),
        });
    }
    seen
}
