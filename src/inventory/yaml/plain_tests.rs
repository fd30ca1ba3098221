//! The plain reader against the parser: the same events at the same places, and the same error after the same
//! events, whatever the text.

use super::events::{Events, Spanned};
use super::plain::Plain;
use proptest::prelude::*;
use saphyr_parser::{Parser, ScanError};
use std::path::Path;

type Read<'a> = (Vec<Spanned<'a>>, Option<ScanError>);

fn read<'a>(next: impl FnMut() -> Option<Result<Spanned<'a>, ScanError>>) -> Read<'a> {
    let (mut events, mut failed) = (Vec::new(), None);
    for event in std::iter::from_fn(next) {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    (events, failed)
}

/// How far the plain reader went; fails where it differs from the parser.
fn compare(text: &str) -> usize {
    let mut parser = Parser::new_from_str(text);
    let expected = read(|| parser.next_event());
    let mut plain = Plain::new(text);
    let mut read_plainly = 0;
    while let Some(event) = plain.next() {
        assert_eq!(Some(&event), expected.0.get(read_plainly), "{text}");
        read_plainly += 1;
    }
    let whole = read_plainly == expected.0.len() && expected.1.is_none();
    assert_eq!(plain.ended(), whole, "{text}");
    let mut events = Events::new(text);
    assert_eq!(read(|| events.next()), expected, "{text}");
    assert!(events.next().is_none() || expected.1.is_some(), "{text}");
    read_plainly
}

fn inventories() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories = [
        "inventories",
        "tests/inventories/valid",
        "tests/inventories/invalid",
    ];
    let mut texts = vec![crate::inventory::STARTER.to_owned()];
    for directory in directories {
        for entry in std::fs::read_dir(root.join(directory)).expect(directory) {
            let path = entry.expect(directory).path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                texts.extend(std::fs::read_to_string(path));
            }
        }
    }
    assert!(texts.len() > 20);
    texts
}

#[test]
fn the_sample_inventories_cut_off_anywhere() {
    let whole: usize = inventories().iter().map(|text| compare(text)).sum();
    assert!(whole > 1000, "only {whole} events were plain");
    for text in inventories() {
        for (end, _) in text.char_indices() {
            compare(&text[..end]);
        }
    }
}

#[test]
fn what_it_reads_to_the_end() {
    for text in [
        "a: b\n",
        "a:\n  b: c\n\n# über\n  d: [e, 'f g', { h: i, \"j\": [ k ] } ] # l\nm:\n- n\n- o: p\n  q: r\n\ns:\n  - t u\n  - [v]\n",
        "version: 1\nhosts:\n  top: { group: fleet, reference_clock: true }\n  'leaf[1-2]':\n    servers: [a, b]\n",
        "a: 2001:db8::1 # b#c\nd: e#f\ng:\nh: \"i\"   \nj: {}\nk: [ ]\n",
    ] {
        let mut plain = Plain::new(text);
        while plain.next().is_some() {}
        assert!(plain.ended(), "{text}");
        compare(text);
    }
}

#[test]
fn what_it_leaves_to_the_parser() {
    for text in [
        "",
        "\n",
        "# a\n",
        "a",
        "a: b",
        "- a\n",
        " a: b\n",
        "a: b\n c: d\n",
        "a: b\n  c\n",
        "a: &b c\n",
        "a: *b\n",
        "a: |\n  b\n",
        "a: 'b''c'\n",
        "a: \"b\\n\"\n",
        "a: [b\n  , c]\n",
        "a: [b: c]\n",
        "a: { b }\n",
        "a: [b, ]\n",
        "a: b: c\n",
        "a: 'b' c\n",
        "a: [b] c\n",
        "a: 'b'#c\n",
        "a: [b]#c\n",
        "a: \tb\n",
        "a: b\t\n",
        "a: b\r\nc: d\r\n",
        "---\na: b\n",
        "a: b\n...\n",
        "%a\n",
        "a: ü\n",
        "a: b\n# \u{feff}\n",
        "a: b # \0\n",
        "? a\n: b\n",
        "a: !b c\n",
        "a:\n  - b\n - c\n",
        "a:\n  b: c\n d: e\n",
        "a:\n  -\n",
        "a: -\n",
        "a: @b\n",
        "a: b # c\n   d\n",
        "a: {b: c,d:e}\n",
        "a: [core[1-4]]\n",
        "a: {b:c}\n",
        "a: [:b]\n",
        "a: [b -]\n",
        "a: { b: c -}\n",
        "a: [b -, c]\n",
        "a: [b -c]\n",
        "a: {b:[c]}\n",
        "a : b\n",
        "a: b\n... c: d\n",
        "{ a : b }\n",
        "a: { b : c }\n",
    ] {
        compare(text);
    }
}

/// Pieces of plain lines, and of lines that look plain.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "a", "b1", "key: ", "k:", ": ", ":", "- ", "-", "\n", "\n", "\n  ", "\n    ", "\n- ", "\n  - ",
        "\n ", " ", "  ", "'q'", "'q r' ", "\"d\"", "'", "\"", "[", "]", "[a, b]", "{", "}", "{ a: b }",
        "{a: b}", ", ", ",", " # c", "#", "# é", "é", "~", "\t", "\r", "&x ", "*x", "!t ", "|", ">", "? ",
        "<<: ", "\\", "''", "...", "---", "%", "@", "`", "\u{feff}", "\0", "x: y\n", "\n  k: v", "\nk:\n  ",
    ];
    proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}

/// A block of plain YAML, indented so far.
fn block(depth: u32) -> BoxedStrategy<String> {
    let word = "[a-z0-9_/.~$+(][a-z0-9 #:'\\[-]{0,6}[a-z0-9]";
    let quoted = "'[a-z :#{]{0,6}'|\"[a-z :#,\\[]{0,6}\"";
    let comment = "| |  # [a-zü:]{0,4}";
    let inner = "[a-z][a-z0-9:.]{0,3}[a-z0-9]|'[a-z ,]{0,4}'";
    let list = proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", ")));
    let map = proptest::collection::vec(("[a-z]{1,3}|'k'", inner), 0..3).prop_map(|pairs| {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        format!("{{ {} }}", pairs.join(" , "))
    });
    let scalar = prop_oneof![word, quoted, list, map, Just(String::new())];
    let line = (scalar, comment).prop_map(|(value, comment)| format!("{value}{comment}\n"));
    if depth == 0 {
        return line.boxed();
    }
    let below = prop_oneof![
        2 => line,
        1 => (block(depth - 1), any::<bool>()).prop_map(|(block, gap)| format!("{}\n{block}", if gap { "\n  # c" } else { "" })),
    ];
    let entry = ("[a-z]{1,4}|'k[1]'", below);
    (proptest::collection::vec(entry, 1..4), any::<bool>(), 0..4_usize)
        .prop_map(|(entries, list, indent)| {
            let mut text = String::new();
            for (key, value) in entries {
                let head = if list { "- " } else { "" };
                let value = value.replace('\n', &format!("\n{}", " ".repeat(indent)));
                text.extend([
                    head,
                    &key,
                    ": ",
                    value.trim_end_matches(' ').trim_end_matches('\n'),
                    "\n",
                ]);
            }
            text
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces(pieces in proptest::collection::vec(piece(), 0..24), head in any::<bool>()) {
        let head = if head { "k: v\nh:\n" } else { "" };
        compare(&format!("{head}{}\n", pieces.concat()));
    }

    #[test]
    fn blocks_and_slips(text in block(3), slips in proptest::collection::vec((any::<usize>(), 0..3_usize, piece()), 0..3)) {
        compare(&text);
        let mut chars: Vec<char> = text.chars().collect();
        for (at, delete, insert) in slips {
            let at = at % (chars.len() + 1);
            chars.splice(at..(at + delete).min(chars.len()), insert.chars());
        }
        compare(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn inventories_and_slips(
        text in proptest::sample::select(inventories()),
        slips in proptest::collection::vec((any::<usize>(), 0..3_usize, piece()), 1..4),
    ) {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, delete, insert) in slips {
            let at = at % (chars.len() + 1);
            chars.splice(at..(at + delete).min(chars.len()), insert.chars());
        }
        compare(&chars.into_iter().collect::<String>());
    }
}
