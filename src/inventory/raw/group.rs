//! Groups, hosts, and the smaller sections.

use super::{OneOrMany, RawAssociation, RawPassword};
use crate::finding::Severity;
use crate::inventory::model::IdentityScheme;
use crate::inventory::raw::values::RawClock;
use indexmap::IndexMap;
use keytrail_vocabulary::{KeyType, Written};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// A secure group.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(rename = "Group")]
#[serde(deny_unknown_fields)]
pub struct RawGroup {
    /// Identity scheme of its servers, or several: `tc` (default), `pc`, `iff`, `gq`, `mv`.
    pub identity: Option<OneOrMany<IdentityScheme>>,
    /// Its trusted hosts, where certificate trails end: names or ranges.
    pub trusted: Option<OneOrMany<Box<str>>>,
    /// Sizes of the group keys in bits.
    pub identity_key: Option<RawIdentityKey>,
    /// MV.
    pub mv: Option<RawMv>,
    /// Servers outside the fleet whose client parameters their operator handed over.
    pub external: Option<RawExternal>,
    /// A member that keeps the group keys besides the controller (trusted agent): it need not be a trusted host.
    pub agent: Option<Box<str>>,
    /// Symmetric keys of the group, by id.
    pub symmetric_keys: Option<IndexMap<Box<str>, RawSymmetricKey>>,
}

/// Sizes of group keys in bits.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(rename = "IdentityKey")]
#[serde(deny_unknown_fields)]
pub struct RawIdentityKey {
    /// IFF: 512 to below 2048. Default: 1024.
    pub iff: Option<u32>,
    /// GQ: 512 to 1016. Default: 1008.
    pub gq: Option<u32>,
    /// MV. Default: 512.
    pub mv: Option<u32>,
}

/// MV.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(rename = "Mv")]
#[serde(deny_unknown_fields)]
pub struct RawMv {
    /// Number of client keys. Default: as many as the hosts need.
    pub clients: Option<u32>,
}

/// Servers outside the fleet.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(rename = "External")]
#[serde(deny_unknown_fields)]
pub struct RawExternal {
    /// Their names in `servers:` lists, each with its address.
    pub servers: IndexMap<Box<str>, Box<str>>,
    /// Files with the group's client parameters (`ntpkey_iffpar_…`), relative to this file.
    #[serde(default)]
    pub parameters: Vec<PathBuf>,
}

/// A host, or a range of hosts that are alike (`"leaf[001-250]"`).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(rename = "Host")]
#[serde(deny_unknown_fields)]
pub struct RawHost {
    /// The secure group it belongs to.
    pub group: Option<Box<str>>,
    /// Address, for SSH and for the configuration of others. Default: its name. In a range `{}` is the counter
    /// (`{1}`, `{2}` … where there are several), `{host}` the name.
    pub address: Option<Box<str>>,
    /// Servers it is a client of.
    pub servers: Option<OneOrMany<RawAssociation>>,
    /// Hosts it is a symmetric active peer of. With Autokey the current daemon drops them.
    pub peers: Option<OneOrMany<RawAssociation>>,
    /// Addresses it broadcasts to. With Autokey the current daemon's clients lose them.
    pub broadcast: Option<OneOrMany<RawAssociation>>,
    /// Listens to broadcast servers.
    pub broadcastclient: Option<bool>,
    /// It has a clock of its own: the lines for it, or `true` where they are in its configuration already.
    pub reference_clock: Option<RawClock>,
    /// Free words for `--on tag:…`.
    pub tags: Option<OneOrMany<Box<str>>>,
}

/// A symmetric key.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(rename = "SymmetricKey")]
#[serde(deny_unknown_fields)]
pub struct RawSymmetricKey {
    /// Its type. Default: `AES-128-CMAC`, which all three daemons understand.
    #[serde(rename = "type")]
    pub kind: Option<Written<KeyType>>,
    /// Its value. Default: generated and kept in the vault.
    pub value: Option<RawPassword>,
    /// Addresses it is accepted from (ntp.org). Default: all.
    pub restrict: Option<OneOrMany<Box<str>>>,
}

/// What the inventory says about a finding: another severity, or a waiver.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(rename = "FindingRule")]
#[serde(deny_unknown_fields)]
pub struct RawFindingRule {
    /// The finding's code (`keytrail explain` lists them).
    pub code: Box<str>,
    /// Only for these hosts and groups, by name or glob. Default: everywhere.
    pub on: Option<OneOrMany<Box<str>>>,
    /// Its severity from now on.
    pub severity: Option<Severity>,
    /// `true`: not reported.
    pub waive: Option<bool>,
    /// Why.
    pub reason: Box<str>,
    /// Last day of this rule, `YYYY-MM-DD`.
    pub expires: Option<Box<str>>,
}
