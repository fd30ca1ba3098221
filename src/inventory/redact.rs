//! Literal passwords never reach a diagnostic: the text that is kept for showing lines has dots in their place.

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

/// For a file that cannot be parsed: masks what follows a key like `password:` or `value:` on its line and on the
/// deeper lines below, unless it names a source (`{ env: … }`). Rather too much than too little.
pub fn mask_lines(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    // Indentation of the key whose value may go on.
    let mut below = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let blank = line.trim().is_empty();
        below = below.filter(|&key| blank || indent > key);
        let shown = match (below, behind_key(line)) {
            (Some(_), _) => 0,
            (None, Some(behind)) => {
                let value = line[behind..].trim_start_matches(['"', '\'', ' ', ':', '{']);
                if ["env", "file", "command"]
                    .iter()
                    .any(|source| value.starts_with(source))
                {
                    line.len()
                } else {
                    below = Some(indent);
                    behind
                }
            }
            (None, None) => line.len(),
        };
        masked.push_str(&line[..shown]);
        masked.extend(
            line[shown..]
                .chars()
                .map(|c| if c.is_whitespace() || c == ':' { c } else { DOT }),
        );
    }
    masked
}

/// Where a key that may be a password's ends in a line.
fn behind_key(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let at = ["pass", "value"].iter().filter_map(|key| lower.find(key)).min()?;
    let rest = &line[at..];
    Some(
        at + rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len()),
    )
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
        let text = "password: { env: PW }\npassword: hunter2 # no\na: {Passwort: hunter2}\n- value: |\n    hunter2\n\n    hunter2\nb: c\n";
        let kept = mask_lines(text);
        assert!(
            kept.contains("env: PW") && kept.ends_with("b: c\n") && !kept.contains("hunter2"),
            "{kept}"
        );
        assert_eq!(kept.chars().count(), text.chars().count());
    }
}
