//! `keytrail verify`: do the daemons of the fleet authenticate as promised? Changes no host.

mod text;

use crate::apply::verify::{Level, Verification, Verified, verification};
use crate::apply::{self, Limits, PhaseError};
use crate::cli::args::{FleetArgs, Format};
use crate::cli::exit::{Answer, Failure};
use crate::cli::load;
use crate::cli::load::Loaded;
use crate::cli::progress::Progress;
use crate::cli::ui::Ui;
use crate::cli::{fleet, planning, runtime};
use crate::inventory::{HostId, Inventory};
use crate::mint::State;
use crate::ntpq::Standing;
use crate::trail::Analysis;
use crate::vault::{self, Vault};
use clap::ValueEnum;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Version of the JSON (docs/verify.md).
const VERSION: u32 = 1;

/// `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail verify fleet.yaml
  keytrail verify fleet.yaml --on group:green --wait-for 300   until all is well, 5 minutes at most
  keytrail verify fleet.yaml --level start --format json   only whether the daemons run

One look at every host: whether its daemon runs, and whether each association is authenticated by the scheme, the \
group and the generation that inventory and vault say. ntpq or chronyc on the host is asked, log and cryptostats are \
read; nothing is changed there. The table has the worst first; what to do stands below it. Hosts with `verify: none` \
(all without a restart command, unless they say otherwise) are left out unless --level is given.

What was seen is remembered in the vault, for `keytrail status`. Exit status 1: something is not as promised, or no host was \
looked at.")]
pub struct VerifyArgs {
    /// Which hosts
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// How far to look [default: auth]
    #[arg(long, value_enum)]
    pub level: Option<Depth>,
    /// Look again until all is well, so long at most; 0: one look
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait_for: u32,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How far to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Depth {
    /// Whether the daemon runs
    Start,
    /// Whether every promised association is authenticated, too
    Auth,
}

impl Depth {
    /// The level of that name.
    pub fn level(self) -> Level {
        match self {
            Self::Start => Level::Start,
            Self::Auth => Level::Auth,
        }
    }
}

/// A host and what came of looking at it.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The host.
    host: String,
    /// Its secure group.
    group: Option<String>,
    /// Whether it stands as promised.
    good: bool,
    /// The worst of what is wrong.
    trouble: Option<String>,
    /// Required associations as promised, and how many there should be.
    met: usize,
    required: usize,
    /// What was found; `None`: it could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Verified>,
    /// Why it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Missed>,
}

/// Why a host could not be looked at.
#[derive(Debug, Serialize)]
pub struct Missed {
    unreachable: bool,
    message: String,
    help: Option<String>,
    #[serde(skip)]
    stderr: String,
}

/// Everything `verify` answers.
#[derive(Debug, Serialize)]
struct Answered {
    version: u32,
    level: Level,
    generation: u64,
    hosts: Vec<Row>,
}

pub fn run(args: &VerifyArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let paths = load::paths(&args.fleet.inventory)?;
    let (inventory, analysis) = match load::load(&paths, args.format, out)? {
        // Whatever is wrong with the trails: the daemons run all the same.
        Loaded::Good(inventory, analysis) => (*inventory, *analysis),
        Loaded::Malformed => return Ok(Answer::Unusable),
    };
    let vault_path = fleet::vault_path(&args.fleet.vault, &paths);
    let mut vault = open(&vault_path)?;
    // What keys are called since a rotation stands sealed in the vault.
    let renamed = vault.as_ref().map_or(Ok(false), fleet::is_renamed)?;
    let (inventory, analysis) = if renamed {
        let opened = fleet::open_vault(&vault_path, &args.fleet.vault, false, out)?;
        let opened = vault.insert(opened);
        fleet::in_force(inventory, analysis, opened)?
    } else {
        (inventory, analysis)
    };
    let inventory = Arc::new(inventory);
    let mut hosts = fleet::select(&inventory, &analysis, &args.fleet, out)?;
    if args.level.is_none() {
        leave_out(&inventory, &mut hosts, out);
    }
    let level = args.level.map_or(Level::Auth, Depth::level);
    let state = state(vault.as_ref())?;
    let wait = Duration::from_secs(args.wait_for.into());
    let looked = look(
        &inventory,
        &analysis,
        &state,
        &hosts,
        (level, wait),
        args.fleet.jobs,
        out,
    )?;
    if let Some(vault) = &mut vault {
        remember(vault, &looked, level);
    }
    let mut rows = rows(&inventory, &hosts, looked, level);
    rows.sort_by_key(|row| std::cmp::Reverse(severity(row)));
    // Nothing is proven of nobody.
    let good = !rows.is_empty() && rows.iter().all(|row| row.good);
    match args.format {
        Format::Text => out.text(&text::text(&rows, level, out.screen()))?,
        form => out.value(
            &Answered {
                version: VERSION,
                level,
                generation: state.snapshot.generation.map_or(0, |id| id.0.into()),
                hosts: rows,
            },
            form,
        )?,
    }
    Ok(if good { Answer::Yes } else { Answer::No })
}

/// Takes out the hosts that nobody wants looked at.
fn leave_out(inventory: &Inventory, hosts: &mut Vec<HostId>, out: &Ui) {
    let all = hosts.len();
    hosts.retain(|&host| inventory.entry(host).settings.verify != Level::None);
    let left_out = all - hosts.len();
    if left_out > 0 {
        out.note(&format!(
            "{left_out} of the hosts are not looked at (`verify: none`, or no restart command); --level auth looks at them all \
             the same."
        ));
    }
}

/// The vault, if there is one. No key is needed: nothing secret is read.
pub fn open(path: &Path) -> Result<Option<Vault>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    Vault::open_locked(path)
        .map(Some)
        .map_err(|error| fleet::vault_failure("cannot open the vault", &error))
}

/// What was minted, without anything secret.
pub fn state(vault: Option<&Vault>) -> Result<State, Failure> {
    let snapshot = match vault {
        Some(vault) => vault
            .snapshot()
            .map_err(|error| fleet::vault_failure("cannot read the vault", &error))?,
        None => vault::Snapshot::default(),
    };
    Ok(State {
        snapshot,
        ..State::default()
    })
}

/// What hosts show, by name; those left out after an interruption are missing.
type Looked = HashMap<String, Result<Verified, PhaseError>>;

/// Looks at the hosts.
pub fn look(
    inventory: &Arc<Inventory>,
    analysis: &Analysis,
    state: &State,
    hosts: &[HostId],
    (level, wait): (Level, Duration),
    jobs: u16,
    out: &Ui,
) -> Result<Looked, Failure> {
    let whats: Vec<Verification> = hosts
        .iter()
        .map(|&host| verification(inventory, analysis, state, host, planning::site(inventory, host)))
        .collect();
    let limits = Limits {
        jobs: jobs.into(),
        ..Limits::default()
    };
    runtime::run(async |cancel| {
        let progress = Arc::new(Progress::new(out));
        let connections = planning::connections(inventory, limits)?;
        let heard: Arc<dyn apply::Progress> = progress.clone();
        let looked = connections.verify(whats, level, wait, &heard, &cancel).await;
        progress.finish();
        if cancel.is_cancelled() {
            return Err(Failure::new("interrupted while looking at the hosts"));
        }
        Ok(looked)
    })
}

/// Keeps what was seen. Where the vault cannot be written to, looking was still worth it.
pub fn remember(vault: &mut Vault, looked: &Looked, level: Level) {
    let seen: Vec<(&str, vault::Verified)> = looked
        .iter()
        .filter_map(|(host, result)| Some((&**host, result.as_ref().ok()?.remembered(level))))
        .collect();
    if let Err(error) = vault.set_verified(seen.iter().map(|(host, seen)| (*host, seen))) {
        tracing::info!("what was seen is not remembered: {error}");
    }
}

fn rows(inventory: &Inventory, hosts: &[HostId], mut looked: Looked, level: Level) -> Vec<Row> {
    hosts
        .iter()
        .filter_map(|&host| {
            let name = inventory.host(host).name.to_string();
            let result = looked.remove(&name)?;
            let group = inventory.group_of(host).map(|group| group.name.to_string());
            Some(row(name, group, result, level))
        })
        .collect()
}

fn row(host: String, group: Option<String>, result: Result<Verified, PhaseError>, level: Level) -> Row {
    let (found, error) = match result {
        Ok(found) => (Some(found), None),
        Err(error) => (None, Some(Missed::from(error))),
    };
    let trouble = match (&found, &error) {
        (_, Some(error)) => Some(error.message.clone()),
        (Some(found), None) => found.trouble(level),
        (None, None) => None,
    };
    let (met, required) = found.as_ref().map_or((0, 0), Verified::count);
    Row {
        host,
        group,
        good: trouble.is_none(),
        trouble,
        met,
        required,
        found,
        error,
    }
}

impl From<PhaseError> for Missed {
    fn from(error: PhaseError) -> Self {
        let help = error.help().map(str::to_owned);
        let message = error.to_string();
        let (unreachable, stderr) = match error {
            PhaseError::Unreachable(_) | PhaseError::Unheard { .. } => (true, String::new()),
            PhaseError::Failed { stderr, .. } | PhaseError::RolledBack { stderr, .. } => (false, stderr),
        };
        Self {
            unreachable,
            message,
            help,
            stderr,
        }
    }
}

/// What comes first in the table. Sorting is stable: within the same trouble the inventory's order stays.
fn severity(row: &Row) -> u8 {
    let Some(found) = &row.found else { return 6 };
    let standing = |wanted| {
        let mut required = found.associations.iter().filter(|checked| checked.required);
        required.any(|checked| checked.outcome.standing == wanted)
    };
    match () {
        () if row.good => 0,
        () if !found.daemon.running => 5,
        () if standing(Standing::Unmet) => 4,
        () if standing(Standing::Stale) => 3,
        () if standing(Standing::Waiting) => 1,
        () => 2,
    }
}
