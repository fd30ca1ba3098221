//! Identity keys of a group changed without a gap: keys under a new name, server after server, clients following in the running
//! daemon.

use super::step::{Step, StepKind, UNSAVED, Unsuitable};
use crate::apply::verify::Level;
use crate::inventory::{GroupId, HostEntry, Inventory};
use crate::ops::desired::control;
use crate::ops::error::{Error, Result};
use crate::ops::notice::Notice;
use crate::ops::now;
use crate::ops::session::Session;
use crate::rotate::idents::{self, Names};
use crate::rotate::seamless::obstacles;
use crate::trail::needs::target_group;
use std::collections::BTreeSet;

/// Whether the keys of a group can change by a new name; a change that is under way can.
pub(super) fn suits(session: &Session, name: &str, verify: Option<Level>) -> Result<Result<(), Unsuitable>> {
    let written = session.written();
    let Some(group) = written.inventory.group_named(name) else {
        return Ok(Err(Unsuitable(Vec::new())));
    };
    if Names::read(&session.vault())?.next(name).is_some() {
        return Ok(Ok(()));
    }
    let mut why = obstacles(&written.inventory, &written.analysis, group, verify);
    why.extend(unusable_controls(session, group));
    let subject = format!("identity of group {name}");
    if session
        .pending_restarts()?
        .iter()
        .any(|pending| pending.subject == subject)
    {
        why.push("a rotation of it by restarts is not finished".to_owned());
    }
    Ok(if why.is_empty() {
        Ok(())
    } else {
        Err(Unsuitable(why))
    })
}

/// Control keys with which no daemon can be told anything. Those that are not minted yet are looked at when they are.
fn unusable_controls(session: &Session, group: GroupId) -> BTreeSet<String> {
    let inventory = session.inventory();
    let asks = |entry: &&HostEntry| {
        let mut lines = entry.associations.iter();
        lines.any(|line| target_group(inventory, &line.target) == Some(group))
    };
    let entries = inventory.entries.iter().filter(asks);
    let controls = entries.filter_map(|entry| {
        let control = control(inventory, session.state(), entry)?;
        control.usable(entry.settings.ntpd).err()
    });
    controls.collect()
}

/// Refuses to make the keys of groups again by restarts while they change by a new name.
pub fn none_under_way(session: &Session, groups: &[String]) -> Result<()> {
    let names = Names::read(&session.vault())?;
    for group in groups {
        if let Some(next) = names.next(group) {
            return Err(Error::new(format!(
                "the keys of group {group} are changing to the name {}, and not everywhere yet",
                next.ident
            ))
            .help(format!("finish that first: keytrail {}", next.command)));
        }
    }
    Ok(())
}

pub(super) fn begin(session: &mut Session, group: &str, command: &str) -> Result<()> {
    let mut names = Names::read(&session.vault())?;
    if names.next(group).is_some() {
        return Ok(());
    }
    let snapshot = session.vault().snapshot()?;
    let ident = names.free(&session.written().inventory, &snapshot, group);
    session.observer().notice(Notice::NameChosen {
        group,
        now: names.of(group).map_or(group, |name| &name.now),
        next: &ident,
    });
    names.begin(group, ident, now(), command.to_owned());
    session.change_states(UNSAVED, |vault| names.write(vault))
}

/// Trails and roles are the same whatever keys are called: the inventory as written says who is concerned.
pub(super) fn advance(session: &mut Session, group: &str) -> Result<()> {
    let written = session.written();
    let Some(id) = written.inventory.group_named(group) else {
        return Ok(());
    };
    let mut names = Names::read(&session.vault())?;
    names.advance(&written.inventory, &written.analysis, id, now());
    session.change_states(UNSAVED, |vault| names.write(vault))
}

pub(super) fn arrive(session: &mut Session, group: &str) -> Result<()> {
    let mut names = Names::read(&session.vault())?;
    let last = names
        .next(group)
        .filter(|next| next.step == idents::Step::Removed);
    if let Some(next) = last {
        session.observer().notice(Notice::NameInUse {
            group,
            name: &next.ident,
        });
    }
    names.arrive(group);
    session.change_states(UNSAVED, |vault| names.write(vault))
}

pub(super) fn step(session: &Session, name: &str) -> Result<Option<Step>> {
    let names = Names::read(&session.vault())?;
    let (inventory, analysis) = (session.inventory(), session.analysis());
    let (Some(next), Some(group)) = (names.next(name), inventory.group_named(name)) else {
        return Ok(None);
    };
    let (number, of) = idents::number(inventory, analysis, group, next);
    let ident = next.ident.clone();
    let kind = match next.step {
        idents::Step::Added => StepKind::NameAdded { name: ident },
        idents::Step::Moving => StepKind::NameMoved {
            name: ident,
            servers: names_of(inventory, &next.part),
        },
        idents::Step::Removed => StepKind::NameRemoved {
            name: names.of(name).map_or(name, |name| &name.now).to_owned(),
        },
    };
    let holders: BTreeSet<String> = inventory
        .host_ids()
        .filter(|&host| idents::holds(inventory, analysis, group, host))
        .map(|host| inventory.host(host).name.to_string())
        .collect();
    let mut task = session.concern(&holders, true);
    task.care.first = next.part.iter().filter_map(|host| inventory.find(host)).collect();
    Ok(Some(Step {
        number,
        of,
        kind,
        task,
    }))
}

fn names_of(inventory: &Inventory, hosts: &BTreeSet<String>) -> Vec<String> {
    let found = hosts.iter().filter_map(|host| inventory.find(host));
    found.map(|host| inventory.host(host).name.to_string()).collect()
}
