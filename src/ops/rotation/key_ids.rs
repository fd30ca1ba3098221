//! Symmetric keys changed by a new id, in three steps.

use super::step::{Step, StepKind, UNSAVED, Unsuitable};
use crate::inventory::{Inventory, SymmetricKey};
use crate::mint::symmetric_owner;
use crate::ops::error::{Error, Result};
use crate::ops::notice::Notice;
use crate::ops::session::Session;
use crate::rotate::renumber::{self, Next, Renumbering, obstacles};

/// Whether keys can change by a new id. What is wrong with them altogether is for the rotation by restarts to say.
pub(super) fn suits(written: &Inventory, keys: &[String]) -> Result<(), Unsuitable> {
    let mut why = Vec::new();
    for name in keys {
        let Some(key) = declared(written, name).filter(|key| key.value.is_none()) else {
            return Err(Unsuitable(Vec::new()));
        };
        why.extend(obstacles(written, key));
    }
    why.dedup();
    if why.is_empty() {
        Ok(())
    } else {
        Err(Unsuitable(why))
    }
}

fn declared<'i>(written: &'i Inventory, name: &str) -> Option<&'i SymmetricKey> {
    written
        .keys
        .iter()
        .find(|key| symmetric_owner(written, key) == *name)
}

pub(super) fn begin(session: &mut Session, keys: &[String]) -> Result<()> {
    let written = &session.written().inventory;
    let mut numbers = Renumbering::read(&session.vault())?;
    for name in keys {
        // Unknown keys were refused before.
        let Some(declared) = declared(written, name) else {
            continue;
        };
        let now = numbers.of(name).map_or(declared.id, |number| number.now);
        if numbers.of(name).is_some_and(|number| number.next.is_some()) {
            continue;
        }
        let next = numbers.free_id(written, now).ok_or_else(|| {
            Error::new("there is no free key id left").help("take keys that nobody uses out of the inventory")
        })?;
        numbers.begin(name, now, next);
        session
            .observer()
            .notice(Notice::IdChosen { key: name, now, next });
    }
    session.change_states(UNSAVED, |vault| numbers.write(vault))
}

/// Keys that are everywhere at their step go on, those that are furthest behind first.
pub(super) fn advance(session: &mut Session, keys: &[String]) -> Result<()> {
    let mut numbers = Renumbering::read(&session.vault())?;
    for (name, _) in furthest_behind(&numbers, keys) {
        numbers.advance(&name);
    }
    session.change_states(UNSAVED, |vault| numbers.write(vault))
}

/// All hosts have come to the step of the keys that are furthest behind.
pub(super) fn arrive(session: &mut Session, keys: &[String]) -> Result<()> {
    let mut numbers = Renumbering::read(&session.vault())?;
    for (name, next) in furthest_behind(&numbers, keys) {
        numbers.arrive(&name);
        if next.step == renumber::Step::Removed {
            session.observer().notice(Notice::IdInUse {
                key: &name,
                id: next.id,
            });
        }
    }
    session.change_states(UNSAVED, |vault| numbers.write(vault))
}

fn furthest_behind(numbers: &Renumbering, keys: &[String]) -> Vec<(String, Next)> {
    let open: Vec<(String, Next)> = numbers
        .open()
        .filter(|(name, ..)| keys.iter().any(|known| known == name))
        .map(|(name, _, next)| (name.to_owned(), next))
        .collect();
    let least = open.iter().map(|(_, next)| next.step).min();
    open.into_iter()
        .filter(|(_, next)| Some(next.step) == least)
        .collect()
}

pub(super) fn step(session: &Session, keys: &[String]) -> Result<Option<Step>> {
    let numbers = Renumbering::read(&session.vault())?;
    let open: Vec<_> = numbers
        .open()
        .filter(|(name, ..)| keys.iter().any(|known| known == name))
        .collect();
    let Some(step) = open.iter().map(|(.., next)| next.step).min() else {
        return Ok(None);
    };
    let ids: Vec<u32> = open.iter().flat_map(|&(_, now, next)| [now, next.id]).collect();
    let inventory = session.inventory();
    let owners: Vec<String> = inventory
        .keys
        .iter()
        .filter(|key| ids.contains(&key.id))
        .map(|key| symmetric_owner(inventory, key))
        .collect();
    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
    Ok(Some(Step {
        number: step.number(),
        of: renumber::Step::Removed.number(),
        kind: match step {
            renumber::Step::Added => StepKind::IdAdded,
            renumber::Step::Switched => StepKind::IdSwitched,
            renumber::Step::Removed => StepKind::IdRemoved,
        },
        task: session.concern(&session.holding(&owners), true),
    }))
}
