//! What `renew`, `rotate` and `revoke` have in common: media made anew, brought to the hosts they concern, and the record of
//! it until all have them.

use crate::apply::Report;
use crate::cli::args::rollout::RolloutArgs;
use crate::cli::args::{FleetArgs, Format, RestartArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet;
use crate::cli::fleet::{Care, Demand, Fleet, vault_failure};
use crate::cli::ui::{Ui, counted};
use crate::cli::verbs::apply;
use crate::cli::{load, when};
use crate::inventory::{Connection, HostId, Inventory};
use crate::mint::Work;
use crate::report::names;
use crate::rotate::record::{Pending, Rotation, Rotations};
use crate::rotate::subject::Subject;
use crate::secret::Secret;
use crate::vault::{self, Applied, ArtifactKind, GenerationId, SecretKind, Vault};
use clap::Args;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// Options of these verbs.
#[derive(Debug, Clone, Args)]
pub struct ChangeArgs {
    /// Show what would change and what each daemon would do meanwhile; keeps nothing, changes no host
    #[arg(long)]
    pub dry_run: bool,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Which daemons restart
    #[command(flatten)]
    pub restart: RestartArgs,
    /// In which steps
    #[command(flatten)]
    pub rollout: RolloutArgs,
}

/// A fleet whose vault may be a copy that is thrown away.
pub struct Prepared {
    pub fleet: Fleet,
    /// Kept as long as the fleet.
    _copy: Option<TempDir>,
}

/// Prepares a fleet of all hosts. For a dry run, with a copy of the vault: what is minted there never was.
pub fn prepare(
    args: &FleetArgs,
    change: &ChangeArgs,
    out: &mut Ui,
) -> Result<Result<Prepared, Answer>, Failure> {
    let (args, copy) = place(args, change, out)?;
    let mut fleet = match fleet::prepare(&args, change.format, out)? {
        Ok(fleet) => fleet,
        Err(answer) => return Ok(Err(answer)),
    };
    fleet.hold()?;
    fleet.source.restart = change.restart.restart;
    Ok(Ok(Prepared { fleet, _copy: copy }))
}

/// The arguments for a fleet of all hosts and a vault that is there; for a dry run, a copy of it.
pub fn place(
    args: &FleetArgs,
    change: &ChangeArgs,
    out: &Ui,
) -> Result<(FleetArgs, Option<TempDir>), Failure> {
    let mut args = args.clone();
    args.on.clear();
    args.unreached = true;
    let vault = fleet::vault_path(&args.vault, &load::paths(&args.inventory)?);
    if !vault.exists() {
        return Err(Failure::new(format!("there is no vault {} yet", vault.display()))
            .why("nothing was minted for this inventory")
            .help("bring the fleet to its first state: keytrail apply INVENTORY"));
    }
    if !change.dry_run {
        args.vault.vault = Some(vault);
        return Ok((args, None));
    }
    let what = "cannot copy the vault for a dry run";
    let dir = tempfile::Builder::new()
        .prefix("keytrail-dry-")
        .tempdir()
        .map_err(|error| Failure::new(what).because(&error))?;
    let path = dir.path().join("dry.vault");
    fleet::open_vault(&vault, &args.vault, false, out)?
        .backup(&path)
        .map_err(|error| vault_failure(what, &error))?;
    args.vault.vault = Some(path);
    args.vault.copy = true;
    Ok((args, Some(dir)))
}

/// What is to be done, and what of it was done before.
pub struct Change<'a> {
    /// What is made anew.
    pub subject: &'a Subject,
    /// Certificates are made anew that end until then, Unix seconds.
    pub renew_until: Option<i64>,
    /// The command that finishes it, without the inventory.
    pub command: String,
    /// Make it anew even where an earlier time is not finished.
    pub anew: bool,
    /// Which hosts it concerns.
    pub whom: Whom<'a>,
}

/// Which hosts something concerns.
#[derive(Clone, Copy)]
pub enum Whom<'a> {
    /// Those whose files it changes.
    Changed,
    /// Of these, those that have not got their latest certificate, whenever it was made.
    Outdated(&'a BTreeSet<String>),
}

/// Mints, unless an earlier run has and is not finished, and keeps the record. The fleet is then about the hosts concerned.
/// Whether there is anything to do.
pub fn begin(fleet: &mut Fleet, change: &Change<'_>, out: &Ui) -> Result<bool, Failure> {
    let subject = change.subject;
    let rotations = rotations(fleet)?;
    if let Whom::Changed = change.whom
        && !change.anew
    {
        let left = left(fleet, &rotations, &subject.words)?;
        if !left.is_empty() {
            out.note(&format!(
                "Generation {} of the {} was minted before; {} still to do.",
                rotations.of(&subject.words).map_or(0, |known| known.generation),
                subject.words,
                counted(left.len(), "host")
            ));
            concern(fleet, &left, subject.servers_first, out);
            return Ok(true);
        }
    }
    let record = recording(fleet, rotations, change)?;
    let minted = fleet.mint(
        &Demand {
            anew: &subject.anew,
            renew_until: change.renew_until,
            renewing: subject.renewing.as_ref(),
            note: &subject.words,
            record: Some(&record),
        },
        out,
    )?;
    let hosts = match change.whom {
        Whom::Changed if minted => concerned(fleet, subject),
        Whom::Changed => BTreeSet::new(),
        Whom::Outdated(wanted) => outdated(fleet)?.intersection(wanted).cloned().collect(),
    };
    concern(fleet, &hosts, subject.servers_first, out);
    Ok(!hosts.is_empty())
}

/// What is noted of a rotation in the same transaction with its media: which generation it is, and whom it concerns.
fn recording(
    fleet: &mut Fleet,
    rotations: Rotations,
    change: &Change<'_>,
) -> Result<impl Fn(&Work) -> (&'static str, Secret) + use<>, Failure> {
    let subject = change.subject;
    // Whom it concerns whatever is minted, and who of those that get a file.
    let (before, counts): (BTreeSet<String>, BTreeSet<String>) = match change.whom {
        Whom::Changed => {
            let hosts = fleet.inventory.hosts.iter().map(|host| host.name.to_string());
            (holders(fleet, subject), hosts.collect())
        }
        Whom::Outdated(_) => {
            let applied = applied(fleet)?;
            let counts = applied.into_keys().map(String::from);
            (outdated(fleet)?, counts.collect())
        }
    };
    let rotation = Rotation {
        subject: subject.words.clone(),
        command: format!("keytrail {}", change.command),
        generation: 0,
        minted: when::now(),
        began: None,
        bite: subject.bite,
        hosts: before,
    };
    Ok(move |work: &Work| {
        let mut rotations = rotations.clone();
        let mut rotation = rotation.clone();
        rotation.generation = work.generation().0;
        let placed = work.places().filter(|host| counts.contains(*host));
        rotation.hosts.extend(placed.map(str::to_owned));
        rotations.begin(rotation);
        (Rotations::STATE, vault::as_state(&rotations))
    })
}

fn rotations(fleet: &mut Fleet) -> Result<Rotations, Failure> {
    let vault = fleet.vault.get_mut().unwrap_or_else(PoisonError::into_inner);
    Rotations::read(vault).map_err(|error| vault_failure("cannot read the vault", &error))
}

/// Hosts that an earlier run of the same has not brought to it.
fn left(fleet: &mut Fleet, rotations: &Rotations, subject: &str) -> Result<BTreeSet<String>, Failure> {
    let pending = pending(fleet, rotations)?;
    let of = pending.into_iter().find(|pending| pending.subject == subject);
    Ok(of
        .map(|pending| pending.hosts.into_iter().collect())
        .unwrap_or_default())
}

/// Hosts that keytrail has brought to a generation before that of their certificate. Hosts that were never brought to any
/// have their first day before them: `apply`.
fn outdated(fleet: &mut Fleet) -> Result<BTreeSet<String>, Failure> {
    let applied = applied(fleet)?;
    let snapshot = &fleet.state.snapshot;
    let newer = |host: &str| {
        let stands = applied.get(host)?.generation;
        let mut files = snapshot.files(host);
        files.find(|(placement, file)| file.kind == ArtifactKind::Certificate && placement.since > stands)
    };
    let names = fleet.inventory.hosts.iter().map(|host| host.name.to_string());
    Ok(names.filter(|host| newer(host).is_some()).collect())
}

fn applied(fleet: &mut Fleet) -> Result<HashMap<Box<str>, Applied>, Failure> {
    let vault = fleet.vault.get_mut().unwrap_or_else(PoisonError::into_inner);
    vault
        .applied()
        .map_err(|error| vault_failure("cannot read the vault", &error))
}

/// What of all rotations is pending.
fn pending(fleet: &mut Fleet, rotations: &Rotations) -> Result<Vec<Pending>, Failure> {
    let applied = applied(fleet)?;
    let inventory = &fleet.inventory;
    Ok(rotations.pending(&applied, &|host| inventory.find(host).is_some()))
}

/// The hosts whose files the newest generation changes.
fn concerned(fleet: &Fleet, subject: &Subject) -> BTreeSet<String> {
    let snapshot = &fleet.state.snapshot;
    let newest = snapshot.generation.unwrap_or(GenerationId(0));
    let mut hosts = holders(fleet, subject);
    let names = fleet.inventory.hosts.iter().map(|host| host.name.to_string());
    hosts.extend(names.filter(|name| {
        let mut files = snapshot.files(name);
        files.any(|(placement, _)| placement.since == newest)
    }));
    hosts
}

/// The hosts that hold symmetric keys made anew: those are in no file of the vault.
fn holders(fleet: &Fleet, subject: &Subject) -> BTreeSet<String> {
    let keys: Vec<&str> = subject
        .anew
        .iter()
        .filter(|(kind, _)| *kind == SecretKind::Symmetric)
        .map(|(_, owner)| &**owner)
        .collect();
    if keys.is_empty() {
        return BTreeSet::new();
    }
    let hosts = fleet.inventory.host_ids();
    hosts
        .filter(|&host| holds(fleet, host, &keys))
        .map(|host| fleet.inventory.host(host).name.to_string())
        .collect()
}

/// Whether a host holds one of these symmetric keys.
pub fn holds(fleet: &Fleet, host: HostId, keys: &[&str]) -> bool {
    let inventory = &fleet.inventory;
    let group = inventory.entry(host).group;
    fleet.analysis.needs(host).symmetric_keys.iter().any(|&id| {
        crate::trail::needs::symmetric_key(inventory, group, id)
            .is_some_and(|key| keys.contains(&&*crate::mint::symmetric_owner(inventory, key)))
    })
}

/// Makes the fleet be about these hosts.
pub fn concern(fleet: &mut Fleet, hosts: &BTreeSet<String>, servers_first: bool, out: &Ui) {
    let inventory = Arc::clone(&fleet.inventory);
    let (exported, reached): (Vec<HostId>, Vec<HostId>) = hosts
        .iter()
        .filter_map(|name| inventory.find(name))
        .partition(|&host| inventory.entry(host).settings.connection == Connection::Export);
    if !exported.is_empty() {
        let names: Vec<&str> = exported.iter().map(|&host| &*inventory.host(host).name).collect();
        out.note(&format!(
            "These get their files by `keytrail export`, and need them anew: {}",
            names.join(", ")
        ));
    }
    fleet.hosts = reached;
    fleet.hosts.sort_unstable();
    let names = fleet
        .hosts
        .iter()
        .map(|&host| inventory.host(host).name.to_string());
    fleet.source.on = names.collect();
    fleet.care = Care {
        apart: true,
        servers_first,
        ..Care::default()
    };
    fleet.source.apart = true;
    fleet.source.servers_first = servers_first;
}

/// Carries it out, and says what is left.
pub fn carry_out(
    fleet: Fleet,
    command: &str,
    args: &FleetArgs,
    change: &ChangeArgs,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let (vault, inventory) = (fleet.source.vault.clone(), Arc::clone(&fleet.inventory));
    let Some(report) = carry(fleet, command, change, out)? else {
        return Ok(Answer::No);
    };
    let answer = apply::say(&report, change.format, out)?;
    let vault = fleet::open_vault(&vault, &args.vault, false, out)?;
    for pending in known(&vault, &inventory)? {
        out.stderr(&words(&pending));
    }
    Ok(answer)
}

/// Carries it out. `None`: it was not begun, and why has been said.
pub fn carry(fleet: Fleet, command: &str, change: &ChangeArgs, out: &Ui) -> Result<Option<Report>, Failure> {
    Ok(match apply::apply(fleet, command, &change.rollout, None, out)? {
        apply::Applied::Done(report) => Some(report),
        apply::Applied::Moved => None,
    })
}

/// What is pending in a vault.
pub fn known(vault: &Vault, inventory: &Inventory) -> Result<Vec<Pending>, Failure> {
    let failed = |error| vault_failure("cannot read the vault", &error);
    let rotations = Rotations::read(vault).map_err(failed)?;
    let applied = vault.applied().map_err(failed)?;
    Ok(rotations.pending(&applied, &|host| inventory.find(host).is_some()))
}

/// Notes how far rotations are, after hosts have changed.
pub fn settle(vault: &Mutex<Vault>, inventory: &Inventory) -> Result<(), Failure> {
    let mut vault = vault.lock().unwrap_or_else(PoisonError::into_inner);
    let mut settle = || {
        let before = Rotations::read(&vault)?;
        let mut after = before.clone();
        after.settle(&vault.applied()?, &|host| inventory.find(host).is_some());
        if after == before {
            Ok(())
        } else {
            after.write(&mut vault)
        }
    };
    settle().map_err(|error| vault_failure("cannot note in the vault how far rotations are", &error))
}

/// One pending rotation, in words.
pub fn words(pending: &Pending) -> String {
    const NAMED: usize = 8;
    let names = names(&pending.hosts, NAMED);
    let now = when::now();
    let until = match pending.fails_by {
        Some(at) if at <= now => "\n  Their packets are refused until then.".to_owned(),
        Some(at) => format!(
            "\n  Those that were not restarted go on with the old until they are examined anew, each at a moment of its own, the last by {}, and fail then; one that was (rolled back, or rebooted) is refused by its servers at once.",
            when::minute(at)
        ),
        None => String::new(),
    };
    format!(
        "Pending: {}, generation {}: {} of {} have it, not yet {names}.{until}\n  Finish it: {}",
        pending.subject,
        pending.generation,
        pending.done,
        counted(pending.done + pending.hosts.len(), "host"),
        pending.command
    )
}
