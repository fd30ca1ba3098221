//! The keys a host presents, and what `ssh` makes of them.

use std::path::PathBuf;

/// What `ssh` makes of a host's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The key, or the authority that certified it, stands in a known_hosts file.
    Known {
        /// FILE:LINE of the key or its authority; `None` where ssh accepts it for another reason (a KnownHostsCommand).
        place: Option<String>,
    },
    /// Nothing is known of this host.
    Unknown,
    /// Another key is known for it, or this one is revoked.
    Changed {
        /// What stands against it, FILE:LINE.
        place: String,
        /// Whether the key presented is marked as revoked.
        revoked: bool,
    },
}

/// A key, as presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa` …; of a certificate the key in it.
    pub kind: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The line for a known_hosts file, its name hashed if the configuration says so.
    pub line: Option<String>,
}

/// The keys of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKeys {
    /// The name under which known_hosts files have the host: `HostKeyAlias`, or host name and port.
    pub name: String,
    /// The file to which ssh would add a key.
    pub file: PathBuf,
    /// What ssh makes of them.
    pub verdict: Verdict,
    /// A known host's key; every kind of key of any other.
    pub keys: Vec<PresentedKey>,
}
