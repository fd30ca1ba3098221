//! Whether a stored plan still says what a plan made now would say.

use super::{Action, HostPlan, Plan};
use crate::ntpconf::printable;
use std::collections::{BTreeMap, BTreeSet};

/// What changed at one host since a plan was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Host name.
    pub host: String,
    /// What, one sentence each.
    pub what: Vec<String>,
}

impl std::fmt::Display for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is stored may come from anywhere.
        f.write_str(&printable(&format!("{}: {}", self.host, self.what.join("; "))))
    }
}

impl Plan {
    /// Compares with a plan made now. `Err`: what changed since, host by host.
    ///
    /// Only what would be done counts; a new generation in the vault that asks for the same actions is the same plan.
    pub fn same_as(&self, now: &Self) -> Result<(), Vec<Moved>> {
        let current: BTreeMap<&str, &HostPlan> =
            now.hosts.iter().map(|host| (host.host.as_str(), host)).collect();
        let mut moved = Vec::new();
        for host in &self.hosts {
            let what = match current.get(host.host.as_str()) {
                None => vec!["it is no longer among the selected hosts".to_owned()],
                Some(now) => differences(host, now),
            };
            push(&mut moved, &host.host, what);
        }
        let stored: BTreeSet<&str> = self.hosts.iter().map(|host| host.host.as_str()).collect();
        for host in now
            .hosts
            .iter()
            .filter(|host| !stored.contains(host.host.as_str()))
        {
            push(
                &mut moved,
                &host.host,
                vec!["it is not in the stored plan".to_owned()],
            );
        }
        if moved.is_empty() { Ok(()) } else { Err(moved) }
    }
}

fn push(moved: &mut Vec<Moved>, host: &str, what: Vec<String>) {
    if !what.is_empty() {
        moved.push(Moved {
            host: host.to_owned(),
            what,
        });
    }
}

fn differences(stored: &HostPlan, now: &HostPlan) -> Vec<String> {
    let mut what = Vec::new();
    if stored.wave != now.wave {
        what.push(format!("it moved from depth {} to {}", stored.wave, now.wave));
    }
    for action in &stored.actions {
        if now.actions.contains(action) {
            continue;
        }
        what.push(
            match now.actions.iter().find(|other| subject(other) == subject(action)) {
                Some(_) => format!("{} would now be done otherwise", describe(action)),
                None => format!("{} is no longer needed", describe(action)),
            },
        );
    }
    for action in &now.actions {
        if !stored
            .actions
            .iter()
            .any(|other| subject(other) == subject(action))
        {
            what.push(format!("{} is needed as well", describe(action)));
        }
    }
    what
}

/// What an action is about: two actions of the same subject are versions of each other.
fn subject(action: &Action) -> (u8, &str) {
    match action {
        Action::PutFile { path, .. } => (0, path),
        Action::FixMode { path, .. } => (1, path),
        Action::FixOwner { path, .. } => (2, path),
        Action::SwitchLink { path, .. } | Action::RemoveLink { path, .. } => (3, path),
        Action::ReplaceConf { path, .. } => (4, path),
        Action::Restart { .. } => (5, ""),
        Action::Tell { .. } => (7, ""),
        Action::Retire { path, .. } => (6, path),
    }
}

fn describe(action: &Action) -> String {
    match action {
        Action::PutFile { path, .. } => format!("placing {path}"),
        Action::FixMode { path, .. } => format!("correcting the mode of {path}"),
        Action::FixOwner { path, .. } => format!("correcting the owner of {path}"),
        Action::SwitchLink { path, .. } => format!("switching the link {path}"),
        Action::RemoveLink { path, .. } => format!("removing the link {path}"),
        Action::ReplaceConf { path, .. } => format!("replacing {path}"),
        Action::Restart { .. } => "the restart".to_owned(),
        Action::Tell { .. } => "telling the running daemon".to_owned(),
        Action::Retire { path, .. } => format!("removing {path}"),
    }
}
