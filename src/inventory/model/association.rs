//! Associations, and the symmetric keys they may use.

use super::{GroupId, HostId, PasswordSource};
use crate::finding::{Place, Step};
use keytrail_vocabulary::{KeyType, Written};

/// An association line of a host.
#[derive(Debug, Clone)]
pub struct Association {
    /// Which list it stands in.
    pub mode: Mode,
    /// Whom it names.
    pub target: Target,
    /// How it is authenticated.
    pub auth: Auth,
    /// `auth: none` was written: that nothing authenticates the line is meant.
    pub plain_on_purpose: bool,
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
    /// Its type (`AES-128-CMAC`, `SHA1`, `MD5`, …). One that is none is a rule's business.
    pub kind: Written<KeyType>,
    /// Where its value comes from; `None`: generated and kept in the vault.
    pub value: Option<PasswordSource>,
    /// The group whose members share it; `None`: every host that uses it.
    pub group: Option<GroupId>,
    /// Addresses it is accepted from, if restricted.
    pub restrict: Vec<Box<str>>,
    /// The id of the key it takes the place of, while a rotation changes that one's id.
    pub succeeds: Option<u32>,
    /// Where it was written.
    pub place: Place,
}
