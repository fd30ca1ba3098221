//! Plans: what would change where, as a pure value.
//!
//! [`desired`] says what a host should look like, [`diff`] compares it with what was seen on it; [`Plan::new`] puts hosts into waves. A
//! plan prints as text ([`render::text`]) and is JSON by `serde`; nothing in either form is secret.

mod actions;
mod compare;
mod conf_diff;
mod desired;
mod diff;
mod foreign;
mod key_file;
pub mod live_update;
mod model;
pub mod order;
pub mod render;

pub use actions::*;
pub use compare::Moved;
pub use conf_diff::diff as conf_diff;
pub use desired::{DesiredHost, HostInput, Watched, desired, watched};
pub use diff::{ConfLines, diff, reached};
pub use foreign::foreign;
pub use key_file::{KeyFileError, key_file};
pub use model::*;

impl Plan {
    /// A plan of these hosts, in the inventory's order.
    pub fn new(generation: u64, hosts: Vec<HostPlan>) -> Self {
        let waves = order::waves(&hosts);
        Self {
            version: PLAN_VERSION,
            generation,
            summary: Summary::of(&hosts, waves.len()),
            waves,
            hosts,
        }
    }

    /// Reads a stored plan. `Err`: why it is none that this version can run.
    pub fn from_json(text: &str) -> Result<Self, String> {
        #[derive(serde::Deserialize)]
        struct Head {
            version: Option<u32>,
        }
        let head: Head = serde_json::from_str(text).map_err(|error| format!("this is no plan: {error}"))?;
        match head.version {
            Some(PLAN_VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "the plan has version {version}, this keytrail reads version {PLAN_VERSION}: make the plan again"
                ));
            }
            None => return Err("this is no plan: it has no 'version'".to_owned()),
        }
        let plan: Self =
            serde_json::from_str(text).map_err(|error| format!("the plan is damaged: {error}"))?;
        // Derived parts must follow from the hosts, or the file was edited.
        if plan == Self::new(plan.generation, plan.hosts.clone()) {
            Ok(plan)
        } else {
            Err(
                "the plan was edited: its waves or summary do not follow from its hosts; make it again"
                    .to_owned(),
            )
        }
    }
}
