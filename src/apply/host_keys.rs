//! The SSH host keys of a fleet: what each host presents and what `ssh` makes of it.

use super::InventoryConnect;
use super::pool::{Cancel, Room, each};
use crate::inventory::HostId;
use crate::remote::{HostKeys, Unreachable, host_keys};
use std::sync::Arc;

/// Asks hosts for their keys, `jobs` at a time; answers come by name, in the order in which they are ready. Hosts that are not
/// reached over SSH are left out, as are those whose turn did not come before a cancellation. `done` hears of every host.
pub async fn presented(
    connect: &Arc<InventoryConnect>,
    hosts: Vec<HostId>,
    jobs: usize,
    cancel: &Cancel,
    done: impl Fn(&str) + Clone + Send + 'static,
) -> Vec<(String, Result<HostKeys, Unreachable>)> {
    let reached = hosts
        .into_iter()
        .filter_map(|host| Some((connect.name(host), connect.ssh_options(host)?)))
        .collect();
    each(
        reached,
        Room {
            jobs,
            in_flight: jobs,
        },
        || cancel.is_cancelled(),
        |(name, options), _| {
            let (connect, done) = (Arc::clone(connect), done.clone());
            async move {
                let keys = host_keys(&options, connect.control().path()).await;
                done(&name);
                (name, keys)
            }
        },
    )
    .await
}
