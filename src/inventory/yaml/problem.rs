//! What serde finds wrong with a node, in the words of people who write YAML.

use super::span::Span;
use crate::finding::{Finding, SourceId};
use crate::inventory::suggest::closest;
use serde::de::{self, Unexpected};
use std::borrow::Cow;
use std::fmt::{self, Display};

/// What serde found wrong, with its place once that is known.
#[derive(Debug)]
pub struct Problem {
    code: &'static str,
    message: String,
    help: Option<String>,
    span: Option<Span>,
}

impl Problem {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            span: None,
        }
    }

    pub fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// As a finding; `whole` is the place of what was being read.
    pub fn finding(self, source: SourceId, whole: Span) -> Finding {
        let finding =
            Finding::error(self.code, self.message).at(self.span.unwrap_or(whole).place(source), "");
        match self.help {
            Some(help) => finding.help(help),
            None => finding,
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// What serde calls things, in the words of YAML.
fn describe(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Str(text) => format!("`{}`", clip(text)),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a mapping".into(),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        other => other.to_string(),
    }
}

/// As much of a text as a message can take.
pub fn clip(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// "`a`, `b` or `c`".
pub fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".into(),
        [one] => format!("`{one}`"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

/// The advice for a name that is not among `known`.
pub fn did_you_mean(name: &str, known: &[&str]) -> String {
    /// A longer list helps nobody.
    const LIST: usize = 12;
    match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.len() > LIST => "`keytrail schema` lists the fields there are".into(),
        None => format!("expected {}", one_of(known)),
    }
}

impl de::Error for Problem {
    fn custom<T: Display>(message: T) -> Self {
        Self::new("value-invalid", message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        // serde's word for what everybody calls text.
        let expected = expected.to_string().replace("a string", "text");
        Self::new(
            "wrong-type",
            format!("expected {expected}, found {}", describe(unexpected)),
        )
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(
            "value-invalid",
            format!("expected {expected}, found {}", describe(unexpected)),
        )
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut problem = Self::new(
            "value-invalid",
            format!("expected {}, found `{}`", one_of(expected), clip(variant)),
        );
        problem.help =
            closest(variant, expected.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        problem
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mut problem = Self::new("unknown-field", format!("there is no field '{field}' here"));
        problem.help = Some(did_you_mean(field, expected));
        problem
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("missing-field", format!("the field '{field}' is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("duplicate-key", format!("'{field}' is given twice"))
    }
}
