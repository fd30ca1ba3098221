//! What can be wrong with key media, in words that say what to do.

use keytrail_vocabulary::Refused;
use openssl::error::ErrorStack;

/// What functions of this library return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why media could not be read, made or used.
///
/// The `Display` form says what is wrong and why; [`Error::help`] says what to do now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A line of a file is not what the format wants there. Lines count from 1.
    #[error("line {line}: {what}")]
    Line {
        /// Line number in the file, from 1.
        line: usize,
        /// What was found and what was expected.
        what: String,
    },
    /// The file as a whole is not key media (empty, binary, too large, the wrong kind).
    #[error("{0}")]
    NotMedia(String),
    /// A DER structure is damaged. The offset counts bytes inside the decoded block.
    #[error("byte {offset} of the decoded block: {what}")]
    Der {
        /// Offset in bytes from the start of the decoded block.
        offset: usize,
        /// What was found and what was expected.
        what: String,
    },
    /// The block is encrypted and no password was given.
    #[error("the private key is encrypted and no password was given")]
    PasswordNeeded,
    /// Decryption gave nonsense: the password is wrong or the file is damaged.
    #[error("the password does not open this private key (or the file is damaged)")]
    WrongPassword,
    /// What was asked for cannot be made, or would not work on the daemon.
    #[error("{what}: {why}")]
    Refused {
        /// The thing refused.
        what: String,
        /// Why.
        why: String,
        /// What to do instead.
        help: String,
    },
    /// The numbers of a key do not satisfy the scheme's equations.
    #[error("{what} does not hold: {why}")]
    Unproven {
        /// The equation.
        what: &'static str,
        /// What this means.
        why: String,
    },
    /// OpenSSL refused an operation that the arguments should allow.
    #[error("OpenSSL could not {doing}: {source}")]
    OpenSsl {
        /// What was being done.
        doing: &'static str,
        /// OpenSSL's own words.
        source: ErrorStack,
    },
}

impl Error {
    /// What to do about it, if there is something to say.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Line { .. } | Self::Der { .. } => {
                Some("the file is damaged or of another kind: take a fresh copy from where it was made")
            }
            Self::NotMedia(_) | Self::OpenSsl { .. } => None,
            Self::PasswordNeeded => {
                Some("give the password the file was written with (`crypto pw` of its host)")
            }
            Self::WrongPassword => Some(
                "use the password the file was written with; ntp-keygen's default is the host name of that run",
            ),
            Self::Refused { help, .. } => Some(help),
            Self::Unproven { .. } => {
                Some("mint the group key again and replace the files on every host of the group")
            }
        }
    }

    pub(crate) fn line(line: usize, what: impl Into<String>) -> Self {
        Self::Line {
            line,
            what: what.into(),
        }
    }

    pub(crate) fn refused(what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            why: why.into(),
            help: help.into(),
        }
    }

    /// For `map_err`: names the operation OpenSSL failed in.
    pub(crate) fn openssl(doing: &'static str) -> impl Fn(ErrorStack) -> Self {
        move |source| Self::OpenSsl { doing, source }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let Refused { what, why, help } = refused;
        Self::Refused { what, why, help }
    }
}
