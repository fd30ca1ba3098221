//! What is in a vault, without the sealed values: names, kinds, generations, and the [`Snapshot`] of it all.

use super::error::Error;
use super::generation_id::GenerationId;
use crate::digest::Digest;
use crate::media::{Filestamp, GroupScheme};
use std::collections::HashMap;

/// A generation and why it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationInfo {
    /// Its number.
    pub id: GenerationId,
    /// When it was made, Unix seconds.
    pub created: i64,
    /// Why ("apply", "rotate identity green").
    pub note: String,
    /// Of the inventory it was made for.
    pub inventory: Digest,
    /// When its media were removed from the vault, Unix seconds.
    pub pruned: Option<i64>,
}

/// Number of an artifact in its vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactId(pub(super) i64);

/// Number of a version of a secret in its vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId(pub(super) i64);

/// Number of a placement in its vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlacementId(pub(super) i64);

/// What the daemon uses a file as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactKind {
    /// RSA host key, encrypted with the host's password.
    HostKey,
    /// Sign key, encrypted with the host's password.
    SignKey,
    /// Certificate.
    Certificate,
    /// Server keys of a group, encrypted with the host's password.
    ServerKey(GroupScheme),
    /// Client parameters of a group.
    ClientParameters(GroupScheme),
}

/// Every kind with its code: in the vault, and as the daemon spells it in the generic names it opens.
const ARTIFACT_KINDS: [(ArtifactKind, &str); 9] = [
    (ArtifactKind::HostKey, "host"),
    (ArtifactKind::SignKey, "sign"),
    (ArtifactKind::Certificate, "cert"),
    (ArtifactKind::ServerKey(GroupScheme::Iff), "iffkey"),
    (ArtifactKind::ServerKey(GroupScheme::Gq), "gqkey"),
    (ArtifactKind::ServerKey(GroupScheme::Mv), "mvkey"),
    (ArtifactKind::ClientParameters(GroupScheme::Iff), "iffpar"),
    (ArtifactKind::ClientParameters(GroupScheme::Gq), "gqpar"),
    (ArtifactKind::ClientParameters(GroupScheme::Mv), "mvpar"),
];

impl ArtifactKind {
    /// Its code: the word in the generic name the daemon opens, `ntpkey_<word>_<name>`.
    pub fn code(self) -> &'static str {
        code(&ARTIFACT_KINDS, self)
    }

    /// Whether it holds private numbers: mode 0600 on the host, else 0644 (the daemon reads client parameters
    /// as its unprivileged user).
    pub fn is_secret(self) -> bool {
        matches!(self, Self::HostKey | Self::SignKey | Self::ServerKey(_))
    }

    pub(super) fn from_code(code: &str) -> Option<Self> {
        from_code(&ARTIFACT_KINDS, code)
    }
}

/// The content of a file that some host holds or held, without the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its number.
    pub id: ArtifactId,
    /// Of its content.
    pub digest: Digest,
    /// What it is.
    pub kind: ArtifactKind,
    /// The host or group in its file name.
    pub owner: Box<str>,
    /// The stamp in its first line.
    pub filestamp: Filestamp,
    /// Size in bytes.
    pub size: u64,
    /// End of validity of a certificate, Unix seconds.
    pub not_after: Option<i64>,
    /// What it was made from, `word=value` separated by blanks; another text means that it must be made anew.
    pub spec: Box<str>,
}

/// Kinds of values that hosts do not hold as a file of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    /// Password of a host's private files; owner: the host.
    Password,
    /// Private numbers of a host key; owner: the host.
    HostKey,
    /// Private numbers of a sign key; owner: the host.
    SignKey,
    /// Everything of a group's identity scheme, the authority's numbers included; owner: the group.
    Group(GroupScheme),
    /// A symmetric key; owner: its id, with its group where it has one.
    Symmetric,
}

const SECRET_KINDS: [(SecretKind, &str); 7] = [
    (SecretKind::Password, "password"),
    (SecretKind::HostKey, "host-key"),
    (SecretKind::SignKey, "sign-key"),
    (SecretKind::Group(GroupScheme::Iff), "iff"),
    (SecretKind::Group(GroupScheme::Gq), "gq"),
    (SecretKind::Group(GroupScheme::Mv), "mv"),
    (SecretKind::Symmetric, "symmetric"),
];

impl SecretKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Password,
        Self::HostKey,
        Self::SignKey,
        Self::Group(GroupScheme::Iff),
        Self::Group(GroupScheme::Gq),
        Self::Group(GroupScheme::Mv),
        Self::Symmetric,
    ];

    /// Its code in the vault.
    pub fn code(self) -> &'static str {
        code(&SECRET_KINDS, self)
    }

    pub(super) fn from_code(code: &str) -> Option<Self> {
        from_code(&SECRET_KINDS, code)
    }
}

/// The version of a secret that is in force, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersion {
    /// Its number.
    pub id: SecretId,
    /// The generation it came with. Kind, owner and this name a version for ever.
    pub since: GenerationId,
    /// The filestamp of everything made of it; `None` for what has none.
    pub filestamp: Option<Filestamp>,
    /// What it was made to fit; another text means that it must be made anew.
    pub spec: Box<str>,
}

/// A file of a host, now or formerly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Its number.
    pub id: PlacementId,
    /// The content.
    pub artifact: ArtifactId,
    /// File name in keysdir.
    pub name: Box<str>,
    pub(super) links: Box<str>,
    /// First generation it belongs to.
    pub since: GenerationId,
    /// First generation it no longer belongs to.
    pub until: Option<GenerationId>,
}

impl Placement {
    /// Generic names that point to it, in the same directory.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.links.split_ascii_whitespace()
    }
}

/// A file as a host should hold it: what a plan needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedFile {
    /// File name in keysdir.
    pub name: String,
    /// Generic names that point to it, in the same directory.
    pub links: Vec<String>,
    /// Of its content.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Holds private numbers.
    pub secret: bool,
    /// Where the content is.
    pub artifact: ArtifactId,
    /// What it is.
    pub kind: ArtifactKind,
    /// The stamp in its first line.
    pub filestamp: Filestamp,
    /// End of validity of a certificate, Unix seconds.
    pub not_after: Option<i64>,
}

/// When the certificate of a host ends, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateEnds {
    /// Of the one in the generation the host was last brought to, or, for a host that was brought to none, the latest.
    pub standing: i64,
    /// Of the latest that was made for it.
    pub latest: i64,
}

/// Everything a vault knows at one generation but the sealed values: a value to compare with, which holds no
/// connection and no lock.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The generation it shows; `None`: nothing was minted yet.
    pub generation: Option<GenerationId>,
    /// The latest filestamp that was ever given to anything minted here, in any generation.
    pub last_filestamp: Option<Filestamp>,
    pub(super) artifacts: HashMap<ArtifactId, Artifact>,
    pub(super) hosts: HashMap<Box<str>, Vec<Placement>>,
    pub(super) secrets: HashMap<SecretKind, HashMap<Box<str>, SecretVersion>>,
}

impl Snapshot {
    /// The files of `host` in this generation; none for a host the vault does not know.
    pub fn media(&self, host: &str) -> Vec<PlacedFile> {
        self.files(host)
            .map(|(placement, artifact)| PlacedFile {
                name: placement.name.to_string(),
                links: placement.links().map(str::to_owned).collect(),
                digest: artifact.digest,
                size: artifact.size,
                mode: if artifact.kind.is_secret() { 0o600 } else { 0o644 },
                secret: artifact.kind.is_secret(),
                artifact: artifact.id,
                kind: artifact.kind,
                filestamp: artifact.filestamp,
                not_after: artifact.not_after,
            })
            .collect()
    }

    /// The placements of `host` in this generation, with their artifacts.
    pub fn files(&self, host: &str) -> impl Iterator<Item = (&Placement, &Artifact)> {
        self.ever(host)
            .filter(|(placement, _)| Some(placement.since) <= self.generation)
            .filter(|(placement, _)| {
                placement
                    .until
                    .is_none_or(|until| self.generation.is_some_and(|shown| until > shown))
            })
    }

    /// The placements of `host` in any generation, oldest first.
    pub fn ever(&self, host: &str) -> impl Iterator<Item = (&Placement, &Artifact)> {
        self.hosts
            .get(host)
            .into_iter()
            .flatten()
            // Foreign keys hold: every placement has its artifact.
            .filter_map(|placement| Some((placement, self.artifacts.get(&placement.artifact)?)))
    }

    /// Every host that ever held anything.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(|name| &**name)
    }

    /// Every artifact of any generation.
    pub fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.artifacts.values()
    }

    /// The version of a secret in force.
    pub fn secret(&self, kind: SecretKind, owner: &str) -> Option<&SecretVersion> {
        self.secrets.get(&kind)?.get(owner)
    }

    /// Owners of the secrets of a kind in force.
    pub fn owners(&self, kind: SecretKind) -> impl Iterator<Item = &str> {
        self.secrets
            .get(&kind)
            .into_iter()
            .flat_map(HashMap::keys)
            .map(|owner| &**owner)
    }
}

/// The word of a value in a table that has them all.
pub(super) fn code<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    let known = table.iter().find(|(known, _)| *known == value);
    known.expect("the table has every value").1
}

/// The value of a word, if there is one.
pub(super) fn from_code<T: Copy>(table: &[(T, &'static str)], word: &str) -> Option<T> {
    let known = table.iter().find(|(_, known)| *known == word);
    known.map(|(value, _)| *value)
}

/// Refuses what is not a plain file name. What comes out of the vault goes into a directory of a host as root.
pub(super) fn plain_name(name: &str) -> Result<(), Error> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.starts_with('.') {
        "it starts with a dot"
    } else if name.contains('/') {
        "it has a slash"
    } else if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        "it has a blank or a control character"
    } else if name.len() > 255 {
        "it is longer than 255 bytes"
    } else {
        return Ok(());
    };
    Err(Error::BadName {
        name: name.into(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_one_to_one() {
        for (kind, code) in ARTIFACT_KINDS {
            assert_eq!((kind.code(), ArtifactKind::from_code(code)), (code, Some(kind)));
        }
        assert_eq!(SecretKind::ALL, SECRET_KINDS.map(|(kind, _)| kind));
        for (kind, code) in SECRET_KINDS {
            assert_eq!((kind.code(), SecretKind::from_code(code)), (code, Some(kind)));
        }
    }

    #[test]
    fn only_plain_names_are_placed() {
        for name in [
            "ntpkey_host_mort",
            "ntpkey_RSA-SHA256cert_leaf-1.example.org.4004178813",
        ] {
            assert!(plain_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a b",
            "a\nb",
            "a\0b",
            &"x".repeat(256),
        ] {
            assert!(plain_name(name).is_err(), "{name:?}");
        }
    }
}
