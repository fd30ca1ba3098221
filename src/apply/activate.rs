//! Switching a host to what was staged, and restarting its daemon.

use super::payload::{Entry, Payload, word};
use super::phase::{failure, garbled};
use super::reply::{Reply, number};
use super::stage::content;
use super::{ContentSource, HostWork, PhaseError};
use crate::digest::Digest;
use crate::plan::Action;
use crate::remote::{Remote, Script};
use crate::secret::Secret;
use std::time::Duration;

const TEXT: &str = concat!(
    include_str!("scripts/common.sh"),
    include_str!("scripts/receive.sh"),
    include_str!("scripts/activate.sh")
);

/// What happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Activated {
    /// Links, files, modes and owners changed.
    pub(super) changed: usize,
    /// What the restart command wrote, if it was run.
    pub(super) restart: Option<String>,
}

/// Whether there is anything to activate.
pub(super) fn is_needed(work: &HostWork) -> bool {
    work.plan
        .actions
        .iter()
        .any(|action| !matches!(action, Action::PutFile { .. }))
}

/// What is sent.
pub(super) fn input(work: &HostWork, contents: &dyn ContentSource) -> Result<Secret, PhaseError> {
    let mut payload = Payload::default();
    for action in &work.plan.actions {
        add(&mut payload, work, contents, action)?;
    }
    payload.finish(&work.site)
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
            content: Some(content(work, contents, path, file)?),
            path,
        }),
        Action::Restart { command } => payload.add(Entry {
            verb: "restart",
            new: &Digest::of(command.as_bytes()).to_string(),
            content: Some(Secret::from(command.as_str())),
            ..Entry::default()
        }),
    }
}

/// Sends it.
pub(super) async fn activate(
    host: &impl Remote,
    input: Secret,
    limit: Duration,
) -> Result<Activated, PhaseError> {
    let script = Script {
        text: TEXT,
        input,
        limit,
    };
    let output = host.run(script).await?;
    let read = read(output.stdout.expose());
    if output.status == 0 {
        return read.map_err(|why| garbled(&why));
    }
    let mut error = failure(&output);
    // What the restart command said is the best explanation there is.
    if let (PhaseError::Failed { stderr, .. }, Ok(Some(said))) =
        (&mut error, restart_output(output.stdout.expose()))
    {
        let both = format!("{}\n{stderr}", said.trim_end());
        both.trim().clone_into(stderr);
    }
    Err(error)
}

fn read(stdout: &[u8]) -> Result<Activated, String> {
    let mut reply = Reply::open(stdout)?;
    let mut activated = Activated::default();
    loop {
        match reply.line()? {
            "end" => return Ok(activated),
            line => match line.strip_prefix("restart ") {
                Some(rest) => activated.restart = Some(said(&mut reply, rest)?),
                None => activated.changed += 1,
            },
        }
    }
}

/// The same of an answer that has no end.
fn restart_output(stdout: &[u8]) -> Result<Option<String>, String> {
    let mut reply = Reply::open(stdout)?;
    while let Ok(line) = reply.line() {
        if let Some(rest) = line.strip_prefix("restart ") {
            return said(&mut reply, rest).map(Some);
        }
    }
    Ok(None)
}

fn said(reply: &mut Reply<'_>, rest: &str) -> Result<String, String> {
    let (_status, size) = rest.split_once(' ').ok_or("a restart without a status")?;
    Ok(String::from_utf8_lossy(reply.bytes(number(size)?)?).into_owned())
}
