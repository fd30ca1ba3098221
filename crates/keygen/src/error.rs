//! What can go wrong in a run, all of it at once.

use std::{fmt, io, path::PathBuf};

use keytrail_media as media;
use keytrail_vocabulary::Refused;

/// One thing that keeps a run from happening.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file in the directory is not what it should be.
    #[error("{file}: {source}")]
    File {
        /// Its name.
        file: String,
        /// What is wrong with it.
        source: media::Error,
    },
    /// Something asked for is refused or cannot be made.
    #[error(transparent)]
    Media(#[from] media::Error),
    /// The file system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
}

impl Error {
    /// What to do about it, if there is something to say.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::File { source, .. } | Self::Media(source) => source.help().map(str::to_owned),
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    Some("run as the owner of the directory, usually root".into())
                }
                io::ErrorKind::WouldBlock => Some("wait until the other run has ended".into()),
                _ => None,
            },
        }
    }

    pub(super) fn refused(what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Media(media::Error::Refused {
            what: what.into(),
            why: why.into(),
            help: help.into(),
        })
    }

    pub(super) fn file(file: &str) -> impl Fn(media::Error) -> Self {
        move |source| Self::File {
            file: file.to_owned(),
            source,
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Media(refused.into())
    }
}

/// Everything that keeps a run from happening; never empty.
#[derive(Debug)]
pub struct Errors(pub Vec<Error>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Errors {}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

impl From<Refused> for Errors {
    fn from(refused: Refused) -> Self {
        Self(vec![refused.into()])
    }
}

impl From<media::Error> for Errors {
    fn from(error: media::Error) -> Self {
        Self(vec![error.into()])
    }
}

/// What functions of this module return.
pub type Result<T, E = Errors> = std::result::Result<T, E>;

/// Collects errors, so that a run can name all of them.
#[derive(Debug, Default)]
pub(super) struct Collector(Vec<Error>);

impl Collector {
    pub(super) fn push(&mut self, error: impl Into<Error>) {
        self.0.push(error.into());
    }

    /// The value, or `None` with the error kept.
    pub(super) fn take<T>(&mut self, result: Result<T, impl Into<Error>>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(super) fn finish<T>(self, value: T) -> Result<T> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(Errors(self.0))
        }
    }
}
