//! Rendered configuration: text that knows which of its bytes are secret.
//!
//! A password never goes through the template engine. The template sees a stand-in, and the password takes its
//! place afterwards; so the secret spans are known exactly and nothing has to be searched for in text.

use crate::secret::Secret;

/// What stands for a secret wherever it would be shown.
pub const REDACTED: &str = "[redacted]";

/// Unicode noncharacters: never valid in an inventory value that [`super::spell`] lets through.
const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// The stand-in of the secret number `n` in a template's values.
pub(super) fn stand_in(n: usize) -> String {
    format!("{OPEN}{n}{CLOSE}")
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Secret(Secret),
}

/// One line, without its line break: as it is, and as it may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// The bytes of the line; may hold a secret.
    pub bytes: Secret,
    /// The same with secrets redacted and control characters escaped.
    pub shown: String,
}

/// Configuration text for one host. `Debug` and [`Rendered::redacted`] never show a secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    pieces: Vec<Piece>,
}

impl Rendered {
    /// Text without any secret.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            pieces: vec![Piece::Text(text.into())],
        }
    }

    /// Puts the secrets into the places of their stand-ins. `Err`: the template changed a stand-in, or put it anywhere but
    /// behind `pw`, where [`super::foreign_lines`] would not know it again on the host.
    pub(super) fn from_template(text: &str, secrets: &[Secret]) -> Result<Self, ()> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(OPEN) {
            let (before, from) = rest.split_at(open);
            let line = before.rsplit('\n').next().unwrap_or_default();
            if !line.ends_with([' ', '\t']) || line.split_whitespace().last() != Some("pw") {
                return Err(());
            }
            let from = &from[OPEN.len_utf8()..];
            let close = from.find(CLOSE).ok_or(())?;
            let number: usize = from[..close].parse().map_err(|_| ())?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Secret(secrets.get(number).ok_or(())?.clone()));
            rest = &from[close + CLOSE.len_utf8()..];
        }
        if rest.contains(CLOSE) {
            return Err(());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self { pieces })
    }

    /// Whether there is a secret in it: such text belongs into files only their owner may read.
    pub fn holds_secret(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Secret(_)))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| match piece {
            Piece::Text(text) => text.is_empty(),
            Piece::Secret(secret) => secret.is_empty(),
        })
    }

    /// The text as it goes into a file.
    pub fn to_secret(&self) -> Secret {
        let len = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.len(),
                Piece::Secret(secret) => secret.len(),
            })
            .sum();
        // Exact capacity: a growing vector would leave copies behind.
        let mut bytes = Vec::with_capacity(len);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                Piece::Secret(secret) => bytes.extend_from_slice(secret.expose()),
            }
        }
        Secret::new(bytes)
    }

    /// The text with every secret replaced by `[redacted]`.
    pub fn redacted(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Secret(_) => text.push_str(REDACTED),
            }
        }
        text
    }

    /// Its lines. A secret never holds a line break ([`super::spell`] refuses one), so both forms have the
    /// same number of lines.
    pub fn lines(&self) -> Vec<Line> {
        let whole = self.to_secret();
        let redacted = self.redacted();
        whole
            .expose()
            .split(|&byte| byte == b'\n')
            .zip(redacted.split('\n'))
            .map(|(bytes, shown)| Line {
                bytes: Secret::new(bytes),
                shown: printable(shown),
            })
            .filter(|line| !line.bytes.is_empty())
            .collect()
    }
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// A line for showing ([`crate::foreign::line`]).
pub fn printable(text: &str) -> String {
    crate::foreign::line(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_secrets_apart_from_text() {
        let text = format!("crypto pw {} ident red\n", stand_in(0));
        let rendered = Rendered::from_template(&text, &[Secret::from("hunter2")]).expect("intact");
        assert!(rendered.holds_secret());
        assert_eq!(rendered.to_secret().expose(), b"crypto pw hunter2 ident red\n");
        assert_eq!(rendered.redacted(), "crypto pw [redacted] ident red\n");
        assert!(!format!("{rendered:?}").contains("hunter2"));
        let lines = rendered.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].shown, "crypto pw [redacted] ident red");
    }

    #[test]
    fn a_changed_stand_in_is_noticed() {
        let secrets = [Secret::from("x")];
        for bad in [
            "pw \u{FDD0}0",
            "pw 0\u{FDD1}",
            "pw \u{FDD0}1\u{FDD1}",
            "pw \u{FDD0}a\u{FDD1}",
            "# \u{FDD0}0\u{FDD1}",
            "pw\u{FDD0}0\u{FDD1}",
            "pw\n\u{FDD0}0\u{FDD1}",
        ] {
            assert!(Rendered::from_template(bad, &secrets).is_err(), "{bad:?}");
        }
    }
}
