//! Rotations that go in steps, of which any can be the last for now: the state of the vault says how far they are, and the
//! inventory in force follows from it.

use super::step::{Step, Unsuitable};
use super::{idents, key_ids};
use crate::ops::error::Result;
use crate::ops::minting::Demand;
use crate::ops::notice::Notice;
use crate::ops::session::Session;

/// A rotation that goes in steps.
#[derive(Debug, Clone)]
pub enum Staged {
    /// Symmetric keys go to new ids.
    Ids {
        /// Their names in the inventory.
        keys: Vec<String>,
    },
    /// The identity keys of a group go to a new name.
    Name {
        /// The group.
        group: String,
        /// The command that finishes it, without the program's name.
        command: String,
    },
}

impl Staged {
    /// Whether it can be done this way; one that is under way can.
    pub fn suits(
        &self,
        session: &Session,
        verify: Option<crate::apply::verify::Level>,
    ) -> Result<Result<(), Unsuitable>> {
        match self {
            Self::Ids { keys } => Ok(key_ids::suits(&session.written().inventory, keys)),
            Self::Name { group, .. } => idents::suits(session, group, verify),
        }
    }

    /// Notes in the vault that it begins, where it has not.
    pub fn begin(&self, session: &mut Session) -> Result<()> {
        match self {
            Self::Ids { keys } => key_ids::begin(session, keys),
            Self::Name { group, command } => idents::begin(session, group, command),
        }
    }

    /// The next step, where the one before is everywhere; else the one before. `None`: it is through.
    pub fn next(&self, session: &mut Session) -> Result<Option<Step>> {
        match self {
            Self::Ids { keys } => key_ids::advance(session, keys)?,
            Self::Name { group, .. } => idents::advance(session, group)?,
        }
        // Keys under their new id or name.
        session.mint(&Demand::missing("inventory"))?;
        let step = match self {
            Self::Ids { keys } => key_ids::step(session, keys)?,
            Self::Name { group, .. } => idents::step(session, group)?,
        };
        if let Some(step) = &step {
            session.observer().notice(Notice::StepBegan(step));
        }
        Ok(step)
    }

    /// Notes that the step is everywhere.
    pub fn arrive(&self, session: &mut Session) -> Result<()> {
        match self {
            Self::Ids { keys } => key_ids::arrive(session, keys),
            Self::Name { group, .. } => idents::arrive(session, group),
        }
    }
}
