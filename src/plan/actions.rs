//! What a plan is made of: actions by host, in waves, with a summary.
//!
//! A plan is stored as JSON and compared with a plan made later, so everything in it is a plain value and its order
//! never depends on anything but its content. Nothing in it is secret: contents are digests, and the lines of
//! configuration diffs were redacted when they were made.

use super::FileSpec;
use crate::digest::Digest;
use serde::{Deserialize, Serialize};

/// Version of the JSON form.
pub const PLAN_VERSION: u32 = 1;

/// What would change on a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of this form: [`PLAN_VERSION`].
    pub version: u32,
    /// The vault's generation the desired state was made from.
    pub generation: u64,
    /// Every selected host, changed or not, in the inventory's order.
    pub hosts: Vec<HostPlan>,
    /// Names of the hosts to change, in the order of activation; hosts of one wave do not wait for each other.
    pub waves: Vec<Vec<String>>,
    /// Counts.
    pub summary: Summary,
}

/// What would change on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPlan {
    /// Host name.
    pub host: String,
    /// The range it was written as (`leaf[001-250]`), if any: hosts of one range are shown together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Hops from the trusted hosts: 0 for those.
    pub wave: u32,
    /// What to do, in the order in which it is done. Empty: nothing.
    pub actions: Vec<Action>,
    /// What a person should look at: hand-written lines that conflict, files in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl HostPlan {
    /// Whether anything changes.
    pub fn is_changed(&self) -> bool {
        !self.actions.is_empty()
    }

    /// What the running daemon is told; empty: it is told nothing.
    pub fn told(&self) -> &[String] {
        let told = self.actions.iter().find_map(|action| match action {
            Action::Tell { changes, .. } => Some(changes.as_slice()),
            _ => None,
        });
        told.unwrap_or_default()
    }

    /// Why it is restarted though only what it could be told changes.
    pub fn untold(&self) -> Option<&str> {
        self.actions.iter().find_map(|action| match action {
            Action::Restart { because, .. } => because.as_deref(),
            _ => None,
        })
    }

    /// Whether its daemon takes something new: it is restarted, or told.
    pub fn begins_anew(&self) -> bool {
        self.restarts() || !self.told().is_empty()
    }

    /// Whether the daemon is restarted.
    pub fn restarts(&self) -> bool {
        self.actions
            .iter()
            .any(|action| matches!(action, Action::Restart { .. }))
    }
}

/// One change on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Place a media file under its stamped name. Nothing uses it before a link names it.
    PutFile {
        /// Absolute path.
        path: String,
        /// The file.
        file: FileSpec,
        /// Digest of a damaged file of that name, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Digest>,
    },
    /// Correct the permission bits of a file that is right otherwise.
    FixMode {
        /// Absolute path.
        path: String,
        /// As found.
        from: u32,
        /// As it should be.
        to: u32,
    },
    /// Correct owner and group of a file that is right otherwise.
    FixOwner {
        /// Absolute path.
        path: String,
        /// As found, `owner:group`.
        from: String,
        /// As it should be, `owner:group`; either part may be empty.
        to: String,
    },
    /// Point a link to another file of its directory, or make it.
    SwitchLink {
        /// Absolute path of the link.
        path: String,
        /// Its target now; `None`: there is no such link.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Its target afterwards.
        to: String,
    },
    /// Remove a link the daemon must no longer find.
    RemoveLink {
        /// Absolute path of the link.
        path: String,
        /// Its target now.
        from: String,
    },
    /// Replace a configuration or key file.
    ReplaceConf {
        /// Absolute path.
        path: String,
        /// Digest now; `None`: there is no such file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Digest>,
        /// The file afterwards.
        file: FileSpec,
        /// Changed lines with their neighbours, redacted. Empty where the content is secret throughout.
        diff: Vec<DiffLine>,
    },
    /// Remove a media file that keytrail placed, that nothing uses any more and no way back needs. Done last.
    Retire {
        /// Absolute path.
        path: String,
        /// Digest of what may be removed.
        digest: Digest,
    },
    /// Restart the daemon, which reads every crypto file once, at start.
    Restart {
        /// Shell command.
        command: String,
        /// Why the running daemon is not told instead, where only symmetric keys or `ident`s change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// Tell the running daemon, which goes on; where it does not take it, it is restarted.
    Tell {
        /// What, mostly lines as in its configuration.
        changes: Vec<String>,
        /// Of the command that tells it.
        digest: Digest,
        /// Shell command that restarts it.
        restart: String,
    },
}

/// A line of a configuration diff.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffLine {
    /// What happens to it.
    pub op: DiffOp,
    /// The line, redacted.
    pub text: String,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiffOp {
    /// It stays; shown for orientation.
    Keep,
    /// It is added.
    Add,
    /// It goes.
    Remove,
    /// Lines left out here; `text` says how many.
    Skip,
}

/// Counts over a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Hosts looked at.
    pub hosts: usize,
    /// Hosts to change.
    pub changed: usize,
    /// Media files to place.
    pub files: usize,
    /// Links to make, switch or remove.
    pub links: usize,
    /// Configuration and key files to replace.
    pub confs: usize,
    /// Modes and owners to correct.
    pub fixes: usize,
    /// Media files to remove.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retired: usize,
    /// Daemons to restart.
    pub restarts: usize,
    /// Daemons that go on, and are told what changes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub told: usize,
    /// Waves in which hosts change.
    pub waves: usize,
    /// Things a person should look at.
    pub warnings: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Summary {
    /// Counts over `hosts`.
    pub fn of(hosts: &[HostPlan], waves: usize) -> Self {
        let mut summary = Self {
            hosts: hosts.len(),
            waves,
            ..Self::default()
        };
        for host in hosts {
            summary.changed += usize::from(host.is_changed());
            summary.warnings += host.warnings.len();
            for action in &host.actions {
                match action {
                    Action::PutFile { .. } => summary.files += 1,
                    Action::SwitchLink { .. } | Action::RemoveLink { .. } => summary.links += 1,
                    Action::ReplaceConf { .. } => summary.confs += 1,
                    Action::FixMode { .. } | Action::FixOwner { .. } => summary.fixes += 1,
                    Action::Retire { .. } => summary.retired += 1,
                    Action::Restart { .. } => summary.restarts += 1,
                    Action::Tell { .. } => summary.told += 1,
                }
            }
        }
        summary
    }
}

impl Plan {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.summary.changed == 0
    }
}
