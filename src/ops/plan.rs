//! Planning: look at every host, say what it should look like, compare.

use crate::apply::verify;
use crate::apply::{Cancel, ContentSource, HostWork, Limits, Look, PhaseError, Site};
use crate::digest::Digest;
use crate::inventory::HostId;
use crate::ntpconf;
use crate::ops::belonging::{self, Belonging};
use crate::ops::connections::{Connections, connections};
use crate::ops::desired::{Unplanned, artifacts, as_root, desired, site};
use crate::ops::error::{Error, Result};
use crate::ops::notice::{Hosts, Notice};
use crate::ops::rollout::Task;
use crate::ops::saved_plan::{Saved, SavedFrom};
use crate::ops::session::Session;
use crate::plan::live_update::LiveUpdate;
use crate::plan::{self, Action, DesiredHost, HostPlan, Observed, Plan};
use crate::rotate;
use crate::secret::Secret;
use crate::vault::{ArtifactId, Vault};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// What was planned, and what could not be.
pub struct Planned {
    /// The plan for the hosts that could be looked at.
    pub plan: Plan,
    /// Where everything goes, by host.
    pub sites: HashMap<String, Site>,
    /// Contents by host and path, for applying.
    contents: Contents,
    /// Hosts that could not be looked at.
    pub missed: Vec<(String, PhaseError)>,
}

impl Session {
    /// Looks at the hosts and plans, over connections that end with it. Changes no host.
    pub async fn plan(&self, task: &Task, limits: Limits, cancel: &Cancel) -> Result<Planned> {
        let connections = connections(self.inventory(), limits, self.environment())?;
        plan(self, task, &connections, cancel).await
    }
}

/// The same over these connections.
pub(crate) async fn plan(
    session: &Session,
    task: &Task,
    connections: &Connections,
    cancel: &Cancel,
) -> Result<Planned> {
    let (seen, mut missed) = observe(session, task, connections, cancel).await?;
    let shared = ntpconf::ConfContext::new(session.inventory());
    let wanted: Vec<Result<(HostPlan, DesiredHost), Unplanned>> = seen
        .par_iter()
        .map(|(host, observed)| host_plan(session, task, &shared, *host, observed))
        .collect();
    let applied = session.vault().applied()?;
    let mut plans = Vec::with_capacity(wanted.len());
    let mut problems = Vec::new();
    let mut contents = HashMap::new();
    for ((host, observed), wanted) in seen.iter().zip(wanted) {
        match wanted {
            Ok((plan, desired)) => {
                let brought = applied
                    .get(plan.host.as_str())
                    .map(|stands| stands.generation.0.into());
                if let Some(problem) = clock_problem(session, &plan, observed) {
                    missed.push((plan.host, problem.into()));
                } else if let Some(problem) = foreign_problem(session, &plan, observed, brought) {
                    missed.push((plan.host, problem));
                } else {
                    contents.insert(plan.host.clone(), desired.contents);
                    plans.push(plan);
                }
            }
            Err(Unplanned::Host(error)) => {
                missed.push((session.inventory().host(*host).name.to_string(), error));
            }
            Err(Unplanned::Inventory(whys)) => problems.extend(whys),
        }
    }
    if !problems.is_empty() {
        problems.dedup();
        return Err(Error::new("configuration lines cannot be written; nothing was changed").whys(problems));
    }
    let sites = task.hosts.iter().map(|&host| site(session.inventory(), host));
    Ok(Planned {
        plan: Plan::new(session.generation(), plans),
        sites: session.names(task).zip(sites).collect(),
        contents: Contents {
            conf: contents,
            artifacts: artifacts(session),
        },
        missed,
    })
}

type Seen = Vec<(HostId, Observed)>;

/// Looks at the hosts: what is there, and those that could not be looked at.
async fn observe(
    session: &Session,
    task: &Task,
    connections: &Connections,
    cancel: &Cancel,
) -> Result<(Seen, Vec<(String, PhaseError)>)> {
    let inventory = session.inventory();
    let looks = task.hosts.iter().map(|&host| Look {
        site: site(inventory, host),
        show: plan::watched(&inventory.entry(host).settings).contents,
    });
    let looks = session.names(task).zip(looks).collect();
    let heard = Hosts::heard_by(&session.environment().observer);
    let mut observed = connections.observe(looks, &heard, cancel).await;
    session.observer().notice(Notice::Ended);
    if cancel.is_cancelled() {
        return Err(interrupted());
    }
    let mut belonging = Belonging::to(&session.vault())?;
    let mut seen = Vec::with_capacity(task.hosts.len());
    let mut missed = Vec::new();
    for (&host, name) in task.hosts.iter().zip(session.names(task)) {
        match observed.remove(&name) {
            Some(Ok(observed)) => {
                match belonging.judge(&name, &inventory.entry(host).settings.keysdir, &observed) {
                    None => seen.push((host, observed)),
                    Some(error) => missed.push((name, error)),
                }
            }
            Some(Err(error)) => missed.push((name, error)),
            // Only a cancellation leaves hosts out, and that was seen to above.
            None => {}
        }
    }
    belonging.settle()?;
    Ok((seen, missed))
}

pub(crate) fn interrupted() -> Error {
    Error::new("interrupted while looking at the hosts; nothing was changed")
}

impl Planned {
    /// The plan as it is saved.
    pub fn saved(&self, session: &Session, task: &Task) -> Saved<'_> {
        Saved {
            from: SavedFrom::new(session.origin(), task),
            plan: &self.plan,
        }
    }

    /// Takes out of the plan the hosts that must not go before one that could not be looked at, each with why. None where
    /// hosts need not wait for their servers.
    pub(crate) fn hold_back(
        &mut self,
        session: &Session,
        task: &Task,
        missed: &[(String, PhaseError)],
    ) -> Vec<(String, String)> {
        if !task.care.servers_first {
            return Vec::new();
        }
        let missed: Vec<HostId> = missed
            .iter()
            .filter_map(|(host, _)| session.inventory().find(host))
            .collect();
        let below = rotate::order::below(session.inventory(), &session.analysis().graph, &missed);
        if below.is_empty() {
            return Vec::new();
        }
        let (waiting, hosts): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.plan.hosts)
                .into_iter()
                .partition(|host| {
                    session
                        .inventory()
                        .find(&host.host)
                        .is_some_and(|id| below.contains(&id))
                });
        self.plan = Plan::new(self.plan.generation, hosts);
        let why = "a server above it could not be reached, and must have the new keys before it";
        waiting
            .into_iter()
            .map(|host| (host.host, why.to_owned()))
            .collect()
    }

    /// What `apply` takes: the work of every planned host, and where contents come from.
    pub(crate) fn work(self, vault: Arc<Mutex<Vault>>) -> Result<(Vec<HostWork>, Arc<dyn ContentSource>)> {
        let records = belonging::records(&vault, &self.plan)?;
        let Self {
            plan,
            mut sites,
            contents,
            ..
        } = self;
        let work = plan
            .hosts
            .into_iter()
            .zip(records)
            .map(|(plan, record)| HostWork {
                site: sites.remove(&plan.host).unwrap_or_default(),
                plan,
                record,
            })
            .collect();
        Ok((work, Arc::new(Source { contents, vault })))
    }
}

/// Why a host cannot use what it would get: its clock. A host that gets nothing is not asked.
fn clock_problem(session: &Session, plan: &HostPlan, observed: &Observed) -> Option<verify::ClockProblem> {
    plan.is_changed()
        .then(|| verify::clock_problem(&session.state().snapshot.media(&plan.host), observed.clock))?
}

/// Why a host is left alone: files of somebody else where ours belong.
fn foreign_problem(
    session: &Session,
    plan: &HostPlan,
    observed: &Observed,
    brought: Option<u64>,
) -> Option<PhaseError> {
    let since = |name: &str| {
        let mut files = session.state().snapshot.files(&plan.host);
        files
            .find(|(placement, _)| &*placement.name == name)
            .map(|(placement, _)| placement.since.0.into())
    };
    let paths = plan::foreign(plan, observed, &since, brought);
    if paths.is_empty() {
        return None;
    }
    Some(PhaseError::Failed {
        message: format!(
            "{} is there with other content, and nothing tells that keytrail put it there: it is not overwritten",
            paths.join(", ")
        ),
        help: Some(
            "look whose it is (keytrail inspect shows what it holds), and move it away; then apply again"
                .to_owned(),
        ),
        stderr: String::new(),
    })
}

fn host_plan(
    session: &Session,
    task: &Task,
    shared: &ntpconf::ConfContext<'_>,
    host: HostId,
    observed: &Observed,
) -> Result<(HostPlan, DesiredHost), Unplanned> {
    let mut desired = desired(session, shared, host, observed)?;
    let restarted = task.care.restart.contains(&host);
    let entry = session.inventory().entry(host);
    let site = site(session.inventory(), host);
    let told = LiveUpdate {
        daemon: entry.settings.ntpd,
        keys_file: &entry.settings.keys_file,
        root: site.root.as_deref().unwrap_or_default().trim_end_matches('/'),
        as_root: as_root(&entry.settings),
        restart: (restarted || task.restart).then_some("a restart was asked for"),
    };
    let mut plan = desired.plan_with_live_update(observed, &told);
    if restarted
        && !plan.restarts()
        && let Some(command) = &desired.desired.restart
    {
        plan.actions.push(Action::Restart {
            command: command.clone(),
            because: None,
        });
    }
    Ok((plan, desired))
}

struct Contents {
    conf: HashMap<String, BTreeMap<String, Secret>>,
    artifacts: HashMap<Digest, ArtifactId>,
}

/// Contents from the plan's own rendering, else from the vault.
struct Source {
    contents: Contents,
    vault: Arc<Mutex<Vault>>,
}

impl ContentSource for Source {
    fn content(&self, host: &str, path: &str, digest: &Digest) -> Result<Secret, String> {
        if let Some(content) = self.contents.conf.get(host).and_then(|files| files.get(path)) {
            return Ok(content.clone());
        }
        let id = self
            .contents
            .artifacts
            .get(digest)
            .ok_or_else(|| format!("{path} is not in the vault"))?;
        // A panic elsewhere cannot have left a read-only connection half changed.
        let vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        vault.content(*id).map_err(|error| error.to_string())
    }
}
