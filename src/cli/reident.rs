//! `keytrail rotate identity` without a gap: keys under a new name, server after server, clients following in the running daemon.

use crate::cli::args::FleetArgs;
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet;
use crate::cli::fleet::{Fleet, vault_failure};
use crate::cli::load;
use crate::cli::load::Read;
use crate::cli::planning;
use crate::cli::rotating;
use crate::cli::rotating::ChangeArgs;
use crate::cli::steps;
use crate::cli::steps::{At, Steps};
use crate::cli::ui::Ui;
use crate::cli::when;
use crate::inventory::{GroupId, HostEntry, Inventory};
use crate::mint::State;
use crate::report::names;
use crate::rotate::gap::REEXAMINED;
use crate::rotate::gapless::obstacles;
use crate::rotate::idents::{self, Names, Step};
use crate::rotate::record::Pending;
use crate::trail::Analysis;
use crate::trail::needs::{group_by_name, target_group};
use crate::vault::Vault;
use std::collections::BTreeSet;
use std::sync::PoisonError;

/// Which group, and how.
pub struct Asked<'a> {
    /// Its name.
    pub group: &'a str,
    /// Only this way: say why not, and stop.
    pub forced: bool,
    /// Steps to take at most.
    pub most: usize,
    /// A plan is to be written for later.
    pub stored: bool,
    /// The words of the command that finishes it.
    pub command: &'a str,
}

/// Changes the keys, `written` the inventory as it stands. `None`: it cannot be done this way, and why has been said.
pub fn run(
    asked: &Asked<'_>,
    written: &Inventory,
    analysis: &Analysis,
    args: &FleetArgs,
    change: &ChangeArgs,
    out: &mut Ui,
) -> Result<Option<Answer>, Failure> {
    let Some(group) = group_by_name(written, asked.group) else {
        return Ok(None);
    };
    let (placed, _copy) = rotating::place(args, change, out)?;
    let vault = fleet::open_vault(&fleet::vault_path(&placed.vault, &[]), &placed.vault, false, out)?;
    let under_way = read(&vault)?.next(asked.group).is_some();
    if !under_way {
        let mut why = obstacles(written, analysis, group, change.rollout.level());
        why.extend(unusable(written, analysis, group, &vault)?);
        if rotating::known(&vault, written)?
            .iter()
            .any(|pending| pending.subject == format!("identity of group {}", asked.group))
        {
            why.push("a rotation of it by restarts is not finished".to_owned());
        }
        if !why.is_empty() {
            return refused(asked, why, out);
        }
    }
    drop(vault);
    if asked.stored {
        return Err(Failure::new("there is no one plan for this")
            .why("the keys change in steps without a gap, and each step is planned when the one before is everywhere")
            .help("--dry-run shows the first step; --steps 1 takes it alone")
            .help("--strategy restart: one plan, with a gap for every host"));
    }
    let renaming = Renaming {
        group: asked.group,
        command: asked.command,
    };
    steps::run(&renaming, asked.most, None, asked.command, placed, change, out).map(Some)
}

/// Control keys with which no daemon can be told anything. Those that are not minted yet are looked at when they are.
fn unusable(
    inventory: &Inventory,
    analysis: &Analysis,
    group: GroupId,
    vault: &Vault,
) -> Result<BTreeSet<String>, Failure> {
    let (inventory, _) = fleet::in_force(inventory.clone(), analysis.clone(), vault)?;
    let state = State::read(vault).map_err(|error| vault_failure("cannot read the vault", &error))?;
    let asks = |entry: &HostEntry| {
        let mut lines = entry.associations.iter();
        lines.any(|line| target_group(&inventory, &line.target) == Some(group))
    };
    let entries = inventory.entries.iter().filter(|entry| asks(entry));
    let controls = entries.filter_map(|entry| {
        let control = planning::control(&inventory, &state, entry)?;
        control.usable(entry.settings.ntpd).err()
    });
    Ok(controls.collect())
}

fn refused(asked: &Asked<'_>, why: Vec<String>, out: &Ui) -> Result<Option<Answer>, Failure> {
    if asked.forced {
        let failure = Failure::new(format!(
            "the keys of group {} cannot change by a new name",
            asked.group
        ));
        let failure = why.into_iter().fold(failure, Failure::why);
        return Err(failure.help(
            "--strategy restart: one server of each host at a time; a host with two servers keeps time meanwhile",
        ));
    }
    for why in why {
        out.note(&format!("Not without a gap: {why}."));
    }
    Ok(None)
}

/// Changes to a new name that are not through.
pub fn known(vault: &Vault, inventory: &Inventory, analysis: &Analysis) -> Result<Vec<Pending>, Failure> {
    let names = read(vault)?;
    let applied = vault
        .applied()
        .map_err(|error| vault_failure("cannot read the vault", &error))?;
    Ok(idents::pending(&names, inventory, analysis, &applied))
}

/// Refuses to make keys anew by restarts while they change by a new name.
pub fn none_under_way(vault: &Vault, groups: &[String]) -> Result<(), Failure> {
    let names = read(vault)?;
    for group in groups {
        if let Some(next) = names.next(group) {
            return Err(Failure::new(format!(
                "the keys of group {group} are changing to the name {}, and not everywhere yet",
                next.ident
            ))
            .help(format!("finish that first: keytrail {}", next.command)));
        }
    }
    Ok(())
}

/// One group's change.
struct Renaming<'a> {
    group: &'a str,
    command: &'a str,
}

impl Renaming<'_> {
    fn id(&self, inventory: &Inventory) -> Option<GroupId> {
        group_by_name(inventory, self.group)
    }
}

impl Steps for Renaming<'_> {
    fn begin(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure> {
        let (inventory, _) = inventory(args)?;
        steps::change_state(args, out, Names::read, Names::write, |names, vault| {
            if names.next(self.group).is_some() {
                return Ok(());
            }
            let snapshot = vault
                .snapshot()
                .map_err(|error| vault_failure("cannot read the vault", &error))?;
            let ident = names.free(&inventory, &snapshot, self.group);
            let old = names.of(self.group).map_or(self.group, |name| &name.now);
            out.note(&format!(
                "Group {}: from the keys called {old} to new ones called {ident}, without a gap.",
                self.group
            ));
            names.begin(self.group, ident, when::now(), self.command.to_owned());
            Ok(())
        })
    }

    fn advance(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure> {
        let (inventory, analysis) = inventory(args)?;
        let Some(group) = self.id(&inventory) else {
            return Ok(());
        };
        steps::change_state(args, out, Names::read, Names::write, |names, _| {
            names.advance(&inventory, &analysis, group, when::now());
            Ok(())
        })
    }

    fn step(&self, fleet: &mut Fleet, out: &Ui) -> Result<Option<At>, Failure> {
        let vault = fleet.vault.get_mut().unwrap_or_else(PoisonError::into_inner);
        let names = read(vault)?;
        let (Some(next), Some(group)) = (names.next(self.group), self.id(&fleet.inventory)) else {
            return Ok(None);
        };
        let (inventory, analysis) = (&fleet.inventory, &fleet.analysis);
        let (step, of) = idents::number(inventory, analysis, group, next);
        let old = names.of(self.group).map_or(self.group, |name| &name.now);
        let ident = &next.ident;
        out.note(&format!(
            "Step {step} of {of}: {}",
            match next.step {
                Step::Added =>
                    format!("all hosts get the new keys under the name {ident}, which nothing reads yet."),
                Step::Moving => format!(
                    "{} with {ident}, and {} clients follow while their daemons run on.",
                    proving(&names_of(inventory, &next.part)),
                    if next.part.len() == 1 { "its" } else { "their" },
                ),
                Step::Removed => format!("the old keys, called {old}, go."),
            }
        ));
        let holders: BTreeSet<String> = inventory
            .host_ids()
            .filter(|&host| idents::holds(inventory, analysis, group, host))
            .map(|host| inventory.host(host).name.to_string())
            .collect();
        let first = next.part.iter().filter_map(|host| inventory.find(host)).collect();
        rotating::concern(fleet, &holders, true, out);
        fleet.care.first = first;
        Ok(Some(At { step, of }))
    }

    fn arrive(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure> {
        steps::change_state(args, out, Names::read, Names::write, |names, _| {
            let done = names.next(self.group).filter(|next| next.step == Step::Removed);
            if let Some(next) = done {
                out.note(&format!(
                    "The keys of group {0} are called {1} now; certificates and the inventory go on saying {0}.",
                    self.group, next.ident
                ));
            }
            names.arrive(self.group);
            Ok(())
        })
    }

    fn meanwhile(&self) -> String {
        format!(
            "Nobody is without a proven server meanwhile: a client that has not followed goes on with what it has proved of the server that changed, until {} at the latest, and has its other servers.",
            when::minute(when::now() + REEXAMINED)
        )
    }
}

fn names_of<'i>(inventory: &'i Inventory, hosts: &BTreeSet<String>) -> Vec<&'i str> {
    let found = hosts.iter().filter_map(|host| inventory.find(host));
    found.map(|host| &*inventory.host(host).name).collect()
}

fn proving(servers: &[&str]) -> String {
    const NAMED: usize = 4;
    let verb = if servers.len() == 1 {
        "proves itself"
    } else {
        "prove themselves"
    };
    format!("{} {verb}", names(servers, NAMED))
}

/// The inventory as written: trails and roles are the same whatever keys are called.
fn inventory(args: &FleetArgs) -> Result<(Inventory, Analysis), Failure> {
    match load::read(&load::paths(&args.inventory)?)? {
        Read::Good(inventory, analysis) => Ok((*inventory, *analysis)),
        Read::Invalid { .. } => Err(
            Failure::new("the inventory has changed meanwhile, and cannot be read")
                .help("see `keytrail check`"),
        ),
    }
}

fn read(vault: &Vault) -> Result<Names, Failure> {
    Names::read(vault).map_err(|error| vault_failure("cannot read the vault", &error))
}
