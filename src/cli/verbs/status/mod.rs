//! `keytrail status`: where every host of the fleet stands. Changes no host, mints nothing.

mod facts;
mod prometheus;
mod text;

use crate::apply::PhaseError;
use crate::apply::verify::Level;
use crate::cli::args::{FleetArgs, Format, days};
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet;
use crate::cli::fleet::{Fleet, vault_failure};
use crate::cli::load;
use crate::cli::load::Loaded;
use crate::cli::progress::Progress;
use crate::cli::ui::Ui;
use crate::cli::verbs::verify;
use crate::cli::{planning, reident, rotating, runtime, when, whole};
use crate::inventory::HostId;
use crate::plan::{HostPlan, Summary};
use crate::report::Screen;
use crate::rotate::record::Pending;
use crate::trail::rules::expiring::soon;
use crate::vault::Vault;
use clap::ValueEnum;
use facts::Facts;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const DAY: i64 = 86_400;

/// `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail status fleet.yaml                    looks at every host: files, links, configuration
  keytrail status fleet.yaml --verify           and its daemon is asked, too
  keytrail status fleet.yaml --offline          from the vault alone, at once
  keytrail status fleet.yaml --offline --format prometheus -o /var/lib/node_exporter/keytrail.prom

The table has the hosts in trouble first: out of reach, an expired certificate, not authenticated when last asked, files \
that are not as they should be, a rotation that is not there yet, a certificate that ends soon.

Exit status 1: some host is in trouble.")]
pub struct StatusArgs {
    /// Which hosts
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Only what the vault knows: no host is looked at
    #[arg(long, conflicts_with = "verify")]
    pub offline: bool,
    /// Ask the daemons, too, instead of telling what they last said
    #[arg(long)]
    pub verify: bool,
    /// Certificates that end within so many days are trouble [default: the inventory's policy, else 30d]
    #[arg(long, value_name = "DAYS", value_parser = days)]
    pub expiring: Option<i64>,
    /// Output
    #[arg(long, value_enum, default_value_t = Form::Text)]
    pub format: Form,
    /// Write it to a file, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What `status` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// For programs; docs/status.md
    Json,
    /// What JSON has, as YAML
    Yaml,
    /// For node_exporter's textfile collector
    Prometheus,
}

/// Where a host stands.
#[derive(Debug, Serialize)]
struct Row {
    host: String,
    role: &'static str,
    group: Option<String>,
    /// The vault's generation it was last brought to.
    generation: Option<u32>,
    /// Of its own certificate, Unix seconds.
    certificate_ends: Option<i64>,
    certificate_days: Option<i64>,
    /// What is not as it should be on the host; empty: nothing; absent: it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<String>,
    /// What its daemon was last seen to do.
    verified: Option<Seen>,
    /// What is wrong, the worst first.
    trouble: Vec<String>,
    /// A later certificate waits in the vault.
    #[serde(skip)]
    renewed: bool,
    #[serde(skip)]
    severity: u8,
    #[serde(skip)]
    reached: Option<bool>,
}

/// What a daemon was seen to do.
#[derive(Debug, Serialize)]
struct Seen {
    at: i64,
    level: String,
    good: bool,
    /// The host was changed since: it shows nothing about what runs there now.
    before_last_change: bool,
    detail: String,
}

/// Everything `status` answers.
#[derive(Debug, Serialize)]
struct Status {
    version: u32,
    /// When, Unix seconds.
    at: i64,
    /// The vault's latest generation; 0: nothing was minted yet.
    generation: u32,
    offline: bool,
    hosts: Vec<Row>,
    /// Rotations that are not everywhere yet.
    pending: Vec<Pending>,
}

pub fn run(args: &StatusArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let paths = load::paths(&args.fleet.inventory)?;
    let (inventory, analysis) = match load::load(&paths, Format::Text, out)? {
        // Whatever is wrong with the trails: hosts stand where they stand.
        Loaded::Good(inventory, analysis) => (*inventory, *analysis),
        Loaded::Malformed => return Ok(Answer::Unusable),
    };
    let expiring = args.expiring.unwrap_or_else(|| soon(&inventory));
    let path = fleet::vault_path(&args.fleet.vault, &paths);
    let mut vault = if args.offline && !has_sealed_states(&path) {
        Vault::open_locked(&path).map_err(|error| vault_failure("cannot open the vault", &error))?
    } else {
        fleet::open_vault(&path, &args.fleet.vault, false, out)?
    };
    let cannot = |error| vault_failure("cannot read the vault", &error);
    let pending = if vault.states().map_err(cannot)?.is_empty() {
        Vec::new()
    } else {
        let mut pending = rotating::known(&vault, &inventory)?;
        pending.extend(reident::known(&vault, &inventory, &analysis)?);
        pending
    };
    let now = when::now();
    let (looked, rows) = if args.offline {
        let hosts = fleet::select(&inventory, &analysis, &args.fleet, out)?;
        let facts = Facts::new(&vault, &inventory, &pending)?;
        let rows = hosts.iter().map(|&host| facts.row(&inventory, &analysis, host));
        (HashMap::new(), rows.collect())
    } else {
        let mut fleet = fleet::as_minted(inventory, analysis, vault, &paths, &args.fleet, out)?;
        let all = fleet.hosts.clone();
        // What a host should look like is not known before anything was minted for it.
        let known = |host: &HostId| {
            let name = &fleet.inventory.host(*host).name;
            !fleet.analysis.needs(*host).autokey || fleet.state.snapshot.files(name).next().is_some()
        };
        let known: Vec<HostId> = all.iter().copied().filter(known).collect();
        fleet.hosts = known;
        let looked = look(&fleet, out)?;
        if args.verify {
            ask(&fleet, out)?;
        }
        vault = fleet
            .vault
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let facts = Facts::new(&vault, &fleet.inventory, &pending)?;
        let rows = all
            .iter()
            .map(|&host| facts.row(&fleet.inventory, &fleet.analysis, host));
        (looked, rows.collect::<Vec<_>>())
    };
    let mut status = Status {
        version: 1,
        at: now,
        generation: vault.latest().map_err(cannot)?.map_or(0, |latest| latest.0),
        offline: args.offline,
        hosts: rows,
        pending,
    };
    judge(&mut status, looked, expiring);
    let good = status.hosts.iter().all(|row| row.trouble.is_empty());
    say(args, &status, out)?;
    Ok(if good { Answer::Yes } else { Answer::No })
}

/// Whether the vault keeps something that only its key opens. A vault that cannot be read says so when it is opened.
fn has_sealed_states(path: &Path) -> bool {
    Vault::open_locked(path)
        .and_then(|vault| vault.states())
        .is_ok_and(|states| !states.is_empty())
}

impl Row {
    /// Whether its daemon was asked about what runs there now.
    fn asked(&self) -> bool {
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
fn look(fleet: &Fleet, out: &Ui) -> Result<Looked, Failure> {
    runtime::run(async |cancel| {
        let limits = crate::apply::Limits {
            jobs: fleet.jobs,
            ..crate::apply::Limits::default()
        };
        let connections = planning::connections(&fleet.inventory, limits)?;
        let progress = Arc::new(Progress::new(out));
        let planned = planning::plan(fleet, &connections, &progress, &cancel).await?;
        let plans = planned.plan.hosts.into_iter();
        let mut looked: Looked = plans.map(|plan| (plan.host.clone(), Ok(plan))).collect();
        looked.extend(planned.missed.into_iter().map(|(host, error)| (host, Err(error))));
        Ok(looked)
    })
}

/// Asks the daemons that want to be looked at; the vault remembers what they said.
fn ask(fleet: &Fleet, out: &Ui) -> Result<(), Failure> {
    let wanted = |host: &&HostId| fleet.inventory.entry(**host).settings.verify != Level::None;
    let hosts: Vec<HostId> = fleet.hosts.iter().filter(wanted).copied().collect();
    let jobs = u16::try_from(fleet.jobs).unwrap_or(u16::MAX);
    let once = (Level::Auth, Duration::ZERO);
    let seen = verify::look(
        &fleet.inventory,
        &fleet.analysis,
        &fleet.state,
        &hosts,
        once,
        jobs,
        out,
    )?;
    let mut vault = fleet
        .vault
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    verify::remember(&mut vault, &seen, Level::Auth);
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
    let counted = [
        (summary.files, "media file"),
        (summary.links, "link"),
        (summary.confs, "configuration file"),
        (summary.fixes, "mode or owner"),
    ];
    let mut parts: Vec<String> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| crate::cli::ui::counted(*count, what))
        .collect();
    if parts.is_empty() && plan.is_changed() {
        parts.push("a restart is due".to_owned());
    }
    parts.join(", ")
}

fn say(args: &StatusArgs, status: &Status, out: &mut Ui) -> Result<(), Failure> {
    let cannot = |error: &dyn std::error::Error| Failure::new("cannot write the result").because(error);
    let text = match args.format {
        Form::Text if args.output.is_some() => text::text(status, Screen::default()),
        Form::Text => text::text(status, out.screen()),
        Form::Prometheus => prometheus::text(status),
        Form::Json => serde_json::to_string_pretty(status).map_err(|error| cannot(&error))? + "\n",
        Form::Yaml => serde_yaml::to_string(status).map_err(|error| cannot(&error))?,
    };
    match &args.output {
        None if args.format == Form::Text => out.text(&text),
        None => out.bytes(text.as_bytes()),
        // The collector runs as somebody else.
        Some(path) => whole::replace(path, whole::Mode::Public, text.as_bytes())
            .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error)),
    }
}

/// The groups of the hosts, for who counts by them.
fn groups(status: &Status) -> usize {
    let groups: HashSet<_> = status.hosts.iter().filter_map(|row| row.group.as_ref()).collect();
    groups.len()
}
