//! Secure groups.

use super::HostId;
use crate::finding::{Place, SourceId, Step};
pub use keytrail_vocabulary::IdentityScheme;
use std::collections::BTreeSet;
use std::path::PathBuf;

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
    /// The names of its identity media, where they are not its own: keys were, or are being, rotated by a generation name
    /// (`ident red2`). Never written in an inventory.
    pub idents: Option<Idents>,
}

/// The names of a group's identity media: what the daemon calls `ident`. Certificates keep the group's own name (measured on
/// 4.2.8p15: the two need not be the same where client and server are of one group).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idents {
    /// The name in force; of the old keys while they change.
    pub now: Box<str>,
    /// The change under way.
    pub next: Option<NextIdent>,
}

/// A change to another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextIdent {
    /// The new name. All hosts hold both.
    pub name: Box<str>,
    /// The servers that prove themselves with it already.
    pub servers: BTreeSet<HostId>,
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

    /// The name of the keys that `server` proves itself with: its `crypto ident`, and `ident` on the lines to it.
    pub fn ident_of(&self, server: HostId) -> &str {
        match &self.idents {
            Some(Idents { next: Some(next), .. }) if next.servers.contains(&server) => &next.name,
            _ => self.ident(),
        }
    }

    /// The name of its keys, of the old ones while they change.
    pub fn ident(&self) -> &str {
        self.idents.as_ref().map_or(&self.name, |idents| &idents.now)
    }

    /// The name to which its keys are changing.
    pub fn next_ident(&self) -> Option<&str> {
        let next = self.idents.as_ref()?.next.as_ref()?;
        Some(&next.name)
    }

    /// The names of the keys that its hosts hold: one, or two during a change.
    pub fn held_idents(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.ident()).chain(self.next_ident())
    }

    /// Whether its members are outside the fleet.
    pub fn is_external(&self) -> bool {
        self.external.is_some()
    }
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
