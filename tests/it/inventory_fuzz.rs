//! Whatever a file holds, loading and reporting answer: no panic, no hang, no password in sight.

use keytrail::inventory::{LoadFailure, load, load_str};
use keytrail::report::{TextStyle, json, text};
use proptest::prelude::*;
use std::path::PathBuf;

/// The sample inventories, as seeds.
fn seeds() -> Vec<String> {
    let mut seeds = vec![keytrail::inventory::STARTER.to_owned()];
    for directory in [
        "tests/inventories/valid",
        "tests/inventories/invalid",
        "inventories",
    ] {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                seeds.extend(std::fs::read_to_string(path));
            }
        }
    }
    assert!(seeds.len() > 20);
    seeds
}

fn answer(outcome: Result<keytrail::inventory::Inventory, LoadFailure>) {
    if let Err(LoadFailure::Invalid { sources, findings }) = outcome {
        assert!(!findings.is_empty());
        let style = TextStyle {
            limit: 50,
            ..TextStyle::default()
        };
        let shown = text(&sources, &findings, style) + &json(&sources, &findings);
        for finding in &findings {
            assert!(shown.contains(finding.code));
        }
    }
}

/// Changes to a text that keep it near to what it was.
#[derive(Debug, Clone)]
enum Edit {
    Delete(usize, usize),
    Insert(usize, String),
    Copy(usize, usize, usize),
    Truncate(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let token = prop_oneof![
        Just("&a "),
        Just("*a"),
        Just("<<: *a"),
        Just("\n"),
        Just("\t"),
        Just("  "),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(": "),
        Just("- "),
        Just("'"),
        Just("\""),
        Just("|\n"),
        Just("#"),
        Just("~"),
        Just("\u{feff}"),
        Just("\u{0}"),
        Just("é€😀"),
        Just("\r\n"),
        Just("---\n"),
        Just("...\n"),
        Just("!t "),
        Just("? "),
        Just("%Y"),
        Just("[0-99]"),
        Just("999999999999"),
        Just("hosts:"),
        Just("password: "),
    ];
    prop_oneof![
        (any::<usize>(), 1..20usize).prop_map(|(at, len)| Edit::Delete(at, len)),
        (any::<usize>(), token).prop_map(|(at, token)| Edit::Insert(at, token.to_owned())),
        (any::<usize>(), any::<usize>(), 1..200usize).prop_map(|(from, to, len)| Edit::Copy(from, to, len)),
        any::<usize>().prop_map(Edit::Truncate),
    ]
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let len = chars.len() + 1;
        match edit {
            Edit::Delete(at, count) => {
                let from = at % len;
                chars.drain(from..(from + count).min(chars.len()));
            }
            Edit::Insert(at, token) => {
                chars.splice(at % len..at % len, token.chars());
            }
            Edit::Copy(from, to, count) => {
                let from = from % len;
                let copy: Vec<char> = chars[from..(from + count).min(chars.len())].to_vec();
                chars.splice(to % len..to % len, copy);
            }
            Edit::Truncate(at) => {
                // Rarely worth it near the beginning.
                if at % 4 == 0 {
                    chars.truncate(at % len);
                }
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, max_shrink_time: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn mutated_inventories(
        seed in proptest::sample::select(seeds()),
        edits in proptest::collection::vec(edit(), 1..6),
    ) {
        answer(load_str(&apply(&seed, &edits)));
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        answer(load_str(&text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let directory = tempfile::tempdir().unwrap();
        let file: PathBuf = directory.path().join("fleet.yaml");
        std::fs::write(&file, bytes).unwrap();
        answer(load(&[file]));
    }

    #[test]
    fn a_password_never_shows(
        secret in "[a-zA-Z]{8,12}",
        around in "[ *|>%@,:'\"\\[\\]{}~-]{0,3}",
        before in proptest::sample::select(vec!["", "&x ", "!!str ", "|\n      ", ">-\n      ", "'", "\"", "[", "{ x: ", "{ x: 1, x: ", "\n      "]),
        rest in proptest::sample::select(vec!["", " # comment", "\n    nonsense: 1", "\n  b: { servers: [nobody] }", "\n\t x", " }"]),
    ) {
        let text = format!("version: 1\nhosts:\n  a:\n    password: {before}{around}{secret}{around}{rest}\n");
        match load_str(&text) {
            Err(LoadFailure::Invalid { sources, findings }) => {
                let shown = keytrail::report::text(&sources, &findings, TextStyle::default()) + &json(&sources, &findings);
                prop_assert!(!shown.contains(&secret), "{text}\n{shown}");
                prop_assert!(!format!("{sources:?}").contains(&secret), "{sources:?}");
            }
            Ok(inventory) => prop_assert!(!format!("{inventory:?}").contains(&secret), "{inventory:?}"),
            Err(failure) => prop_assert!(false, "{failure}"),
        }
    }
}
