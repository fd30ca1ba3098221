//! What happens while an operation goes on: one stream of typed events, for whoever shows or counts them.

use crate::apply::{self, Report};
use crate::finding::Finding;
use crate::inventory::Source;
use crate::mint::{self, Work};
use crate::ops::rotation::Step;
use crate::rotate::impact::HostImpact;
use crate::rotate::removed_hosts::RemovedHost;
use crate::vault::VaultId;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// One thing that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// The inventory has findings below errors.
    Findings {
        /// Its files.
        sources: &'a [Source],
        /// What was found.
        findings: &'a [Finding],
    },
    /// A key for the vault was made: who has a copy can open the vault, and nobody can without.
    VaultKeyCreated(&'a Path),
    /// A vault was opened without its key: nothing shows that it is what keytrail wrote.
    VaultUnverified(&'a Path),
    /// A vault was used here for the first time; from now on another one in its place is refused.
    VaultFirstUse {
        /// Its file.
        path: &'a Path,
        /// Which vault it is.
        id: VaultId,
        /// Where that is kept.
        known: &'a Path,
    },
    /// Nothing shows that a vault is the one expected, and nothing is kept for the next time.
    VaultUnknown {
        /// Its file.
        path: &'a Path,
        /// Which vault it is.
        id: VaultId,
        /// Why nothing is kept.
        why: &'a str,
    },
    /// Others than its owner can read or write the vault's file.
    VaultExposed {
        /// Its file.
        path: &'a Path,
        /// Its permission bits.
        mode: u32,
    },
    /// What daemons were seen to do is not kept: that takes the vault's key.
    NotRemembered,
    /// A vault was made.
    VaultCreated(&'a Path),
    /// Selected hosts are left out because their connection is `export`.
    ExportOnly {
        /// How many.
        hosts: usize,
    },
    /// A host that left the fleet, or its group, knows what it can still use.
    HostRemoved(&'a RemovedHost),
    /// Minting begins.
    MintingBegan {
        /// Hosts and groups to mint for.
        parts: usize,
    },
    /// All of a host or group is minted.
    MintingDone {
        /// Whose.
        owner: &'a str,
    },
    /// A generation was minted.
    Minted {
        /// Its number.
        generation: u32,
        /// What was made, and what was taken out.
        work: &'a Work,
        /// Into a copy of the vault that is thrown away.
        rehearsal: bool,
    },
    /// An earlier run never ended: its controller was killed.
    RunInterrupted {
        /// Its number.
        run: String,
        /// What it did.
        command: &'a str,
        /// Who had started it.
        operator: &'a str,
        /// Hosts it had changed.
        changed: usize,
    },
    /// Something happened on a host, or to a phase.
    Host(apply::Event<'a>),
    /// A piece of work begins that has `of` parts.
    Began {
        /// What is done.
        what: &'static str,
        /// Parts.
        of: usize,
    },
    /// One of these parts is done.
    Done {
        /// Which.
        part: &'a str,
    },
    /// What was under way has ended; results follow.
    Ended,
    /// A plan has a warning about a host.
    PlanWarning {
        /// The host.
        host: &'a str,
        /// What to mind.
        warning: &'a str,
    },
    /// What each daemon does while a rotation is carried out.
    Impact(&'a [HostImpact]),
    /// Neighbours of changing hosts that are not asked whether they are ready.
    ReadinessUnchecked(&'a BTreeSet<String>),
    /// Hosts go back to before a revocation.
    RevocationUndone,
    /// Hosts go back across a change of key ids or names: only the start of their daemons can be checked.
    StartCheckedOnly,
    /// Hosts that are not asked, because nothing is to be verified on them.
    NotVerified {
        /// How many.
        hosts: usize,
    },
    /// A run cannot be written into the journal; this is what it did.
    Unrecorded(&'a Report),
    /// A rotation that began before goes on.
    Resumed {
        /// What is rotated.
        subject: &'a str,
        /// The generation it minted.
        generation: u32,
        /// Hosts that have not got it.
        hosts: usize,
    },
    /// Hosts that need to be exported again.
    ExportAgain(&'a [&'a str]),
    /// A symmetric key goes to another id.
    IdChosen {
        /// Its name in the inventory.
        key: &'a str,
        /// The id in use.
        now: u32,
        /// The id to come.
        next: u32,
    },
    /// The keys of a group go to another name.
    NameChosen {
        /// The group.
        group: &'a str,
        /// The name in use.
        now: &'a str,
        /// The name to come.
        next: &'a str,
    },
    /// A step of a staged rotation begins.
    StepBegan(&'a Step),
    /// A symmetric key has come to its new id.
    IdInUse {
        /// Its name in the inventory.
        key: &'a str,
        /// Its id.
        id: u32,
    },
    /// The keys of a group have come to their new name.
    NameInUse {
        /// The group.
        group: &'a str,
        /// The name.
        name: &'a str,
    },
}

/// Who wants to know. Called from several threads; must not block.
pub trait Observer: Send + Sync {
    /// Hears of one thing.
    fn notice(&self, notice: Notice<'_>);
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn notice(&self, _: Notice<'_>) {}
}

/// Passes on what `apply` tells.
pub(crate) struct Hosts(Arc<dyn Observer>);

impl Hosts {
    pub(crate) fn heard_by(observer: &Arc<dyn Observer>) -> Arc<dyn apply::Progress> {
        Arc::new(Self(Arc::clone(observer)))
    }
}

impl apply::Progress for Hosts {
    fn event(&self, event: apply::Event<'_>) {
        self.0.notice(Notice::Host(event));
    }
}

/// Passes on what `mint` tells.
pub(crate) struct Minting<'a>(pub(crate) &'a dyn Observer);

impl mint::Progress for Minting<'_> {
    fn start(&self, parts: usize) {
        self.0.notice(Notice::MintingBegan { parts });
    }

    fn done(&self, owner: &str) {
        self.0.notice(Notice::MintingDone { owner });
    }
}
