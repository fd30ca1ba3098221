//! Connections to hosts, as many as this machine has room for.

use crate::apply::{ConnectionPool, InventoryConnect, Limits};
use crate::inventory::Inventory;
use crate::ops::environment::Environment;
use crate::ops::error::{Error, Result};
use crate::remote::ControlDir;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;

/// The connections of one run.
pub type Connections = Arc<ConnectionPool<InventoryConnect>>;

/// Connections for a run on the hosts of an inventory.
pub(crate) fn connections(
    inventory: &Arc<Inventory>,
    limits: Limits,
    environment: &Environment,
) -> Result<Connections> {
    let limits = Limits {
        connections: room_for_connections(),
        ..limits
    };
    Ok(ConnectionPool::new(connect(inventory, environment)?, limits))
}

/// How the hosts of an inventory are reached.
pub(crate) fn connect(inventory: &Arc<Inventory>, environment: &Environment) -> Result<InventoryConnect> {
    let base = &environment.temporary;
    let control = ControlDir::new(base).map_err(|error| {
        Error::new(format!("cannot make a private directory in {}", base.display())).because(&error)
    })?;
    Ok(InventoryConnect::new(Arc::clone(inventory), Arc::new(control)))
}

/// How many connections may be open at once. Each is an `ssh`, which takes 1.4 MB that it shares with none (OpenSSH 9.2), and half
/// of the memory is for others; there are limits on processes, too.
fn room_for_connections() -> usize {
    const EACH: u64 = 2 << 20;
    const UNKNOWN: u64 = 1024;
    let room = memory().map_or(UNKNOWN, |bytes| bytes / 2 / EACH);
    usize::try_from(room.clamp(64, 4096)).map_or(1, |room| room.min(room_for_files()))
}

/// The memory to be had, in bytes: the machine's, or what a container is allowed.
fn memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let available = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available = available.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|limit| limit.trim().parse().ok());
    Some(available.min(limit.unwrap_or(u64::MAX)))
}

/// For how many connections there are files: each takes a handful of ours, and limits of 1024 files are common where
/// far more are allowed to those who ask.
fn room_for_files() -> usize {
    const EACH: u64 = 6;
    const OTHERS: u64 = 100;
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(1 << 16, |most| most.min(1 << 16));
    if limit.current.is_some_and(|current| current < wanted) {
        let asked = Rlimit {
            current: Some(wanted),
            ..limit
        };
        if setrlimit(Resource::Nofile, asked).is_ok() {
            limit = asked;
        }
    }
    let files = limit.current.unwrap_or(wanted).saturating_sub(OTHERS);
    usize::try_from(files / EACH).unwrap_or(usize::MAX).max(1)
}
