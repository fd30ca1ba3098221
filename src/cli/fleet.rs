//! What `plan` and `apply` begin with: inventory proven, vault open, media minted, templates read.

use crate::apply::Rollout;
use crate::cli::args::rollout::RolloutArgs;
use crate::cli::args::{FleetArgs, Format, VaultArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::given::given;
use crate::cli::hold::{Hold, hold, states};
use crate::cli::load;
use crate::cli::load::Loaded;
use crate::cli::progress::Progress;
use crate::cli::stored::Source;
use crate::cli::ui::{Ui, counted};
pub use crate::cli::vault_key::{lock_vault, open_vault, vault_failure, vault_path};
use crate::cli::{runtime, when};
use crate::digest::Digest;
use crate::inventory::{self, Connection, HostId, Inventory};
use crate::mint::{self, Request, Revocations, State, What, Work};
use crate::ntpconf::Templates;
use crate::plan::HostPlan;
use crate::rotate::{departed::departed, idents::Names, order, renumber::Renumbering};
use crate::secret::Secret;
use crate::trail::{self, Analysis};
use crate::vault::{self, ArtifactKind, GenerationId, Lock, SecretKind, Vault};
use indexmap::IndexMap;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Everything a plan is made from but what stands on the hosts.
pub struct Fleet {
    pub inventory: Arc<Inventory>,
    pub analysis: Analysis,
    /// Behind a lock: contents are fetched by several threads.
    pub vault: Mutex<Vault>,
    /// Held once something was minted, or since [`Fleet::hold`].
    pub lock: Option<Lock>,
    /// Of the vault's states when they were read.
    states: Digest,
    pub state: State,
    pub templates: Templates,
    /// Values the inventory takes from outside.
    pub given: mint::Given,
    /// How carefully hosts change.
    pub care: Care,
    /// The selected hosts that keytrail reaches.
    pub hosts: Vec<HostId>,
    pub jobs: usize,
    /// Longest time of a phase, where it is not the usual one.
    pub timeout: Option<Duration>,
    /// Which vault it is, and how long it is waited for.
    vault_args: VaultArgs,
    /// From what all this was made.
    pub source: Source,
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

/// What is minted beyond what is missing.
#[derive(Clone, Copy)]
pub struct Demand<'a> {
    /// Secrets to be made anew although they fit.
    pub anew: &'a HashSet<(SecretKind, Box<str>)>,
    /// Certificates that end until then (Unix seconds) are made anew; `None`: those that have ended.
    pub renew_until: Option<i64>,
    /// Whose certificates that is about; `None`: everybody's.
    pub renewing: Option<&'a HashSet<Box<str>>>,
    /// Why, for the vault's own record.
    pub note: &'a str,
    /// What the vault is to know together with the new generation, made from what is minted.
    pub record: Option<Record<'a>>,
}

/// Makes a state of the vault, name and value, from what is minted.
pub type Record<'a> = &'a dyn Fn(&Work) -> (&'static str, Secret);

/// Goes all the way, or says why not. `Err(answer)` inside: it has been said.
pub fn prepare(args: &FleetArgs, format: Format, out: &mut Ui) -> Result<Result<Fleet, Answer>, Failure> {
    runtime::small_pages();
    let paths = load::paths(&args.inventory)?;
    let (inventory, analysis) = match load::load(&paths, format, out)? {
        Loaded::Good(inventory, analysis) => (inventory, analysis),
        Loaded::Malformed => return Ok(Err(Answer::Unusable)),
    };
    if !args.said
        && let Err(answer) = load::proven(&inventory, &analysis, out)
    {
        return Ok(Err(answer));
    }
    let vault_path = vault_path(&args.vault, &paths);
    let source = Source::new(args, &paths, &vault_path)?;
    let open = || open_vault(&vault_path, &args.vault, true, out);
    from_parts(*inventory, *analysis, open, source, args, out).map(Ok)
}

/// The same for an inventory that is already there (the demo's). The vault is opened only when nothing else
/// stands in the way any more.
pub fn from_parts(
    inventory: Inventory,
    analysis: Analysis,
    open: impl FnOnce() -> Result<Vault, Failure>,
    source: Source,
    args: &FleetArgs,
    out: &Ui,
) -> Result<Fleet, Failure> {
    let templates = templates(args)?;
    let hosts = select(&inventory, &analysis, args, out)?;
    let given = given(&inventory, &analysis)?;
    let mut vault = open()?;
    let states = states(&vault)?;
    let (inventory, analysis) = in_force(inventory, analysis, &vault)?;
    let demand = Demand {
        anew: &HashSet::new(),
        renew_until: None,
        renewing: None,
        note: "inventory",
        record: None,
    };
    let (state, lock) = mint(
        &inventory,
        &analysis,
        &given,
        &mut vault,
        &demand,
        Hold::Not(states),
        &args.vault,
        out,
    )?;
    Ok(Fleet {
        states,
        inventory: Arc::new(inventory),
        analysis,
        vault: Mutex::new(vault),
        lock,
        state,
        templates,
        given,
        care: Care::default(),
        hosts,
        jobs: args.jobs.into(),
        timeout: args.timeout,
        vault_args: args.vault.clone(),
        source,
    })
}

/// A fleet of what was minted already, for who only looks.
pub fn as_minted(
    inventory: Inventory,
    analysis: Analysis,
    vault: Vault,
    paths: &[PathBuf],
    args: &FleetArgs,
    out: &Ui,
) -> Result<Fleet, Failure> {
    let (inventory, analysis) = in_force(inventory, analysis, &vault)?;
    let state = State::read(&vault).map_err(|error| vault_failure("cannot read the vault", &error))?;
    let hosts = select(&inventory, &analysis, args, out)?;
    Ok(Fleet {
        states: states(&vault)?,
        source: Source::new(args, paths, vault.path())?,
        inventory: Arc::new(inventory),
        analysis,
        vault: Mutex::new(vault),
        lock: None,
        state,
        templates: templates(args)?,
        given: mint::Given::default(),
        care: Care::default(),
        hosts,
        jobs: args.jobs.into(),
        timeout: args.timeout,
        vault_args: args.vault.clone(),
    })
}

fn templates(args: &FleetArgs) -> Result<Templates, Failure> {
    match &args.templates {
        None => Ok(Templates::embedded()),
        Some(dir) => Templates::load(dir).map_err(|error| {
            Failure::new(format!("the templates in {} cannot be used", dir.display())).because(&*error)
        }),
    }
}

/// The inventory as it is in force: as written, with the ids that symmetric keys, and the names that
/// identity keys, have come to by rotation.
pub fn in_force(
    inventory: Inventory,
    analysis: Analysis,
    vault: &Vault,
) -> Result<(Inventory, Analysis), Failure> {
    let unreadable = |error| vault_failure("cannot read the vault", &error);
    let mut inventory = inventory;
    // Trails and needs do not depend on what keys are called.
    Names::read(vault).map_err(unreadable)?.apply_to(&mut inventory);
    let numbers = Renumbering::read(vault).map_err(unreadable)?;
    if numbers.is_empty() {
        return Ok((inventory, analysis));
    }
    let inventory = numbers.apply_to(&inventory);
    let analysis = trail::analyse(&inventory, time::OffsetDateTime::now_utc().date());
    Ok((inventory, analysis))
}

/// Whether a rotation has changed what keys are called: then [`in_force`] needs the vault's key.
pub fn is_renamed(vault: &Vault) -> Result<bool, Failure> {
    has_one_of(vault, &[Names::STATE, Renumbering::STATE])
}

/// Whether MV clients are shut out; who they are is sealed.
pub fn shuts_out(vault: &Vault) -> Result<bool, Failure> {
    has_one_of(vault, &[Revocations::STATE])
}

fn has_one_of(vault: &Vault, names: &[&str]) -> Result<bool, Failure> {
    let states = vault
        .states()
        .map_err(|error| vault_failure("cannot read the vault", &error))?;
    Ok(states.iter().any(|state| names.contains(&&**state)))
}

impl Fleet {
    /// Holds the vault for this process from now on, waiting for it as long as asked: for who changes hosts.
    pub fn hold(&mut self) -> Result<(), Failure> {
        if self.lock.is_some() {
            return Ok(());
        }
        // What is to be brought to the hosts was read before the lock was ours.
        let vault = self.vault.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.lock = Some(hold(vault, self.states, &self.vault_args)?);
        match vault.latest() {
            Ok(latest) if latest == self.state.snapshot.generation => Ok(()),
            Ok(latest) => Err(vault_failure(
                "nothing was changed on any host",
                &vault::Error::Moved {
                    path: self.source.vault.clone(),
                    read: self.state.snapshot.generation,
                    latest,
                },
            )),
            Err(error) => Err(vault_failure("cannot read the vault", &error)),
        }
    }

    /// Mints more than what is missing. Whether there was anything to mint.
    pub fn mint(&mut self, demand: &Demand<'_>, out: &Ui) -> Result<bool, Failure> {
        let before = self.generation();
        let vault = self.vault.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (state, lock) = mint(
            &self.inventory,
            &self.analysis,
            &self.given,
            vault,
            demand,
            match self.lock.take() {
                Some(lock) => Hold::Held(lock),
                None => Hold::Not(self.states),
            },
            &self.vault_args,
            out,
        )?;
        self.state = state;
        self.lock = lock;
        Ok(self.generation() != before)
    }

    /// The batches of these hosts.
    pub fn rollout(&self, how: &RolloutArgs, hosts: &[HostPlan]) -> Rollout {
        let mut rollout = how.rollout(hosts);
        if !self.care.first.is_empty() {
            let first = |host: &str| {
                self.inventory
                    .find(host)
                    .is_some_and(|id| self.care.first.contains(&id))
            };
            rollout.batches = order::ahead(rollout.batches, &first);
        }
        if self.care.apart {
            rollout.batches = order::apart(&self.inventory, &self.analysis.graph, hosts, rollout.batches);
        }
        rollout
    }

    /// The vault's generation all this is about; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.state
            .snapshot
            .generation
            .map_or(0, |GenerationId(number)| number.into())
    }
}

/// The hosts of `--on`: all of them, or those that keytrail reaches.
pub fn select(
    inventory: &Inventory,
    analysis: &Analysis,
    args: &FleetArgs,
    out: &Ui,
) -> Result<Vec<HostId>, Failure> {
    let selected = inventory::select(inventory, &args.on, |host| analysis.depth(host))
        .map_err(|error| Failure::new(error.to_string()).help(error.help))?;
    if args.unreached {
        return Ok(selected);
    }
    let (reached, exported): (Vec<_>, Vec<_>) = selected
        .into_iter()
        .partition(|&host| inventory.entry(host).settings.connection != Connection::Export);
    if !exported.is_empty() {
        out.note(&format!(
            "{} of the hosts get their files by `keytrail export` and are left out here.",
            exported.len()
        ));
    }
    Ok(reached)
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a fleet that is not there yet"
)]
fn mint(
    inventory: &Inventory,
    analysis: &Analysis,
    given: &mint::Given,
    vault: &mut Vault,
    demand: &Demand<'_>,
    held: Hold,
    args: &VaultArgs,
    out: &Ui,
) -> Result<(State, Option<Lock>), Failure> {
    let unreadable = |error| vault_failure("cannot read the vault", &error);
    let now = when::now();
    let request = Request {
        inventory,
        needs: &|host| analysis.needs(host),
        given,
        now,
        renew_until: demand.renew_until.unwrap_or(now),
        renewing: demand.renewing,
        anew: demand.anew,
    };
    let mut state = State::read(vault).map_err(unreadable)?;
    let mut work = mint::wanted(&request, &state).map_err(|error| mint_failure(&error))?;
    if work.is_empty() {
        return Ok((state, held.lock()));
    }
    let lock = match held {
        Hold::Held(lock) => lock,
        Hold::Not(states) => hold(vault, states, args)?,
    };
    // Somebody else may have minted just that while the lock was waited for.
    if vault.latest().map_err(unreadable)? != state.snapshot.generation {
        state = State::read(vault).map_err(unreadable)?;
        work = mint::wanted(&request, &state).map_err(|error| mint_failure(&error))?;
        if work.is_empty() {
            return Ok((state, Some(lock)));
        }
    }
    for departed in departed(inventory, &state.snapshot) {
        for words in departed.words() {
            out.stderr(&format!("warning: {words}"));
        }
    }
    let mut made: IndexMap<&str, usize> = IndexMap::new();
    for task in work.tasks() {
        *made.entry(word(task.what)).or_default() += 1;
    }
    let texts: Vec<&str> = inventory
        .sources
        .iter()
        .map(|source| source.text.as_str())
        .collect();
    let progress = Progress::new(out);
    let record = demand.record.map(|record| record(&work));
    let generation = mint::mint_with(
        vault,
        &work,
        demand.note,
        Digest::of(texts.join("\0").as_bytes()),
        record.as_ref().map(|(name, value)| (*name, value)),
        &progress,
    );
    progress.finish();
    let generation = generation.map_err(|error| mint_failure(&error))?;
    if let Some(GenerationId(number)) = generation {
        let made: Vec<String> = made.iter().map(|(what, count)| counted(*count, what)).collect();
        out.note(&match (made.is_empty(), args.copy) {
            (false, false) => format!("Minted generation {number}: {}", made.join(", ")),
            (false, true) => format!("Would mint generation {number}: {}", made.join(", ")),
            (true, false) => {
                format!("Generation {number}: nothing new was made, what is no longer needed was taken out")
            }
            (true, true) => {
                format!("Generation {number} would make nothing new, and take out what is no longer needed")
            }
        });
    }
    let state = State::read(vault).map_err(unreadable)?;
    Ok((state, Some(lock)))
}

fn mint_failure(error: &mint::Error) -> Failure {
    let mint::Error::Impossible(problems) = error else {
        return Failure::new("nothing was minted").because(error);
    };
    let mut failure = Failure::new("what the inventory asks for cannot be made; nothing was minted");
    for problem in problems {
        failure = failure.why(problem.to_string());
        if let Some(help) = &problem.help {
            failure = failure.help(format!("{}: {help}", problem.subject));
        }
    }
    failure
}

/// What was made, in words.
fn word(what: What) -> &'static str {
    match what {
        What::Secret(SecretKind::Password) => "password",
        What::Secret(SecretKind::HostKey) => "host key",
        What::Secret(SecretKind::SignKey) => "sign key",
        What::Secret(SecretKind::Group(_)) => "group key",
        What::Secret(SecretKind::Symmetric) => "symmetric key",
        What::File(ArtifactKind::HostKey) => "host key file",
        What::File(ArtifactKind::SignKey) => "sign key file",
        What::File(ArtifactKind::Certificate) => "certificate",
        What::File(ArtifactKind::ServerKey(_)) => "server key copy",
        What::File(ArtifactKind::ClientParameters(_)) => "client parameter file",
    }
}
