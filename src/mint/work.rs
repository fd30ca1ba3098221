//! What is to be made: values, decided before anything is made.

use crate::inventory::{Dialect, KeyType};
use crate::media::certificate::Role;
use crate::media::cipher::Cipher;
use crate::media::{Filestamp, GroupScheme, MediaKind, SignatureScheme};
use crate::secret::Secret;
use crate::vault::{ArtifactId, ArtifactKind, GenerationId, PlacementId, SecretId, SecretKind};
use std::collections::BTreeSet;
use std::fmt;

/// Why something is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// There is none.
    Missing,
    /// What it is made from has changed: which words, from what, to what.
    Changed(String),
    /// Its validity ends too soon: when, Unix seconds.
    Expires(i64),
    /// Asked for, although it fits.
    Asked,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("new"),
            Self::Changed(words) => f.write_str(words),
            Self::Expires(_) => f.write_str("validity ends"),
            Self::Asked => f.write_str("asked for"),
        }
    }
}

/// One thing to be made, for showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task<'a> {
    /// The host or group it belongs to.
    pub owner: &'a str,
    /// What it is.
    pub what: What,
    /// Why it is made.
    pub why: &'a Why,
}

/// What a task makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// Numbers or a password.
    Secret(SecretKind),
    /// A file.
    File(ArtifactKind),
}

/// Everything that brings the vault to what the inventory asks for now. Empty if it is there already.
#[derive(Debug, Clone)]
pub struct Work {
    /// The generation it builds on.
    pub base: Option<GenerationId>,
    /// The filestamp of everything new.
    pub stamp: Filestamp,
    /// When it was decided, Unix seconds.
    pub now: i64,
    /// What belongs to no single host: group keys, symmetric keys.
    pub(super) common: Vec<SecretTask>,
    /// Client parameters, made once for all who hold them.
    pub(super) shared: Vec<FileTask>,
    /// What belongs to a host, host by host.
    pub(super) units: Vec<Unit>,
    /// Files that exist already and come to a further host.
    pub(super) moved: Vec<(Place, ArtifactId)>,
    /// Files that hosts no longer hold.
    pub(super) ended: Vec<PlacementId>,
    /// Secrets that are no longer needed.
    pub(super) ended_secrets: Vec<(SecretKind, Box<str>)>,
}

impl Work {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.tasks().next().is_none()
            && self.moved.is_empty()
            && self.ended.is_empty()
            && self.ended_secrets.is_empty()
    }

    /// Everything that is made.
    pub fn tasks(&self) -> impl Iterator<Item = Task<'_>> {
        let own = self.units.iter().flat_map(|unit| &unit.secrets);
        let secrets = self.common.iter().chain(own).map(|task| Task {
            owner: &task.owner,
            what: What::Secret(task.kind),
            why: &task.why,
        });
        secrets.chain(self.files().map(|task| Task {
            owner: &task.owner,
            what: What::File(task.kind),
            why: &task.why,
        }))
    }

    /// The generation it makes.
    pub fn generation(&self) -> GenerationId {
        GenerationId(self.base.map_or(1, |base| base.0 + 1))
    }

    /// The hosts that get a file with it, each as often as it gets one.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        let made = self.files().flat_map(|file| &file.places);
        let moved = self.moved.iter().map(|(place, _)| place);
        made.chain(moved).map(|place| &*place.host)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &FileTask> {
        let own = self.units.iter().flat_map(|unit| &unit.files);
        self.shared.iter().chain(own)
    }
}

/// What is made for one host.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) host: Box<str>,
    pub(super) secrets: Vec<SecretTask>,
    pub(super) files: Vec<FileTask>,
}

/// A secret to be made.
#[derive(Debug, Clone)]
pub(super) struct SecretTask {
    pub(super) kind: SecretKind,
    pub(super) owner: Box<str>,
    pub(super) filestamp: Option<Filestamp>,
    pub(super) spec: Box<str>,
    pub(super) make: Make,
    pub(super) why: Why,
}

/// How a secret is made.
#[derive(Debug, Clone)]
pub(super) enum Make {
    Given(Secret),
    Password,
    Rsa {
        bits: u32,
    },
    Dsa {
        bits: u32,
    },
    Group {
        scheme: GroupScheme,
        bits: u32,
        clients: usize,
    },
    Symmetric {
        id: u16,
        kind: KeyType,
        /// Characters of a key that is text; `None`: random bytes.
        text: Option<usize>,
    },
}

/// A file to be made.
#[derive(Debug, Clone)]
pub(super) struct FileTask {
    pub(super) kind: ArtifactKind,
    pub(super) media: MediaKind,
    pub(super) owner: Box<str>,
    pub(super) stamp: Filestamp,
    pub(super) spec: Box<str>,
    pub(super) recipe: Recipe,
    pub(super) places: Vec<Place>,
    pub(super) why: Why,
}

/// A file of a host.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) host: Box<str>,
    pub(super) name: String,
    pub(super) links: Vec<String>,
}

/// Which secret a file is made of.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) kind: SecretKind,
    pub(super) owner: Box<str>,
    /// The version in the vault; `None`: it is made in the same work.
    pub(super) kept: Option<SecretId>,
}

/// How a file is made.
#[derive(Debug, Clone)]
pub(super) enum Recipe {
    /// Host key or sign key, encrypted.
    Private {
        key: Source,
        password: Source,
        cipher: Cipher,
    },
    Certificate {
        key: Source,
        subject: String,
        scheme: SignatureScheme,
        role: Role,
        not_after: i64,
        /// The GQ group key whose public value it carries.
        gq: Option<Source>,
    },
    ServerKey {
        group: Source,
        password: Source,
        cipher: Cipher,
        dialect: Dialect,
        /// MV client keys that are shut out.
        revoked: BTreeSet<usize>,
    },
    ClientParameters {
        group: Source,
        dialect: Dialect,
        /// Number of the MV client key, from 1; 0 for the other schemes.
        client: usize,
    },
    /// A file from outside, as it is.
    Given(Secret),
}

impl Recipe {
    /// The secrets it needs.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        let (one, two) = match self {
            Self::Private { key, password, .. } => (Some(key), Some(password)),
            Self::Certificate { key, gq, .. } => (Some(key), gq.as_ref()),
            Self::ServerKey { group, password, .. } => (Some(group), Some(password)),
            Self::ClientParameters { group, .. } => (Some(group), None),
            Self::Given(_) => (None, None),
        };
        one.into_iter().chain(two)
    }
}
