//! A session: an inventory that is proven, a vault that is open, media that are minted, templates that are read.

use crate::apply::Rollout;
use crate::digest::Digest;
use crate::inventory::{HostId, Inventory};
use crate::mint::{self, State};
use crate::ntpconf::Templates;
use crate::ops::environment::Environment;
use crate::ops::error::{Error, Result};
use crate::ops::external_values;
use crate::ops::in_force::{InForce, in_force};
use crate::ops::load::{Loaded, Reach, select};
use crate::ops::minting::{Demand, Minter};
use crate::ops::notice::Observer;
use crate::ops::rollout::{Care, RolloutOptions, Task};
use crate::ops::saved_plan::Origin;
use crate::ops::vault_access::VaultAccess;
use crate::plan::HostPlan;
use crate::rotate::order;
use crate::trail::Analysis;
use crate::vault::{self, GenerationId, Lock, Vault};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// Everything that operations on a fleet have in common, opened once: the inventory in force with its analysis, the vault with
/// its lock, what was minted, the templates, the values that the inventory takes from outside.
///
/// Check, plan and apply into a directory of this machine:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keytrail::apply::Cancel;
/// use keytrail::ops::{ApplyJob, Environment, Loaded, Nobody, RolloutOptions, Session, Task, VaultAccess};
/// use keytrail::vault::KeySource;
/// use std::sync::Arc;
///
/// let dir = tempfile::tempdir()?;
/// let root = dir.path().join("howland");
/// std::fs::create_dir_all(root.join("etc"))?;
/// std::fs::write(root.join("etc/ntp.conf"), "driftfile /var/lib/ntp/ntp.drift\n")?;
/// let file = dir.path().join("fleet.yaml");
/// std::fs::write(
///     &file,
///     format!(
///         "version: 1
/// defaults: {{ connection: local, root: '{}', verify: none }}
/// groups: {{ green: {{ identity: gq, trusted: [howland] }} }}
/// hosts:
///   howland: {{ group: green, address: 192.0.2.20, reference_clock: true }}
/// ",
///         root.display()
///     ),
/// )?;
///
/// // Check.
/// let loaded = Loaded::read(&[file])?;
/// loaded.proven(&Nobody)?;
///
/// // A session makes the vault and its key, and mints what is missing.
/// let identity = dir.path().join("identity.agekey");
/// let access = VaultAccess::with_key(dir.path().join("fleet.vault"), KeySource::File(identity));
/// let environment = Environment {
///     observer: Arc::new(Nobody),
///     variable: |_| None,
///     temporary: dir.path().to_owned(),
/// };
/// let mut session = Session::open(loaded, access, None, environment)?;
/// let task = Task::of(session.inventory().host_ids());
/// let (options, cancel) = (RolloutOptions::default(), Cancel::default());
///
/// tokio::runtime::Runtime::new()?.block_on(async {
///     let planned = session.plan(&task, options.limits, &cancel).await?;
///     assert_eq!(planned.plan.summary.changed, 1);
///
///     session.lock()?;
///     let job = ApplyJob { task: &task, options: &options, command: "example", saved: None };
///     let report = session.apply(&job, &cancel).await?;
///     assert!(report.is_good());
///     assert!(session.plan(&task, options.limits, &cancel).await?.plan.is_empty());
///     Ok::<(), keytrail::ops::Error>(())
/// })?;
/// assert!(root.join("etc/ntp/crypto").is_dir());
/// # Ok(())
/// # }
/// ```
pub struct Session {
    /// As it is written.
    written: InForce,
    /// What follows from it and the vault.
    current: InForce,
    vault: Arc<Mutex<Vault>>,
    access: VaultAccess,
    lock: Option<Lock>,
    /// Of the vault's states when they were read.
    states: Digest,
    state: State,
    templates: Templates,
    values: mint::Given,
    origin: Origin,
    environment: Environment,
    /// Holds the copy of the vault that a rehearsal works on.
    copy: Option<TempDir>,
}

impl Session {
    /// Opens the vault, making it where there is none, and mints what is missing. Nothing should be minted for an inventory whose
    /// trails have errors: see [`Loaded::proven`].
    pub fn open(
        loaded: Loaded,
        access: VaultAccess,
        templates: Option<PathBuf>,
        environment: Environment,
    ) -> Result<Self> {
        let mut session = Self::ready(loaded, access, templates, environment, true)?;
        session.mint(&Demand::missing("inventory"))?;
        Ok(session)
    }

    /// Opens a vault that is there, and mints nothing yet.
    pub fn open_existing(
        loaded: Loaded,
        access: VaultAccess,
        templates: Option<PathBuf>,
        environment: Environment,
    ) -> Result<Self> {
        Self::ready(loaded, access, templates, environment, false)
    }

    /// The same on a copy of the vault that is thrown away with the session: a rehearsal.
    pub fn rehearse(
        loaded: Loaded,
        access: &VaultAccess,
        templates: Option<PathBuf>,
        environment: Environment,
    ) -> Result<Self> {
        let what = "cannot copy the vault for a dry run";
        let dir = tempfile::Builder::new()
            .prefix("keytrail-dry-")
            .tempdir_in(&environment.temporary)
            .map_err(|error| Error::new(what).because(&error))?;
        let path = dir.path().join("dry.vault");
        access
            .open(&*environment.observer)?
            .backup(&path)
            .map_err(|error| Error::vault(what, &error))?;
        let mut session = Self::ready(loaded, access.for_copy(path)?, templates, environment, false)?;
        session.copy = Some(dir);
        Ok(session)
    }

    /// A session about what was minted already: it takes no values from outside, so nothing can be minted.
    pub fn as_minted(
        loaded: Loaded,
        access: VaultAccess,
        templates: Option<PathBuf>,
        environment: Environment,
    ) -> Result<Self> {
        let origin = Origin::new(&loaded.paths, access.path(), templates.as_deref())?;
        let vault = access.open(&*environment.observer)?;
        let mut session = Self::of(loaded, vault, access, environment, origin)?;
        session.templates = read_templates(templates)?;
        Ok(session)
    }

    fn ready(
        loaded: Loaded,
        access: VaultAccess,
        templates: Option<PathBuf>,
        environment: Environment,
        create: bool,
    ) -> Result<Self> {
        let origin = Origin::new(&loaded.paths, access.path(), templates.as_deref())?;
        let templates = read_templates(templates)?;
        let values = external_values::read(&loaded.inventory, &loaded.analysis, environment.variable)?;
        // Only when nothing else stands in the way any more.
        let vault = if create {
            access.open_or_create(&*environment.observer)?
        } else {
            access.open(&*environment.observer)?
        };
        let mut session = Self::of(loaded, vault, access, environment, origin)?;
        session.templates = templates;
        session.values = values;
        Ok(session)
    }

    fn of(
        loaded: Loaded,
        vault: Vault,
        access: VaultAccess,
        environment: Environment,
        origin: Origin,
    ) -> Result<Self> {
        let states = vault.states_digest()?;
        let written = InForce::from(loaded);
        Ok(Self {
            current: in_force(&written, &vault)?,
            written,
            state: State::read(&vault)?,
            vault: Arc::new(Mutex::new(vault)),
            access,
            lock: None,
            states,
            templates: Templates::embedded(),
            values: mint::Given::default(),
            origin,
            environment,
            copy: None,
        })
    }

    /// The inventory in force: as written, with the ids and names that keys have come to by rotation.
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.current.inventory
    }

    /// The inventory as written.
    pub fn written(&self) -> &InForce {
        &self.written
    }

    /// The inventory in force with its analysis.
    pub fn current(&self) -> &InForce {
        &self.current
    }

    /// The analysis of the inventory in force.
    pub fn analysis(&self) -> &Analysis {
        &self.current.analysis
    }

    /// What was minted, as far as this session knows.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The templates of configuration lines.
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// From where all this was read.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What it takes from around it.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.environment.observer
    }

    /// Whether it works on a copy of the vault that is thrown away.
    pub fn is_rehearsal(&self) -> bool {
        self.copy.is_some()
    }

    /// The open vault.
    pub fn vault(&self) -> MutexGuard<'_, Vault> {
        // A panic elsewhere cannot have left a transaction half done: those end with the connection.
        self.vault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open vault, for other threads.
    pub(crate) fn shared_vault(&self) -> Arc<Mutex<Vault>> {
        Arc::clone(&self.vault)
    }

    /// The vault's generation all this is about; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.state
            .snapshot
            .generation
            .map_or(0, |GenerationId(number)| number.into())
    }

    /// The hosts that `selectors` select, in the order of the inventory; without any selector all hosts.
    pub fn select(&self, selectors: &[String], reach: Reach) -> Result<Vec<HostId>> {
        select(
            self.inventory(),
            self.analysis(),
            selectors,
            reach,
            self.observer(),
        )
    }

    /// Locks the vault for this process from now on, waiting for it as long as the [`VaultAccess`] says: for who changes hosts.
    /// What is to be brought to the hosts was read before, and must be what is in the vault still.
    pub fn lock(&mut self) -> Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        let (lock, latest) = {
            let vault = self.vault();
            (self.access.lock_unchanged(&vault, self.states)?, vault.latest()?)
        };
        self.lock = Some(lock);
        if latest == self.state.snapshot.generation {
            return Ok(());
        }
        Err(Error::vault(
            "nothing was changed on any host",
            &vault::Error::Moved {
                path: self.access.path().to_owned(),
                read: self.state.snapshot.generation,
                latest,
            },
        ))
    }

    /// Lets others have the vault: for who only looks from now on.
    pub fn unlock(&mut self) {
        self.lock = None;
    }

    /// Mints what is missing, and what is demanded beyond it. Whether there was anything to mint.
    pub fn mint(&mut self, demand: &Demand<'_>) -> Result<bool> {
        let before = self.generation();
        let vault = Arc::clone(&self.vault);
        let mut vault = vault.lock().unwrap_or_else(PoisonError::into_inner);
        let minter = Minter {
            fleet: &self.current,
            values: &self.values,
            observer: self.observer(),
            rehearsal: self.is_rehearsal(),
            lock: &|vault| match self.lock {
                Some(_) => Ok(None),
                None => self.access.lock_unchanged(vault, self.states).map(Some),
            },
        };
        let result = minter.mint(&mut vault, demand)?;
        self.states = vault.states_digest()?;
        self.state = result.state;
        self.lock = result.lock.or(self.lock.take());
        Ok(self.generation() != before)
    }

    /// Changes what the vault keeps of rotations or revocations, and makes the session be about what then is in force. The
    /// vault must be locked.
    pub(crate) fn change_states(
        &mut self,
        what: &str,
        change: impl FnOnce(&mut Vault) -> vault::Result<()>,
    ) -> Result<()> {
        debug_assert!(self.lock.is_some(), "whoever changes the vault has locked it");
        change(&mut self.vault()).map_err(|error| Error::vault(what, &error))?;
        let (states, state, current) = {
            let vault = self.vault();
            (
                vault.states_digest()?,
                State::read(&vault)?,
                in_force(&self.written, &vault)?,
            )
        };
        self.states = states;
        self.state = state;
        self.current = current;
        Ok(())
    }

    /// The batches of these hosts.
    pub fn rollout(&self, care: &Care, options: &RolloutOptions, hosts: &[HostPlan]) -> Rollout {
        let mut rollout = options.rollout(hosts);
        if !care.first.is_empty() {
            let first = |host: &str| {
                self.inventory()
                    .find(host)
                    .is_some_and(|id| care.first.contains(&id))
            };
            rollout.batches = order::ahead(rollout.batches, &first);
        }
        if care.apart {
            rollout.batches = order::apart(self.inventory(), &self.analysis().graph, hosts, rollout.batches);
        }
        rollout
    }

    /// The names of a task's hosts.
    pub(crate) fn names<'s>(&'s self, task: &'s Task) -> impl Iterator<Item = String> + 's {
        task.hosts
            .iter()
            .map(|&host| self.inventory().host(host).name.to_string())
    }
}

fn read_templates(dir: Option<PathBuf>) -> Result<Templates> {
    match dir {
        None => Ok(Templates::embedded()),
        Some(dir) => Templates::load(&dir).map_err(|error| {
            Error::new(format!("the templates in {} cannot be used", dir.display())).because(&*error)
        }),
    }
}
