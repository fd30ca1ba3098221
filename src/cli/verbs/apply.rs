//! `keytrail apply`: bring the fleet to the state of the inventory.

use crate::apply::Report;
use crate::cli::args::{FleetArgs, Format, RestartArgs, RolloutArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::cli::view::outcome;
use crate::ops::saved_plan::{self, SavedFrom};
use crate::ops::{ApplyJob, Care, Reach, Task};
use crate::plan::Plan;
use std::path::PathBuf;

/// `apply`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail apply fleet.yaml
  keytrail apply fleet.yaml --on yellow -j 8
  keytrail apply fleet.yaml --canary 1 --serial 10%    one host first, then a tenth at a time
  keytrail apply plan.json                 only if it still is the plan")]
pub struct ApplyArgs {
    /// Which hosts
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Output of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Which daemons restart
    #[command(flatten)]
    pub restart: RestartArgs,
    /// In which steps
    #[command(flatten)]
    pub rollout: RolloutArgs,
}

pub fn run(args: &ApplyArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let saved = saved_plan(&args.fleet)?;
    let (fleet, care, restart) = match &saved {
        Some((from, _)) => (same(&args.fleet, from), from.care(), from.restart),
        None => (args.fleet.clone(), Care::default(), false),
    };
    let environment = setup::environment(out);
    let loaded = setup::load(&fleet.inventory)?;
    loaded.proven(&*environment.observer)?;
    let task = Task {
        hosts: loaded.select(&fleet.on, Reach::Connected, &*environment.observer)?,
        selectors: fleet.on.clone(),
        care,
        restart: restart || args.restart.restart,
    };
    let mut session = setup::session(&fleet, loaded, environment)?;
    session.lock()?;
    let job = ApplyJob {
        task: &task,
        options: &args.rollout.options(fleet.limits()),
        command: "apply",
        saved: saved.as_ref().map(|(_, plan)| plan),
    };
    let report = runtime::run(async |cancel| session.apply(&job, &cancel).await)?;
    say(&report, args.format, out)
}

/// Prints how it ended, and answers whether well.
fn say(report: &Report, format: Format, out: &mut Ui) -> Result<Answer, Failure> {
    match format {
        Format::Text => out.line(&outcome::text(report, out.screen()))?,
        form => out.value(report, form)?,
    }
    Ok(Answer::from(report.is_good() && !report.cancelled))
}

/// The plan, if that is what was given.
fn saved_plan(args: &FleetArgs) -> Result<Option<(SavedFrom, Plan)>, Failure> {
    let is_plan = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json");
    match args.inventory.paths.as_slice() {
        [path] if is_plan(path) => Ok(Some(saved_plan::read(path)?)),
        paths if paths.iter().any(is_plan) => Err(Failure::new("a plan is applied by itself")
            .help("give one plan and nothing else: it knows its inventory")),
        _ => Ok(None),
    }
}

/// The options that make the same plan.
fn same(args: &FleetArgs, from: &SavedFrom) -> FleetArgs {
    let mut args = args.clone();
    args.inventory.paths.clone_from(&from.inventory);
    args.vault.vault = Some(from.vault.clone());
    args.on.clone_from(&from.on);
    args.templates.clone_from(&from.templates);
    args
}
