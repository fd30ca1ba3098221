//! A word as somebody wrote it, read once.

use crate::Refused;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::str::FromStr;

/// A word of the field as it was written, with what it means, or why it means nothing.
///
/// Deserialising never fails for a word that is none: a file then names all of its mistakes, each where it matters, and
/// whoever has to say something has the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Written<T> {
    text: Box<str>,
    meaning: Result<T, Box<Refused>>,
}

impl<T: FromStr<Err = Refused>> Written<T> {
    /// Reads a word.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        let text = text.into();
        let meaning = text.parse().map_err(Box::new);
        Self { text, meaning }
    }
}

impl<T> Written<T> {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means.
    ///
    /// # Errors
    /// It is no such word, or names what cannot work.
    pub fn meaning(&self) -> Result<&T, &Refused> {
        self.meaning.as_ref().map_err(|refused| &**refused)
    }

    /// What it means, if anything.
    pub fn known(&self) -> Option<&T> {
        self.meaning.as_ref().ok()
    }
}

impl<T: Display> From<T> for Written<T> {
    fn from(word: T) -> Self {
        Self {
            text: word.to_string().into(),
            meaning: Ok(word),
        }
    }
}

impl<T> fmt::Debug for Written<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning {
            Ok(_) => fmt::Debug::fmt(&self.text, f),
            Err(_) => write!(f, "Unknown({:?})", self.text),
        }
    }
}

/// As it was written.
impl<T> Display for Written<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de, T: FromStr<Err = Refused>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<str>::deserialize(deserializer).map(Self::new)
    }
}

/// Text: what means something is for the reader to say.
impl<T> JsonSchema for Written<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        str::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        str::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cipher, KeyType};

    #[test]
    fn keeps_what_was_written_and_says_why_it_means_nothing() {
        let key: Written<KeyType> = Written::new("cmac");
        assert_eq!((key.text(), key.known()), ("cmac", Some(&KeyType::Aes128Cmac)));
        let cipher: Written<Cipher> = Written::new("rot13");
        assert_eq!((cipher.to_string().as_str(), cipher.known()), ("rot13", None));
        assert_eq!(format!("{key:?} {cipher:?}"), r#""cmac" Unknown("rot13")"#);
        assert!(cipher.meaning().unwrap_err().help.contains("aes-256-cbc"));
        assert_eq!(Written::from(Cipher::Aes256Cbc), Written::new("aes-256-cbc"));
    }
}
