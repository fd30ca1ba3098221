//! Rolling back: hosts go to an earlier state, from the records they keep themselves.

use crate::apply::verify::Level;
use crate::apply::{self, Back, Cancel, Look, PhaseError, Report, Target};
use crate::inventory::HostId;
use crate::mint::State;
use crate::ops::belonging::Belonging;
use crate::ops::connections::connections;
use crate::ops::desired::site;
use crate::ops::environment::Environment;
use crate::ops::error::{Error, Result};
use crate::ops::health_check::{HealthCheck, Known};
use crate::ops::in_force::{InForce, has_revocations, is_renamed};
use crate::ops::journal::{self, Reaches};
use crate::ops::load::{Loaded, Reach};
use crate::ops::notice::{Hosts, Notice};
use crate::ops::plan::interrupted;
use crate::ops::rollout::RolloutOptions;
use crate::ops::vault_access::VaultAccess;
use crate::plan::{Action, HostPlan, Observed};
use crate::vault::{self, GenerationId, Lock, Vault};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackTo {
    /// To before the last run that changed a host.
    LastRun,
    /// To before this run of the journal.
    Run(u64),
    /// Until every host stands in this generation of the vault or an earlier one; 0: before the first.
    Generation(u64),
}

/// A rollback that can begin: the vault is locked, and how far back is known.
pub struct Rollback {
    fleet: InForce,
    hosts: Vec<HostId>,
    vault: Arc<Mutex<Vault>>,
    _lock: Lock,
    access: VaultAccess,
    target: Target,
    environment: Environment,
}

/// What one host would undo.
#[derive(Debug, Serialize)]
pub struct HostRollback {
    /// The host.
    pub host: String,
    /// Runs that are undone, the last first.
    pub undoes: Vec<String>,
    /// The generation it stands in.
    pub from: Option<u64>,
    /// The generation it goes to.
    pub to: Option<u64>,
    #[serde(skip)]
    wave: u32,
}

/// How a rollback ended.
#[derive(Debug)]
pub enum RolledBack {
    /// Nothing was changed: it was a dry run, or some hosts could not be looked at.
    Previewed {
        /// What each host would undo.
        hosts: Vec<HostRollback>,
        /// Hosts that could not be looked at.
        missed: Vec<(String, PhaseError)>,
    },
    /// It was carried out.
    Done(Report),
}

/// How a rollback goes about.
pub struct RollbackOptions {
    /// In which steps.
    pub rollout: RolloutOptions,
    /// Overwrite files that were changed by hand since.
    pub force: bool,
    /// Only look what would go back.
    pub dry_run: bool,
}

/// What each host would undo, and the hosts that could not be looked at.
type Chosen = (Vec<HostRollback>, Vec<(String, PhaseError)>);

impl Rollback {
    /// Locks the vault and finds out how far back it goes. Findings in the inventory are no obstacle: the way back must not
    /// depend on them.
    pub fn prepare(
        loaded: Loaded,
        selectors: &[String],
        access: VaultAccess,
        to: BackTo,
        environment: Environment,
    ) -> Result<Self> {
        let hosts = loaded.select(selectors, Reach::Connected, &*environment.observer)?;
        let lock = access.lock()?;
        // With its key: a journal that somebody else could have written must not say where hosts go.
        let vault = access.open(&*environment.observer)?;
        Ok(Self {
            target: target(to, &vault)?,
            fleet: loaded.into(),
            hosts,
            vault: Arc::new(Mutex::new(vault)),
            _lock: lock,
            access,
            environment,
        })
    }

    /// Looks at the hosts and takes them back.
    pub async fn run(&self, options: &RollbackOptions, cancel: &Cancel) -> Result<RolledBack> {
        // By which ids and names an earlier state authenticates is known to nobody without the vault's key.
        let (renamed, revoked) = {
            let vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
            (is_renamed(&vault)?, has_revocations(&vault)?)
        };
        let observer = &*self.environment.observer;
        let limits = options.rollout.limits;
        let connections = connections(&self.fleet.inventory, limits, &self.environment)?;
        let heard = Hosts::heard_by(&self.environment.observer);
        let looks = self.hosts.iter().map(|&host| self.look(host)).collect();
        let seen = connections.observe(looks, &heard, cancel).await;
        observer.notice(Notice::Ended);
        if cancel.is_cancelled() {
            return Err(interrupted());
        }
        let (hosts, missed) = self.chosen(seen)?;
        let goes = |host: &&HostRollback| !host.undoes.is_empty();
        if revoked && hosts.iter().any(|host| goes(&host)) {
            observer.notice(Notice::RevocationUndone);
        }
        if options.dry_run || (!missed.is_empty() && !limits.skip_unreachable) {
            return Ok(RolledBack::Previewed { hosts, missed });
        }
        let plans: Vec<HostPlan> = hosts.iter().map(order_of).collect();
        let reaches = hosts
            .iter()
            .filter(goes)
            .map(|host| (host.host.clone(), host.to.unwrap_or(0)));
        let judge = Arc::new(self.health_check(options.rollout.verify, renamed));
        let command = command(&self.target);
        let page = journal::open(
            Arc::clone(&self.vault),
            &command,
            Reaches::Each(reaches.collect()),
            &self.environment.observer,
        )?;
        let job = apply::RollbackJob {
            hosts: hosts
                .iter()
                .filter(goes)
                .map(|host| self.way_back(&host.host))
                .collect(),
            target: self.target.clone(),
            force: options.force,
            run_info: page.run_info(self.access.path(), &command),
            rollout: options.rollout.rollout(&plans),
            judge: Arc::clone(&judge) as _,
        };
        let mut report = apply::rollback(&connections, job, page.progress(), cancel).await;
        observer.notice(Notice::Ended);
        for host in hosts.iter().filter(|host| !goes(host)) {
            report.hosts.insert(host.host.clone(), apply::Outcome::Unchanged);
        }
        report.add_missed(missed);
        page.close(&report, &judge.seen())?;
        Ok(RolledBack::Done(report))
    }

    fn health_check(&self, level: Option<Level>, renamed: bool) -> HealthCheck {
        // Which generation of a group key an earlier state has is in no vault: any will do.
        let state = State::default();
        let known = Known {
            inventory: &self.fleet.inventory,
            analysis: &self.fleet.analysis,
            state: &state,
        };
        let check = HealthCheck::new(known, &self.hosts, level, false);
        if !renamed {
            return check;
        }
        self.environment.observer.notice(Notice::StartCheckedOnly);
        check.at_most(Level::Start)
    }

    fn look(&self, host: HostId) -> (String, Look) {
        let look = Look {
            site: site(&self.fleet.inventory, host),
            show: Vec::new(),
        };
        (self.fleet.inventory.host(host).name.to_string(), look)
    }

    /// What each host undoes, and which could not be looked at.
    fn chosen(&self, mut observed: HashMap<String, Result<Observed, PhaseError>>) -> Result<Chosen> {
        let mut belonging = Belonging::to(&self.vault.lock().unwrap_or_else(PoisonError::into_inner))?;
        let mut hosts = Vec::new();
        let mut missed = Vec::new();
        for &host in &self.hosts {
            let name = self.fleet.inventory.host(host).name.to_string();
            match observed.remove(&name) {
                Some(Ok(observed)) => {
                    let keysdir = &self.fleet.inventory.entry(host).settings.keysdir;
                    if let Some(error) = belonging.judge(&name, keysdir, &observed) {
                        missed.push((name, error));
                        continue;
                    }
                    let chosen = self.target.chosen(&observed.records);
                    hosts.push(HostRollback {
                        undoes: chosen.iter().map(|record| record.run.clone()).collect(),
                        from: observed.generation,
                        to: chosen.last().map_or(observed.generation, |record| record.before),
                        wave: self.fleet.analysis.depth(host),
                        host: name,
                    });
                }
                Some(Err(error)) => missed.push((name, error)),
                None => {}
            }
        }
        // Hosts go back by their own records, but not under a vault that knows less than they do.
        belonging.settle()?;
        Ok((hosts, missed))
    }

    fn way_back(&self, name: &str) -> Back {
        let inventory = &self.fleet.inventory;
        let host = inventory.find(name).expect("it was selected from the inventory");
        let restart = inventory.entry(host).settings.restart.as_deref();
        Back {
            host: name.to_owned(),
            site: site(inventory, host),
            restart: restart.map(str::to_owned),
        }
    }
}

/// What journal and locks say is being done.
fn command(target: &Target) -> String {
    match target {
        Target::Run(run) => format!("rollback of run {run}"),
        Target::Generation(generation) => format!("rollback to generation {generation}"),
        Target::Last => "rollback".to_owned(),
    }
}

/// How far back: as asked, else to before the last run that changed a host.
fn target(to: BackTo, vault: &Vault) -> Result<Target> {
    let unreadable = |error| Error::vault("cannot read the vault's journal", &error);
    if let BackTo::Generation(generation) = to {
        known(generation, vault)?;
        return Ok(Target::Generation(generation));
    }
    let runs = vault.runs().map_err(unreadable)?;
    if let BackTo::Run(run) = to {
        return match runs.iter().find(|known| known.id.to_string() == run.to_string()) {
            Some(known) => Ok(Target::Run(known.id.to_string())),
            None => Err(Error::new(format!("the vault's journal knows no run {run}"))
                .help("`keytrail history` lists the runs")),
        };
    }
    let forward = runs
        .iter()
        .rev()
        .filter(|run| !run.command.starts_with("rollback"));
    for run in forward {
        let results = vault.results(run.id).map_err(unreadable)?;
        if results
            .iter()
            .any(|result| result.outcome == vault::Outcome::Applied)
        {
            return Ok(Target::Run(run.id.to_string()));
        }
    }
    Err(Error::new("no run that changed a host is in the vault's journal")
        .help("say how far back: --to GENERATION"))
}

/// That there is such a generation, or was: hosts keep their own records, whatever was pruned here. A typo must not look
/// like a fleet that needs nothing.
fn known(generation: u64, vault: &Vault) -> Result<()> {
    if generation == 0 {
        return Ok(());
    }
    let wanted = u32::try_from(generation).map_err(|_| Error::new("generation number out of range"))?;
    vault
        .generation(GenerationId(wanted))
        .map(drop)
        .map_err(|error| Error::vault("cannot go back", &error))
}

/// What makes batches of hosts that go back: the same order in which they changed.
fn order_of(host: &HostRollback) -> HostPlan {
    let change = Action::Restart {
        command: String::new(),
        because: None,
    };
    HostPlan {
        host: host.host.clone(),
        range: None,
        wave: host.wave,
        actions: if host.undoes.is_empty() {
            Vec::new()
        } else {
            vec![change]
        },
        warnings: Vec::new(),
    }
}
