//! Verifying: whether the daemons of the fleet authenticate as promised. Changes no host.

use crate::apply::verify::{Level, Verification, Verified, verification};
use crate::apply::{Cancel, Limits, PhaseError};
use crate::inventory::HostId;
use crate::mint::State;
use crate::ops::connections::connections;
use crate::ops::desired::site;
use crate::ops::environment::Environment;
use crate::ops::error::{Error, Result};
use crate::ops::in_force::{InForce, in_force, is_renamed};
use crate::ops::load::{Loaded, Reach, select};
use crate::ops::notice::{Hosts, Notice};
use crate::ops::vault_access::VaultAccess;
use crate::vault::{self, Vault};
use std::collections::HashMap;
use std::time::Duration;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// How far to look.
    pub level: Level,
    /// Look again until all is well, at most so long; zero: one look.
    pub wait: Duration,
    /// How many hosts at once, and how long a look may take.
    pub limits: Limits,
}

/// What hosts show, by name; those left out after an interruption are missing.
pub type Looked = HashMap<String, Result<Verified, PhaseError>>;

/// A host and what came of looking at it.
#[derive(Debug)]
pub struct HostVerified {
    /// The host.
    pub host: String,
    /// Its secure group.
    pub group: Option<String>,
    /// Whether the inventory promises that it authenticates anybody.
    pub promised: bool,
    /// What was found, or why it could not be looked at.
    pub result: Result<Verified, PhaseError>,
}

/// A verification that can begin.
pub struct Verify {
    fleet: InForce,
    hosts: Vec<HostId>,
    vault: Option<Vault>,
    state: State,
    environment: Environment,
}

impl Verify {
    /// Reads what was promised: from the inventory, and from the vault if there is one. Its key is needed only where a rotation
    /// has changed what keys are called. Findings are no obstacle: the daemons run all the same. Unless `all`, hosts with
    /// `verify: none` are left out.
    pub fn prepare(
        loaded: Loaded,
        selectors: &[String],
        all: bool,
        access: &VaultAccess,
        environment: Environment,
    ) -> Result<Self> {
        let mut vault = if access.path().exists() {
            Some(access.open_if_at_hand(&*environment.observer)?)
        } else {
            None
        };
        let mut fleet = InForce::from(loaded);
        let observer = &*environment.observer;
        if let Some(vault) = &mut vault
            && is_renamed(vault)?
        {
            if !vault.is_opened() {
                *vault = access.open(observer)?;
            }
            fleet = in_force(&fleet, vault)?;
        }
        let mut hosts = select(
            &fleet.inventory,
            &fleet.analysis,
            selectors,
            Reach::Connected,
            observer,
        )?;
        if !all {
            let selected = hosts.len();
            hosts.retain(|&host| fleet.inventory.entry(host).settings.verify != Level::None);
            if hosts.len() < selected {
                observer.notice(Notice::NotVerified {
                    hosts: selected - hosts.len(),
                });
            }
        }
        // What was minted, without anything secret.
        let snapshot = vault.as_ref().map(Vault::snapshot).transpose()?;
        Ok(Self {
            fleet,
            hosts,
            state: State {
                snapshot: snapshot.unwrap_or_default(),
                ..State::default()
            },
            vault,
            environment,
        })
    }

    /// The vault's generation the promises are of; 0: nothing was minted.
    pub fn generation(&self) -> u64 {
        self.state.snapshot.generation.map_or(0, |id| id.0.into())
    }

    /// Looks at the hosts; the vault remembers what was seen.
    pub async fn run(mut self, question: &Question, cancel: &Cancel) -> Result<Vec<HostVerified>> {
        let mut looked = look(
            &self.fleet,
            &self.state,
            &self.hosts,
            (question, &self.environment),
            cancel,
        )
        .await?;
        match &mut self.vault {
            Some(vault) if vault.is_opened() => remember(vault, &looked, question.level),
            // What `status` judges by is written with the key alone.
            Some(_) => self.environment.observer.notice(Notice::NotRemembered),
            None => {}
        }
        let inventory = &self.fleet.inventory;
        let verified = self.hosts.iter().filter_map(|&host| {
            let name = inventory.host(host).name.to_string();
            let result = looked.remove(&name)?;
            let group = inventory.group_of(host).map(|group| group.name.to_string());
            Some(HostVerified {
                host: name,
                group,
                promised: self.fleet.analysis.promises(inventory, host),
                result,
            })
        });
        Ok(verified.collect())
    }
}

/// Looks at hosts.
pub(crate) async fn look(
    fleet: &InForce,
    state: &State,
    hosts: &[HostId],
    (question, environment): (&Question, &Environment),
    cancel: &Cancel,
) -> Result<Looked> {
    let (inventory, analysis) = (&fleet.inventory, &fleet.analysis);
    let whats: Vec<Verification> = hosts
        .iter()
        .map(|&host| verification(inventory, analysis, state, host, site(inventory, host)))
        .collect();
    let connections = connections(inventory, question.limits, environment)?;
    let heard = Hosts::heard_by(&environment.observer);
    let looked = connections
        .verify(whats, question.level, question.wait, &heard, cancel)
        .await;
    environment.observer.notice(Notice::Ended);
    if cancel.is_cancelled() {
        return Err(Error::new("interrupted while looking at the hosts"));
    }
    Ok(looked)
}

/// Keeps what was seen. Where the vault cannot be written to, looking was still worth it.
pub(crate) fn remember(vault: &mut Vault, looked: &Looked, level: Level) {
    let seen: Vec<(&str, vault::Verified)> = looked
        .iter()
        .filter_map(|(host, result)| Some((&**host, result.as_ref().ok()?.remembered(level))))
        .collect();
    if let Err(error) = vault.set_verified(seen.iter().map(|(host, seen)| (*host, seen))) {
        tracing::info!("what was seen is not remembered: {error}");
    }
}
