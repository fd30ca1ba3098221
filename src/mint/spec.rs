//! What something is made from, as a line of `word=value`: kept with it in the vault, compared with what the inventory
//! asks for now, and shown as the reason when the two differ.

use crate::vault::GenerationId;
use std::fmt::{self, Write as _};

/// Builds the line. Words come in a fixed order, so that equal things have equal lines.
#[derive(Default)]
pub(super) struct Spec(String);

impl Spec {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// One more word.
    pub(super) fn with(mut self, word: &str, value: impl fmt::Display) -> Self {
        let gap = if self.0.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(self.0, "{gap}{word}={value}");
        self
    }

    /// One more word, if there is a value.
    pub(super) fn with_some(self, word: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(word, value),
            None => self,
        }
    }

    /// The version of a secret it is made of: the generation that one came with.
    pub(super) fn made_of(self, word: &str, since: GenerationId) -> Self {
        self.with(word, since)
    }

    pub(super) fn finish(self) -> Box<str> {
        self.0.into()
    }
}

/// A number in a line.
pub(super) fn number(spec: &str, word: &str) -> Option<usize> {
    value(spec, word)?.parse().ok()
}

fn value<'a>(spec: &'a str, word: &str) -> Option<&'a str> {
    spec.split(' ')
        .find_map(|pair| pair.strip_prefix(word)?.strip_prefix('='))
}

/// Which words differ: `scheme RSA-SHA1 → RSA-SHA256, days 365 → 90`.
pub(super) fn difference(old: &str, new: &str) -> String {
    let words = |spec: &str| -> Vec<String> {
        let pairs = spec.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.map(|(word, _)| word.to_owned()).collect()
    };
    let mut all = words(old);
    all.extend(words(new).into_iter().filter(|word| value(old, word).is_none()));
    let changed = all
        .iter()
        .filter_map(|word| match (value(old, word), value(new, word)) {
            (Some(old), Some(new)) if old != new => Some(format!("{word} {old} → {new}")),
            (Some(old), None) => Some(format!("{word} {old} → none")),
            (None, Some(new)) => Some(format!("{word} none → {new}")),
            _ => None,
        });
    changed.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_differs() {
        let old = Spec::new()
            .with("scheme", "RSA-SHA1")
            .with("days", 365)
            .made_of("key", GenerationId(1));
        let new = Spec::new()
            .with("scheme", "RSA-SHA256")
            .with("days", 365)
            .made_of("key", GenerationId(1))
            .with_some("gq", Some(2))
            .with_some("sign", None::<u32>);
        let (old, new) = (old.finish(), new.finish());
        assert_eq!(&*new, "scheme=RSA-SHA256 days=365 key=1 gq=2");
        assert_eq!(
            difference(&old, &new),
            "scheme RSA-SHA1 → RSA-SHA256, gq none → 2"
        );
        assert_eq!(
            difference(&new, &old),
            "scheme RSA-SHA256 → RSA-SHA1, gq 2 → none"
        );
        assert_eq!(difference(&old, &old), "");
        assert_eq!(
            (number(&new, "days"), number(&new, "scheme"), number(&new, "day")),
            (Some(365), None, None)
        );
    }
}
