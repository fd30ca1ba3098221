//! What a running daemon is told in place of a restart: to read its key file again, to trust ids, to make associations anew
//! with another key or `ident`.
//!
//! Measured on ntp.org 4.2.8p15, NTPsec 1.2.2 and chrony 4.3: all of it works at once, and no packet of who holds both keys is
//! refused. Nothing of it outlasts the daemon, so the same must stand in its files, and it does: [`changes`] makes it from the
//! difference of the files, and what that cannot be made from is the reason for a restart ([`Action::Restart`]). Everything
//! else of Autokey a daemon reads at its start and never again.

mod changes;
mod command;
mod control;

pub use changes::{Change, Conf, changes};
pub use command::Orders;
pub use control::Control;

use super::{Action, DesiredHost, HostPlan, Observed};
use crate::digest::Digest;
use crate::inventory::Implementation;
use crate::media::key_file::{self, KeyFile};
use crate::secret::Secret;
use std::collections::{BTreeSet, HashMap};

/// Under which name the command is among [`DesiredHost::contents`]: no path of a host.
pub const PATH: &str = "tell";

/// Whose daemon is told, and from where.
#[derive(Debug, Clone, Copy)]
pub struct LiveUpdate<'a> {
    /// Whose daemon.
    pub daemon: Implementation,
    /// Its key file, as the inventory names it.
    pub keys_file: &'a str,
    /// The directory that stands for `/` there, or nothing.
    pub root: &'a str,
    /// Who gives the orders is root: chronyd listens to nobody else.
    pub as_root: bool,
    /// Why it is to be restarted even where telling it would do.
    pub restart: Option<&'a str>,
}

impl DesiredHost {
    /// The plan, with a live update of the running daemon in place of its restart where that is enough.
    pub fn plan_with_live_update(&mut self, observed: &Observed, update: &LiveUpdate<'_>) -> HostPlan {
        let mut plan = self.plan(observed);
        instead(&mut plan, self, observed, update);
        plan
    }
}

/// Tells the daemon instead of restarting it, where it can be told all that a plan changes for it; where only that stands in
/// the way which is said, the restart carries the reason.
fn instead(plan: &mut HostPlan, made: &mut DesiredHost, observed: &Observed, told: &LiveUpdate<'_>) {
    if !plan.restarts() {
        return;
    }
    let replaced = |path: &str| {
        plan.actions.iter().any(
            |action| matches!(action, Action::ReplaceConf { path: found, from: Some(_), .. } if found == path),
        )
    };
    let keys = KeyFiles::of(made, observed, told, replaced(told.keys_file));
    let confs: Vec<Conf<'_>> = plan
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::ReplaceConf { path, .. } if path != told.keys_file => Some(Conf {
                before: observed.conf.get(path),
                after: made.contents.get(path)?,
            }),
            _ => None,
        })
        .collect();
    let changes = changes(told.daemon, &confs);
    // A change of something else altogether needs no reason.
    if !keys.replaced && !changes.as_ref().is_ok_and(|changes| !changes.is_empty()) {
        return;
    }
    let orders = changes.and_then(|changes| orders(plan, made, observed, told, (&keys, changes)));
    let restarts = |action: &&mut Action| matches!(action, Action::Restart { .. });
    let Some(action) = plan.actions.iter_mut().find(restarts) else {
        return;
    };
    let Action::Restart { command, because } = action else {
        return;
    };
    match orders {
        Err(why) => *because = Some(why),
        Ok(orders) => {
            let text = Secret::from(orders.command());
            *action = Action::Tell {
                changes: orders.changes.iter().map(ToString::to_string).collect(),
                digest: Digest::of(text.expose()),
                restart: std::mem::take(command),
            };
            made.contents.insert(PATH.to_owned(), text);
        }
    }
}

/// A host's key file before and after.
struct KeyFiles {
    /// It was there, and its content changes.
    replaced: bool,
    before: KeyFile,
    after: KeyFile,
}

impl KeyFiles {
    fn of(made: &DesiredHost, observed: &Observed, told: &LiveUpdate<'_>, replaced: bool) -> Self {
        let read = |content: Option<&Secret>| {
            content
                .and_then(|content| key_file::read(content.expose(), told.daemon).ok())
                .unwrap_or_default()
        };
        let after = made.contents.get(told.keys_file);
        let before = observed.conf.get(told.keys_file);
        Self {
            replaced,
            before: read(before),
            after: read(after.or(before)),
        }
    }

    /// Ids under which another key stands than before.
    fn changed(&self) -> BTreeSet<u16> {
        let before: HashMap<u16, _> = self.before.keys.iter().map(|(_, key)| (key.id, key)).collect();
        let after = self.after.keys.iter().map(|(_, key)| key);
        after
            .filter(|key| before.get(&key.id).is_some_and(|before| before != key))
            .map(|key| key.id)
            .collect()
    }
}

/// What the daemon is told. `Err`: why it must be restarted.
fn orders(
    plan: &HostPlan,
    made: &DesiredHost,
    observed: &Observed,
    told: &LiveUpdate<'_>,
    (keys, confs): (&KeyFiles, Vec<Change>),
) -> Result<Orders, String> {
    if let Some(why) = told.restart {
        return Err(why.to_owned());
    }
    if told.daemon == Implementation::Openvms {
        return Err("the daemon of OpenVMS cannot be told".to_owned());
    }
    if observed.restart_pending {
        return Err("what its files said before it may not have read".to_owned());
    }
    for action in &plan.actions {
        only_a_start_reads(action, made)?;
    }
    let other_values = keys.changed();
    let mut changes = Vec::new();
    if keys.replaced {
        readable(made, told)?;
        changes.push(Change::Reread);
    }
    changes.extend(confs);
    // Another key under the same id is proven by nothing but a new association.
    let own = made.contents.iter().filter(|(path, _)| *path != told.keys_file);
    changes.extend(changes::keyed(
        own.map(|(_, content)| content),
        &other_values,
        &changes,
    ));
    // Orders are given with the former key until the last one.
    changes.sort_by_key(|change| matches!(change, Change::Control { .. }));
    let control = match told.daemon {
        Implementation::Chrony if !told.as_root => {
            return Err(
                "chronyd is told by root alone, and this login is not (ssh: { become: sudo })".to_owned(),
            );
        }
        Implementation::Chrony => None,
        _ => Some(control::of_running(observed, keys, told, &other_values)?),
    };
    Ok(Orders {
        daemon: told.daemon,
        control,
        keys: told.keys_file.to_owned(),
        root: told.root.to_owned(),
        changes,
    })
}

fn only_a_start_reads(action: &Action, made: &DesiredHost) -> Result<(), String> {
    let read = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        Err(format!("{name} changes too, which it reads only at its start"))
    };
    match action {
        Action::SwitchLink { path, .. } if !made.desired.unread.contains(path) => read(path),
        Action::RemoveLink { path, .. } if made.desired.absent.contains(path) => read(path),
        Action::PutFile {
            path,
            replaces: Some(_),
            ..
        } => read(path),
        _ => Ok(()),
    }
}

/// Whether the running daemon can read its key file: chronyd and NTPsec give up root's rights after their start, and chronyd
/// has no keys at all after a `rekey` that could not read the file (measured). Of ntp.org's the host knows.
fn readable(made: &DesiredHost, told: &LiveUpdate<'_>) -> Result<(), String> {
    let spec = made.desired.conf.get(told.keys_file);
    match told.daemon {
        Implementation::Chrony | Implementation::Ntpsec if spec.is_none_or(|spec| spec.mode & 0o040 == 0) => {
            Err(
                "only root may read its key file, and the running daemon is not root any more (file_group)"
                    .to_owned(),
            )
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
