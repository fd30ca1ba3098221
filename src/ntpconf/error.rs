//! Why a host's configuration could not be made: what, where, why, and what to do.

use super::spell::Unspellable;
use std::fmt;

/// A configuration that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfError {
    /// A value that no daemon could read back.
    #[error("host {host}: {what} cannot be written into {file}: {why}\n  = help: {help}")]
    Value {
        /// Host name.
        host: String,
        /// What the value is, with the value itself where it is no secret.
        what: String,
        /// The file it was meant for.
        file: String,
        /// Why.
        why: Unspellable,
        /// What to do now.
        help: &'static str,
    },
    /// Something this NTP implementation has no words for.
    #[error("host {host}: {implementation} cannot {what}\n  = help: {help}")]
    Unsupported {
        /// Host name.
        host: String,
        /// Implementation, as in the inventory.
        implementation: &'static str,
        /// What it cannot do.
        what: String,
        /// What to do now.
        help: &'static str,
    },
    /// The markers in the host's file are not as keytrail left them.
    #[error(
        "host {host}: {file}: {why}\n  = help: repair the markers by hand, or remove both marker lines and what stands between them; then plan again"
    )]
    Markers {
        /// Host name.
        host: String,
        /// The file on the host.
        file: String,
        /// Which line.
        why: super::block::Markers,
    },
    /// The host's file is there, but its content was not read.
    #[error(
        "host {host}: {file} is there but its content was not read, so nothing can be put into it\n  = help: look at the host again"
    )]
    Unread {
        /// Host name.
        host: String,
        /// The file on the host.
        file: String,
    },
    /// The host's file is longer than any that a person has written.
    #[error("host {host}: {file} has more than {most} lines\n  = help: look at the file on the host")]
    TooLong {
        /// Host name.
        host: String,
        /// The file on the host.
        file: String,
        /// How many lines are read.
        most: usize,
    },
    /// A template is wrong.
    #[error("{0}")]
    Template(Box<TemplateError>),
}

impl ConfError {
    /// What is wrong, and what to do, where it is the host's own files that are: no other host has a part in that.
    pub fn of_its_files(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Markers { file, why, .. } => Some((
                format!("{file}: {why}"),
                "repair the markers by hand, or remove both marker lines and what stands between them; then plan again",
            )),
            Self::Unread { file, .. } => Some((
                format!("{file} is there but its content was not read, so nothing can be put into it"),
                "look at the host again",
            )),
            Self::TooLong { file, most, .. } => Some((
                format!("{file} has more than {most} lines"),
                "look at the file on the host",
            )),
            Self::Value { .. } | Self::Unsupported { .. } | Self::Template(_) => None,
        }
    }
}

/// A template that cannot be read or rendered, with the place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The template's file.
    pub file: String,
    /// Line and column, both from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// The line.
    pub line: String,
    /// How many characters to mark.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What to do now.
    pub help: String,
    /// The host being rendered, if it took one to see it.
    pub host: Option<String>,
}

impl TemplateError {
    /// An error about a whole file.
    pub(super) fn of_file(
        file: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self {
            file: file.into(),
            place: None,
            line: String::new(),
            width: 0,
            message: message.into(),
            help: help.into(),
            host: None,
        })
    }

    /// Names the host it was seen at.
    pub(super) fn at_host(mut self: Box<Self>, host: Option<&str>) -> Box<Self> {
        self.host = host.map(str::to_owned);
        self
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        match self.place {
            Some((line, column)) => {
                let pad = " ".repeat(line.to_string().len());
                let indent: String = self
                    .line
                    .chars()
                    .take(column - 1)
                    .map(|c| if c == '\t' { '\t' } else { ' ' })
                    .collect();
                let marks = "^".repeat(self.width.max(1));
                writeln!(f, "{pad} ┌─ {}:{line}:{column}", self.file)?;
                writeln!(f, "{pad} │")?;
                writeln!(f, "{line} │ {}", self.line)?;
                writeln!(f, "{pad} │ {indent}{marks}")?;
            }
            None => writeln!(f, "  ┌─ {}", self.file)?,
        }
        if let Some(host) = &self.host {
            writeln!(f, "  = note: while rendering the lines of {host}")?;
        }
        write!(f, "  = help: {}", self.help)
    }
}

impl std::error::Error for TemplateError {}

impl From<Box<TemplateError>> for ConfError {
    fn from(error: Box<TemplateError>) -> Self {
        Self::Template(error)
    }
}
