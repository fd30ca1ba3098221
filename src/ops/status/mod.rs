//! Status: where every host of the fleet stands. Changes no host, mints nothing.

mod facts;

use crate::apply::verify::Level;
use crate::apply::{Cancel, Limits, PhaseError};
use crate::inventory::HostId;
use crate::ops::connections::connections;
use crate::ops::environment::Environment;
use crate::ops::error::Result;
use crate::ops::in_force::InForce;
use crate::ops::load::{Loaded, Reach};
use crate::ops::now;
use crate::ops::plan::plan;
use crate::ops::rollout::Task;
use crate::ops::rotation;
use crate::ops::session::Session;
use crate::ops::vault_access::VaultAccess;
use crate::ops::verify::{Question, look, remember};
use crate::plan::{HostPlan, Summary};
use crate::report::counted;
use crate::rotate::record::Pending;
use crate::trail::rules::expiring::soon;
use crate::vault::Vault;
use facts::Facts;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: i64 = 86_400;

/// Where a host stands.
#[derive(Debug, Serialize)]
pub struct HostStatus {
    /// The host.
    pub host: String,
    /// What it is in its group: trusted host, server or client.
    pub role: &'static str,
    /// Its secure group.
    pub group: Option<String>,
    /// The vault's generation it was last brought to.
    pub generation: Option<u32>,
    /// When its own certificate ends, Unix seconds.
    pub certificate_ends: Option<i64>,
    /// The same in whole days from now.
    pub certificate_days: Option<i64>,
    /// What is not as it should be on the host; empty: nothing; absent: it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<String>,
    /// What its daemon was last seen to do.
    pub verified: Option<LastVerified>,
    /// Whether the inventory promises that it authenticates anybody.
    pub promised: bool,
    /// What is wrong, the worst first.
    pub trouble: Vec<String>,
    /// A later certificate waits in the vault.
    #[serde(skip)]
    renewed: bool,
    /// How bad the worst trouble is; 0: there is none.
    #[serde(skip)]
    pub severity: u8,
    /// Whether it could be looked at; `None`: nobody tried.
    #[serde(skip)]
    pub reached: Option<bool>,
}

/// What a daemon was last seen to do.
#[derive(Debug, Serialize)]
pub struct LastVerified {
    /// When, Unix seconds.
    pub at: i64,
    /// How far it was looked at.
    pub level: String,
    /// Whether it was as promised.
    pub good: bool,
    /// The host was changed since: it shows nothing about what runs there now.
    pub before_last_change: bool,
    /// What was wrong.
    pub detail: String,
}

/// Where the fleet stands.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Of the format.
    pub version: u32,
    /// When, Unix seconds.
    pub at: i64,
    /// The vault's latest generation; 0: nothing was minted yet.
    pub generation: u32,
    /// No host was looked at.
    pub offline: bool,
    /// The hosts, those in trouble first.
    pub hosts: Vec<HostStatus>,
    /// Rotations that are not everywhere yet.
    pub pending: Vec<Pending>,
}

impl Status {
    /// Whether no host is in trouble.
    pub fn is_good(&self) -> bool {
        self.hosts.iter().all(|host| host.trouble.is_empty())
    }

    /// How many groups the hosts are of.
    pub fn groups(&self) -> usize {
        let groups: HashSet<_> = self.hosts.iter().filter_map(|host| host.group.as_ref()).collect();
        groups.len()
    }
}

/// How `status` goes about.
#[derive(Debug, Clone)]
pub struct StatusOptions {
    /// The selectors of its hosts.
    pub selectors: Vec<String>,
    /// Only what the vault knows: no host is looked at.
    pub offline: bool,
    /// Ask the daemons, too.
    pub verify: bool,
    /// Certificates that end within so many days are trouble; `None`: as the inventory's policy says.
    pub expiring: Option<i64>,
    /// The directory of templates; `None`: the built-in ones.
    pub templates: Option<PathBuf>,
    /// How many hosts at once, and how long a look may take.
    pub limits: Limits,
}

/// Finds out where every host stands. Findings in the inventory are no obstacle: hosts stand where they stand.
pub async fn status(
    loaded: Loaded,
    access: VaultAccess,
    options: &StatusOptions,
    environment: Environment,
    cancel: &Cancel,
) -> Result<Status> {
    let expiring = options.expiring.unwrap_or_else(|| soon(&loaded.inventory));
    let at = now();
    let (vault_status, looked) = if options.offline {
        (offline(loaded, &access, options, &environment)?, HashMap::new())
    } else {
        online(loaded, access, options, environment, cancel).await?
    };
    let (generation, hosts, pending) = vault_status;
    let mut status = Status {
        version: 1,
        at,
        generation,
        offline: options.offline,
        hosts,
        pending,
    };
    judge(&mut status, looked, expiring);
    Ok(status)
}

/// What the vault knows: its latest generation, the hosts, rotations that are not everywhere.
type Known = (u32, Vec<HostStatus>, Vec<Pending>);

fn offline(
    loaded: Loaded,
    access: &VaultAccess,
    options: &StatusOptions,
    environment: &Environment,
) -> Result<Known> {
    let vault = if has_sealed_states(access.path()) {
        access.open(&*environment.observer)?
    } else {
        access.open_sealed(&*environment.observer)?
    };
    let hosts = loaded.select(&options.selectors, Reach::Connected, &*environment.observer)?;
    let written = InForce::from(loaded);
    known(&vault, &written, &written, &hosts)
}

async fn online(
    loaded: Loaded,
    access: VaultAccess,
    options: &StatusOptions,
    environment: Environment,
    cancel: &Cancel,
) -> Result<(Known, Looked)> {
    let session = Session::as_minted(loaded, access, options.templates.clone(), environment)?;
    let hosts = session.select(&options.selectors, Reach::Connected)?;
    // What a host should look like is not known before anything was minted for it.
    let minted = |host: &HostId| {
        let name = &session.inventory().host(*host).name;
        !session.analysis().needs(*host).autokey || session.state().snapshot.files(name).next().is_some()
    };
    let task = Task::of(hosts.iter().copied().filter(minted));
    let looked = drifted(&session, &task, options.limits, cancel).await?;
    if options.verify {
        ask(&session, &task, options.limits, cancel).await?;
    }
    let vault = session.vault();
    let known = known(&vault, session.written(), session.current(), &hosts)?;
    Ok((known, looked))
}

fn known(vault: &Vault, written: &InForce, current: &InForce, hosts: &[HostId]) -> Result<Known> {
    let pending = if vault.states()?.is_empty() {
        Vec::new()
    } else {
        rotation::pending(vault, written)?
    };
    let facts = Facts::new(vault, &current.inventory, &pending)?;
    let rows = hosts
        .iter()
        .map(|&host| facts.row(&current.inventory, &current.analysis, host))
        .collect();
    let generation = vault.latest()?.map_or(0, |latest| latest.0);
    drop(facts);
    Ok((generation, rows, pending))
}

/// Whether the vault keeps something that only its key opens. A vault that cannot be read says so when it is opened.
fn has_sealed_states(path: &Path) -> bool {
    Vault::open_locked(path)
        .and_then(|vault| vault.states())
        .is_ok_and(|states| !states.is_empty())
}

impl HostStatus {
    /// Whether its daemon was asked about what runs there now.
    pub fn asked(&self) -> bool {
        self.verified
            .as_ref()
            .is_some_and(|seen| !seen.before_last_change)
    }

    /// One more thing that is wrong.
    fn add(&mut self, severity: u8, trouble: String) {
        if severity > self.severity {
            self.severity = severity;
            self.trouble.insert(0, trouble);
        } else {
            self.trouble.push(trouble);
        }
    }
}

/// What was seen on a host, or why it was not.
type Looked = HashMap<String, Result<HostPlan, PhaseError>>;

/// Looks at the hosts that anything was minted for.
async fn drifted(session: &Session, task: &Task, limits: Limits, cancel: &Cancel) -> Result<Looked> {
    let connections = connections(session.inventory(), limits, session.environment())?;
    let planned = plan(session, task, &connections, cancel).await?;
    let plans = planned.plan.hosts.into_iter();
    let mut looked: Looked = plans.map(|plan| (plan.host.clone(), Ok(plan))).collect();
    looked.extend(planned.missed.into_iter().map(|(host, error)| (host, Err(error))));
    Ok(looked)
}

/// Asks the daemons that want to be looked at; the vault remembers what they said.
async fn ask(session: &Session, task: &Task, limits: Limits, cancel: &Cancel) -> Result<()> {
    let wanted = |host: &&HostId| session.inventory().entry(**host).settings.verify != Level::None;
    let hosts: Vec<HostId> = task.hosts.iter().filter(wanted).copied().collect();
    let once = Question {
        level: Level::Auth,
        wait: Duration::ZERO,
        limits,
    };
    let seen = look(
        session.current(),
        session.state(),
        &hosts,
        (&once, session.environment()),
        cancel,
    )
    .await?;
    remember(&mut session.vault(), &seen, Level::Auth);
    Ok(())
}

/// What is wrong beyond what the vault knows, and the order.
fn judge(status: &mut Status, mut looked: Looked, expiring: i64) {
    for row in &mut status.hosts {
        row.certificate_days = row
            .certificate_ends
            .map(|ends| (ends - status.at).div_euclid(DAY));
        let waits = if row.renewed {
            ", a later one waits in the vault"
        } else {
            ""
        };
        match row.certificate_days {
            Some(days) if days < 0 => row.add(6, format!("its certificate ended {} days ago{waits}", -days)),
            Some(days) if days < expiring => {
                row.add(2, format!("its certificate ends in {days} days{waits}"));
            }
            _ => {}
        }
        match looked.remove(&row.host) {
            None => {}
            Some(Ok(plan)) => {
                row.reached = Some(true);
                let drift = drift(&plan);
                if !drift.is_empty() {
                    row.add(4, format!("not as it should be: {drift}"));
                }
                row.drift = Some(drift);
            }
            Some(Err(error)) => {
                row.reached = Some(!matches!(error, PhaseError::Unreachable(_)));
                row.add(7, error.to_string());
            }
        }
    }
    // Of those without trouble, first the ones of which least is known.
    status
        .hosts
        .sort_by_key(|row| (Reverse(row.severity), row.asked()));
}

/// What an apply would change, in a few words.
fn drift(plan: &HostPlan) -> String {
    let summary = Summary::of(std::slice::from_ref(plan), 0);
    let counts = [
        (summary.files, "media file"),
        (summary.links, "link"),
        (summary.confs, "configuration file"),
        (summary.fixes, "mode or owner"),
    ];
    let mut parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| counted(*count, what))
        .collect();
    if parts.is_empty() && plan.is_changed() {
        parts.push("a restart is due".to_owned());
    }
    parts.join(", ")
}
