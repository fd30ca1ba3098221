//! Inventories that load and inventories that do not, each with what is to come of it in a file beside it.
//! `SNAPSHOTS=overwrite cargo test --test it inventories` rewrites those files: read the difference.

use keytrail::inventory::{Inventory, LoadFailure, Target, load};
use keytrail::report::{TextStyle, text};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The inventories of a directory below tests/inventories: YAML files, and directories of them.
fn inventories(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new("tests/inventories").join(kind);
    let mut found: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    found.sort();
    assert!(found.len() > 4, "{} is nearly empty", directory.display());
    found
}

fn compare(inventory: &Path, actual: String) {
    let expected = inventory.with_extension("expected");
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(actual, snapbox::Data::read_from(&expected, None).raw());
}

/// What must be right about a loaded inventory, in few words.
fn describe(inventory: &Inventory) -> String {
    let mut text = String::new();
    let mut seen = Vec::new();
    for group in &inventory.groups {
        let trusted: Vec<_> = group
            .trusted
            .iter()
            .map(|&host| &*inventory.host(host).name)
            .collect();
        writeln!(
            text,
            "group {} {:?} trusted {trusted:?} {:?}",
            group.name, group.identity, group.identity_bits
        )
        .unwrap();
        writeln!(
            text,
            "  mv {:?} external {:?} agent {:?}",
            group.mv_clients, group.external, group.agent
        )
        .unwrap();
    }
    for entry in &inventory.entries {
        let group = entry.group.map(|group| &*inventory.group(group).name);
        let last = inventory.host(keytrail::inventory::HostId(entry.first.0 + entry.count - 1));
        let address = inventory.address(entry.first);
        writeln!(
            text,
            "hosts {} ({} to {}) of {group:?} at {address}",
            entry.pattern, entry.count, last.name
        )
        .unwrap();
        writeln!(
            text,
            "  clock {:?} tags {:?} broadcastclient {}",
            entry.reference_clock, entry.tags, entry.broadcast_client
        )
        .unwrap();
        for association in &entry.associations {
            let target = match &association.target {
                Target::Host(host) => inventory.host(*host).name.to_string(),
                other => format!("{other:?}"),
            };
            let keytrail::inventory::Association {
                mode,
                auth,
                iburst,
                minpoll,
                maxpoll,
                prefer,
                ident,
                options,
                index,
                ..
            } = association;
            writeln!(text, "  {mode:?}[{index}] {target} {auth:?} iburst {iburst} poll {minpoll:?} {maxpoll:?} prefer {prefer} ident {ident:?} {options:?}").unwrap();
        }
        let shared = seen
            .iter()
            .position(|other| std::sync::Arc::ptr_eq(other, &entry.settings));
        if let Some(same) = shared {
            writeln!(text, "  settings {same}").unwrap();
        } else {
            writeln!(text, "  settings {}: {:#?}", seen.len(), entry.settings).unwrap();
            seen.push(std::sync::Arc::clone(&entry.settings));
        }
    }
    for key in &inventory.keys {
        writeln!(text, "{key:?}").unwrap();
    }
    for rule in &inventory.findings {
        writeln!(text, "{rule:?}").unwrap();
    }
    writeln!(text, "{:?}", inventory.policies).unwrap();
    writeln!(text, "{:?}", inventory.expiring).unwrap();
    text
}

#[test]
fn valid_ones_load_as_they_should() {
    for path in inventories("valid") {
        match load(std::slice::from_ref(&path)) {
            Ok(inventory) => compare(&path, describe(&inventory)),
            Err(LoadFailure::Invalid { sources, findings }) => {
                panic!(
                    "{}:\n{}",
                    path.display(),
                    text(&sources, &findings, TextStyle::default())
                )
            }
            Err(failure) => panic!("{failure}"),
        }
    }
}

#[test]
fn invalid_ones_say_what_is_wrong_and_where() {
    for path in inventories("invalid") {
        match load(std::slice::from_ref(&path)) {
            Err(LoadFailure::Invalid { sources, findings }) => {
                let shown = text(&sources, &findings, TextStyle::default());
                assert!(!shown.contains("hunter2"), "a password is shown:\n{shown}");
                let json = keytrail::report::json(&sources, &findings);
                assert!(!json.contains("hunter2"), "a password is shown:\n{json}");
                compare(&path, shown);
            }
            Ok(_) => panic!("{} loads", path.display()),
            Err(failure) => panic!("{failure}"),
        }
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let failure = load(&[PathBuf::from("tests/inventories/no-such-file.yaml")]).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "cannot read tests/inventories/no-such-file.yaml: No such file or directory (os error 2)"
    );
    let empty = tempfile::tempdir().unwrap();
    let failure = load(&[empty.path().to_owned()]).unwrap_err();
    assert!(
        failure
            .to_string()
            .ends_with("no *.yaml or *.yml file in this directory"),
        "{failure}"
    );
}
