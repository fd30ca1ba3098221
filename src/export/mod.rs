//! A host's files as a directory: for hosts that keytrail does not reach, and for whoever brings them there.
//!
//! [`tree`] and [`openvms`] say what belongs into it, [`parameters()`] the same for a group's public side, [`write()`] puts
//! it on disk; [`archive()`] and [`mail()`] are other ways to hand over a host's files.

mod archive;
mod dcl;
mod mail;
mod openvms;
mod parameters;
mod staging_dir;
mod tree;
mod write;

pub use archive::archive;
pub use mail::mail;
pub use openvms::{PROCEDURE, openvms};
pub use parameters::{Parameters, parameters};
pub use tree::tree;
pub use write::{MARKER, WriteError, write};

use crate::digest::Digest;
use crate::secret::Secret;

/// Something in an exported directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where, relative to the host's directory, with `/` between the parts.
    pub path: String,
    /// What.
    pub what: What,
}

/// A file or a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file.
    File {
        /// Permission bits.
        mode: u32,
        /// Content.
        content: Secret,
    },
    /// A symbolic link to a file in the same directory.
    Link {
        /// That file's name.
        target: String,
    },
}

/// Why a host cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A content is not where it should be.
    #[error("host {host}: {why}")]
    Content {
        /// Host name.
        host: String,
        /// What is missing.
        why: String,
    },
    /// A path or name that cannot be used.
    #[error("host {host}: '{name}' cannot be exported: {why}\n  = help: change it in the inventory")]
    Name {
        /// Host name.
        host: String,
        /// The path or name, escaped.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Looks up the content of a medium by its digest; the error says what is missing.
pub type Contents<'a> = &'a dyn Fn(&Digest) -> Result<Secret, String>;
