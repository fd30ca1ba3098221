//! Why an operation could not be carried out.

use crate::finding::Finding;
use crate::inventory::{SelectError, Source};
use crate::vault;
use std::error::Error as StdError;
use std::fmt;

/// What operations return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation could not be carried out: what failed, why, and what to do now.
///
/// Its text is for people; what a program may want to tell apart is its [`Kind`].
pub struct Error(Box<Parts>);

struct Parts {
    what: String,
    why: Vec<String>,
    help: Vec<String>,
    kind: Kind,
}

/// What a caller may treat in its own way.
#[derive(Debug)]
#[non_exhaustive]
pub enum Kind {
    /// It failed, as the text says.
    Failed,
    /// The inventory is malformed.
    Malformed {
        /// Its files.
        sources: Vec<Source>,
        /// Everything that is wrong with them.
        findings: Vec<Finding>,
    },
    /// The inventory is well formed, and its trails have errors.
    Unproven {
        /// Its files.
        sources: Vec<Source>,
        /// What was found, warnings and errors.
        findings: Vec<Finding>,
    },
    /// A saved plan is not what would be done now.
    Outdated {
        /// How they differ, a line each.
        differences: Vec<String>,
    },
}

impl Error {
    /// What could not be done, without a cause yet.
    pub fn new(what: impl Into<String>) -> Self {
        Self::of(what, Kind::Failed)
    }

    pub(crate) fn of(what: impl Into<String>, kind: Kind) -> Self {
        Self(Box::new(Parts {
            what: what.into(),
            why: Vec::new(),
            help: Vec::new(),
            kind,
        }))
    }

    /// Something the vault could not do, with the help it gives.
    pub(crate) fn vault(what: &str, error: &vault::Error) -> Self {
        let failed = Self::new(what).because(error);
        match error.help() {
            Some(help) => failed.help(help),
            None => failed,
        }
    }

    /// Adds an error and everything it stems from.
    #[must_use]
    pub fn because(mut self, error: &dyn StdError) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat their source in their own text.
            if !self.0.why.last().is_some_and(|outer| outer.contains(&text)) {
                self.0.why.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Adds a reason.
    #[must_use]
    pub fn why(mut self, text: impl Into<String>) -> Self {
        self.0.why.push(text.into());
        self
    }

    /// Adds reasons.
    #[must_use]
    pub fn whys(self, texts: impl IntoIterator<Item = String>) -> Self {
        texts.into_iter().fold(self, Self::why)
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.0.help.push(text.into());
        self
    }

    /// What a caller may treat in its own way.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.what)?;
        for why in &self.0.why {
            write!(f, "\n  because: {why}")?;
        }
        for help in &self.0.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {}

impl From<vault::Error> for Error {
    fn from(error: vault::Error) -> Self {
        Self::vault("cannot read the vault", &error)
    }
}

impl From<SelectError> for Error {
    fn from(error: SelectError) -> Self {
        Self::new(error.to_string()).help(error.help)
    }
}
