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

/// For a file that cannot be parsed: shows only what follows a field that there is and that holds no secret, up to the next
/// field. What follows `password`, `value` and any key that is no field is masked, on its line and on the deeper lines
/// below, unless a field says that it names a source (`{ env: … }`). Rather too much than too little.
pub fn mask_lines(text: &str) -> String {
    let known = super::schema::field_names();
    let mut masked = String::with_capacity(text.len());
    // Indentation of the key whose value may go on.
    let mut below = None;
    // Indentation of the key whose brackets may hold more than values: `password: [hunter2: ]`.
    let mut opaque = None;
    let mut hide = true;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let blank = line.trim().is_empty();
        below = below.filter(|&key| blank || indent > key);
        if below.is_some() {
            masked.extend(line.chars().map(dotted));
            continue;
        }
        opaque = opaque.filter(|&key| blank || indent > key);
        let mut at = 0;
        while at < line.len() {
            let rest = &line[at..];
            let begins = line[..at]
                .chars()
                .next_back()
                .is_none_or(|c| c.is_whitespace() || matches!(c, '{' | '[' | ',' | '-' | '?'));
            if let Some((key, length)) = key_at(rest).filter(|_| begins) {
                if opaque.is_some() && !known.contains(key) {
                    masked.extend(rest[..length].chars().map(dotted));
                } else {
                    masked.push_str(&rest[..length]);
                }
                at += length;
                hide = is_secret(key) || !known.contains(key);
                let value = line[at..].trim();
                if hide && (value.starts_with(['{', '[']) || value.is_empty() && is_secret(key)) {
                    opaque = opaque.or(Some(indent));
                }
                if hide && !value.is_empty() && !value.starts_with(['{', '[', '#']) {
                    below = Some(indent);
                    masked.extend(line[at..].chars().map(dotted));
                    break;
                }
                continue;
            }
            let length = quoted(rest)
                .filter(|_| begins)
                .unwrap_or_else(|| rest.chars().next().map_or(1, char::len_utf8));
            let piece = &rest[..length];
            if hide {
                masked.extend(piece.chars().map(dotted));
            } else {
                masked.push_str(piece);
            }
            at += length;
        }
    }
    masked
}

/// A character that is not to be seen, but for what keeps lines and flow collections apart.
fn dotted(c: char) -> char {
    if c.is_whitespace() || matches!(c, ':' | '{' | '}' | '[' | ']' | ',') {
        c
    } else {
        DOT
    }
}

/// The key a text begins with, and how long it is with its colon.
fn key_at(text: &str) -> Option<(&str, usize)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let from = quote.map_or(0, char::len_utf8);
    let word = &text[from..];
    let end = word.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '<')))?;
    let (key, mut behind) = word.split_at(end);
    if let Some(quote) = quote {
        behind = behind.strip_prefix(quote)?;
    }
    let behind = behind.trim_start_matches(' ').strip_prefix(':')?;
    let ends = behind
        .chars()
        .next()
        .is_none_or(|c| c.is_whitespace() || quote.is_some());
    (ends && !key.is_empty()).then_some((key, text.len() - behind.len()))
}

/// How long the quoted text is that this begins with; to the end, where the quotes are not closed.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return Some(at + c.len_utf8());
        }
        escaped = c == '\\' && !escaped;
    }
    Some(text.len())
}

/// Whether a key is that of a password, or of a key's value.
fn is_secret(key: &str) -> bool {
    let lower = key.to_lowercase();
    lower.contains("pass") || lower.contains("value")
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
        let text = "password: { env: PW }\npassword: hunter2 # no\na: {Passwort: hunter2}\n- value: |\n    hunter2\n\n    hunter2\ngroup: c\n";
        let kept = mask_lines(text);
        assert!(
            kept.contains("env: PW") && kept.ends_with("group: c\n") && !kept.contains("hunter2"),
            "{kept}"
        );
        assert_eq!(kept.chars().count(), text.chars().count());
    }

    #[test]
    fn of_a_broken_file_only_the_values_of_fields_are_shown() {
        for text in [
            "pasword: hunter2\n",
            "  pasword: a, hunter2\n  group: red\n",
            "h: { pasword: hunter2, group: red }\n",
            "h: { group: red, pasword: \"hunter2, group: hunter2\" }\n",
            "h: { group: red, pasword: 'hunter2\n  hunter2', group: red }\n",
            "pasword:\n  hunter2\n",
            "pasword: &p >-\n  group: hunter2\n",
            "pasword: [hunter2, 'hunter2']\n- hunter2\n",
            "x-mine: hunter2\n",
            "hunter2\n",
            "password: environment-hunter2\n",
            "\"pasword\": \"hunter2\"\n",
            "---\nsecret: hunter2\n---\nother: hunter2\n",
            "password: { env: A, x: hunter2 }\n",
            "password: [: hunter2: \n",
            "password: \n  : hunter2: \n\t x",
            "password: [\n  hunter2: \n",
            "h: { group: red, pasword: { hunter2: x\n",
            "symmetric_keys:\n  7: hunter2\n",
        ] {
            let kept = mask_lines(text);
            assert!(!kept.contains("hunter2"), "{text}: {kept}");
            assert_eq!(kept.chars().count(), text.chars().count());
        }
        let fine = "hosts:\n  mort:\n    group: red\n    servers: [a, b]\n    ssh: { user: ops }\n";
        assert_eq!(mask_lines(fine), fine);
    }
}
