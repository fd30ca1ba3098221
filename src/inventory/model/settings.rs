//! What `defaults`, groups and hosts set alike.

use crate::finding::Place;
pub use keytrail_vocabulary::{Cipher, Dialect, Implementation, KeyAlgorithm, SignatureScheme, Written};
use std::path::PathBuf;
use std::time::Duration;

/// Where a password (or key value) comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// An environment variable of the controller.
    Env(Box<str>),
    /// The first line of a file, relative to the inventory.
    File(PathBuf),
    /// What a command prints (argv, no shell).
    Command(Vec<Box<str>>),
    /// Written into the inventory: allowed, and a finding.
    Literal(crate::secret::Secret),
}

impl std::fmt::Debug for PasswordSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "Env({name})"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Command(argv) => write!(f, "Command({argv:?})"),
            Self::Literal(_) => f.write_str("Literal([redacted])"),
        }
    }
}

/// Everything that `defaults`, a group and a host may set; the nearest wins.
#[derive(Debug, Clone)]
pub struct Settings {
    /// NTP implementation.
    pub ntpd: Implementation,
    /// Directory of the key media, absolute.
    pub keysdir: Box<str>,
    /// The daemon's configuration file, absolute.
    pub conf: Box<str>,
    /// How keytrail's lines get into it.
    pub conf_mode: ConfMode,
    /// File for [`ConfMode::Include`], absolute.
    pub include_file: Box<str>,
    /// Owner of placed files (`root`), by name or number; `None`: whoever the connection writes as.
    pub owner: Option<Box<str>>,
    /// Group of placed files; `None`: the owner's.
    pub file_group: Option<Box<str>>,
    /// Shell command that restarts the daemon on the host; `None`: nothing is restarted.
    pub restart: Option<Box<str>>,
    /// How far the host is looked at after its restart.
    pub verify: Verify,
    /// The daemon's log, absolute; `None`: wherever its configuration or the system puts it.
    pub log: Option<Box<str>>,
    /// How to reach the host.
    pub connection: Connection,
    /// Directory that stands for `/` on the host: image builds, tests; may hold `{host}`. `None`: `/`.
    pub root: Option<Box<str>>,
    /// Certificate scheme, manual names (`RSA-SHA256`).
    pub certificate_scheme: Written<SignatureScheme>,
    /// How long certificates are valid.
    pub certificate_lifetime: Lifetime,
    /// Host key size in bits.
    pub host_key_bits: u32,
    /// Sign key, where it is not the host key.
    pub sign_key: Option<SignKey>,
    /// Cipher of private files (`aes-256-cbc`).
    pub cipher: Written<Cipher>,
    /// Layout of IFF, GQ and MV media.
    pub dialect: Dialect,
    /// Password of the private files on the host; `None`: generated and kept in the vault.
    pub password: Option<PasswordSource>,
    /// Where `password` was written, for findings.
    pub password_place: Option<Place>,
    /// `crypto digest`, if any.
    pub digest: Option<Box<str>>,
    /// `crypto randfile`, if any.
    pub randfile: Option<Box<str>>,
    /// `automax`, log2 seconds.
    pub automax: Option<u32>,
    /// `revoke`, log2 seconds.
    pub revoke: Option<u32>,
    /// `keys` file, absolute.
    pub keys_file: Box<str>,
    /// Key ids to trust beyond those that association lines use, as written (`1`, `3-5`).
    pub trusted_keys: Vec<u32>,
    /// `controlkey`.
    pub control_key: Option<u32>,
    /// `requestkey`.
    pub request_key: Option<u32>,
    /// `statistics cryptostats` lines.
    pub cryptostats: bool,
    /// Addresses for `restrict … notrust`.
    pub restrict_notrust: Vec<Box<str>>,
    /// Extra lines for the daemon's configuration, verbatim.
    pub extra: Vec<Box<str>>,
    /// The host sits behind address translation, which Autokey cannot cross.
    pub nat: bool,
    /// Name of the file system `keysdir` lies on, where hosts share one.
    pub keysdir_on: Option<Box<str>>,
}

/// How far a host is looked at after its restart, before the next host may follow.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Not at all.
    None,
    /// The daemon runs and stays up.
    Start,
    /// Every promised association is authenticated, too.
    Auth,
}

impl Verify {
    /// Its word in inventories.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Start => "start",
            Self::Auth => "auth",
        }
    }
}

/// How long a certificate is valid, counted from the day it is minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// So many days.
    Days(u32),
    /// Until the end of this day (UTC).
    Until(time::Date),
}

impl Lifetime {
    /// Whole days from `today`; none left when the last day is over.
    pub fn days_from(self, today: time::Date) -> u32 {
        match self {
            Self::Days(days) => days,
            Self::Until(last) => u32::try_from((last - today).whole_days()).unwrap_or(0),
        }
    }
}

/// How keytrail's lines get into the daemon's configuration.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ConfMode {
    /// All lines between markers inside the existing file.
    Block,
    /// A file of its own, mode 0600, and one `includefile` line between markers.
    Include,
    /// The whole file is keytrail's.
    Whole,
}

/// A sign key apart from the host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignKey {
    /// RSA or DSA.
    pub kind: KeyAlgorithm,
    /// Size in bits.
    pub bits: u32,
}

/// How to reach a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// OpenSSH with the user's own configuration.
    Ssh(Ssh),
    /// This machine; with [`Settings::root`], a directory of it.
    Local,
    /// Not reached by keytrail: media leave by `export` only.
    Export,
}

/// What an inventory may say about SSH beyond `~/.ssh/config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ssh {
    /// Login name.
    pub user: Option<Box<str>>,
    /// Host name or alias, where it is not the address; may hold `{}`.
    pub host: Option<Box<str>>,
    /// Port.
    pub port: Option<u16>,
    /// Identity file on the controller.
    pub identity_file: Option<PathBuf>,
    /// `ProxyJump`.
    pub proxy_jump: Option<Box<str>>,
    /// An `ssh_config` in place of the user's.
    pub config: Option<PathBuf>,
    /// Host keys: `false` strict (default), `true` accept new ones.
    pub accept_new: bool,
    /// Longest time to connect and log in, where it is not the usual one.
    pub connect_timeout: Option<Duration>,
    /// `sudo` or `doas` to become root.
    pub become_root: Option<Become>,
}

/// How a login that is not root becomes root, always without asking for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Become {
    /// `sudo -n`.
    Sudo,
    /// `doas -n`.
    Doas,
}
