//! The values a plan is made of. `(desired, observed) -> Plan` has no I/O; a plan prints as text or JSON,
//! is stored as a file and is what `apply` runs. Nothing in a plan is secret: contents are named by digest.

use crate::digest::Digest;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A file as it should be on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// Its content's digest; the content itself is in the vault or rendered again.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Holds private numbers or passwords.
    pub secret: bool,
}

/// What a host should look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// Host name.
    pub host: String,
    /// Directory of the key media on the host.
    pub keysdir: String,
    /// Files by absolute path: filestamped media. Never overwritten once there; a new content has a new name.
    pub media: BTreeMap<String, FileSpec>,
    /// Links by absolute path, each to a file name in the same directory.
    pub links: BTreeMap<String, String>,
    /// Links the daemon would open but must not find: a sign key or server key this host no longer has.
    pub absent: BTreeSet<String>,
    /// Files this host once held and holds no more, by absolute path, with the digest they had: what may be retired.
    #[serde(default)]
    pub former: BTreeMap<String, Digest>,
    /// Those of [`Desired::links`] that the daemon, with the lines it gets, does not open: keys put there for later.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unread: BTreeSet<String>,
    /// Links to group media this host once had, by absolute path: those that still point to [`Desired::former`] files go.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub former_links: BTreeSet<String>,
    /// Files that are replaced in place: ntp.conf as it would be with keytrail's lines, the include file,
    /// the symmetric key file.
    pub conf: BTreeMap<String, FileSpec>,
    /// Owner of every placed file, if set.
    pub owner: Option<String>,
    /// Group of every placed file, if set.
    pub group: Option<String>,
    /// Command that restarts the daemon, if any.
    pub restart: Option<String>,
    /// Position in the order: 0 for trusted hosts, then one more per hop down the trails.
    pub wave: u32,
}

/// What was seen on a host. Links and digests of what keytrail owns, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Files keytrail cares about (all `ntpkey_*` in keysdir, the conf files), by absolute path.
    pub files: BTreeMap<String, ObservedFile>,
    /// Symbolic links in keysdir, by absolute path, with their targets as stored.
    pub links: BTreeMap<String, String>,
    /// Contents of the configuration files ([`Desired::conf`]) that are there, by absolute path: keytrail's lines are put
    /// between what stands there already. May hold passwords, so it is never serialized.
    #[serde(skip)]
    pub conf: BTreeMap<String, Secret>,
    /// The host's clock when asked, Unix seconds.
    pub clock: i64,
    /// An activation was interrupted, or its restart failed: what the files say, the daemon may not have read yet.
    #[serde(default)]
    pub restart_pending: bool,
    /// The vault's generation that keytrail brought the host to.
    #[serde(default)]
    pub generation: Option<u64>,
    /// The lock on the host: `ID UNTIL WORDS` (Unix seconds, the host's clock).
    #[serde(default)]
    pub lock: Option<String>,
    /// What it keeps of the vault that changed it last, as it was read: see `vault::carried`.
    #[serde(default)]
    pub vault: Option<String>,
    /// File names of media that its ways back need.
    #[serde(default)]
    pub kept: BTreeSet<String>,
    /// The ways back that the host keeps, the last switch first.
    #[serde(default)]
    pub records: Vec<SwitchRecord>,
}

/// What a host remembers of one switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRecord {
    /// The run that did it.
    pub run: String,
    /// The generation the host stood in before; `None`: what was there was not keytrail's.
    pub before: Option<u64>,
    /// The generation it was brought to.
    pub after: Option<u64>,
    /// When, Unix seconds by the host's clock.
    pub at: i64,
}

/// A file as seen on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedFile {
    /// Digest of its content.
    pub digest: Digest,
    /// Permission bits.
    pub mode: u32,
    /// Owner's name or number.
    pub owner: String,
    /// Group's name or number.
    pub group: String,
}
