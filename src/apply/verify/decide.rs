//! Whether to go on waiting.

use super::ask::program;
use super::{Level, Verification, Verified};
use crate::apply::PhaseError;
use std::time::Duration;

/// What one look comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It stands as asked.
    Met,
    /// Not yet, or not at all: another look may show it otherwise. Why, in a sentence.
    Wait(String),
    /// No further look will show anything else.
    Never(PhaseError),
}

/// Of a daemon that has come up.
pub(super) fn decide(now: &Verified, level: Level) -> Decision {
    let Some(why) = now.trouble(level) else {
        return Decision::Met;
    };
    // A query program does not appear by waiting.
    if now.cannot_ask {
        return Decision::Never(now.failed(why, &now.daemon.help));
    }
    // What is wrong with its files does not mend itself.
    if let Some(worry) = now
        .worries
        .iter()
        .find(|worry| worry.serious && worry.sentence == why)
    {
        return Decision::Never(now.failed(why, &worry.help));
    }
    Decision::Wait(why)
}

/// Why a daemon that came up does not count as started after all.
pub(super) fn settled(what: &Verification, first: &Verified, now: &Verified) -> Option<PhaseError> {
    let name = program(what.implementation);
    if !same_run(first, now) {
        let help =
            "something starts it again and again: look at its log, and at what its service manager says";
        return Some(now.failed(format!("{name} came up and has ended since"), &[help.to_owned()]));
    }
    if first.not_restarted {
        let help = [
            "only a restart makes it read its keys: have `restart` stop the daemon and start it again"
                .to_owned(),
            "a reload or SIGHUP does not do it (SIGHUP ends ntp.org's daemon)".to_owned(),
        ];
        return Some(now.failed(
            format!("the restart command did not restart {name}: the process is older"),
            &help,
        ));
    }
    None
}

/// Whether it is still the daemon that was seen first. One that went into the background in between has another process,
/// which began at the same time.
fn same_run(first: &Verified, now: &Verified) -> bool {
    let before = &first.daemon.processes;
    let began_together = match (first.daemon.started, now.daemon.started) {
        (Some(first), Some(now)) => (now - first).abs() <= 1,
        _ => false,
    };
    before.is_empty() || began_together || before.iter().any(|pid| now.daemon.processes.contains(pid))
}

/// It runs, but so far not for long enough to count as started.
pub(super) fn too_young(what: &Verification, now: &Verified, run: Duration) -> PhaseError {
    now.failed(
        format!(
            "{} has not run long enough to count as started: {} s by the host's clock",
            program(what.implementation),
            run.as_secs()
        ),
        &["the host is too busy, or its clock stands still: look at its load, and run the same command again".to_owned()],
    )
}

/// The time for it is over.
pub(super) fn too_long(now: &Verified, why: &str, limit: Duration) -> PhaseError {
    let worst = now
        .associations
        .iter()
        .find(|checked| checked.required && why.contains(&checked.outcome.sentence));
    let help = worst.map_or(&now.daemon.help, |checked| &checked.outcome.help);
    now.failed(
        format!("not authenticated within {} s: {why}", limit.as_secs()),
        help,
    )
}

impl Verified {
    /// Why its daemon did not start.
    pub(super) fn not_started(&self, what: &Verification) -> Option<PhaseError> {
        if !self.daemon.running {
            return Some(self.failed(self.daemon.sentence.clone(), &self.daemon.help));
        }
        // One that runs is an old one where another could not start beside it.
        let serious = self.worries.iter().find(|worry| worry.fatal)?;
        Some(self.failed(
            format!(
                "{} could not start: {}",
                program(what.implementation),
                serious.sentence
            ),
            &serious.help,
        ))
    }

    fn failed(&self, message: String, help: &[String]) -> PhaseError {
        PhaseError::Failed {
            message,
            help: (!help.is_empty()).then(|| help.join("; ")),
            stderr: self.log_end.clone(),
        }
    }
}
