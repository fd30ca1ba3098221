//! What a verb answers, and why it could not run: what becomes the exit status.

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

/// Why a verb could not run: exit status 2.
#[derive(Debug)]
pub struct Failure {
    /// What could not be done.
    what: String,
    /// Why, outermost cause first.
    why: Vec<String>,
    /// What to do now.
    help: Vec<String>,
    /// Whoever read the output has seen enough (`keytrail … | head`): nothing to say, and no fault.
    enough: bool,
}

impl Failure {
    /// What could not be done, without a cause yet.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: Vec::new(),
            help: Vec::new(),
            enough: false,
        }
    }

    /// Nobody reads the output any more. A failure and no exit on the spot, so that what is temporary is cleaned up.
    pub fn enough() -> Self {
        Self {
            enough: true,
            ..Self::new("nobody reads the output any more")
        }
    }

    /// Whether nobody reads the output any more.
    pub fn is_enough(&self) -> bool {
        self.enough
    }

    /// Adds an error and everything it stems from.
    #[must_use]
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat their source in their own text.
            if !self.why.last().is_some_and(|outer| outer.contains(&text)) {
                self.why.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Adds a reason.
    #[must_use]
    pub fn why(mut self, text: impl Into<String>) -> Self {
        self.why.push(text.into());
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        for why in &self.why {
            write!(f, "\n  because: {why}")?;
        }
        for help in &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}
