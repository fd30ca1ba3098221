//! The resolved inventory: typed, defaults applied, references looked up.
//!
//! Made for a million hosts: what many hosts share (a range of leaves is one line of YAML) is kept once, in a
//! [`HostEntry`]; a [`Host`] is a name and the number of its entry.

use super::names::Names;
mod association;
mod group;
mod keys;
mod settings;

pub use association::*;
pub use group::*;
pub use keys::Keys;
pub use settings::*;

use crate::finding::{Place, SourceId, Step};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

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
    pub text: Arc<String>,
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
    pub keys: Keys,
    /// What the inventory says about findings themselves.
    pub findings: Vec<FindingRule>,
    /// Policies the inventory demands of itself (`modern`, `fips`), with where each is demanded.
    pub policies: Vec<(Policy, Place)>,
    /// Days within which the end of a certificate is a finding, if `policy` says.
    pub expiring: Option<u16>,
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
    /// Its hosts, in the order of their names.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = HostId> + DoubleEndedIterator + use<> {
        (self.first.0..self.first.0 + self.count).map(HostId)
    }

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

/// A named set of demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// No MD5, no moduli under 2048 where the daemon can do it.
    Modern,
    /// FIPS 140 algorithms only.
    Fips,
    /// Every line is authenticated, unless it says `auth: none`.
    Strict,
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
    /// Last day of a waiver.
    pub expires: Option<time::Date>,
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

    /// A group by its name.
    pub fn group_named(&self, name: &str) -> Option<GroupId> {
        self.group_ids().find(|&id| *self.group(id).name == *name)
    }

    /// All group numbers in order.
    pub fn group_ids(&self) -> impl ExactSizeIterator<Item = GroupId> + use<> {
        (0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX)).map(GroupId)
    }

    /// The group whose identity media have this name, now or after the change under way.
    pub fn group_of_ident(&self, ident: &str) -> Option<&Group> {
        let mut groups = self.groups.iter();
        groups.find(|group| group.held_idents().any(|held| held == ident))
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
