//! Minting into the vault of a session.

use crate::digest::Digest;
use crate::mint::{self, Given, Reason, Request, State, Work};
use crate::ops::error::{Error, Result};
use crate::ops::in_force::InForce;
use crate::ops::notice::{Minting, Notice, Observer};
use crate::ops::now;
use crate::rotate::removed_hosts::removed_hosts;
use crate::secret::Secret;
use crate::vault::{GenerationId, Lock, SecretKind, Vault};
use std::collections::HashSet;

/// What is minted beyond what is missing.
#[derive(Clone, Copy, Default)]
pub struct Demand<'a> {
    /// Secrets to be made again although they fit.
    pub replace: Option<&'a HashSet<(SecretKind, Box<str>)>>,
    /// Certificates that end until then (Unix seconds) are made again; `None`: those that have ended.
    pub renew_until: Option<i64>,
    /// Whose certificates that is about; `None`: everybody's.
    pub renewing: Option<&'a HashSet<Box<str>>>,
    /// Why, for the vault's own record.
    pub note: &'a str,
    /// What the vault is to know together with the new generation, made from what is minted.
    pub record: Option<Record<'a>>,
}

/// Makes a state of the vault, name and value, from what is minted.
pub type Record<'a> = &'a dyn Fn(&Work) -> (&'static str, Secret);

impl<'a> Demand<'a> {
    /// What is missing and no more.
    pub fn missing(note: &'a str) -> Self {
        Self {
            note,
            ..Self::default()
        }
    }
}

/// What there is after minting.
pub(super) struct Minted {
    pub(super) state: State,
    /// The vault's lock, if it was taken for minting.
    pub(super) lock: Option<Lock>,
}

/// Mints for an inventory into its vault.
pub(super) struct Minter<'a> {
    pub(super) fleet: &'a InForce,
    /// Values that the inventory takes from outside.
    pub(super) values: &'a Given,
    pub(super) observer: &'a dyn Observer,
    /// The vault is a copy that is thrown away.
    pub(super) rehearsal: bool,
    /// Locks the vault; `None`: it is locked already.
    pub(super) lock: &'a dyn Fn(&Vault) -> Result<Option<Lock>>,
}

impl Minter<'_> {
    pub(super) fn mint(&self, vault: &mut Vault, demand: &Demand<'_>) -> Result<Minted> {
        let none = HashSet::new();
        let InForce { inventory, analysis } = self.fleet;
        let now = now();
        let request = Request {
            inventory,
            needs: &|host| analysis.needs(host),
            given: self.values,
            now,
            renew_until: demand.renew_until.unwrap_or(now),
            renewing: demand.renewing,
            anew: demand.replace.unwrap_or(&none),
        };
        let mut state = State::read(vault)?;
        let mut work = mint::reconcile(&request, &state)?;
        if work.is_empty() {
            return Ok(Minted { state, lock: None });
        }
        let lock = (self.lock)(vault)?;
        // Somebody else may have minted just that while the lock was waited for.
        if vault.latest()? != state.snapshot.generation {
            state = State::read(vault)?;
            work = mint::reconcile(&request, &state)?;
            if work.is_empty() {
                return Ok(Minted { state, lock });
            }
        }
        for removed in &removed_hosts(inventory, &state.snapshot) {
            self.observer.notice(Notice::HostRemoved(removed));
        }
        self.make(vault, &work, demand)?;
        let state = State::read(vault)?;
        Ok(Minted { state, lock })
    }

    fn make(&self, vault: &mut Vault, work: &Work, demand: &Demand<'_>) -> Result<()> {
        let sources = &self.fleet.inventory.sources;
        let texts: Vec<&str> = sources.iter().map(|source| source.text.as_str()).collect();
        let record = demand.record.map(|record| record(work));
        let reason = Reason {
            note: demand.note,
            inventory: Digest::of(texts.join("\0").as_bytes()),
            state: record.as_ref().map(|(name, value)| (*name, value)),
        };
        let generation = mint::mint_with(vault, work, &reason, &Minting(self.observer));
        self.observer.notice(Notice::Ended);
        if let Some(GenerationId(generation)) = generation? {
            self.observer.notice(Notice::Minted {
                generation,
                work,
                rehearsal: self.rehearsal,
            });
        }
        Ok(())
    }
}

impl From<mint::Error> for Error {
    fn from(error: mint::Error) -> Self {
        let mint::Error::Impossible(problems) = &error else {
            return Self::new("nothing was minted").because(&error);
        };
        let mut failed = Self::new("what the inventory asks for cannot be made; nothing was minted");
        for problem in problems {
            failed = failed.why(problem.to_string());
            if let Some(help) = &problem.help {
                failed = failed.help(format!("{}: {help}", problem.subject));
            }
        }
        failed
    }
}
