//! The managed block: keytrail's lines between two markers inside a file that belongs to somebody else.
//!
//! Everything outside the markers stays as it is, byte for byte: CR LF, a missing final newline, bytes that are
//! no UTF-8. Putting the same block twice changes nothing, and taking it out gives the original back.

use std::ops::Range;

/// First line of the block.
pub const BEGIN: &str = "# >>> keytrail >>> lines up to the end marker are overwritten";
/// Last line of the block.
pub const END: &str = "# <<< keytrail <<<";

/// Why a file's markers cannot be trusted. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Markers {
    /// A line that looks like a marker and is not one.
    #[error("line {line} looks like a keytrail marker but was changed (\"{found}\")")]
    Damaged {
        /// Where.
        line: usize,
        /// The line, for showing.
        found: String,
    },
    /// A begin marker inside a block.
    #[error("line {line} begins a keytrail block inside the one that begins at line {first}")]
    Nested {
        /// Where.
        line: usize,
        /// Line of the first begin marker.
        first: usize,
    },
    /// A second block.
    #[error("line {line} begins a second keytrail block; the first begins at line {first}")]
    Duplicate {
        /// Where.
        line: usize,
        /// Line of the first begin marker.
        first: usize,
    },
    /// A begin marker without an end.
    #[error("the keytrail block that begins at line {line} has no end marker")]
    NoEnd {
        /// Line of the begin marker.
        line: usize,
    },
    /// An end marker without a begin.
    #[error("line {line} ends a keytrail block that never began")]
    NoBegin {
        /// Line of the end marker.
        line: usize,
    },
}

/// Where the block stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Bytes of the block, from the begin marker to the end of the end marker's line.
    pub whole: Range<usize>,
    /// Bytes between the two marker lines.
    pub body: Range<usize>,
    /// Line number of the begin marker, from 1.
    pub first_line: usize,
    /// Line number of the end marker.
    pub last_line: usize,
    crlf: bool,
}

/// Whether a line holds anything that belongs to a marker.
pub fn is_like_marker(line: &[u8]) -> bool {
    const HINTS: [&[u8]; 4] = [b">>> keytrail", b"keytrail >>>", b"<<< keytrail", b"keytrail <<<"];
    HINTS
        .iter()
        .any(|hint| line.windows(hint.len()).any(|part| part == *hint))
}

/// Finds the block. `Ok(None)`: there is none.
pub fn find(content: &[u8]) -> Result<Option<Block>, Markers> {
    let mut open: Option<(usize, usize, usize, bool)> = None;
    let mut found: Option<Block> = None;
    let mut at = 0;
    for (index, line) in content.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let start = at;
        at += line.len();
        if !is_like_marker(line) {
            continue;
        }
        let crlf = line.ends_with(b"\r\n");
        let text = line.trim_ascii_end();
        if text == BEGIN.as_bytes() {
            if let Some((first, ..)) = open {
                return Err(Markers::Nested { line: number, first });
            }
            if let Some(block) = &found {
                return Err(Markers::Duplicate {
                    line: number,
                    first: block.first_line,
                });
            }
            open = Some((number, start, at, crlf));
        } else if text == END.as_bytes() {
            let Some((first_line, begin, body, crlf)) = open.take() else {
                return Err(Markers::NoBegin { line: number });
            };
            found = Some(Block {
                whole: begin..at,
                body: body..start,
                first_line,
                last_line: number,
                crlf,
            });
        } else {
            return Err(Markers::Damaged {
                line: number,
                found: super::rendered::printable(&String::from_utf8_lossy(text)),
            });
        }
    }
    match open {
        Some((line, ..)) => Err(Markers::NoEnd { line }),
        None => Ok(found),
    }
}

/// Puts `body` (lines ending in LF) into the block of `content`; without a block yet, one is added at the end.
///
/// The block's lines end as the file's do. Where the file has no final newline, neither has the block:
/// that is how [`remove`] knows.
pub fn splice(content: &[u8], body: &[u8]) -> Result<Vec<u8>, Markers> {
    let (before, after, crlf, last_newline) = match find(content)? {
        Some(block) => (
            &content[..block.whole.start],
            &content[block.whole.end..],
            block.crlf,
            content[..block.whole.end].ends_with(b"\n"),
        ),
        None => (
            content,
            &[][..],
            first_newline_is_crlf(content),
            content.is_empty() || content.ends_with(b"\n"),
        ),
    };
    let newline: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    let mut out = Vec::with_capacity(content.len() + body.len() + BEGIN.len() + END.len() + 8);
    out.extend_from_slice(before);
    if !before.is_empty() && !before.ends_with(b"\n") {
        out.extend_from_slice(newline);
    }
    out.extend_from_slice(BEGIN.as_bytes());
    out.extend_from_slice(newline);
    for line in body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        out.extend_from_slice(line);
        out.extend_from_slice(newline);
    }
    out.extend_from_slice(END.as_bytes());
    if last_newline {
        out.extend_from_slice(newline);
    }
    out.extend_from_slice(after);
    Ok(out)
}

/// The file as it was before the block was added.
pub fn remove(content: &[u8]) -> Result<Vec<u8>, Markers> {
    let Some(block) = find(content)? else {
        return Ok(content.to_vec());
    };
    let mut before = &content[..block.whole.start];
    if !content[..block.whole.end].ends_with(b"\n") {
        let newline: &[u8] = if block.crlf { b"\r\n" } else { b"\n" };
        before = before.strip_suffix(newline).unwrap_or(before);
    }
    Ok([before, &content[block.whole.end..]].concat())
}

fn first_newline_is_crlf(content: &[u8]) -> bool {
    content
        .iter()
        .position(|&byte| byte == b'\n')
        .is_some_and(|at| at > 0 && content[at - 1] == b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(body: &[u8]) -> String {
        String::from_utf8_lossy(body).into_owned()
    }

    #[test]
    fn appends_replaces_and_removes() {
        let original = b"driftfile /x\r\nserver a\r\n";
        let one = splice(original, b"keysdir /k\n").expect("no markers");
        assert_eq!(
            text(&one),
            format!("driftfile /x\r\nserver a\r\n{BEGIN}\r\nkeysdir /k\r\n{END}\r\n")
        );
        let two = splice(&one, b"keysdir /l\n").expect("one block");
        assert!(text(&two).contains("keysdir /l\r\n") && !text(&two).contains("/k\r"));
        assert_eq!(remove(&two).expect("one block"), original);
    }

    #[test]
    fn no_final_newline_stays_without() {
        let one = splice(b"server a", b"x\n").expect("no markers");
        assert_eq!(text(&one), format!("server a\n{BEGIN}\nx\n{END}"));
        assert_eq!(remove(&one).expect("one block"), b"server a");
    }

    #[test]
    fn markers_that_cannot_be_trusted_name_their_line() {
        let of = |text: String| find(text.as_bytes()).expect_err("wrong markers");
        assert_eq!(of(format!("a\n{BEGIN}\nb\n")), Markers::NoEnd { line: 2 });
        assert_eq!(of(format!("a\nb\n{END}\n")), Markers::NoBegin { line: 3 });
        assert_eq!(
            of(format!("{BEGIN}\n{BEGIN}\n{END}\n")),
            Markers::Nested { line: 2, first: 1 }
        );
        assert_eq!(
            of(format!("{BEGIN}\n{END}\n\n{BEGIN}\n{END}\n")),
            Markers::Duplicate { line: 4, first: 1 }
        );
        assert!(matches!(
            of(format!("x\n#{BEGIN}\n{END}\n")),
            Markers::Damaged { line: 2, .. }
        ));
        assert!(matches!(
            of(format!("{BEGIN}\n# <<< keytrail\n")),
            Markers::Damaged { line: 2, .. }
        ));
    }

    /// Arbitrary bytes, rich in line breaks.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(
            prop_oneof![
                Just(b"\n".to_vec()),
                Just(b"\r\n".to_vec()),
                Just(b"\r".to_vec()),
                prop::collection::vec(any::<u8>(), 0..12),
            ],
            0..20,
        )
        .prop_map(|parts| parts.concat())
    }

    fn body() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec("[ -~]{1,20}\n", 0..6).prop_map(|lines| lines.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn outside_is_untouched_and_removal_restores(original in content(), one in body(), two in body()) {
            prop_assume!(!is_like_marker(&original) && !is_like_marker(&one) && !is_like_marker(&two));
            let spliced = splice(&original, &one).expect("no markers");
            prop_assert!(spliced.starts_with(&original));
            prop_assert_eq!(&splice(&spliced, &one).expect("one block"), &spliced);
            let replaced = splice(&spliced, &two).expect("one block");
            prop_assert_eq!(&replaced, &splice(&original, &two).expect("no markers"));
            prop_assert_eq!(&remove(&replaced).expect("one block"), &original);
        }

        #[test]
        fn a_block_in_the_middle_keeps_both_sides(before in content(), after in content(), one in body(), two in body()) {
            prop_assume!(![&before, &after, &one, &two].into_iter().any(|part| is_like_marker(part)));
            let mut file = before.clone();
            if !file.is_empty() && !file.ends_with(b"\n") {
                file.push(b'\n');
            }
            let head = file.len();
            file.extend_from_slice(&splice(b"", &one).expect("empty"));
            file.extend_from_slice(&after);
            let replaced = splice(&file, &two).expect("one block");
            prop_assert_eq!(&replaced[..head], &file[..head]);
            prop_assert!(replaced.ends_with(&after));
            prop_assert_eq!(replaced.len(), head + splice(b"", &two).expect("empty").len() + after.len());
            prop_assert_eq!(&splice(&replaced, &two).expect("one block"), &replaced);
        }
    }
}
