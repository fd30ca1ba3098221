//! What a run will do, as a value.

use std::collections::{BTreeMap, BTreeSet};

use super::{GroupState, Kept, Link};
use keytrail_media::{
    Filestamp, GroupScheme, KeyAlgorithm, MediaName, SignatureScheme,
    certificate::Role,
    host_key::{RsaKey, SignKey},
};

/// Whether a key is kept or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<'a, Value, Recipe> {
    /// The one that is there.
    Keep(&'a Kept<Value>),
    /// A new one.
    Make(Recipe),
}

/// What a file is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The host key.
    HostKey,
    /// The sign key.
    SignKey,
    /// The certificate.
    Certificate,
    /// The group key as the trusted agent keeps it.
    GroupKey(GroupScheme),
    /// The MV server key, which trusted hosts need and the stock program writes on request only.
    MvServerKey,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlan {
    /// The name on its first line.
    pub name: MediaName,
    /// Where it goes: its name, but for an older file under a generic name.
    pub path: String,
    /// What is in it.
    pub content: Content,
    /// Whether it takes the place of a file with the same filestamp.
    pub replaces: bool,
}

/// The certificate to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePlan {
    /// `host` or `host@group`.
    pub subject: String,
    /// Signature scheme.
    pub scheme: SignatureScheme,
    /// Trusted, private, or neither.
    pub role: Role,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
}

/// Something for standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPlan {
    /// The name on the first line: the group's, with the key's filestamp.
    pub name: MediaName,
    /// The MV client, where it is one.
    pub client: usize,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Likely not what is wanted, or not safe.
    Warning(String),
    /// Good to know.
    Info(String),
}

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The filestamp of everything new.
    pub stamp: Filestamp,
    /// The present time, Unix seconds.
    pub now: i64,
    /// The host key, if this run has to do with it.
    pub host_key: Option<Choice<'a, RsaKey, u32>>,
    /// The sign key; `None` if the host key signs.
    pub sign_key: Option<Choice<'a, SignKey, (KeyAlgorithm, u32)>>,
    /// Group keys: sizes in bits and numbers of MV clients.
    pub group_keys: BTreeMap<GroupScheme, Choice<'a, GroupState, (u32, usize)>>,
    /// MV clients that are shut out after this run.
    pub revoked: BTreeSet<usize>,
    /// The certificate, if one is made.
    pub certificate: Option<CertificatePlan>,
    /// Files, new ones first.
    pub files: Vec<FilePlan>,
    /// Plain files under generic names that get names of their own before a link takes their place: generic, own.
    pub settle: Vec<(String, String)>,
    /// Links.
    pub links: Vec<Link>,
    /// Standard output.
    pub exports: Vec<ExportPlan>,
    /// What to tell the user.
    pub notes: Vec<Note>,
}

impl Note {
    pub(super) fn warning(text: impl Into<String>) -> Self {
        Self::Warning(text.into())
    }
}
