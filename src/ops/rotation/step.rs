//! The steps of a rotation.

use crate::ops::rollout::Task;

/// One step: hosts that change before the next step can be taken.
#[derive(Debug)]
pub struct Step {
    /// Which, counted from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// What is done.
    pub kind: StepKind,
    /// On which hosts.
    pub task: Task,
}

/// What a step does.
#[derive(Debug)]
pub enum StepKind {
    /// Servers learn the new ids beside the old ones.
    IdAdded,
    /// Clients use the new ids.
    IdSwitched,
    /// The old ids go.
    IdRemoved,
    /// All hosts get the keys under the new name, which nothing reads yet.
    NameAdded {
        /// The new name.
        name: String,
    },
    /// Servers prove themselves by the new name, and their clients follow.
    NameMoved {
        /// The new name.
        name: String,
        /// These servers.
        servers: Vec<String>,
    },
    /// The keys under the old name go.
    NameRemoved {
        /// The old name.
        name: String,
    },
}

/// Why a rotation cannot be done in steps, a reason each; empty: what is wrong is for the rotation by restarts to say.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsuitable(pub Vec<String>);

/// What could not be done when a step is not noted.
pub(super) const UNSAVED: &str = "cannot save rotation progress in the vault";
