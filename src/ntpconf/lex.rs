//! Reading configuration lines that somebody else wrote: their words, and how they may be shown.

use super::rendered::{Line, REDACTED, printable};
use crate::inventory::Implementation;
use crate::secret::Secret;

/// The words of a line as the daemon reads it: comment gone, quotes taken off.
pub fn words(implementation: Implementation, line: &str) -> Vec<String> {
    if implementation == Implementation::Chrony {
        if line.trim_start().starts_with(['!', ';', '#', '%']) {
            return Vec::new();
        }
        return line.split_ascii_whitespace().map(str::to_owned).collect();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                if !quoted {
                    words.push(std::mem::take(&mut word));
                }
            }
            '#' if !quoted => break,
            c if c.is_ascii_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The lines of a file as it is on a host. Its passwords are not known to keytrail, so what follows `pw`, in a
/// command or in a comment, is not shown.
pub fn foreign_lines(content: &[u8]) -> Vec<Line> {
    let mut lines: Vec<&[u8]> = content.split(|&byte| byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines.into_iter().map(foreign_line).collect()
}

fn foreign_line(bytes: &[u8]) -> Line {
    let text = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes));
    let secret_from = text
        .split_word_bounds()
        .find(|(_, word)| word.trim_matches('#').eq_ignore_ascii_case("pw"))
        .map(|(at, word)| at + word.len());
    let shown = match secret_from {
        Some(end) if !text[end..].trim().is_empty() => {
            // What comes after the password is not told apart from it: an unclosed quote may reach to the end.
            format!("{} {REDACTED}", printable(&text[..end]))
        }
        _ => printable(&text),
    };
    Line {
        bytes: Secret::new(bytes),
        shown,
    }
}

trait Words {
    fn split_word_bounds(&self) -> impl Iterator<Item = (usize, &str)>;
}

impl Words for str {
    fn split_word_bounds(&self) -> impl Iterator<Item = (usize, &str)> {
        self.split(|c: char| c.is_whitespace())
            .map(move |word| (word.as_ptr() as usize - self.as_ptr() as usize, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_as_the_daemons_do() {
        let words = |line| words(Implementation::NtpOrg, line);
        assert_eq!(words("  server\ta  iburst # x"), ["server", "a", "iburst"]);
        assert_eq!(
            words("crypto pw \"a b#c\" ident x"),
            ["crypto", "pw", "a b#c", "ident", "x"]
        );
        assert_eq!(words("keys\"/a b\""), ["keys/a b"]);
        assert!(words("# server a").is_empty());
        assert!(super::words(Implementation::Chrony, "; server a").is_empty());
        assert_eq!(
            super::words(Implementation::Chrony, "keyfile /a#b"),
            ["keyfile", "/a#b"]
        );
    }

    #[test]
    fn a_foreign_password_is_not_shown() {
        for line in [
            "crypto pw hunter2 ident x",
            "crypto host a pw \"hun hunter2",
            "#crypto PW hunter2",
            "# pw   hunter2",
            "crypto\tpw\thunter2\r",
        ] {
            let lines = foreign_lines(line.as_bytes());
            assert_eq!(lines.len(), 1);
            assert!(!lines[0].shown.contains("hunter2"), "{}", lines[0].shown);
            assert!(lines[0].shown.ends_with("[redacted]"));
        }
        assert_eq!(
            foreign_lines(b"server a\xff\x1b[2J\n")[0].shown,
            "server a\u{fffd}\\x1b[2J"
        );
    }
}
