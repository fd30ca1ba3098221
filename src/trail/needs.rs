//! What each host must hold, derived from the graph: roles are never declared.
//!
//! Least privilege: a host that somebody points at over an authenticated association is a server and gets
//! the group's server keys, a host that nobody points at gets client parameters alone
//! (minimal sets measured on 4.2.8p15; facts sheet section 5).

use crate::inventory::{GroupId, HostId, IdentityScheme};

/// The media one host must hold and the crypto lines it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Takes part in Autokey at all: needs host key, certificate and `crypto`.
    pub autokey: bool,
    /// Its certificate says trustRoot.
    pub trusted: bool,
    /// Some host of the inventory is its client over Autokey.
    pub serves: bool,
    /// Server keys it must hold: schemes of its own group, in the daemon's order IFF, GQ, MV.
    pub server_keys: Vec<IdentityScheme>,
    /// Client parameters it must hold: one per foreign or own group and scheme that a server of its presents.
    pub client_parameters: Vec<(GroupId, IdentityScheme)>,
    /// `crypto ident`: set on servers with group keys (own group) .
    pub crypto_ident: Option<GroupId>,
    /// PC: holds byte copies of the trusted host's key and private certificate.
    pub private_certificate_of: Option<HostId>,
    /// Symmetric key ids it must hold, sorted.
    pub symmetric_keys: Vec<u32>,
}

/// The `ident` of an association line: the group whose parameters the client checks the server with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineIdent {
    /// Group of the server.
    pub group: GroupId,
    /// Scheme the daemon will use: the server's first of IFF, GQ, MV.
    pub scheme: IdentityScheme,
}
