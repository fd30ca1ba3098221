//! Literal passwords never reach a diagnostic: the text that is kept for showing lines has dots in their place.

use std::borrow::Cow;
use std::ops::Range;

/// Stands for each character of a password. As a YAML scalar it is plain text, so the masked file still has
/// the structure and the positions of the file as written.
const DOT: char = '•';

/// `text` with every visible character in `secrets` (ranges of characters) replaced. Anchors and tags in front
/// stay: the file must remain one that can be walked.
pub fn mask(text: &str, secrets: &[Range<usize>]) -> String {
    let mut secrets = secrets.to_vec();
    secrets.sort_unstable_by_key(|range| range.start);
    let mut ranges = secrets.iter();
    let mut range = ranges.next();
    let mut masked = String::with_capacity(text.len());
    let mut front = Front::Over;
    for (at, c) in text.chars().enumerate() {
        while range.is_some_and(|range| range.end <= at) {
            range = ranges.next();
        }
        let inside = range.is_some_and(|range| range.contains(&at));
        if range.is_some_and(|range| range.start == at) {
            front = Front::Before;
        }
        front = match (front, c) {
            (Front::Before, '&' | '!') => Front::Within,
            (Front::Before | Front::Within, c) if c.is_whitespace() => Front::Before,
            (Front::Within, _) => Front::Within,
            (Front::Before | Front::Over, _) => Front::Over,
        };
        let hidden = inside && front == Front::Over && !c.is_whitespace();
        masked.push(if hidden { DOT } else { c });
    }
    masked
}

/// Where the anchors and tags in front of a value are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Front {
    /// One may begin here.
    Before,
    /// Inside one.
    Within,
    /// Behind them.
    Over,
}

/// For a file that cannot be parsed: masks what follows `password:` or `value:` on every line, unless it names
/// a source (`{ env: … }`).
pub fn mask_lines(text: &str) -> Cow<'_, str> {
    let keys = ["password", "value"];
    if !keys.iter().any(|key| text.contains(key)) {
        return text.into();
    }
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let after = keys
            .iter()
            .filter_map(|key| line.find(key).map(|at| at + key.len()))
            .min();
        let Some(after) = after else {
            masked.push_str(line);
            continue;
        };
        masked.push_str(&line[..after]);
        let rest = &line[after..];
        let value = rest.trim_start_matches(['"', '\'', ' ', ':', '{']);
        let from_elsewhere = ["env", "file", "command"]
            .iter()
            .any(|source| value.starts_with(source));
        if from_elsewhere {
            masked.push_str(rest);
        } else {
            masked.extend(rest.chars().map(|c| {
                if c.is_alphanumeric() || c.is_ascii_punctuation() && c != ':' {
                    DOT
                } else {
                    c
                }
            }));
        }
    }
    masked.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_positions_and_blanks() {
        let text = "a: \"hun ter2\"\nb: 1\n";
        let password = 3..13;
        assert_eq!(
            mask(text, std::slice::from_ref(&password)),
            "a: •••• •••••\nb: 1\n"
        );
        let anchored = "a: &b !c 'd &e'";
        let value = 3..anchored.len();
        assert_eq!(mask(anchored, std::slice::from_ref(&value)), "a: &b !c •• •••");
        let kept = mask_lines("password: { env: PW }\npassword: hunter2 # no\nhost: {password: hunter2}\n")
            .into_owned();
        assert!(kept.contains("env: PW") && !kept.contains("hunter2"), "{kept}");
    }
}
