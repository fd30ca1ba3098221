//! Putting new media beside the old.

use super::payload::{Entry, Payload, Prelude, Sent};
use super::phase::{failure, garbled};
use super::reply::Reply;
use super::{ContentSource, HostWork, PhaseError, Terms};
use crate::digest::Digest;
use crate::plan::{Action, FileSpec};
use crate::remote::Remote;
use crate::secret::Secret;
use std::time::Duration;

pub(super) const TEXT: &str = concat!(
    include_str!("scripts/common.sh"),
    include_str!("scripts/receive.sh"),
    include_str!("scripts/stage.sh")
);

/// Whether there is anything to stage.
pub(super) fn is_needed(work: &HostWork) -> bool {
    work.plan
        .actions
        .iter()
        .any(|action| matches!(action, Action::PutFile { .. }))
}

/// What is sent.
pub(super) fn input(
    work: &HostWork,
    contents: &dyn ContentSource,
    terms: &Terms,
) -> Result<Sent, PhaseError> {
    let mut payload = Payload::default();
    for action in &work.plan.actions {
        let Action::PutFile { path, file, replaces } = action else {
            continue;
        };
        payload.add(Entry {
            verb: "media",
            old: &replaces.as_ref().map(Digest::to_string).unwrap_or_default(),
            new: &file.digest.to_string(),
            mode: Some(file.mode),
            content: Some(content(work, contents, path, file)?),
            path,
        })?;
    }
    // Where nothing follows, the host is left unlocked.
    let last = !super::activate::is_needed(work);
    let prelude = Prelude {
        lock: terms.lock.as_ref(),
        target: last.then_some("stage"),
        ..Prelude::default()
    };
    payload.finish(&work.site, &prelude)
}

/// A file's content, if it is the one the plan speaks of.
pub(super) fn content(
    work: &HostWork,
    contents: &dyn ContentSource,
    path: &str,
    file: &FileSpec,
) -> Result<Secret, PhaseError> {
    let content = contents
        .content(&work.plan.host, path, &file.digest)
        .map_err(|why| PhaseError::here(format!("the content of {path} cannot be had: {why}")))?;
    if Digest::of(content.expose()) == file.digest {
        Ok(content)
    } else {
        Err(PhaseError::here(format!(
            "the content of {path} is not the one the plan was made with: make a new plan"
        )))
    }
}

/// Sends it. `Ok`: how many files were placed.
pub(super) async fn stage(host: &impl Remote, sent: Sent, limit: Duration) -> Result<usize, PhaseError> {
    let script = sent.script(TEXT, limit);
    let output = host.run(script).await?;
    if output.status != 0 {
        return Err(failure(&output));
    }
    let read = || -> Result<usize, String> {
        let mut reply = Reply::open(output.stdout.expose())?;
        let mut placed = 0;
        while reply.line()? != "end" {
            placed += 1;
        }
        Ok(placed)
    };
    read().map_err(|why| garbled(&why))
}
