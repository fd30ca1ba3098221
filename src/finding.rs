//! What keytrail has to say about an inventory: one type, whatever rule found it and whatever format shows it.
//!
//! A [`Finding`] names places by their path in the YAML document, not by line: rules are pure functions over
//! the resolved inventory, and the lines are looked up only for the findings that are shown
//! ([`crate::inventory::locate`]).

pub use keytrail_vocabulary::Severity;

/// One of the files an inventory was read from: index into [`crate::inventory::Inventory::sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u16);

/// One step of a path into a YAML document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A key of a mapping, as written.
    Key(Box<str>),
    /// An item of a sequence, from 0.
    Index(u32),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.into())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// Which part of the node at a path is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The key itself (`yellow` in `yellow: {…}`).
    Key,
    /// The value.
    Value,
}

/// A place in the inventory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// By path; a path that is not in the file means its nearest ancestor that is.
    Path {
        /// Which file.
        source: SourceId,
        /// From the root of the document.
        path: Vec<Step>,
        /// Key or value.
        part: Part,
    },
    /// By line, for what was found while reading: both count from 1, the column in characters.
    Line {
        /// Which file.
        source: SourceId,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
        /// Characters marked, at least 1.
        len: u32,
    },
}

impl Place {
    /// The value at `path` in `source`.
    pub fn value(source: SourceId, path: Vec<Step>) -> Self {
        Self::Path {
            source,
            path,
            part: Part::Value,
        }
    }

    /// The key at `path` in `source`.
    pub fn key(source: SourceId, path: Vec<Step>) -> Self {
        Self::Path {
            source,
            path,
            part: Part::Key,
        }
    }
}

/// A marked place with what it contributes to the finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is there ("howland2 → yellow closes the cycle"); may be empty.
    pub text: String,
}

/// One statement about the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable kebab-case code, the same for ever (`trail-cycle`).
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// Every place involved; the first is where the finding is reported.
    pub labels: Vec<Label>,
    /// What to do now, one sentence each.
    pub help: Vec<String>,
    /// The host or group it is about, where there is one.
    pub subject: Option<String>,
}

impl Finding {
    /// A finding without places or help yet.
    pub fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            labels: Vec::new(),
            help: Vec::new(),
            subject: None,
        }
    }

    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message)
    }

    /// Adds a marked place.
    #[must_use]
    pub fn at(mut self, place: Place, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            place,
            text: text.into(),
        });
        self
    }

    /// Adds a sentence of advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Names the host or group it is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}
