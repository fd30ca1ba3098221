//! A run as the vault remembers it: who did what, and how it ended on every host, written down while it goes on.

use crate::apply::{self, Event, HostLock, Outcome, Report, RunInfo};
use crate::digest::Digest;
use crate::ops::error::{Error, Result};
use crate::ops::notice::{Hosts, Notice, Observer};
use crate::ops::now;
use crate::report::time_format;
use crate::vault::{self, GenerationId, HostResult, RunId, Vault};
use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a host stays locked after the last step there, for a run that died.
const LEASE: Duration = Duration::from_secs(30 * 60);

/// Hears of everything, shows it, and writes down how hosts end. Writing is a thread's own business, as many results
/// at a time as have come in meanwhile: nobody waits for the disk.
struct Journal {
    heard: Arc<dyn apply::Progress>,
    results: Sender<HostResult>,
    reaches: Arc<Reaches>,
}

/// Which generation hosts stand in when the run has ended well on them; 0: in none.
pub(crate) enum Reaches {
    /// All the same.
    All(u64),
    /// Each its own; hosts that are missing stay in theirs.
    Each(HashMap<String, u64>),
}

impl Reaches {
    fn of(&self, host: &str) -> Option<GenerationId> {
        let number = match self {
            Self::All(number) => Some(number),
            Self::Each(numbers) => numbers.get(host),
        };
        number
            .and_then(|&number| u32::try_from(number).ok())
            .filter(|&number| number > 0)
            .map(GenerationId)
    }
}

/// The open page of the journal.
pub(crate) struct Page {
    vault: Arc<Mutex<Vault>>,
    run: RunId,
    reaches: Arc<Reaches>,
    writer: JoinHandle<Result<(), vault::Error>>,
    journal: Arc<Journal>,
    observer: Arc<dyn Observer>,
}

/// Opens a page for `command`, and tells of runs that never closed their own.
pub(crate) fn open(
    vault: Arc<Mutex<Vault>>,
    command: &str,
    reaches: Reaches,
    observer: &Arc<dyn Observer>,
) -> Result<Page> {
    let run = {
        let mut vault = vault.lock().unwrap_or_else(PoisonError::into_inner);
        close_interrupted(&mut vault, &**observer)
            .map_err(|error| Error::vault("cannot read the journal", &error))?;
        vault
            .start_run(&vault::Run {
                command,
                operator: &vault::operator(),
                generation: match &reaches {
                    all @ Reaches::All(_) => all.of(""),
                    Reaches::Each(_) => None,
                },
                started: now(),
            })
            .map_err(|error| Error::vault("cannot write the journal", &error))?
    };
    let (results, incoming) = channel();
    let writer = std::thread::spawn({
        let vault = Arc::clone(&vault);
        move || write(&vault, run, &incoming)
    });
    let reaches = Arc::new(reaches);
    let journal = Arc::new(Journal {
        heard: Hosts::heard_by(observer),
        results,
        reaches: Arc::clone(&reaches),
    });
    Ok(Page {
        vault,
        run,
        reaches,
        writer,
        journal,
        observer: Arc::clone(observer),
    })
}

impl Page {
    /// Who hears what happens.
    pub(crate) fn progress(&self) -> Arc<dyn apply::Progress> {
        Arc::clone(&self.journal) as _
    }

    /// What hosts are told of the run.
    pub(crate) fn run_info(&self, vault: &Path, command: &str) -> RunInfo {
        RunInfo {
            run: self.run.to_string(),
            generation: match *self.reaches {
                Reaches::All(number) => number,
                Reaches::Each(_) => 0,
            },
            lock: Some(host_lock(vault, command)),
        }
    }

    /// Closes the page: how the run ended, in the same words as its report, and what daemons were seen to do. Where that
    /// cannot be kept, the report is said at once: what was done on hosts must not be lost with the journal.
    pub(crate) fn close(self, report: &Report, seen: &[(String, vault::Verified)]) -> Result<()> {
        let Self {
            vault,
            run,
            reaches,
            writer,
            journal,
            observer,
        } = self;
        // The writer ends when nobody can send it anything any more.
        drop(journal);
        let written = writer
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What could not be written while it came in is tried once more: a disk that was full may have room again.
        let again = written.is_err();
        let missing: Vec<HostResult> = report
            .hosts
            .iter()
            .filter(|(_, outcome)| again || matches!(outcome, Outcome::Unchanged))
            .filter_map(|(host, outcome)| result(host, outcome, &reaches))
            .collect();
        let mut vault = vault.lock().unwrap_or_else(PoisonError::into_inner);
        vault
            .record(run, &missing)
            .and_then(|()| remember(&mut vault, run, seen))
            .and_then(|()| vault.end_run(run, &report.counts(), now()))
            .map_err(|error| {
                observer.notice(Notice::Unrecorded(report));
                Error::vault(
                    "what was done on the hosts could not be written into the vault's journal",
                    &error,
                )
                .help(
                    "the hosts are as the report above says; when that is mended, run the same command again",
                )
            })
    }
}

/// Keeps what daemons were seen to do. A change settles because its daemon was seen to be well, a moment later than that
/// was seen: it must not look like a change that nobody has looked at.
fn remember(vault: &mut Vault, run: RunId, seen: &[(String, vault::Verified)]) -> Result<(), vault::Error> {
    let settled: HashMap<String, i64> = vault
        .results(run)?
        .into_iter()
        .filter(|result| result.outcome == vault::Outcome::Applied)
        .map(|result| (result.host, result.at))
        .collect();
    let seen: Vec<(&str, vault::Verified)> = seen
        .iter()
        .map(|(host, seen)| {
            let at = settled.get(host).map_or(seen.at, |&at| at.max(seen.at));
            (host.as_str(), vault::Verified { at, ..seen.clone() })
        })
        .collect();
    vault.set_verified(seen.iter().map(|(host, seen)| (*host, seen)))
}

impl apply::Progress for Journal {
    fn event(&self, event: Event<'_>) {
        if let Event::Settled { host, outcome } = &event
            && let Some(result) = result(host, outcome, &self.reaches)
        {
            // A writer that failed says so at the end.
            let _ = self.results.send(result);
        }
        self.heard.event(event);
    }
}

fn write(vault: &Mutex<Vault>, run: RunId, incoming: &Receiver<HostResult>) -> Result<(), vault::Error> {
    while let Ok(first) = incoming.recv() {
        let results: Vec<_> = std::iter::once(first).chain(incoming.try_iter()).collect();
        vault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(run, &results)?;
    }
    Ok(())
}

fn result(host: &str, outcome: &Outcome, reaches: &Reaches) -> Option<HostResult> {
    let (word, detail, stands) = match outcome {
        Outcome::Unchanged => (vault::Outcome::Unchanged, String::new(), true),
        Outcome::Changed { untold, .. } => {
            let detail = untold.as_deref().map(apply::restarted_because);
            (vault::Outcome::Applied, detail.unwrap_or_default(), true)
        }
        Outcome::Failed { phase, message, .. } => {
            (vault::Outcome::Failed, format!("{phase}: {message}"), false)
        }
        Outcome::RolledBack { phase, message, .. } => {
            (vault::Outcome::RolledBack, format!("{phase}: {message}"), false)
        }
        Outcome::Unreachable { phase, message, .. } => {
            (vault::Outcome::Unreachable, format!("{phase}: {message}"), false)
        }
        Outcome::NotReady { .. } | Outcome::NotReached { .. } => return None,
    };
    Some(HostResult {
        host: host.to_owned(),
        outcome: word,
        generation: reaches.of(host).filter(|_| stands),
        detail,
        at: now(),
    })
}

/// Runs without an end were killed: the vault's lock is ours, so they do not run any more.
fn close_interrupted(vault: &mut Vault, observer: &dyn Observer) -> Result<(), vault::Error> {
    for run in vault.runs()?.into_iter().filter(|run| run.ended.is_none()) {
        let done = vault.results(run.id)?;
        let changed = done
            .iter()
            .filter(|result| result.outcome == vault::Outcome::Applied);
        observer.notice(Notice::RunInterrupted {
            run: run.id.to_string(),
            command: &run.command,
            operator: &run.operator,
            changed: changed.count(),
        });
        vault.end_run(run.id, "interrupted", now())?;
    }
    Ok(())
}

/// The lock that hosts get: the same for every run with this vault on this controller, which exclude each other.
pub(crate) fn host_lock(vault: &Path, command: &str) -> HostLock {
    let path = std::path::absolute(vault).unwrap_or_else(|_| vault.to_owned());
    let whose = format!("{}\0{}", vault::operator(), path.display());
    let id = Digest::of(whose.as_bytes()).to_string();
    HostLock {
        id: id[..16].to_owned(),
        lease: LEASE,
        words: format!(
            "{} since {} for '{command}'",
            vault::operator(),
            time_format::rfc3339(now())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault::KeySource;

    #[test]
    fn a_change_that_settled_because_it_was_seen_well_counts_as_seen_since() {
        let dir = tempfile::tempdir().unwrap();
        let identity = dir.path().join("key.agekey");
        vault::create_identity(&identity).unwrap();
        let key = KeySource::File(identity);
        let mut vault = Vault::create(&dir.path().join("fleet.vault"), &key, &[]).unwrap();
        let run = vault
            .start_run(&vault::Run {
                command: "apply",
                operator: "ann@controller",
                generation: None,
                started: 90,
            })
            .unwrap();
        let result = |host: &str, outcome| HostResult {
            host: host.to_owned(),
            outcome,
            generation: None,
            detail: String::new(),
            at: 100,
        };
        let ended = [
            result("well", vault::Outcome::Applied),
            result("late", vault::Outcome::Applied),
            result("back", vault::Outcome::RolledBack),
        ];
        vault.record(run, &ended).unwrap();
        let seen = |host: &str, at| {
            let seen = vault::Verified {
                at,
                level: "auth".to_owned(),
                good: host != "back",
                detail: String::new(),
            };
            (host.to_owned(), seen)
        };
        let all = [seen("well", 98), seen("late", 103), seen("back", 98)];
        remember(&mut vault, run, &all).unwrap();
        let verified = vault.verified().unwrap();
        // What was seen on the host that went back is not what runs there now.
        for (host, at) in [("well", 100), ("late", 103), ("back", 98)] {
            assert_eq!(verified[host].at, at, "{host}");
        }
        assert_eq!(vault.changed().unwrap()["back"], 100);
    }
}
