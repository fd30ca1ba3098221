//! `keytrail rollback`: take hosts back to an earlier state, from the records they keep themselves.

use crate::apply::verify::Level;
use crate::apply::{self, Back, Look, PhaseError, Report, Target};
use crate::cli::args::rollout::RolloutArgs;
use crate::cli::args::{FleetArgs, Format};
use crate::cli::exit::{Answer, Failure};
use crate::cli::journal;
use crate::cli::journal::Reaches;
use crate::cli::load;
use crate::cli::load::Loaded;
use crate::cli::progress::Progress;
use crate::cli::ui::{Ui, counted};
use crate::cli::view::outcome;
use crate::cli::watch::Watch;
use crate::cli::{fleet, planning, runtime};
use crate::inventory::{HostId, Inventory};
use crate::mint::State;
use crate::plan::{Action, HostPlan, Observed};
use crate::report::{self, Screen};
use crate::trail::Analysis;
use crate::vault::{self, GenerationId, Vault};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// `rollback`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail rollback fleet.yaml --dry-run     what would go back, host by host
  keytrail rollback fleet.yaml               undo the last run, on every host that it changed
  keytrail rollback fleet.yaml --run 12      undo run 12 and what came after it (keytrail history)
  keytrail rollback fleet.yaml --to 7        until all hosts stand in generation 7 or before

Hosts keep records of their last five switches: links, configuration and key files as they were. \
Nothing but those is needed, so it works without the inventory's former text. A file that was \
changed by hand since is not overwritten unless --force is given. The inventory still asks for the \
newer state: the next apply goes there again, unless the inventory changes.")]
pub struct RollbackArgs {
    /// Which hosts
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Until every host stands in this generation of the vault or an earlier one; 0: before the first
    #[arg(long, value_name = "GENERATION")]
    pub to: Option<u64>,
    /// To before this run [default: the last one that changed a host]
    #[arg(long, value_name = "RUN", conflicts_with = "to")]
    pub run: Option<u64>,
    /// Overwrite files that were changed by hand since
    #[arg(long)]
    pub force: bool,
    /// Only say what would go back
    #[arg(long)]
    pub dry_run: bool,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// In which steps
    #[command(flatten)]
    pub rollout: RolloutArgs,
}

/// What one host would undo.
#[derive(Debug, Serialize)]
struct Step {
    host: String,
    /// Runs that are undone, the last first.
    undoes: Vec<String>,
    from: Option<u64>,
    to: Option<u64>,
    #[serde(skip)]
    wave: u32,
}

pub fn run(args: &RollbackArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let paths = load::paths(&args.fleet.inventory)?;
    let (inventory, analysis) = match load::load(&paths, args.format, out)? {
        // Whatever is wrong with the trails: the way back must not depend on it.
        Loaded::Good(inventory, analysis) => (Arc::new(*inventory), *analysis),
        Loaded::Malformed => return Ok(Answer::Unusable),
    };
    let hosts = fleet::select(&inventory, &analysis, &args.fleet, out)?;
    let vault_path = fleet::vault_path(&args.fleet.vault, &paths);
    let _lock = fleet::lock_vault(&vault_path, &args.fleet.vault)?;
    let vault = Vault::open_locked(&vault_path)
        .map_err(|error| fleet::vault_failure("cannot read the vault's journal", &error))?;
    let target = target(args, &vault)?;
    // By which ids and names an earlier state authenticates is known to nobody without the vault's key.
    let renamed = fleet::is_renamed(&vault)?;
    let shuts_out = fleet::shuts_out(&vault)?;

    let command = match &target {
        Target::Run(run) => format!("rollback of run {run}"),
        Target::Generation(generation) => format!("rollback to generation {generation}"),
        Target::Last => "rollback".to_owned(),
    };
    let limits = args
        .rollout
        .limits(args.fleet.jobs.into())
        .within(args.fleet.timeout);
    let done = runtime::run(async |cancel| {
        let progress = Arc::new(Progress::new(out));
        let connections = planning::connections(&inventory, limits)?;
        let heard: Arc<dyn apply::Progress> = progress.clone();
        let looks = hosts
            .iter()
            .map(|&host| look(&inventory, host))
            .collect::<Vec<_>>();
        let observed = connections.observe(looks, &heard, &cancel).await;
        progress.finish();
        if cancel.is_cancelled() {
            return Err(Failure::new(
                "interrupted while looking at the hosts; nothing was changed",
            ));
        }
        let (steps, missed) = steps(&inventory, &analysis, &hosts, observed, &target);
        if shuts_out && steps.iter().any(|step| !step.undoes.is_empty()) {
            progress.word(
                "MV clients are revoked: a server that goes back behind that lets them in again, until the next apply shuts them out",
            );
        }
        if args.dry_run || (!missed.is_empty() && !limits.skip_unreachable) {
            return Ok(Done::Looked(steps, missed));
        }
        let back = steps.iter().filter(|step| !step.undoes.is_empty());
        let back: Vec<Back> = back.map(|step| way_back(&inventory, &step.host)).collect();
        let plans: Vec<HostPlan> = steps.iter().map(plan_of).collect();
        let reaches = steps
            .iter()
            .filter(|step| !step.undoes.is_empty())
            .map(|step| (step.host.clone(), step.to.unwrap_or(0)))
            .collect();
        // Which generation of a group key an earlier state has is in no vault: any will do.
        let mut watch = Watch::new(
            &inventory,
            &analysis,
            &State::default(),
            &hosts,
            args.rollout.level(),
            false,
        );
        if renamed {
            progress.word("Keys have other ids or names by rotation: hosts are looked at for their start alone. Then: keytrail verify");
            watch = watch.at_most(Level::Start);
        }
        let watch = Arc::new(watch);
        let vault = Arc::new(Mutex::new(vault));
        let page = journal::open(vault, &command, Reaches::Each(reaches), &progress, out)?;
        let mut report = apply::rollback(
            &connections,
            back,
            &target,
            args.force,
            &page.terms(&vault_path, &command),
            args.rollout.rollout(&plans),
            Arc::clone(&watch) as _,
            page.progress(),
            &cancel,
        )
        .await;
        progress.finish();
        for step in steps.iter().filter(|step| step.undoes.is_empty()) {
            report.hosts.insert(step.host.clone(), apply::Outcome::Unchanged);
        }
        report.add_missed(missed);
        page.close(&report, &watch.seen(), out)?;
        Ok(Done::Report(report))
    })?;
    answer(args, done, out)
}

enum Done {
    /// Nothing was changed.
    Looked(Vec<Step>, Vec<(String, PhaseError)>),
    Report(Report),
}

fn answer(args: &RollbackArgs, done: Done, out: &mut Ui) -> Result<Answer, Failure> {
    match done {
        Done::Report(report) => {
            match args.format {
                Format::Text => out.line(&outcome::text(&report, out.screen()))?,
                form => out.value(&report, form)?,
            }
            let good = report.is_good() && !report.cancelled;
            Ok(if good { Answer::Yes } else { Answer::No })
        }
        Done::Looked(steps, missed) => {
            match args.format {
                Format::Text => out.line(&text(&steps, out.screen()))?,
                form => out.value(&steps, form)?,
            }
            if missed.is_empty() {
                return Ok(Answer::Yes);
            }
            out.stderr(&outcome::missed(&missed));
            if !args.dry_run {
                out.stderr("Nothing was changed: take back the others with --skip-unreachable.");
            }
            Ok(Answer::No)
        }
    }
}

/// How far back: as asked, else to before the last run that changed a host.
fn target(args: &RollbackArgs, vault: &Vault) -> Result<Target, Failure> {
    if let Some(generation) = args.to {
        known(generation, vault)?;
        return Ok(Target::Generation(generation));
    }
    let runs = vault
        .runs()
        .map_err(|error| fleet::vault_failure("cannot read the vault's journal", &error))?;
    if let Some(run) = args.run {
        return match runs.iter().find(|known| known.id.to_string() == run.to_string()) {
            Some(known) => Ok(Target::Run(known.id.to_string())),
            None => Err(Failure::new(format!("the vault's journal knows no run {run}"))
                .help("`keytrail history` lists the runs")),
        };
    }
    for run in runs
        .iter()
        .rev()
        .filter(|run| !run.command.starts_with("rollback"))
    {
        let results = vault
            .results(run.id)
            .map_err(|error| fleet::vault_failure("cannot read the vault's journal", &error))?;
        if results
            .iter()
            .any(|result| result.outcome == vault::Outcome::Applied)
        {
            return Ok(Target::Run(run.id.to_string()));
        }
    }
    Err(
        Failure::new("no run that changed a host is in the vault's journal")
            .help("say how far back: --to GENERATION"),
    )
}

/// That there is such a generation, or was: hosts keep their own records, whatever was pruned here. A typo must not look
/// like a fleet that needs nothing.
fn known(generation: u64, vault: &Vault) -> Result<(), Failure> {
    if generation == 0 {
        return Ok(());
    }
    let wanted =
        u32::try_from(generation).map_err(|_| Failure::new("there are never so many generations"))?;
    vault
        .generation(GenerationId(wanted))
        .map(drop)
        .map_err(|error| fleet::vault_failure("cannot go back", &error))
}

fn look(inventory: &Inventory, host: HostId) -> (String, Look) {
    let look = Look {
        site: planning::site(inventory, host),
        show: Vec::new(),
    };
    (inventory.host(host).name.to_string(), look)
}

fn steps(
    inventory: &Inventory,
    analysis: &Analysis,
    hosts: &[HostId],
    mut observed: HashMap<String, Result<Observed, PhaseError>>,
    target: &Target,
) -> (Vec<Step>, Vec<(String, PhaseError)>) {
    let mut steps = Vec::new();
    let mut missed = Vec::new();
    for &host in hosts {
        let name = inventory.host(host).name.to_string();
        match observed.remove(&name) {
            Some(Ok(observed)) => {
                let chosen = target.chosen(&observed.records);
                steps.push(Step {
                    undoes: chosen.iter().map(|record| record.run.clone()).collect(),
                    from: observed.generation,
                    to: chosen.last().map_or(observed.generation, |record| record.before),
                    wave: analysis.depth(host),
                    host: name,
                });
            }
            Some(Err(error)) => missed.push((name, error)),
            None => {}
        }
    }
    (steps, missed)
}

fn way_back(inventory: &Inventory, name: &str) -> Back {
    let host = inventory.find(name).expect("it was selected from the inventory");
    Back {
        host: name.to_owned(),
        site: planning::site(inventory, host),
        restart: inventory
            .entry(host)
            .settings
            .restart
            .as_deref()
            .map(str::to_owned),
    }
}

/// What makes batches of hosts that go back: the same order in which they changed.
fn plan_of(step: &Step) -> HostPlan {
    let change = Action::Restart {
        command: String::new(),
        because: None,
    };
    HostPlan {
        host: step.host.clone(),
        range: None,
        wave: step.wave,
        actions: if step.undoes.is_empty() {
            Vec::new()
        } else {
            vec![change]
        },
        warnings: Vec::new(),
    }
}

fn text(steps: &[Step], screen: Screen) -> String {
    let going: Vec<&Step> = steps.iter().filter(|step| !step.undoes.is_empty()).collect();
    let stay = counted(steps.len() - going.len(), "host");
    if going.is_empty() {
        return format!("Nothing to take back: {stay} would stay as they are.");
    }
    let mut table = report::table(["HOST", "GENERATION", "UNDOES RUNS"], screen);
    let generation = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
    for step in &going {
        let change = format!("{} → {}", generation(step.from), generation(step.to));
        table.add_row([step.host.clone(), change, step.undoes.join(", ")]);
    }
    format!(
        "{}\n\n{} would go back, {stay} would stay.",
        report::table_text(table, screen),
        counted(going.len(), "host")
    )
}
