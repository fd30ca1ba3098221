//! What can go wrong with a vault. Every message says which file, what and why; [`Error::help`] says what to do now.

use super::generation_id::GenerationId;
use super::holder::Holder;
use super::vault_id::VaultId;
use std::path::{Path, PathBuf};

/// Why the vault could not do what was asked. None of these changes the vault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file there.
    #[error("no vault at {}", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is a file already where a new one should go.
    #[error("{} exists already and is left as it is", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file, but no vault of keytrail.
    #[error("{} is no keytrail vault: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// Written by a later version of keytrail.
    #[error(
        "{} was written by a newer keytrail (format {found}, this one knows up to {known})",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// The latest format this version knows.
        known: i32,
    },
    /// Written by an earlier version of keytrail: it must be brought forward first.
    #[error(
        "{} was written by an earlier keytrail (format {found}; this one uses format {known})",
        path.display()
    )]
    Outdated {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// The format this version uses.
        known: i32,
    },
    /// In the present format already.
    #[error("{} is in the present format already", path.display())]
    Current {
        /// The file.
        path: PathBuf,
    },
    /// A line of a file of known vaults that is none.
    #[error("{} line {line}: {why}", path.display())]
    KnownMalformed {
        /// The file.
        path: PathBuf,
        /// Which line.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Whole by itself, but another vault than the one that is known by this path.
    #[error(
        "{} is not the vault that was used here before: its identity is {found}, expected was {expected} ({by})",
        path.display()
    )]
    OtherVault {
        /// The file.
        path: PathBuf,
        /// Which vault it is.
        found: VaultId,
        /// Which it should be.
        expected: VaultId,
        /// Who says so: the file of known vaults with the line, or a variable.
        by: String,
    },
    /// A vault of an earlier format where one with an identity was used before.
    #[error(
        "{} is in format {found}, which has no identity, but the vault used here before had one: {expected} ({by})",
        path.display()
    )]
    Downgraded {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// Which vault it should be.
        expected: VaultId,
        /// Who says so.
        by: String,
    },
    /// No file where a vault was used before.
    #[error("the vault {} is gone; its identity was {expected} ({by})", path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
        /// Which vault it was.
        expected: VaultId,
        /// Who says so.
        by: String,
    },
    /// Damaged: truncated, overwritten, half copied.
    #[error("{} is damaged: {why}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What shows it.
        why: String,
    },
    /// A row does not belong where it stands, or its bytes are not those that were written.
    #[error("{}: {what} is not what keytrail wrote there (damaged, or changed by hand)", path.display())]
    Tampered {
        /// The file.
        path: PathBuf,
        /// Which row.
        what: String,
    },
    /// The key file is not there.
    #[error("no vault key at {}{}", path.display(), sealed_to(recipients))]
    KeyMissing {
        /// Where it was looked for.
        path: PathBuf,
        /// Whom the vault is sealed to, if that is known.
        recipients: Vec<String>,
    },
    /// Others can read the key file.
    #[error("the vault key {} is open to others (mode {mode:04o})", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What should be a key is none.
    #[error("{from} is no key of a vault: {why}")]
    KeyMalformed {
        /// Where it came from.
        from: String,
        /// Why it is none; never its content.
        why: String,
    },
    /// A recipient that is no `age1…` public key.
    #[error("'{recipient}' is no age recipient (age1…)")]
    RecipientMalformed {
        /// As given.
        recipient: String,
    },
    /// The command that should print the key failed.
    #[error("the command '{program}' did not give the vault key: {why}")]
    KeyCommand {
        /// The program.
        program: String,
        /// Exit status and what it said.
        why: String,
    },
    /// The key does not open this vault.
    #[error("{from} does not open {}{}", path.display(), sealed_to(recipients))]
    WrongKey {
        /// The vault.
        path: PathBuf,
        /// Which key was tried.
        from: String,
        /// Whom the vault is sealed to.
        recipients: Vec<String>,
    },
    /// Something sealed was asked of a vault that was opened without a key.
    #[error("{} was opened without its key", path.display())]
    Locked {
        /// The vault.
        path: PathBuf,
    },
    /// Another keytrail is writing.
    #[error("{} is in use by another keytrail", path.display())]
    Busy {
        /// The vault.
        path: PathBuf,
    },
    /// Another keytrail holds the vault's lock.
    #[error(
        "{} is in use by {}",
        path.display(),
        holder.as_ref().map_or_else(|| "another keytrail".to_owned(), ToString::to_string)
    )]
    Held {
        /// The vault.
        path: PathBuf,
        /// Who, unless it was taken this very moment.
        holder: Option<Holder>,
    },
    /// The file system cannot lock.
    #[error("{} cannot be locked: {source}", path.display())]
    LockUnsupported {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another keytrail has written a generation since the state was read.
    #[error(
        "{} has moved on: what was read is {}, latest is {}",
        path.display(),
        generation(*read),
        generation(*latest)
    )]
    Moved {
        /// The vault.
        path: PathBuf,
        /// The generation the work was based on.
        read: Option<GenerationId>,
        /// The latest one.
        latest: Option<GenerationId>,
    },
    /// Another keytrail has kept since how far a rotation is, or who is shut out.
    #[error(
        "how far a rotation is, or who is shut out, was changed in {} by another keytrail meanwhile",
        path.display()
    )]
    StatesMoved {
        /// The vault.
        path: PathBuf,
    },
    /// There is another file in its place since it was opened.
    #[error("{} was replaced by another file meanwhile (vault restore?)", path.display())]
    Replaced {
        /// The vault.
        path: PathBuf,
    },
    /// Every value was sealed anew, under another key, since the vault was opened.
    #[error("{} was sealed anew by another keytrail meanwhile", path.display())]
    Rekeyed {
        /// The vault.
        path: PathBuf,
    },
    /// A generation that the vault has not, or no longer has.
    #[error(
        "{} has no generation {wanted}{}; it has {}",
        path.display(),
        if *pruned { " any more: it was pruned" } else { "" },
        spans(there)
    )]
    NoGeneration {
        /// The vault.
        path: PathBuf,
        /// Which was asked for.
        wanted: GenerationId,
        /// It had it once.
        pruned: bool,
        /// Those it has, oldest first.
        there: Vec<GenerationId>,
    },
    /// Nobody could open the vault any more.
    #[error("{}: {why}", path.display())]
    LockedOut {
        /// The vault.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// A name that is not a plain file name.
    #[error("'{name}' cannot be the name of a key file: {why}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Reading or writing a file failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database refused.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The vault.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The cryptographic library refused.
    #[error("cannot seal for the vault: {0}")]
    Crypto(String),
}

impl Error {
    /// What reading or writing that file came to.
    pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self + Copy {
        move |source| Self::Io {
            path: path.into(),
            source,
        }
    }

    /// What to do now, where there is something to say beyond the message.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotFound { .. } => {
                "'keytrail plan' or 'keytrail apply' makes one; or name the one you have with --vault"
            }
            Self::Exists { .. } => "open it, or move it away first",
            Self::Foreign { .. } => "name the right file with --vault; this one was not touched",
            Self::Newer { .. } => "use that version or a later one; this one has not touched the file",
            Self::Outdated { .. } => "bring it forward: keytrail vault upgrade (the old file is kept)",
            Self::Current { .. } => "there is nothing to do",
            Self::KnownMalformed { .. } => "correct or remove that line",
            Self::OtherVault { .. } => {
                "do not use it: somebody may have put it there; restore a backup of the vault you had. If you replaced it on purpose, remove that line and run this again"
            }
            Self::Downgraded { .. } => {
                "do not use it: somebody may have put it there; restore a backup made since the upgrade. If you went back on purpose, remove that line and run 'keytrail vault upgrade'"
            }
            Self::Gone { .. } => {
                "put it back, or restore a backup: keytrail vault restore. To start with a new vault, remove that line"
            }
            Self::Corrupt { .. } => {
                "restore it from a backup; the hosts are not affected, and 'keytrail vault check' says what can still be read"
            }
            Self::Tampered { .. } => {
                "restore the vault from a backup, and find out who wrote to it; nothing was sent to any host"
            }
            Self::KeyMissing { .. } => {
                "restore the key file from its backup, or name it with --identity or KEYTRAIL_IDENTITY; without it nothing in the vault can be read, but the hosts go on with what they have"
            }
            Self::KeyExposed { .. } => "chmod 600 it; if others may have read it, change the vault's key",
            Self::KeyMalformed { .. } => {
                "give a file as age-keygen writes it, with an AGE-SECRET-KEY-1… line, not encrypted by a passphrase"
            }
            Self::RecipientMalformed { .. } => "give the 'public key' line of the other person's key file",
            Self::KeyCommand { .. } => {
                "run the command by hand; it must print the age identity and nothing else"
            }
            Self::WrongKey { .. } => "give the key the vault was sealed to; nothing was changed",
            Self::Locked { .. } => "give its key with --identity or KEYTRAIL_IDENTITY",
            Self::Busy { .. } => "wait until it has finished, then run this again",
            Self::Held { .. } => {
                "wait for it with --wait SECONDS, or end that process: the lock goes with it"
            }
            Self::LockUnsupported { .. } => {
                "keep the vault on a local file system, or on one with working locks (NFS: mounted without 'nolock', its lock service running)"
            }
            Self::Moved { .. } => "run it again; it will start from the latest generation",
            Self::StatesMoved { .. } => "run it again; it will start from what is kept now",
            Self::Replaced { .. } => "run it again; it will use the file that is there now",
            Self::Rekeyed { .. } => "run it again; it will use the new key",
            Self::NoGeneration { .. } => {
                "'keytrail vault info' tells them apart: when each was made, and why"
            }
            Self::LockedOut { .. } => {
                "add the other operator's recipient first, or let that operator remove yours; nothing was changed"
            }
            Self::BadName { .. } => "rename the host or group in the inventory",
            Self::Io { .. } | Self::Sqlite { .. } | Self::Crypto(_) => return None,
        })
    }
}

fn sealed_to(recipients: &[String]) -> String {
    if recipients.is_empty() {
        String::new()
    } else {
        format!(" (the vault is sealed to {})", recipients.join(", "))
    }
}

fn generation(id: Option<GenerationId>) -> String {
    id.map_or_else(|| "no generation".to_owned(), |id| format!("generation {id}"))
}

/// `2, 4 to 9`: a vault of years has hundreds, nearly all of them in a row.
fn spans(ids: &[GenerationId]) -> String {
    let spans = ids
        .chunk_by(|one, next| next.0 == one.0 + 1)
        .map(|span| match span {
            [one] => one.to_string(),
            [one, other] => format!("{one}, {other}"),
            [first, .., last] => format!("{first} to {last}"),
            [] => String::new(),
        });
    let spans: Vec<String> = spans.collect();
    if spans.is_empty() {
        "none yet".to_owned()
    } else {
        spans.join(", ")
    }
}

/// Shorthand of this module.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_in_a_row_are_said_as_one() {
        let said = |ids: &[u32]| spans(&ids.iter().copied().map(GenerationId).collect::<Vec<_>>());
        assert_eq!(said(&[]), "none yet");
        assert_eq!(said(&[2]), "2");
        assert_eq!(said(&[1, 2, 4, 5, 6, 9]), "1, 2, 4 to 6, 9");
    }
}
