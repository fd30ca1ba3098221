//! Putting new media beside the old.

use super::payload::{Entry, Payload, Prelude, Sent};
use super::phase::{failure, garbled};
use super::reply::Reply;
use super::{ContentSource, HostWork, PhaseError, RunInfo};
use crate::digest::Digest;
use crate::plan::Action;
use crate::remote::Remote;
use std::time::Duration;

pub(super) const TEXT: &str = concat!(
    include_str!("../remote/scripts/guard.sh"),
    include_str!("scripts/common.sh"),
    include_str!("scripts/receive.sh"),
    include_str!("scripts/stage.sh")
);

/// What is sent.
pub(super) fn input(
    work: &HostWork,
    contents: &dyn ContentSource,
    run_info: &RunInfo,
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
            content: Some(work.content(contents, path, file)?),
            path,
        })?;
    }
    // Where nothing follows, the host is left unlocked.
    let last = !work.needs_activation();
    let prelude = Prelude {
        lock: run_info.lock.as_ref(),
        target: last.then_some("stage"),
        ..Prelude::default()
    };
    payload.finish(&work.site, &prelude)
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
