//! Many hosts at once, and what is known of servers only when all were looked at.

use super::super::pool::{Cancel, Permit, each};
use super::super::progress::{Event, Progress};
use super::super::{Connect, ConnectionPool, Phase, PhaseError};
use super::ask::{Seen, ask};
use super::judge::judge;
use super::{Level, Verification, Verified, pause};
use crate::remote::Remote;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What a look at a fleet waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Until {
    level: Level,
    wait: Duration,
    /// Longest time of one look.
    look: Duration,
}

impl<C: Connect> ConnectionPool<C> {
    /// Looks at hosts, by name, and for `wait` again and again at those that do not stand at `level` yet; zero: one look.
    /// A host that does not come to stand there is no error: that is in its [`Verified`]. Hosts left out after a
    /// cancellation are missing from the answer.
    pub async fn verify(
        self: &Arc<Self>,
        whats: Vec<Verification>,
        level: Level,
        wait: Duration,
        progress: &Arc<dyn Progress>,
        cancel: &Cancel,
    ) -> HashMap<String, Result<Verified, PhaseError>> {
        let hosts = whats.len();
        let phase = Phase::Verify;
        progress.event(Event::Began {
            phase,
            wave: None,
            hosts,
        });
        let look = self.limits().ask;
        let until = Until { level, wait, look };
        let stop = || cancel.is_cancelled();
        let looked = each(whats, self.room(hosts), stop, |what, permit| {
            let (fleet, progress, stop) = (Arc::clone(self), Arc::clone(progress), cancel.clone());
            async move {
                let host = &what.host;
                progress.event(Event::Started { host, phase });
                let look = || async { watch(&*fleet.host(host)?, &what, until, &stop, &permit).await };
                let result = fleet.persist(host, phase, &stop, look).await;
                fleet.rest(host, true).await;
                progress.event(Event::Ended {
                    host,
                    phase,
                    error: result.as_ref().err(),
                });
                (what, result)
            }
        })
        .await;
        judged(looked)
    }
}

/// The last of the looks at a host.
async fn watch(
    host: &impl Remote,
    what: &Verification,
    until: Until,
    stop: &Cancel,
    permit: &Permit,
) -> Result<Seen, PhaseError> {
    let begun = Instant::now();
    loop {
        let seen = ask(host, what, None, until.look).await?;
        let stands = judge(what, &seen, None).stands(until.level);
        let left = until.wait.saturating_sub(begun.elapsed());
        if stands || left.is_zero() || stop.is_cancelled() {
            return Ok(seen);
        }
        permit.lend(sleep(pause(what).min(left))).await;
    }
}

/// Judges every host in the light of how its servers were found.
fn judged(
    looked: Vec<(Verification, Result<Seen, PhaseError>)>,
) -> HashMap<String, Result<Verified, PhaseError>> {
    let up: HashSet<String> = looked
        .iter()
        .filter_map(|(what, result)| {
            let verified = judge(what, result.as_ref().ok()?, None);
            (verified.synchronised == Some(true)).then_some(verified.host)
        })
        .collect();
    looked
        .into_iter()
        .map(|(mut what, result)| {
            let servers = what.promised.iter().map(|promised| &promised.expected.server);
            let known = servers.filter(|server| up.contains(*server)).cloned();
            what.servers_up = known.collect();
            let result = result.map(|seen| judge(&what, &seen, None));
            (what.host, result)
        })
        .collect()
}
