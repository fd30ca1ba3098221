//! What happens, as it happens.

use super::{Outcome, Phase, PhaseError};

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A phase begins on so many hosts.
    Began {
        /// Which.
        phase: Phase,
        /// Which wave, for [`Phase::Activate`].
        wave: Option<u32>,
        /// How many hosts.
        hosts: usize,
    },
    /// A host is being worked on.
    Started {
        /// Which.
        host: &'a str,
        /// What is done to it.
        phase: Phase,
    },
    /// A host is through with a phase.
    Ended {
        /// Which.
        host: &'a str,
        /// What was done to it.
        phase: Phase,
        /// Why not, if it was not.
        error: Option<&'a PhaseError>,
    },
    /// It is known how a host ended.
    Settled {
        /// Which.
        host: &'a str,
        /// How.
        outcome: &'a Outcome,
    },
    /// Hosts that will not be worked on any more.
    Stopped {
        /// How many.
        hosts: usize,
        /// Why.
        why: &'a str,
    },
}

/// Somebody who wants to know. Called from several threads; must not block.
pub trait Progress: Send + Sync {
    /// Hears of one thing.
    fn event(&self, event: Event<'_>);
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}
