//! Text that others wrote (hosts, jump hosts, tools, files), made fit to be shown.
//!
//! Whatever such text holds, it must not steer a terminal, change the order in which a line is read, or hide a part of
//! it. [`is_hidden`] says which characters do that; everything that shows text uses it: [`line`](fn@line) and [`lines`]
//! where text comes in, [`json`] and the output of `cli` where it goes out.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters that are not seen, or change how others are seen: controls (C0, C1, DEL), line and paragraph
/// separators, bidirectional controls, format characters, fillers and variation selectors (Unicode 16,
/// General_Category Cc, Cf, Zl and Zp, and Default_Ignorable_Code_Point). Pairs of first and last.
const HIDDEN: &[(u32, u32)] = &[
    (0x0, 0x1f),
    (0x7f, 0x9f),
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// Whether a character steers, reorders or hides something. A tab and a line break do as well: who lets them through says
/// so.
pub fn is_hidden(c: char) -> bool {
    let code = u32::from(c);
    // Most text is ASCII.
    if (0x20..0x7f).contains(&code) {
        return false;
    }
    let after = HIDDEN.partition_point(|&(first, _)| first <= code);
    after > 0 && code <= HIDDEN[after - 1].1
}

/// One line: hidden characters, line breaks among them, as `\x1b` or `\u{202e}`. Tabs stay.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_hidden(c) && c != '\t')
}

/// Several lines: like [`line`](fn@line), and line breaks stay; a carriage return before one is no text.
pub fn lines(text: &str) -> Cow<'_, str> {
    let wild = |c| is_hidden(c) && !matches!(c, '\t' | '\n');
    if !text.contains(wild) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    Cow::Owned(escaped(&text, wild).into_owned())
}

/// Serialized JSON with `\u202e` for every hidden character in its strings: the same value, for whoever reads it as JSON.
pub fn json(text: &str) -> Cow<'_, str> {
    // Outside strings JSON has nothing beyond ASCII, and in strings it escapes C0 itself.
    let wild = |c: char| is_hidden(c) && c > '\u{1f}';
    if !text.contains(wild) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if wild(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(plain, "\\u{unit:04x}");
            }
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

/// A character as it is shown in place of itself.
pub fn escape(c: char) -> String {
    match u32::from(c) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code => format!("\\u{{{code:x}}}"),
    }
}

fn escaped(text: &str, wild: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&wild) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if wild(c) {
            plain.push_str(&escape(c));
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

/// Not more than `most` characters of a text on one line, with `…` where something is left out.
pub fn short(text: &str, most: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = words.chars().take(most).collect();
    if short.len() < words.len() {
        short.push('…');
    }
    line(&short).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_bidi_and_invisible_characters_are_hidden() {
        for code in (0..0x20)
            .chain(0x7f..0xa0)
            .chain(0x202a..=0x202e)
            .chain(0x2066..=0x2069)
            .chain([
                0xad, 0x61c, 0x200b, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x2060, 0xfe0f, 0xfeff, 0xe0001,
                0xe0041, 0xe0100,
            ])
        {
            let c = char::from_u32(code).unwrap();
            assert!(is_hidden(c), "{code:x}");
        }
        for c in "azAZ09 ~é€ñ漢字עברית😀\u{a0}\u{301}".chars() {
            assert!(!is_hidden(c), "{c:?}");
        }
        assert!(HIDDEN.is_sorted() && HIDDEN.iter().all(|(first, last)| first <= last));
    }

    #[test]
    fn what_is_hidden_is_spelled_out() {
        assert_eq!(line("a\u{1b}[8mb\nc\td\u{202e}"), "a\\x1b[8mb\\x0ac\td\\u{202e}");
        assert_eq!(lines("a\r\nb\rc\u{9b}2J\n"), "a\nb\\x0dc\\x9b2J\n");
        assert_eq!(
            json("{\"a\": \"\u{7f}\u{202e}\u{e0041}\"}\n"),
            "{\"a\": \"\\u007f\\u202e\\udb40\\udc41\"}\n"
        );
        assert_eq!(short("  a\r\n b\u{7}c  ", 3), "a b…");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in any::<String>(), most in 0_usize..50) {
            let hidden = |text: &str, also: &[char]| text.contains(|c| is_hidden(c) && !also.contains(&c));
            prop_assert!(!hidden(&line(&text), &['\t']));
            prop_assert!(!hidden(&lines(&text), &['\t', '\n']));
            prop_assert!(!hidden(&short(&text, most), &[]));
            // JSON has escaped the controls of C0 itself.
            let written: String = text.chars().filter(|&c| c > '\u{1f}').collect();
            prop_assert!(!hidden(&json(&written), &[]));
        }
    }
}
