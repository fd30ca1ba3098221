//! Asking running daemons whether the fleet authenticates as promised.
//!
//! A [`Verification`] is what one host should show: a value made by [`verification`] from inventory, analysis and what
//! was minted. [`verify`] asks the host (`scripts/verify.sh`, one round trip a look) until it stands as asked or the time
//! that takes is over; [`ConnectionPool::verify`](super::ConnectionPool::verify) does it for many. What came of it is a [`Verified`].
//!
//! The rules are those measured on 4.2.8p15: a limit of (steps + 3) polls, a daemon that ends within its first second when
//! it cannot use its keys, and a proof older than a change that says nothing of it.

mod ask;
mod clock;
mod connection_pool;
mod decide;
mod judge;
mod log;
mod promises;
#[cfg(test)]
mod tests;
mod verified;

pub use crate::inventory::Verify as Level;
pub use clock::{ClockProblem, clock_problem};
pub use promises::verification;
pub use verified::{Checked, Daemon, Exchange, Verified, Worry};

use super::{PhaseError, Site};
use crate::inventory::Implementation;
use crate::ntpq::Expected;
use crate::remote::Remote;
use decide::{Decision, decide, settled};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What a host should show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Its name.
    pub host: String,
    /// Where its files are.
    pub site: Site,
    /// Whose daemon it runs.
    pub implementation: Implementation,
    /// Configuration files in which the daemon's own log and statistics may be named.
    pub conf: Vec<String>,
    /// The daemon's log, where the inventory names it.
    pub log: Option<String>,
    /// How far the inventory wants it to be looked at after a restart.
    pub level: Level,
    /// Its symmetric key file, if it holds keys.
    pub keys: Option<String>,
    /// Takes part in Autokey: only a restart makes its daemon read new media.
    pub autokey: bool,
    /// Others take their time from it, so its clock must be set.
    pub serves: bool,
    /// Its associations.
    pub promised: Vec<Promised>,
    /// Longest time from a restart until all of that can hold.
    pub limit: Duration,
    /// Time between two polls of its fastest association.
    pub poll: Duration,
    /// Servers, by their names in [`Expected::server`], that are known to run and to have the time. From a client alone, one
    /// that refuses in silence looks like one that is down.
    pub servers_up: HashSet<String>,
}

/// An association the inventory promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promised {
    /// With whom, and how authenticated.
    pub expected: Expected,
    /// Whether [`Level::Auth`] waits for it. It does not for lines without authentication, nor for those of a trusted
    /// host with a clock of its own: they are backup and monitoring.
    pub required: bool,
    /// Filestamp time (Unix seconds) of the group key it is promised with: a proof from before shows nothing of it.
    pub key_made: Option<i64>,
}

/// How patient [`verify`] is.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Time for a daemon to come up after its restart command has returned.
    start: Duration,
    /// Time it must have run to count as started, by the host's own measure: what ends a daemon at its start (a wrong
    /// password, a damaged key, a port that is taken) does so within the first second (measured); the rest is margin for a
    /// slow machine.
    settle: Duration,
    /// Between two looks at one that is not up yet.
    again: Duration,
}

const PACE: Pace = Pace {
    start: Duration::from_secs(10),
    settle: Duration::from_secs(5),
    again: Duration::from_secs(1),
};

impl Verification {
    /// The longest that [`verify`] takes at `level`.
    pub fn longest(&self, level: Level) -> Duration {
        match level {
            Level::None => Duration::ZERO,
            Level::Start => PACE.start + 2 * PACE.settle + 2 * ask::LIMIT,
            Level::Auth => self.longest(Level::Start) + self.limit,
        }
    }
}

/// Looks at a host until it stands at `level`, or until the time that takes is over. `since` is the host's own clock (Unix
/// seconds) right before the restart that it is to have come through.
///
/// # Errors
///
/// [`PhaseError::Failed`] in words where it does not come to stand there, with the end of the daemon's log.
pub async fn verify(
    host: &impl Remote,
    what: &Verification,
    level: Level,
    since: Option<i64>,
) -> Result<Verified, PhaseError> {
    if level == Level::None {
        return Ok(Verified::nothing(what));
    }
    verify_at(PACE, host, what, level, since).await
}

async fn verify_at(
    pace: Pace,
    host: &impl Remote,
    what: &Verification,
    level: Level,
    since: Option<i64>,
) -> Result<Verified, PhaseError> {
    let begun = Instant::now();
    let mut seen = ask::ask(host, what, since, ask::LIMIT).await?;
    while !judge::judge(what, &seen, since).daemon.running && begun.elapsed() < pace.start {
        sleep(pace.again).await;
        seen = ask::ask(host, what, since, ask::LIMIT).await?;
    }
    let first = judge::judge(what, &seen, since);
    if let Some(error) = first.not_started(what) {
        return Err(error);
    }
    let since_restart = since.filter(|_| !first.not_restarted);
    let first_clock = seen.clock;
    sleep(
        pace.settle
            .saturating_sub(has_run(&seen, &first, since_restart, first_clock)),
    )
    .await;
    loop {
        seen = ask::ask(host, what, since, ask::LIMIT).await?;
        let now = judge::judge(what, &seen, since);
        if let Some(error) = now.not_started(what).or_else(|| settled(what, &first, &now)) {
            return Err(error);
        }
        // A busy host may have given its daemon less time than passed here.
        let run = has_run(&seen, &now, since_restart, first_clock);
        if run < pace.settle {
            if begun.elapsed() > pace.start + 2 * pace.settle {
                return Err(decide::too_young(what, &now, run));
            }
            sleep(pace.again).await;
            continue;
        }
        match decide(&now, level) {
            Decision::Met => return Ok(now),
            Decision::Never(error) => return Err(error),
            Decision::Wait(why) if begun.elapsed() >= what.limit => {
                return Err(decide::too_long(&now, &why, what.limit));
            }
            Decision::Wait(_) => sleep(pause(what)).await,
        }
    }
}

/// How long a daemon has run by its host's measure: from its own start, where it was restarted and that is known, else from
/// the first look at it, at `first_clock` on the host.
fn has_run(seen: &ask::Seen, judged: &Verified, restart: Option<i64>, first_clock: i64) -> Duration {
    let start = restart.and(judged.daemon.started).unwrap_or(first_clock);
    Duration::from_secs(u64::try_from(seen.clock - start).unwrap_or(0))
}

/// Time between two looks: something may have changed with every poll.
fn pause(what: &Verification) -> Duration {
    (what.poll / 4).clamp(Duration::from_secs(2), Duration::from_secs(15))
}
