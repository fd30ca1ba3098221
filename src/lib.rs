//! keytrail: provision NTP secure groups.
//!
//! Data flows one way: an [`inventory`] is loaded, its certificate trails are proven ([`trail`]), what is missing is made
//! ([`mint`], from [`media`]) and kept ([`vault`]), every host's desired state is compared with what stands there
//! ([`plan`], with the lines of [`ntpconf`]), and the difference is applied ([`apply`], over [`remote`]). Everything up to
//! the plan is values in, values out; only [`cli`] talks to people. `docs/architecture.md` has the whole picture.
//!
//! ```
//! use keytrail::{inventory, trail};
//!
//! let inventory = inventory::load_str(
//!     "version: 1
//! groups: { green: { identity: gq, trusted: [howland] } }
//! hosts:
//!   howland: { group: green, address: 192.0.2.20, reference_clock: true }
//!   yellow: { group: green, address: 192.0.2.30, servers: [magenta] }
//!   magenta: { group: green, address: 192.0.2.31, servers: [yellow] }
//! ",
//! )
//! .expect("a well-formed inventory");
//! let analysis = trail::analyse(&inventory, time::macros::date!(2026 - 11 - 21));
//! assert_eq!(analysis.findings[0].code, "trail-cycle");
//! assert_eq!(analysis.findings[0].labels[0].text, "yellow → magenta");
//! ```

pub mod apply;
pub mod cli;
pub mod demo;
pub mod export;
pub mod finding;
pub mod inventory;
pub mod mint;
pub mod ntpconf;
pub mod ops;
pub mod plan;
pub mod remote;
pub mod report;
pub mod rotate;
pub mod trail;
pub mod vault;

pub use keytrail_keygen as keygen;
pub use keytrail_media as media;
pub use keytrail_ntpq as ntpq;
pub use keytrail_vocabulary as vocabulary;
pub use keytrail_vocabulary::foreign;

/// How contents are named in the vault, in plans and on hosts.
pub mod digest {
    pub use keytrail_vocabulary::Digest;
}

/// Values that must never be shown.
pub mod secret {
    pub use keytrail_vocabulary::Secret;
}
