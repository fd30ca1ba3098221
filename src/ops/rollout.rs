//! Which hosts an operation is about, and how carefully they change.

use crate::apply::verify::Level;
use crate::apply::{Limits, Rollout};
use crate::inventory::HostId;
use crate::plan::HostPlan;
use crate::plan::order::{self, Pace, Share};
use std::collections::HashSet;

/// Which hosts an operation is about.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// The hosts.
    pub hosts: Vec<HostId>,
    /// The selectors that gave them, for a saved plan.
    pub selectors: Vec<String>,
    /// How carefully they change.
    pub care: Care,
    /// All daemons restart, also where a live update would suffice.
    pub restart: bool,
}

impl Task {
    /// About these hosts, with no more care than any apply takes.
    pub fn of(hosts: impl IntoIterator<Item = HostId>) -> Self {
        Self {
            hosts: hosts.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// How carefully hosts change.
#[derive(Debug, Clone, Default)]
pub struct Care {
    /// Never two servers of one host at the same time, nor a server and its client.
    pub apart: bool,
    /// No host before its servers: those below a host out of reach wait with it.
    pub servers_first: bool,
    /// Hosts whose daemon is restarted though nothing changes on them.
    pub restart: HashSet<HostId>,
    /// Hosts that change before all others, whatever their wave.
    pub first: HashSet<HostId>,
}

/// In which steps hosts change, and how many may fail.
#[derive(Debug, Clone)]
pub struct RolloutOptions {
    /// How many hosts at once, and how long each phase may take.
    pub limits: Limits,
    /// Hosts of a wave that change at the same time, and how many change first.
    pub pace: Pace,
    /// Hosts, or a share of all to change, that may fail before no other is begun.
    pub max_fail: Share,
    /// How far each host is verified after its restart; `None`: as the inventory says.
    pub verify: Option<Level>,
    /// In a rotation, change a host though its neighbours are not ready for its restart.
    pub ignore_unready: bool,
}

impl Default for RolloutOptions {
    /// Whole waves, no failures, verified as the inventory says.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            pace: Pace {
                serial: None,
                canary: 0,
            },
            max_fail: Share::Count(0),
            verify: None,
            ignore_unready: false,
        }
    }
}

impl RolloutOptions {
    /// The batches of these hosts.
    pub(crate) fn rollout(&self, hosts: &[HostPlan]) -> Rollout {
        let changed = hosts.iter().filter(|host| host.is_changed()).count();
        Rollout {
            batches: order::batches(hosts, &self.pace),
            max_fail: self.max_fail.of(changed),
        }
    }
}
