//! The SSH host keys that hosts present.

use crate::apply::{self, Cancel};
use crate::inventory::HostId;
use crate::ops::connections::connect;
use crate::ops::environment::Environment;
use crate::ops::error::{Error, Result};
use crate::ops::in_force::InForce;
use crate::ops::notice::Notice;
use crate::remote::{HostKeys, Unreachable};
use std::sync::Arc;

/// What hosts that are reached over SSH present, `jobs` at a time.
pub(crate) async fn presented(
    fleet: &InForce,
    hosts: Vec<HostId>,
    jobs: usize,
    environment: &Environment,
    cancel: &Cancel,
) -> Result<Vec<(String, Result<HostKeys, Unreachable>)>> {
    let connect = Arc::new(connect(&fleet.inventory, environment)?);
    let observer = Arc::clone(&environment.observer);
    observer.notice(Notice::Began {
        what: "asking for host keys",
        of: hosts.len(),
    });
    let heard = Arc::clone(&observer);
    let done = move |part: &str| heard.notice(Notice::Done { part });
    let answers = apply::presented(&connect, hosts, jobs, cancel, done).await;
    observer.notice(Notice::Ended);
    if cancel.is_cancelled() {
        return Err(Error::new("interrupted; nothing was changed"));
    }
    Ok(answers)
}
