//! The judge of a run: whether hosts are well after their restart, by what their daemons say.

use super::planning;
use crate::apply::verify::{Level, Verification, Verified, verification, verify};
use crate::apply::{Judge, Judgement};
use crate::inventory::{HostId, Inventory};
use crate::mint::State;
use crate::remote::Target;
use crate::trail::Analysis;
use crate::vault;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest time that a look takes beside what it waits for: round trips to a slow host.
const MARGIN: Duration = Duration::from_secs(30);

/// Looks at hosts as the inventory says, or as the command line does, and remembers what was seen.
pub struct Watch {
    hosts: HashMap<String, (Verification, Level)>,
    seen: Mutex<HashMap<String, (Verified, Level)>>,
}

impl Watch {
    /// What these hosts should show, made from what they will hold. `level` overrides the inventory's.
    pub fn new(
        inventory: &Inventory,
        analysis: &Analysis,
        state: &State,
        hosts: &[HostId],
        level: Option<Level>,
    ) -> Self {
        let watched = hosts.iter().map(|&host| {
            let what = verification(inventory, analysis, state, host, planning::site(inventory, host));
            let level = level.unwrap_or(what.level);
            (what.host.clone(), (what, level))
        });
        Self {
            hosts: watched.collect(),
            seen: Mutex::default(),
        }
    }

    /// What was seen, for the vault to remember.
    pub fn seen(&self) -> Vec<(String, vault::Verified)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .map(|(host, (verified, level))| (host.clone(), remembered(verified, *level)))
            .collect()
    }
}

/// A look in the words in which the vault keeps it.
pub fn remembered(verified: &Verified, level: Level) -> vault::Verified {
    let trouble = verified.trouble(level);
    let (met, required) = verified.count();
    vault::Verified {
        at: verified.at,
        level: level.word().to_owned(),
        good: trouble.is_none(),
        detail: trouble.unwrap_or_else(|| format!("{met} of {required} associations authenticated")),
    }
}

impl Judge<Target> for Watch {
    fn limit(&self, host: &str) -> Option<Duration> {
        let (what, level) = self.hosts.get(host)?;
        match level {
            Level::None => None,
            // A start is settled long before an authentication.
            Level::Start => Some(MARGIN * 2),
            Level::Auth => Some(what.limit + MARGIN * 2),
        }
    }

    fn judge<'a>(&'a self, host: &'a str, remote: &'a Target, since: i64) -> Judgement<'a> {
        Box::pin(async move {
            let Some((what, level)) = self.hosts.get(host) else {
                return Ok(());
            };
            let verified = verify(remote, what, *level, Some(since)).await?;
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(host.to_owned(), (verified, *level));
            Ok(())
        })
    }
}
