//! What `defaults`, a group and a host may set alike.

use super::values::{OneOrMany, RawLifetime, RawPassword, RawRestart, RawSpan};
use crate::inventory::model::{Become, ConfMode, Dialect, Implementation, Verify};
use keytrail_vocabulary::{Cipher, KeyAlgorithm, SignatureScheme, Written};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Settings of a host. Each may stand in `defaults`, in a group and at a host; the nearest wins, for
/// mappings field by field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Settings")]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
    /// NTP implementation. Default: `ntp.org`, the only one with Autokey. Paths, `conf_mode` and `restart` count
    /// only for the implementation they are said for: a host with another `ntpd` than its group takes none of
    /// the group's.
    pub ntpd: Option<Implementation>,
    /// Directory of the key media on the host, absolute. Default for ntp.org: `/etc/ntp/crypto`.
    pub keysdir: Option<Box<str>>,
    /// The daemon's configuration file on the host, absolute. Default for ntp.org: `/etc/ntp.conf`.
    pub conf: Option<Box<str>>,
    /// How keytrail's lines get into the configuration: `include` (a file of its own, mode 0600, and one
    /// `includefile` line between markers), `block` (all lines between markers), `whole` (the file is
    /// keytrail's). Default: `include` on ntp.org, because `crypto pw` must not stand in a world-readable file;
    /// elsewhere `block`, because nothing there is secret.
    pub conf_mode: Option<ConfMode>,
    /// The file of its own for `conf_mode: include`, absolute. Default for ntp.org: `/etc/ntp/keytrail.conf`.
    pub include_file: Option<Box<str>>,
    /// Owner of the placed files, by name or number. Default: whoever the connection writes as.
    pub owner: Option<Box<str>>,
    /// Group of the placed files, by name or number.
    pub file_group: Option<Box<str>>,
    /// Shell command on the host that restarts the daemon; `false`: nothing is restarted. Default: the usual
    /// `systemctl restart …` over SSH, nothing for `local`, `export` and below `root`.
    pub restart: Option<RawRestart>,
    /// How far a host is looked at after its restart: `start` (the daemon runs and stays up), `auth` (every promised
    /// association is authenticated), `none`. Default: `start` where there is a `restart`, nothing below `root`.
    pub verify: Option<Verify>,
    /// The daemon's log on the host, absolute. Default: the `logfile` of its configuration, else syslog or the
    /// journal.
    pub log: Option<Box<str>>,
    /// How to reach the host: `ssh` (default), `local` (this machine), `export` (not at all; media leave by
    /// `keytrail export`).
    pub connection: Option<RawConnection>,
    /// SSH, beyond what `~/.ssh/config` says.
    pub ssh: Option<RawSsh>,
    /// Directory that stands for `/` on the host: image builds, trying things out. May hold `{host}`. With
    /// `connection: local` it may be relative to the inventory.
    pub root: Option<Box<str>>,
    /// Certificates.
    pub certificate: Option<RawCertificate>,
    /// Host keys.
    pub host_key: Option<RawHostKey>,
    /// A sign key apart from the host key. Default: the host key signs.
    pub sign_key: Option<RawSignKey>,
    /// Cipher of private files. Default: `aes-256-cbc`.
    pub cipher: Option<Written<Cipher>>,
    /// Layout of IFF, GQ and MV media: `current` (default; what the 4.2.8p15 daemon authenticates with) or
    /// `documented` (what ntp-keygen 4.2.8 writes).
    pub dialect: Option<Dialect>,
    /// Password of the private files on the host. Default: generated and kept in the vault.
    pub password: Option<RawPassword>,
    /// Words of the daemon's `crypto` line.
    pub crypto: Option<RawCrypto>,
    /// `automax`: interval between new session keys, log2 seconds.
    pub automax: Option<u8>,
    /// `revoke`: interval between new private values, log2 seconds.
    pub revoke: Option<u8>,
    /// Symmetric keys: file and trust. The keys themselves stand under `symmetric_keys`.
    pub keys: Option<RawKeys>,
    /// Write `statistics cryptostats` lines.
    pub cryptostats: Option<bool>,
    /// Addresses for `restrict … notrust`: served only over authenticated associations.
    pub restrict_notrust: Option<OneOrMany<Box<str>>>,
    /// Extra lines for the daemon's configuration, verbatim: a list, or one block of text.
    pub ntp_conf: Option<OneOrMany<Box<str>>>,
    /// The host is behind address translation, which Autokey cannot cross.
    pub nat: Option<bool>,
    /// Name of the file system that `keysdir` lies on, where several hosts mount the same one (NFS): then file names must not
    /// collide.
    pub keysdir_on: Option<Box<str>>,
    /// What associations say unless they say otherwise.
    pub association: Option<RawAssociationDefaults>,
}

/// Ways to reach a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Connection")]
#[serde(rename_all = "lowercase")]
pub enum RawConnection {
    /// OpenSSH.
    Ssh,
    /// This machine.
    Local,
    /// Not at all.
    Export,
}

/// SSH, beyond what `~/.ssh/config` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Ssh")]
#[serde(deny_unknown_fields)]
pub struct RawSsh {
    /// Login name.
    pub user: Option<Box<str>>,
    /// Host name or alias, where it is not the address. May hold `{host}` and the counters of a range.
    pub host: Option<Box<str>>,
    /// Port.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Identity file on this machine.
    pub identity_file: Option<PathBuf>,
    /// `ProxyJump`: hosts to go through.
    pub proxy_jump: Option<Box<str>>,
    /// An ssh_config to use in place of the user's own.
    pub config: Option<PathBuf>,
    /// SSH host keys: `strict` (default; only known ones) or `accept-new`.
    pub host_keys: Option<RawHostKeys>,
    /// Longest time to connect and log in: `10s` (default), `1m`, or seconds.
    pub connect_timeout: Option<RawSpan>,
    /// How a login that is not root becomes root without a password: `sudo` or `doas`.
    #[serde(rename = "become")]
    pub become_root: Option<Become>,
}

/// What to do about SSH host keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "HostKeys")]
#[serde(rename_all = "kebab-case")]
pub enum RawHostKeys {
    /// Only known ones.
    Strict,
    /// New ones are taken, changed ones are not.
    AcceptNew,
}

/// Certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Certificate")]
#[serde(deny_unknown_fields)]
pub struct RawCertificate {
    /// Digest and signature, by the manual's names. Default: `RSA-SHA256`.
    pub scheme: Option<Written<SignatureScheme>>,
    /// How long they are valid: days (`365d` or `365`) or a last day (`2027-06-30`). Default: `365d`.
    pub lifetime: Option<RawLifetime>,
}

/// Host keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "HostKey")]
#[serde(deny_unknown_fields)]
pub struct RawHostKey {
    /// Size of the RSA modulus in bits. Default: 2048.
    pub bits: Option<u32>,
}

/// A sign key apart from the host key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "SignKey")]
#[serde(deny_unknown_fields)]
pub struct RawSignKey {
    /// `RSA` (default) or `DSA`.
    #[serde(rename = "type")]
    pub kind: Option<KeyAlgorithm>,
    /// Size in bits. Default: 2048 for RSA, 1024 for DSA.
    pub bits: Option<u32>,
}

/// Words of the `crypto` line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Crypto")]
#[serde(deny_unknown_fields)]
pub struct RawCrypto {
    /// Digest of Autokey session keys.
    pub digest: Option<Box<str>>,
    /// OpenSSL random seed file on the host, absolute.
    pub randfile: Option<Box<str>>,
}

/// Symmetric keys: file and trust.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Keys")]
#[serde(deny_unknown_fields)]
pub struct RawKeys {
    /// The key file on the host, absolute.
    pub file: Option<Box<str>>,
    /// Key ids to trust beyond those that association lines use: numbers or ranges (`3-5`).
    pub trusted: Option<OneOrMany<Box<str>>>,
    /// `controlkey`: the id ntpq writes with. With it a running ntpd is told new keys, without a restart.
    pub control: Option<u32>,
    /// `requestkey`: the id ntpdc writes with.
    pub request: Option<u32>,
}

/// What associations say unless they say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "AssociationDefaults")]
#[serde(deny_unknown_fields)]
pub struct RawAssociationDefaults {
    /// `iburst`: a volley of packets at the beginning. Default: false.
    pub iburst: Option<bool>,
    /// Shortest poll interval, log2 seconds (3–17).
    pub minpoll: Option<u8>,
    /// Longest poll interval, log2 seconds (3–17).
    pub maxpoll: Option<u8>,
    /// Symmetric key id in place of Autokey.
    pub key: Option<u32>,
}
