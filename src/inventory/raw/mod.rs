//! The inventory as it is written in YAML, before anything is resolved. The comments of these types are the
//! documentation of the fields: `keytrail schema` prints them.

mod association;
mod group;
mod policy;
mod settings;
mod values;

pub use association::{RawAssociation, RawAssociationFields, RawAuth, RawTarget};
pub use group::{RawExternal, RawFindingRule, RawGroup, RawHost, RawSymmetricKey};
pub use policy::{RawPolicy, RawThresholds};
pub use settings::{RawAssociationDefaults, RawConnection, RawHostKeys, RawSettings, RawSsh};
pub use values::{OneOrMany, RawClock, RawLifetime, RawPassword, RawRestart};
