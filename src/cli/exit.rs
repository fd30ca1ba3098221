//! What a verb answers, and why it could not run: what becomes the exit status.

use crate::ops::Error;
use crate::vault;
use std::fmt;

/// What a verb answers, as exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done, nothing wrong: 0.
    Yes,
    /// The answer is no: 1.
    No,
    /// The input is malformed, and what is wrong with it has been said: 2.
    Unusable,
}

impl From<bool> for Answer {
    fn from(good: bool) -> Self {
        if good { Self::Yes } else { Self::No }
    }
}

/// Why a verb did not come to an answer.
#[derive(Debug)]
pub enum Failure {
    /// Whoever read the output has seen enough (`keytrail … | head`): nothing to say, and no fault. A failure and no exit on the
    /// spot, so that what is temporary is cleaned up.
    Enough,
    /// It could not be carried out.
    Error(Error),
}

impl Failure {
    /// What could not be done, without a cause yet.
    pub fn new(what: impl Into<String>) -> Self {
        Self::Error(Error::new(what))
    }

    /// Something the vault could not do.
    pub fn vault(what: &str, error: &vault::Error) -> Self {
        Self::Error(Error::vault(what, error))
    }

    /// Adds an error and everything it stems from.
    #[must_use]
    pub fn because(self, error: &dyn std::error::Error) -> Self {
        self.with(|failed| failed.because(error))
    }

    /// Adds a reason.
    #[must_use]
    pub fn why(self, text: impl Into<String>) -> Self {
        self.with(|failed| failed.why(text))
    }

    /// Adds advice.
    #[must_use]
    pub fn help(self, text: impl Into<String>) -> Self {
        self.with(|failed| failed.help(text))
    }

    fn with(self, more: impl FnOnce(Error) -> Error) -> Self {
        match self {
            Self::Enough => Self::Enough,
            Self::Error(error) => Self::Error(more(error)),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enough => f.write_str("nobody reads the output any more"),
            Self::Error(error) => error.fmt(f),
        }
    }
}
