//! The judge of a run: whether hosts are well after their restart, by what their daemons say.

use crate::apply::verify::{Level, Verification, Verified, verification, verify};
use crate::apply::{Judge, Judgement, Unready};
use crate::inventory::{HostId, Inventory};
use crate::mint::State;
use crate::ops::desired::site;
use crate::ops::readiness::Readiness;
use crate::remote::Target;
use crate::trail::Analysis;
use crate::vault;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest time that a look takes beside what it waits for: round trips to a slow host.
const MARGIN: Duration = Duration::from_secs(30);

/// From what it is known what hosts should show.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) analysis: &'a Analysis,
    pub(crate) state: &'a State,
}

/// Looks at hosts as the inventory says, or as the command line does, and remembers what was seen.
pub(crate) struct HealthCheck {
    hosts: HashMap<String, (Verification, Level)>,
    told: HashSet<String>,
    readiness: Option<Readiness>,
    seen: Mutex<HashMap<String, (Verified, Level)>>,
}

impl HealthCheck {
    /// What these hosts should show, made from what they will hold. `level` overrides the inventory's; without it, in a
    /// rotation a host that is looked at at all must authenticate before those below it follow.
    pub(crate) fn new(known: Known<'_>, hosts: &[HostId], level: Option<Level>, rotation: bool) -> Self {
        let Known {
            inventory,
            analysis,
            state,
        } = known;
        let watched = hosts.iter().map(|&host| {
            let what = verification(inventory, analysis, state, host, site(inventory, host));
            let level = level.unwrap_or(match what.level {
                Level::Start if rotation => Level::Auth,
                level => level,
            });
            // Who is shut out must fail to authenticate: that it runs is all there is to see.
            let shut_out = state.revoked.all().any(|(_, _, revoked)| revoked == what.host);
            let level = if shut_out && level == Level::Auth {
                Level::Start
            } else {
                level
            };
            (what.host.clone(), (what, level))
        });
        Self {
            hosts: watched.collect(),
            told: HashSet::new(),
            readiness: None,
            seen: Mutex::default(),
        }
    }

    /// No host begins before others are ready for it.
    pub(crate) fn when_ready(mut self, readiness: Readiness) -> Self {
        self.readiness = Some(readiness);
        self
    }

    /// Nobody is looked at further than that.
    pub(crate) fn at_most(mut self, most: Level) -> Self {
        for (_, level) in self.hosts.values_mut() {
            *level = (*level).min(most);
        }
        self
    }

    /// These hosts are told while their daemons run on: what they proved before counts as before.
    pub(crate) fn told(mut self, hosts: impl IntoIterator<Item = String>) -> Self {
        self.told.extend(hosts);
        self
    }

    /// What was seen, for the vault to remember.
    pub(crate) fn seen(&self) -> Vec<(String, vault::Verified)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .map(|(host, (verified, level))| (host.clone(), verified.remembered(*level)))
            .collect()
    }
}

impl Judge<Target> for HealthCheck {
    fn limit(&self, host: &str) -> Option<Duration> {
        let (what, level) = self.hosts.get(host)?;
        match level {
            Level::None => None,
            // A start is settled long before an authentication.
            Level::Start => Some(MARGIN * 2),
            Level::Auth => Some(what.limit + MARGIN * 2),
        }
    }

    fn unready<'a>(&'a self, hosts: &'a [String]) -> Unready<'a> {
        Box::pin(async move {
            match &self.readiness {
                Some(readiness) => readiness.unready(hosts).await,
                None => Vec::new(),
            }
        })
    }

    fn judge<'a>(&'a self, host: &'a str, remote: &'a Target, since: i64) -> Judgement<'a> {
        Box::pin(async move {
            let Some((what, level)) = self.hosts.get(host) else {
                return Ok(());
            };
            let since = Some(since).filter(|_| !self.told.contains(host));
            let verified = verify(remote, what, *level, since).await?;
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(host.to_owned(), (verified, *level));
            Ok(())
        })
    }
}
