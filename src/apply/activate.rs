//! Switching a host to what was staged, and restarting its daemon.

use super::payload::{Entry, Payload, Prelude, Sent, word};
use super::phase::{failure, garbled};
use super::pool::Permit;
use super::reply::{Reply, moment, number};
use super::{ContentSource, HostWork, Judge, PhaseError, RunInfo};
use crate::digest::Digest;
use crate::foreign;
use crate::plan::{Action, live_update};
use crate::remote::{Answer, Remote, Unreachable};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const TEXT: &str = concat!(
    include_str!("../remote/scripts/guard.sh"),
    include_str!("scripts/common.sh"),
    include_str!("scripts/receive.sh"),
    include_str!("scripts/switch.sh"),
    include_str!("scripts/activate.sh")
);

/// How much longer than the one who looks the host waits for word, before it goes back by itself.
const GRACE: Duration = Duration::from_secs(30);

/// What happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Activated {
    /// Links, files, modes and owners changed.
    pub(super) changed: usize,
    /// What the restart command wrote, if it was run.
    pub(super) restart: Option<String>,
    /// Why it was run though the daemon was to be told.
    pub(super) untold: Option<String>,
}

/// What is sent.
pub(super) fn input(
    work: &HostWork,
    contents: &dyn ContentSource,
    run_info: &RunInfo,
    guard: Option<Duration>,
) -> Result<Sent, PhaseError> {
    let mut payload = Payload::default();
    for action in &work.plan.actions {
        add(&mut payload, work, contents, action)?;
    }
    let prelude = Prelude {
        label: Some((&run_info.run, run_info.generation)),
        lock: run_info.lock.as_ref(),
        guard: guard.map(|limit| limit + GRACE),
        vault: &work.record,
        ..Prelude::default()
    };
    payload.finish(&work.site, &prelude)
}

fn add(
    payload: &mut Payload,
    work: &HostWork,
    contents: &dyn ContentSource,
    action: &Action,
) -> Result<(), PhaseError> {
    match action {
        // Staged already.
        Action::PutFile { .. } => Ok(()),
        Action::FixMode { path, to, .. } => payload.add(Entry {
            verb: "mode",
            mode: Some(*to),
            path,
            ..Entry::default()
        }),
        Action::FixOwner { path, to, .. } => payload.add(Entry {
            verb: "owner",
            // For chown, "root:" means the group root belongs to, not "leave the group".
            new: word(to.strip_suffix(':').unwrap_or(to))?,
            path,
            ..Entry::default()
        }),
        Action::SwitchLink { path, from, to } => payload.add(Entry {
            verb: "link",
            // A target that no plan would make cannot be sent as one word; "?" then equals nothing that is there.
            old: from.as_deref().map_or("", |from| word(from).unwrap_or("?")),
            new: word(to)?,
            path,
            ..Entry::default()
        }),
        Action::RemoveLink { path, from } => payload.add(Entry {
            verb: "unlink",
            old: word(from)?,
            path,
            ..Entry::default()
        }),
        Action::ReplaceConf { path, from, file, .. } => payload.add(Entry {
            verb: "conf",
            old: &from.as_ref().map(Digest::to_string).unwrap_or_default(),
            new: &file.digest.to_string(),
            mode: Some(file.mode),
            content: Some(work.content(contents, path, file)?),
            path,
        }),
        Action::Retire { path, digest } => payload.add(Entry {
            verb: "retire",
            old: &digest.to_string(),
            path,
            ..Entry::default()
        }),
        Action::Restart { command, .. } => {
            payload.set_restart(command);
            Ok(())
        }
        Action::Tell {
            digest,
            restart: command,
            ..
        } => {
            let file = crate::plan::FileSpec {
                digest: *digest,
                size: 0,
                mode: 0o600,
                secret: true,
            };
            let text = work.content(contents, live_update::PATH, &file)?;
            payload.set_tell(&String::from_utf8_lossy(text.expose()));
            // Where it does not take it.
            payload.set_restart(command);
            Ok(())
        }
    }
}

/// Sends it. With a judge the host goes back unless the judge is content; while he looks, others have the permit.
pub(super) async fn activate<R: Remote>(
    name: &str,
    host: &R,
    sent: Sent,
    limit: Duration,
    judge: Option<(&dyn Judge<R>, &Permit)>,
) -> Result<Activated, PhaseError> {
    let script = sent.script(TEXT, limit);
    let objection = Mutex::new(None);
    // The host keeps its new state on our word only.
    let kept = AtomicBool::new(false);
    let within = judge
        .and_then(|(judge, _)| judge.limit(name))
        .map(|limit| limit + GRACE);
    let answer = judge.map(|(judge, permit)| -> Answer<'_> {
        let (objection, kept) = (&objection, &kept);
        Box::new(move |heard| {
            Box::pin(async move {
                let judged = match since(heard.expose()) {
                    Some(since) => permit.lend(judge.judge(name, host, since)).await,
                    None => Err(PhaseError::here(
                        "the host did not say when it restarted its daemon",
                    )),
                };
                match judged {
                    Ok(()) => {
                        kept.store(true, Ordering::SeqCst);
                        "keep"
                    }
                    Err(error) => {
                        *objection.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        "back"
                    }
                }
            })
        })
    });
    let output = match (host.talk(script, answer).await, within) {
        (Ok(output), _) => output,
        (
            Err(why @ (Unreachable::Lost(_) | Unreachable::TimedOut(_) | Unreachable::TooMuch(_))),
            Some(within),
        ) if !kept.load(Ordering::SeqCst) => {
            return Err(PhaseError::Unheard { why, within });
        }
        (Err(why), _) => return Err(why.into()),
    };
    if output.status == 0 {
        return read(output.stdout.expose()).map_err(|why| garbled(&why));
    }
    let error = failure(&output);
    if let Some(objection) = objection.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(objected(objection, error));
    }
    // What the restart command said is the best explanation there is.
    let said = restart_output(output.stdout.expose()).ok().flatten();
    Err(error.with_output(said.as_deref().unwrap_or_default()))
}

/// A judge's objection, with what became of the host.
fn objected(objection: PhaseError, end: PhaseError) -> PhaseError {
    let help = objection.help().map(str::to_owned);
    let message = objection.to_string();
    let stderr = match objection {
        PhaseError::Failed { stderr, .. } | PhaseError::RolledBack { stderr, .. } => stderr,
        PhaseError::Unreachable(_) | PhaseError::Unheard { .. } => String::new(),
    };
    match end {
        PhaseError::RolledBack { .. } => PhaseError::RolledBack {
            message,
            help,
            stderr,
        },
        PhaseError::Failed {
            message: end,
            help: then,
            ..
        } => PhaseError::Failed {
            message: format!("{message}; {end}"),
            help: then.or(help),
            stderr,
        },
        lost @ (PhaseError::Unreachable(_) | PhaseError::Unheard { .. }) => lost,
    }
}

/// When the daemon was restarted, by the host's clock.
pub(super) fn since(heard: &[u8]) -> Option<i64> {
    let mut reply = Reply::open(heard).ok()?;
    loop {
        if let Some(since) = reply.line().ok()?.strip_prefix("since ") {
            return moment(since).ok();
        }
    }
}

pub(super) fn read(stdout: &[u8]) -> Result<Activated, String> {
    let mut reply = Reply::open(stdout)?;
    let mut activated = Activated::default();
    loop {
        match reply.line()? {
            "end" => return Ok(activated),
            line => match line.split_once(' ').unwrap_or((line, "")) {
                ("restart", rest) => activated.restart = Some(said(&mut reply, rest)?.1),
                ("tell", rest) => {
                    let (status, words) = said(&mut reply, rest)?;
                    activated.untold = (status != 0).then(|| words.trim().to_owned());
                }
                ("ask" | "since", _) => {}
                _ => activated.changed += 1,
            },
        }
    }
}

/// The same of an answer that has no end.
pub(super) fn restart_output(stdout: &[u8]) -> Result<Option<String>, String> {
    let mut reply = Reply::open(stdout)?;
    let mut untold = String::new();
    while let Ok(line) = reply.line() {
        if let Some(rest) = line.strip_prefix("tell ") {
            untold = said(&mut reply, rest)?.1;
        } else if let Some(rest) = line.strip_prefix("restart ") {
            return Ok(Some(untold + &said(&mut reply, rest)?.1));
        }
    }
    Ok(None)
}

/// The exit status of a command on the host, and what it wrote.
fn said(reply: &mut Reply<'_>, rest: &str) -> Result<(u8, String), String> {
    let (status, size) = rest.split_once(' ').ok_or("a command without a status")?;
    let words = String::from_utf8_lossy(reply.bytes(number(size)?)?);
    Ok((number(status)?, foreign::lines(&words).into_owned()))
}
