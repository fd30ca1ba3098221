//! Unlocking: locks that dead runs have left on hosts are taken away.

use crate::apply::{self, Cancel, Limits, LocksOf, Report};
use crate::ops::connections::connections;
use crate::ops::desired::site;
use crate::ops::environment::Environment;
use crate::ops::error::Result;
use crate::ops::in_force::InForce;
use crate::ops::load::{Loaded, Reach};
use crate::ops::notice::{Hosts, Notice};
use std::collections::BTreeMap;

/// What came of it.
#[derive(Debug)]
pub struct Unlocked {
    /// How every host ended.
    pub report: Report,
    /// Whose the locks were that were taken away, by host.
    pub owners: BTreeMap<String, String>,
}

/// Takes away the locks of the selected hosts, whoever has them.
pub async fn unlock(
    loaded: Loaded,
    selectors: &[String],
    limits: Limits,
    environment: &Environment,
    cancel: &Cancel,
) -> Result<Unlocked> {
    let hosts = loaded.select(selectors, Reach::Connected, &*environment.observer)?;
    let fleet = InForce::from(loaded);
    let sites = hosts
        .iter()
        .map(|&host| {
            let name = fleet.inventory.host(host).name.to_string();
            (name, site(&fleet.inventory, host))
        })
        .collect();
    let connections = connections(&fleet.inventory, limits, environment)?;
    let heard = Hosts::heard_by(&environment.observer);
    let (report, owners) = apply::unlock(&connections, sites, LocksOf::Anybody, &heard, cancel).await;
    environment.observer.notice(Notice::Ended);
    Ok(Unlocked { report, owners })
}
