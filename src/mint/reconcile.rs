//! Comparing what an inventory asks for with what a vault has.

use super::decision::Decision;
use super::desired_files::DesiredFiles;
use super::error::Error;
use super::work::Work;
use super::{Request, State};

/// Decides what has to be made so that the vault holds what the request asks for.
///
/// # Errors
/// [`Error::Impossible`] with everything that stands in the way.
pub fn reconcile(request: &Request<'_>, state: &State) -> Result<Work, Error> {
    let mut decision = Decision::new(*request, state)?;
    let mut files = DesiredFiles::new(*request, state);
    for host in request.inventory.host_ids() {
        let desired = files.of(host, &mut decision);
        decision.compare(request.inventory.host(host).name.as_ref(), desired);
    }
    for name in state.snapshot.hosts() {
        if request.inventory.find(name).is_none() {
            decision.compare(name, Vec::new());
        }
    }
    decision.finish()
}
