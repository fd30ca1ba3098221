//! `keytrail rotate symmetric`: keys changed by a new id, in three steps of which any can be the last for now.

use crate::cli::args::FleetArgs;
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet::{Fleet, vault_failure};
use crate::cli::load;
use crate::cli::load::Read;
use crate::cli::rotating;
use crate::cli::rotating::ChangeArgs;
use crate::cli::steps;
use crate::cli::steps::{At, Steps};
use crate::cli::ui::Ui;
use crate::inventory::Inventory;
use crate::mint::symmetric_owner;
use crate::rotate::renumber::{Next, Renumbering, Step, obstacles};
use crate::vault::Vault;
use std::collections::BTreeSet;
use std::path::Path;

/// Which keys, and how far.
pub struct Keys<'a> {
    /// Their names in the inventory.
    pub names: &'a [String],
    /// Steps to take at most.
    pub steps: usize,
    /// Where the plan of the next step goes, which is not carried out.
    pub output: Option<&'a Path>,
}

/// Changes the keys. `None`: it cannot be done this way, and why has been said.
pub fn run(
    keys: &Keys<'_>,
    forced: bool,
    command: &str,
    args: &FleetArgs,
    change: &ChangeArgs,
    out: &mut Ui,
) -> Result<Option<Answer>, Failure> {
    let Read::Good(written, _) = load::read(&load::paths(&args.inventory)?)? else {
        // The other way says what is wrong with the inventory.
        return Ok(None);
    };
    if let Some(why) = reason_against(&written, keys.names) {
        if forced {
            let failure = Failure::new("these keys cannot change by a new id");
            let failure = why.into_iter().fold(failure, Failure::why);
            return Err(failure
                .help("--strategy restart: the same id, refused between the restarts of server and client"));
        }
        for why in why {
            out.note(&format!("Not by a new id: {why}."));
        }
        return Ok(None);
    }
    let (placed, _copy) = rotating::place(args, change, out)?;
    let renumbering = Renewing {
        written: &written,
        names: keys.names,
    };
    steps::run(
        &renumbering,
        keys.steps,
        keys.output,
        command,
        placed,
        change,
        out,
    )
    .map(Some)
}

/// Why keys cannot change by a new id. What is wrong with them altogether is for the other way to say.
fn reason_against(written: &Inventory, names: &[String]) -> Option<Vec<String>> {
    let mut why = Vec::new();
    for name in names {
        let key = written
            .keys
            .iter()
            .find(|key| symmetric_owner(written, key) == *name);
        let Some(key) = key.filter(|key| key.value.is_none()) else {
            return Some(Vec::new());
        };
        why.extend(obstacles(written, key));
    }
    why.dedup();
    (!why.is_empty()).then_some(why)
}

/// Keys on their way to new ids.
struct Renewing<'a> {
    written: &'a Inventory,
    names: &'a [String],
}

impl Steps for Renewing<'_> {
    fn begin(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure> {
        steps::change_state(args, out, Renumbering::read, Renumbering::write, |numbers, _| {
            for name in self.names {
                let declared = self
                    .written
                    .keys
                    .iter()
                    .find(|key| symmetric_owner(self.written, key) == *name);
                // Unknown keys were refused before.
                let Some(declared) = declared else { continue };
                let now = numbers.of(name).map_or(declared.id, |number| number.now);
                if numbers.of(name).is_some_and(|number| number.next.is_some()) {
                    continue;
                }
                let next = numbers.free_id(self.written, now).ok_or_else(|| {
                    Failure::new("there is no free key id left")
                        .help("take keys that nobody uses out of the inventory")
                })?;
                numbers.begin(name, now, next);
                out.note(&format!(
                    "Symmetric key {name}: from id {now} to id {next}, in three steps."
                ));
            }
            Ok(())
        })
    }

    /// Keys that are everywhere at their step go on, those that are furthest behind first.
    fn advance(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure> {
        at_least_step(self.names, args, out, |numbers, name, _| numbers.advance(name))
    }

    fn step(&self, fleet: &mut Fleet, out: &Ui) -> Result<Option<At>, Failure> {
        let vault = fleet
            .vault
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let numbers = read(vault)?;
        let open: Vec<_> = numbers
            .open()
            .filter(|(name, ..)| self.names.iter().any(|known| known == name))
            .collect();
        let Some(step) = open.iter().map(|(.., next)| next.step).min() else {
            return Ok(None);
        };
        out.note(&format!(
            "Step {} of 3: {}",
            step.number(),
            match step {
                Step::Added => "servers learn the new id beside the old one.",
                Step::Switched => "clients use the new id; servers hold the old one still.",
                Step::Removed => "the old id goes.",
            }
        ));
        let ids: Vec<u32> = open.iter().flat_map(|&(_, now, next)| [now, next.id]).collect();
        let inventory = &fleet.inventory;
        let owners: Vec<String> = inventory
            .keys
            .iter()
            .filter(|key| ids.contains(&key.id))
            .map(|key| symmetric_owner(inventory, key))
            .collect();
        let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
        let hosts: BTreeSet<String> = inventory
            .host_ids()
            .filter(|&host| rotating::holds(fleet, host, &owners))
            .map(|host| inventory.host(host).name.to_string())
            .collect();
        rotating::concern(fleet, &hosts, true, out);
        Ok(Some(At {
            step: step.number(),
            of: Step::Removed.number(),
        }))
    }

    /// All hosts have come to the step of the keys that are furthest behind.
    fn arrive(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure> {
        at_least_step(self.names, args, out, |numbers, name, next| {
            numbers.arrive(name);
            if next.step == Step::Removed {
                out.note(&format!(
                    "Symmetric key {name} is in use as id {} now. The inventory may go on calling it {name}.",
                    next.id
                ));
            }
        })
    }

    fn meanwhile(&self) -> String {
        "Nothing is refused meanwhile.".to_owned()
    }
}

fn at_least_step(
    names: &[String],
    args: &FleetArgs,
    out: &Ui,
    change: impl Fn(&mut Renumbering, &str, Next),
) -> Result<(), Failure> {
    steps::change_state(args, out, Renumbering::read, Renumbering::write, |numbers, _| {
        let open: Vec<(String, Next)> = numbers
            .open()
            .filter(|(name, ..)| names.iter().any(|known| known == name))
            .map(|(name, _, next)| (name.to_owned(), next))
            .collect();
        let least = open.iter().map(|(_, next)| next.step).min();
        for (name, next) in open.iter().filter(|(_, next)| Some(next.step) == least) {
            change(numbers, name, *next);
        }
        Ok(())
    })
}

fn read(vault: &Vault) -> Result<Renumbering, Failure> {
    Renumbering::read(vault).map_err(|error| vault_failure("cannot read the vault", &error))
}
