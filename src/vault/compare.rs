//! What differs between two generations, host by host and by kinds of secrets; never a value.

use super::model::{Artifact, Placement, SecretKind, Snapshot};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What differs between two generations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Hosts whose files differ.
    pub hosts: BTreeMap<String, Vec<FileChange>>,
    /// Secrets that came, went or changed, by kind.
    pub secrets: BTreeMap<&'static str, SecretChange>,
}

/// A file of a host that came, went or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// What it is, by the word in its generic name ("cert", "host", "gqpar").
    pub kind: &'static str,
    /// The host or group in its name.
    pub owner: String,
    /// As it was.
    pub before: Option<FileVersion>,
    /// As it is.
    pub after: Option<FileVersion>,
}

/// A version of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileVersion {
    /// File name in keysdir.
    pub name: String,
    /// Generic names that point to it.
    pub links: Vec<String>,
    /// SHA-256 of its content, hexadecimal.
    pub digest: String,
    /// Begin of validity of a certificate, Unix seconds: its filestamp.
    pub not_before: Option<i64>,
    /// End of validity of a certificate, Unix seconds.
    pub not_after: Option<i64>,
}

/// Owners of secrets of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SecretChange {
    /// Who has one now and had none.
    pub new: Vec<String>,
    /// Who has another one.
    pub changed: Vec<String>,
    /// Who had one and has none.
    pub gone: Vec<String>,
}

/// Compares two generations of the same vault.
pub fn compare(before: &Snapshot, after: &Snapshot) -> Differences {
    let names: BTreeSet<&str> = before.hosts().chain(after.hosts()).collect();
    let hosts = names
        .into_iter()
        .map(|host| (host.to_owned(), files(before, after, host)))
        .filter(|(_, changes)| !changes.is_empty())
        .collect();
    let secrets = SecretKind::ALL
        .into_iter()
        .map(|kind| (kind.code(), secrets(before, after, kind)))
        .filter(|(_, change)| *change != SecretChange::default())
        .collect();
    Differences { hosts, secrets }
}

type Files = BTreeMap<(&'static str, String), Vec<FileVersion>>;

fn files(before: &Snapshot, after: &Snapshot, host: &str) -> Vec<FileChange> {
    let (mut before, mut after) = (by_purpose(before, host), by_purpose(after, host));
    let purposes: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let mut changes = Vec::new();
    for purpose in purposes {
        let mut was = before.remove(&purpose).unwrap_or_default();
        let mut is = after.remove(&purpose).unwrap_or_default();
        was.retain(|version| {
            let same = is.iter().position(|other| other == version);
            if let Some(same) = same {
                is.remove(same);
            }
            same.is_none()
        });
        for at in 0..was.len().max(is.len()) {
            changes.push(FileChange {
                kind: purpose.0,
                owner: purpose.1.clone(),
                before: was.get(at).cloned(),
                after: is.get(at).cloned(),
            });
        }
    }
    changes
}

fn by_purpose(snapshot: &Snapshot, host: &str) -> Files {
    let mut files = Files::new();
    for (placement, artifact) in snapshot.files(host) {
        files
            .entry((artifact.kind.code(), artifact.owner.to_string()))
            .or_default()
            .push(version(placement, artifact));
    }
    files
}

fn version(placement: &Placement, artifact: &Artifact) -> FileVersion {
    FileVersion {
        name: placement.name.to_string(),
        links: placement.links().map(str::to_owned).collect(),
        digest: artifact.digest.to_string(),
        not_before: artifact.not_after.map(|_| artifact.filestamp.unix()),
        not_after: artifact.not_after,
    }
}

fn secrets(before: &Snapshot, after: &Snapshot, kind: SecretKind) -> SecretChange {
    let mut change = SecretChange::default();
    let owners: BTreeSet<&str> = before.owners(kind).chain(after.owners(kind)).collect();
    for owner in owners {
        let list = match (before.secret(kind, owner), after.secret(kind, owner)) {
            (None, Some(_)) => &mut change.new,
            (Some(_), None) => &mut change.gone,
            (Some(was), Some(is)) if was.id != is.id => &mut change.changed,
            _ => continue,
        };
        list.push(owner.to_owned());
    }
    change
}
