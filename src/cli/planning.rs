//! From a prepared fleet to a plan: look at every host, say what it should look like, compare.

use crate::apply::verify;
use crate::apply::{self, Cancel, ContentSource, HostWork, InventoryConnect, Limits, Look, PhaseError, Site};
use crate::cli::exit::Failure;
use crate::cli::fleet::{Fleet, vault_failure};
use crate::cli::progress::Progress;
use crate::cli::runtime;
use crate::digest::Digest;
use crate::inventory::{Connection, HostEntry, HostId, Inventory, Settings};
use crate::mint::{State, symmetric_owner};
use crate::ntpconf;
use crate::plan::tell::{Control, Told};
use crate::plan::{self, Action, DesiredHost, HostInput, HostPlan, Observed, Plan};
use crate::remote::ControlDir;
use crate::rotate;
use crate::secret::Secret;
use crate::trail::needs::symmetric_key;
use crate::vault::{ArtifactId, Vault};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The connections of one run.
pub type Connections = Arc<apply::Fleet<InventoryConnect>>;

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

/// Connections for a run on the hosts of an inventory.
pub fn connections(inventory: &Arc<Inventory>, limits: Limits) -> Result<Connections, Failure> {
    let base = std::env::temp_dir();
    let control = ControlDir::new(&base).map_err(|error| {
        Failure::new(format!("cannot make a private directory in {}", base.display())).because(&error)
    })?;
    let limits = Limits {
        connections: runtime::room_for_connections(),
        ..limits
    };
    Ok(apply::Fleet::new(
        InventoryConnect::new(Arc::clone(inventory), Arc::new(control)),
        limits,
    ))
}

/// Looks at the hosts and plans. Nothing is changed anywhere.
pub async fn plan(
    fleet: &Fleet,
    connections: &Connections,
    progress: &Arc<Progress>,
    cancel: &Cancel,
) -> Result<Planned, Failure> {
    let looks = fleet
        .hosts
        .iter()
        .map(|&host| {
            let settings = &*fleet.inventory.entry(host).settings;
            let look = Look {
                site: site(&fleet.inventory, host),
                show: plan::watched(settings).contents,
            };
            (fleet.inventory.host(host).name.to_string(), look)
        })
        .collect();
    let heard: Arc<dyn apply::Progress> = progress.clone();
    let mut observed = connections.observe(looks, &heard, cancel).await;
    progress.finish();
    if cancel.is_cancelled() {
        return Err(Failure::new(
            "interrupted while looking at the hosts; nothing was changed",
        ));
    }
    let mut seen = Vec::with_capacity(fleet.hosts.len());
    let mut missed = Vec::new();
    for &host in &fleet.hosts {
        let name = fleet.inventory.host(host).name.to_string();
        match observed.remove(&name) {
            Some(Ok(observed)) => seen.push((host, observed)),
            Some(Err(error)) => missed.push((name, error)),
            // Only a cancellation leaves hosts out, and that was seen to above.
            None => {}
        }
    }
    let shared = ntpconf::Fleet::new(&fleet.inventory);
    let wanted: Vec<Result<(HostPlan, DesiredHost), Vec<String>>> = seen
        .par_iter()
        .map(|(host, observed)| host_plan(fleet, &shared, *host, observed))
        .collect();
    let applied = fleet
        .vault
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .applied()
        .map_err(|error| vault_failure("cannot read the vault", &error))?;
    let mut plans = Vec::with_capacity(wanted.len());
    let mut problems = Vec::new();
    let mut contents = HashMap::new();
    for ((_, observed), wanted) in seen.iter().zip(wanted) {
        match wanted {
            Ok((plan, desired)) => {
                let brought = applied
                    .get(plan.host.as_str())
                    .map(|stands| stands.generation.0.into());
                if let Some(problem) = clock_problem(fleet, &plan, observed) {
                    missed.push((plan.host, problem.into()));
                } else if let Some(problem) = foreign_problem(fleet, &plan, observed, brought) {
                    missed.push((plan.host, problem));
                } else {
                    contents.insert(plan.host.clone(), desired.contents);
                    plans.push(plan);
                }
            }
            Err(whys) => problems.extend(whys),
        }
    }
    if !problems.is_empty() {
        problems.dedup();
        let mut failure = Failure::new("configuration lines cannot be written; nothing was changed");
        for problem in problems {
            failure = failure.why(problem);
        }
        return Err(failure);
    }
    let sites = fleet
        .hosts
        .iter()
        .map(|&host| {
            (
                fleet.inventory.host(host).name.to_string(),
                site(&fleet.inventory, host),
            )
        })
        .collect();
    Ok(Planned {
        plan: Plan::new(fleet.generation(), plans),
        sites,
        contents: Contents {
            conf: contents,
            artifacts: artifacts(fleet),
        },
        missed,
    })
}

impl Planned {
    /// Takes out of the plan the hosts that must not go before one that could not be looked at, each with why. None where
    /// hosts need not wait for their servers.
    pub fn hold_back(&mut self, fleet: &Fleet, missed: &[(String, PhaseError)]) -> Vec<(String, String)> {
        if !fleet.care.servers_first {
            return Vec::new();
        }
        let missed: Vec<HostId> = missed
            .iter()
            .filter_map(|(host, _)| fleet.inventory.find(host))
            .collect();
        let below = rotate::order::below(&fleet.inventory, &fleet.analysis.graph, &missed);
        if below.is_empty() {
            return Vec::new();
        }
        let (waiting, hosts): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.plan.hosts)
                .into_iter()
                .partition(|host| {
                    fleet
                        .inventory
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
    pub fn work(self, vault: Arc<Mutex<Vault>>) -> (Vec<HostWork>, Arc<dyn ContentSource>) {
        let Self {
            plan,
            mut sites,
            contents,
            ..
        } = self;
        let work = plan
            .hosts
            .into_iter()
            .map(|plan| HostWork {
                site: sites.remove(&plan.host).unwrap_or_default(),
                plan,
            })
            .collect();
        (work, Arc::new(Source { contents, vault }))
    }
}

/// Where a host's files are.
pub fn site(inventory: &Inventory, host: HostId) -> Site {
    let settings: &Settings = &inventory.entry(host).settings;
    let root = settings.root.as_deref().map(|root| {
        let root = inventory.fill(host, root).into_owned();
        // A directory of this machine may be written relative to the inventory, and the inventory to here.
        match std::path::absolute(&root) {
            Ok(path) if settings.connection == Connection::Local => path.to_string_lossy().into_owned(),
            _ => root,
        }
    });
    Site {
        root,
        keysdir: settings.keysdir.to_string(),
        owner: settings.owner.as_deref().map(str::to_owned),
        group: settings.file_group.as_deref().map(str::to_owned),
    }
}

/// Why a host cannot use what it would get: its clock. A host that gets nothing is not asked.
fn clock_problem(fleet: &Fleet, plan: &HostPlan, observed: &Observed) -> Option<verify::ClockProblem> {
    plan.is_changed()
        .then(|| verify::clock_problem(&fleet.state.snapshot.media(&plan.host), observed.clock))?
}

/// Why a host is left alone: files of somebody else where ours belong.
fn foreign_problem(
    fleet: &Fleet,
    plan: &HostPlan,
    observed: &Observed,
    brought: Option<u64>,
) -> Option<PhaseError> {
    let since = |name: &str| {
        let mut files = fleet.state.snapshot.files(&plan.host);
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
    fleet: &Fleet,
    shared: &ntpconf::Fleet<'_>,
    host: HostId,
    observed: &Observed,
) -> Result<(HostPlan, DesiredHost), Vec<String>> {
    let mut desired = desired(fleet, shared, host, observed)?;
    let restarted = fleet.care.restart.contains(&host);
    let entry = fleet.inventory.entry(host);
    let site = site(&fleet.inventory, host);
    let told = Told {
        daemon: entry.settings.ntpd,
        keys_file: &entry.settings.keys_file,
        root: site.root.as_deref().unwrap_or_default().trim_end_matches('/'),
        as_root: as_root(&entry.settings),
        restart: (restarted || fleet.source.restart).then_some("a restart was asked for"),
    };
    let mut plan = desired.plan_telling(observed, &told);
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

/// Whether scripts run as root on a host with these settings. A local one runs as whoever we are, which it finds out itself.
fn as_root(settings: &Settings) -> bool {
    match &settings.connection {
        Connection::Ssh(ssh) => {
            ssh.become_root.is_some() || ssh.user.as_deref().is_none_or(|user| user == "root")
        }
        Connection::Local | Connection::Export => true,
    }
}

/// The key with which a host's daemon takes changes while it runs.
pub fn control(inventory: &Inventory, state: &State, entry: &HostEntry) -> Option<Control> {
    let id = entry.settings.control_key?;
    let declared = symmetric_key(inventory, entry.group, id)?;
    let key = state.symmetric.get(&*symmetric_owner(inventory, declared))?;
    let kind = declared.kind.parse().ok()?;
    let key = key.clone();
    Some(Control { id, kind, key })
}

/// What a host should look like, given what stands there; all problems of the host.
pub fn desired(
    fleet: &Fleet,
    shared: &ntpconf::Fleet<'_>,
    host: HostId,
    observed: &Observed,
) -> Result<DesiredHost, Vec<String>> {
    let name = &*fleet.inventory.host(host).name;
    let needs = fleet.analysis.needs(host);
    let value = |owner: &str| fleet.state.symmetric.get(owner);
    let key_file =
        plan::key_file(&fleet.inventory, host, needs, &value).map_err(|error| vec![error.to_string()])?;
    // A private certificate's key is the trusted host's own file, encrypted with its password.
    let owner = needs
        .private_certificate_of
        .map_or(name, |trusted| &fleet.inventory.host(trusted).name);
    let input = HostInput {
        inventory: &fleet.inventory,
        host,
        needs,
        depth: fleet.analysis.depth(host),
        fleet: shared,
        media: &fleet.state.snapshot.media(name),
        password: fleet.state.passwords.get(owner),
        key_file: key_file.as_ref(),
    };
    let mut made: DesiredHost = plan::desired(&input, &fleet.templates, observed)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    made.once_held(
        &fleet.inventory.entry(host).settings.keysdir,
        fleet.state.snapshot.ever(name),
    );
    Ok(made)
}

/// Where contents are in the vault, by digest.
pub fn artifacts(fleet: &Fleet) -> HashMap<Digest, ArtifactId> {
    fleet
        .state
        .snapshot
        .artifacts()
        .map(|artifact| (artifact.digest, artifact.id))
        .collect()
}

struct Contents {
    conf: HashMap<String, std::collections::BTreeMap<String, Secret>>,
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
