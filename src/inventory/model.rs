//! The resolved inventory: typed, defaults applied, references looked up.
//!
//! Made for a million hosts: what many hosts share (a range of leaves is one line of YAML) is kept once, in a
//! [`HostEntry`]; a [`Host`] is a name and the number of its entry.

use super::names::Names;
use crate::finding::{Place, SourceId, Step};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Number of a group in [`Inventory::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// Number of a host in [`Inventory::hosts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// Number of an entry in [`Inventory::entries`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u32);

/// A file the inventory was read from.
#[derive(Debug, Clone)]
pub struct Source {
    /// As the user named it.
    pub path: PathBuf,
    /// Its text, for showing lines.
    pub text: Arc<str>,
}

/// A whole inventory.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The files it came from, in the order read.
    pub sources: Vec<Source>,
    /// Secure groups, in the order written.
    pub groups: Vec<Group>,
    /// What was written under `hosts:`, one per key.
    pub entries: Vec<HostEntry>,
    /// Every single host, ranges expanded, in the order written.
    pub hosts: Vec<Host>,
    /// Hosts by name.
    pub by_name: Names,
    /// Symmetric keys declared at the top level and in groups, in the order written.
    pub keys: Vec<SymmetricKey>,
    /// What the inventory says about findings themselves.
    pub findings: Vec<FindingRule>,
    /// Policies the inventory demands of itself (`modern`, `fips`), with where each is demanded.
    pub policies: Vec<(Policy, Place)>,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name: the certificate's subject (before `@group`) and the owner in file names.
    pub name: Box<str>,
    /// What it shares with the other hosts of its line.
    pub entry: EntryId,
}

/// What was written for one key under `hosts:` (one host or a range), resolved.
#[derive(Debug, Clone)]
pub struct HostEntry {
    /// The key as written (`leaf[001-250]`).
    pub pattern: Box<str>,
    /// Where it was written.
    pub source: SourceId,
    /// Number of its first host; the hosts of an entry are contiguous.
    pub first: HostId,
    /// How many hosts.
    pub count: u32,
    /// The secure group it belongs to, if any.
    pub group: Option<GroupId>,
    /// Address for SSH and for ntp.conf lines of others; `{}` stands for the counter of the range, `{1}`,
    /// `{2}` … for the first, second … counter. `None`: the name.
    pub address: Option<Box<str>>,
    /// Associations in the order servers, peers, broadcast.
    pub associations: Vec<Association>,
    /// Listens to broadcast servers.
    pub broadcast_client: bool,
    /// Lines of its own reference clock. `Some(vec![])` (`true` in YAML): has one, the lines are there already.
    pub reference_clock: Option<Vec<String>>,
    /// Free words for `--on tag:…`.
    pub tags: Vec<Box<str>>,
    /// Everything that defaults, group and host may set.
    pub settings: Arc<Settings>,
}

impl HostEntry {
    /// The place of a path below this entry, e.g. `["servers", 0]`; no steps: the entry's key.
    pub fn place(&self, below: &[Step]) -> Place {
        let mut path = vec![Step::from("hosts"), Step::Key(self.pattern.clone())];
        if below.is_empty() {
            return Place::key(self.source, path);
        }
        path.extend_from_slice(below);
        Place::value(self.source, path)
    }
}

/// A secure group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name: after the `@` of its members' certificates, and the owner of its group keys.
    pub name: Box<str>,
    /// Where it was written.
    pub source: SourceId,
    /// Identity schemes its servers hold, as written; empty means TC.
    pub identity: Vec<IdentityScheme>,
    /// Its trusted hosts, each with its place in the list.
    pub trusted: Vec<HostId>,
    /// Size of the group keys in bits, where given.
    pub identity_bits: IdentityBits,
    /// Number of MV client keys, where given (else derived from the hosts).
    pub mv_clients: Option<u32>,
    /// Servers outside the fleet whose client parameters were handed over by their operator.
    pub external: Option<External>,
    /// A member that keeps the group keys besides the controller, though it need not be a trusted host or serve anybody
    /// (trusted agent): it gets them encrypted with its own password.
    pub agent: Option<HostId>,
}

impl Group {
    /// The place of a path below this group; no steps: the group's key.
    pub fn place(&self, below: &[Step]) -> Place {
        let mut path = vec![Step::from("groups"), Step::Key(self.name.clone())];
        if below.is_empty() {
            return Place::key(self.source, path);
        }
        path.extend_from_slice(below);
        Place::value(self.source, path)
    }

    /// Whether its members are outside the fleet.
    pub fn is_external(&self) -> bool {
        self.external.is_some()
    }
}

/// Identity schemes of Autokey (RFC 5906 section 6 and appendix B).
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
pub enum IdentityScheme {
    /// Trusted certificate: the trail alone.
    Tc,
    /// Private certificate: one key and certificate copied to all members.
    Pc,
    /// Schnorr (Identify Friend or Foe).
    Iff,
    /// Guillou-Quisquater.
    Gq,
    /// Mu-Varadharajan.
    Mv,
}

/// Sizes of group keys in bits. Defaults: what the 4.2.8p15 daemon can use on OpenSSL 3 (measured).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityBits {
    /// IFF: p. 512 to below 2048; q has 160 bits.
    pub iff: u32,
    /// GQ: n. 512 to 1016, else the daemon misreads the certificate extension.
    pub gq: u32,
    /// MV: p.
    pub mv: u32,
}

impl Default for IdentityBits {
    fn default() -> Self {
        Self {
            iff: 1024,
            gq: 1008,
            mv: 512,
        }
    }
}

/// A group whose servers belong to somebody else.
#[derive(Debug, Clone)]
pub struct External {
    /// Its servers: the name used in `servers:` lists and its address.
    pub servers: Vec<ExternalServer>,
    /// Files with the group's client parameters (`ntpkey_iffpar_…`), relative to the inventory.
    pub parameters: Vec<PathBuf>,
}

/// One server outside the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalServer {
    /// Name in `servers:` lists.
    pub name: Box<str>,
    /// Address in ntp.conf lines.
    pub address: Box<str>,
}

/// An association line of a host.
#[derive(Debug, Clone)]
pub struct Association {
    /// Which list it stands in.
    pub mode: Mode,
    /// Whom it names.
    pub target: Target,
    /// How it is authenticated.
    pub auth: Auth,
    /// `iburst`.
    pub iburst: bool,
    /// Shortest poll interval, log2 seconds, if given.
    pub minpoll: Option<u8>,
    /// Longest poll interval, log2 seconds, if given.
    pub maxpoll: Option<u8>,
    /// `prefer`.
    pub prefer: bool,
    /// `ident` written by hand; normally it follows from the server's group.
    pub ident: Option<Box<str>>,
    /// Further words for the line, as written.
    pub options: Vec<Box<str>>,
    /// Index in its list, for finding its line.
    pub index: u32,
}

impl Association {
    /// Path of this association below its host entry.
    pub fn steps(&self) -> [Step; 2] {
        [Step::from(self.mode.list()), Step::Index(self.index)]
    }
}

/// NTP association modes an inventory can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// `server`: client of that host.
    Server,
    /// `peer`: symmetric active.
    Peer,
    /// `broadcast`: sends to that address.
    Broadcast,
}

impl Mode {
    /// The key of its list in the inventory.
    pub fn list(self) -> &'static str {
        match self {
            Self::Server => "servers",
            Self::Peer => "peers",
            Self::Broadcast => "broadcast",
        }
    }
}

/// Whom an association names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host of this inventory.
    Host(HostId),
    /// A server of an external group: group and index in [`External::servers`].
    External(GroupId, u32),
    /// An address outside the inventory, `{address: …}`, or a broadcast address.
    Address(Box<str>),
}

/// How an association is authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Autokey, the default for a member of a secure group talking to a host or external group.
    Autokey,
    /// A symmetric key by its id.
    Key(u32),
    /// Not at all.
    None,
}

/// A symmetric key the inventory declares.
#[derive(Debug, Clone)]
pub struct SymmetricKey {
    /// Key id, 1–65535 as written; the range is a rule's business.
    pub id: u32,
    /// Type as written (`AES-128-CMAC`, `SHA1`, `MD5`, …).
    pub kind: Box<str>,
    /// Where its value comes from; `None`: generated and kept in the vault.
    pub value: Option<PasswordSource>,
    /// The group whose members share it; `None`: every host that uses it.
    pub group: Option<GroupId>,
    /// Addresses it is accepted from, if restricted.
    pub restrict: Vec<Box<str>>,
    /// Where it was written.
    pub place: Place,
}

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

/// NTP implementations.
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
pub enum Implementation {
    /// The reference implementation, 4.2.8; the only one with Autokey.
    #[serde(rename = "ntp.org")]
    NtpOrg,
    /// NTPsec: symmetric keys and NTS.
    #[serde(rename = "ntpsec")]
    Ntpsec,
    /// chrony: symmetric keys and NTS.
    #[serde(rename = "chrony")]
    Chrony,
    /// HP/VSI TCP/IP Services for OpenVMS.
    #[serde(rename = "openvms")]
    Openvms,
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
    pub certificate_scheme: Box<str>,
    /// How long certificates are valid.
    pub certificate_lifetime: Lifetime,
    /// Host key size in bits.
    pub host_key_bits: u32,
    /// Sign key, where it is not the host key.
    pub sign_key: Option<SignKey>,
    /// Cipher of private files (`aes-256-cbc`).
    pub cipher: Box<str>,
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
    pub kind: SignKeyKind,
    /// Size in bits.
    pub bits: u32,
}

/// Kinds of sign keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SignKeyKind {
    /// RSA.
    #[serde(alias = "rsa")]
    Rsa,
    /// DSA: on OpenSSL 3 only for hosts that serve nobody (measured).
    #[serde(alias = "dsa")]
    Dsa,
}

/// Layouts of identity media.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// What the 4.2.8p15 daemon on OpenSSL 1.1 or later authenticates with.
    Current,
    /// What ntp-keygen 4.2.8 writes.
    Documented,
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

/// A named set of demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// No MD5, no moduli under 2048 where the daemon can do it.
    Modern,
    /// FIPS 140 algorithms only.
    Fips,
}

/// What the inventory says about a finding: another severity, or a waiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRule {
    /// The finding's code.
    pub code: Box<str>,
    /// Only for these hosts or groups (names or globs); empty: everywhere.
    pub on: Vec<Box<str>>,
    /// New severity; `None`: waived.
    pub severity: Option<crate::finding::Severity>,
    /// Why.
    pub reason: Box<str>,
    /// Last day of a waiver, `YYYY-MM-DD`.
    pub expires: Option<Box<str>>,
    /// Where it was written.
    pub place: Place,
}

impl Inventory {
    /// A host.
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0 as usize]
    }

    /// The entry of a host.
    pub fn entry(&self, id: HostId) -> &HostEntry {
        &self.entries[self.host(id).entry.0 as usize]
    }

    /// A group.
    pub fn group(&self, id: GroupId) -> &Group {
        &self.groups[id.0 as usize]
    }

    /// The group of a host.
    pub fn group_of(&self, id: HostId) -> Option<&Group> {
        self.entry(id).group.map(|group| self.group(group))
    }

    /// A host by name.
    pub fn find(&self, name: &str) -> Option<HostId> {
        self.by_name
            .find(name, |host| &self.host(HostId(host)).name)
            .map(HostId)
    }

    /// All host numbers in order.
    pub fn host_ids(&self) -> impl ExactSizeIterator<Item = HostId> + use<> {
        // The loader refuses inventories of more than a million hosts.
        (0..u32::try_from(self.hosts.len()).unwrap_or(u32::MAX)).map(HostId)
    }

    /// The address of a host: for ntp.conf lines of others and, unless SSH says otherwise, for SSH.
    pub fn address(&self, id: HostId) -> Cow<'_, str> {
        match &self.entry(id).address {
            None => Cow::Borrowed(&self.host(id).name),
            Some(pattern) => self.fill(id, pattern),
        }
    }

    /// The name in a host's certificate: `host@group`, or the bare name outside groups.
    pub fn certificate_name(&self, id: HostId) -> String {
        match self.group_of(id) {
            Some(group) => format!("{}@{}", self.host(id).name, group.name),
            None => self.host(id).name.to_string(),
        }
    }

    /// Whether the host is a trusted host of its own group.
    pub fn is_trusted(&self, id: HostId) -> bool {
        self.group_of(id).is_some_and(|group| group.trusted.contains(&id))
    }

    /// Puts a host's name (`{host}`) and the counters of its range (`{}` or `{1}` the first, `{2}` …) into a
    /// pattern.
    pub fn fill<'a>(&self, id: HostId, pattern: &'a str) -> Cow<'a, str> {
        if !pattern.contains('{') {
            return Cow::Borrowed(pattern);
        }
        let counters = super::range::counters(&self.entry(id).pattern, &self.host(id).name);
        let mut filled = pattern.replace("{host}", &self.host(id).name);
        for (i, counter) in counters.iter().enumerate() {
            if i == 0 {
                filled = filled.replace("{}", counter);
            }
            filled = filled.replace(&format!("{{{}}}", i + 1), counter);
        }
        Cow::Owned(filled)
    }
}
