//! `keytrail apply`: bring the fleet to the state of the inventory.

use crate::apply::{self, Job, Report};
use crate::cli::args::rollout::RolloutArgs;
use crate::cli::args::{FleetArgs, Format, RestartArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet;
use crate::cli::fleet::{Care, Fleet};
use crate::cli::journal::Reaches;
use crate::cli::planning;
use crate::cli::progress::Progress;
use crate::cli::readiness::Readiness;
use crate::cli::ui::Ui;
use crate::cli::view::outcome;
use crate::cli::watch::Watch;
use crate::cli::{journal, rotating, runtime, stored};
use crate::plan::Plan;
use crate::report::names;
use crate::rotate::between;
use std::path::PathBuf;
use std::sync::Arc;

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
    let (fleet_args, care, restart, stored) = match stored_plan(&args.fleet)? {
        Some((source, plan)) => (
            source.args(&args.fleet),
            source.care(),
            source.restart,
            Some(plan),
        ),
        None => (args.fleet.clone(), Care::default(), false, None),
    };
    let mut fleet = match fleet::prepare(&fleet_args, args.format, out)? {
        Ok(fleet) => fleet,
        Err(answer) => return Ok(answer),
    };
    fleet.hold()?;
    fleet.care = care;
    fleet.source.restart = restart || args.restart.restart;
    let applied = apply(fleet, "apply", &args.rollout, stored.as_ref(), out)?;
    let Applied::Done(report) = applied else {
        return Ok(Answer::No);
    };
    say(&report, args.format, out)
}

/// Prints how it ended, and answers whether well.
pub fn say(report: &Report, format: Format, out: &mut Ui) -> Result<Answer, Failure> {
    match format {
        Format::Text => out.line(&outcome::text(report, out.screen()))?,
        form => out.value(report, form)?,
    }
    Ok(if report.is_good() && !report.cancelled {
        Answer::Yes
    } else {
        Answer::No
    })
}

/// How an apply ended.
pub enum Applied {
    /// It ran.
    Done(Report),
    /// A stored plan is not what would be done now; that has been said.
    Moved,
}

/// Plans afresh and runs the plan; a stored plan must still be the same. `command` is what journal and locks say is
/// being done.
pub fn apply(
    fleet: Fleet,
    command: &str,
    how: &RolloutArgs,
    stored: Option<&Plan>,
    out: &Ui,
) -> Result<Applied, Failure> {
    let limits = how.limits(fleet.jobs).within(fleet.timeout);
    runtime::run(async |cancel| {
        let progress = Arc::new(Progress::new(out));
        let connections = planning::connections(&fleet.inventory, limits)?;
        let mut planned = planning::plan(&fleet, &connections, &progress, &cancel).await?;
        if let Some(Err(moved)) = stored.map(|stored| stored.same_as(&planned.plan)) {
            out.stderr("The stored plan is not what would be done now; nothing was changed.");
            for moved in moved {
                out.stderr(&format!("  {moved}"));
            }
            out.stderr("Make the plan again, look at it, and apply that one.");
            return Ok(Applied::Moved);
        }
        for host in planned.plan.hosts.iter().filter(|host| !host.warnings.is_empty()) {
            for warning in &host.warnings {
                progress.word(&format!("warning: {}: {warning}", host.host));
            }
        }
        let missed = std::mem::take(&mut planned.missed);
        if !missed.is_empty() && !limits.skip_unreachable {
            let report = Report::held_up(planned.plan.hosts.iter().map(|host| host.host.clone()), missed);
            return Ok(Applied::Done(report));
        }
        let reaches = Reaches::All(fleet.generation());
        let waiting = planned.hold_back(&fleet, &missed);
        let rollout = fleet.rollout(how, &planned.plan.hosts);
        if fleet.care.apart {
            let fares = between::fares(
                &fleet.inventory,
                &fleet.analysis,
                &planned.plan.hosts,
                &rollout.batches,
            );
            progress.word(between::text(&fares).trim_end());
        }
        let vault = Arc::new(fleet.vault);
        let page = journal::open(Arc::clone(&vault), command, reaches, &progress, out)?;
        let told = planned.plan.hosts.iter().filter(|host| !host.told().is_empty());
        let told: Vec<String> = told.map(|host| host.host.clone()).collect();
        let watch = Watch::new(
            &fleet.inventory,
            &fleet.analysis,
            &fleet.state,
            &fleet.hosts,
            how.level(),
            fleet.care.apart,
        );
        let mut watch = watch.told(told);
        if fleet.care.apart && !how.ignore_unready {
            let hosts = planned.plan.hosts.iter().filter(|host| host.begins_anew());
            let hosts = hosts.filter_map(|host| Some((fleet.inventory.find(&host.host)?, host.restarts())));
            let readiness = Readiness::new(
                &fleet.inventory,
                &fleet.analysis,
                &fleet.state,
                hosts,
                how.level(),
                Arc::clone(&connections),
                cancel.clone(),
            );
            say_unasked(&readiness, &progress);
            watch = watch.when_ready(readiness);
        }
        let watch = Arc::new(watch);
        let (work, contents) = planned.work(Arc::clone(&vault));
        let job = Job {
            work,
            contents,
            terms: page.terms(&fleet.source.vault, command),
            rollout,
            judge: Arc::clone(&watch) as _,
        };
        let mut report = apply::apply(&connections, job, page.progress(), &cancel).await;
        progress.finish();
        report.add_missed(missed);
        report.add_waiting(waiting);
        page.close(&report, &watch.seen(), out)?;
        rotating::settle(&vault, &fleet.inventory)?;
        Ok(Applied::Done(report))
    })
}

/// Says once who is not asked.
fn say_unasked(readiness: &Readiness, progress: &Progress) {
    const NAMED: usize = 4;
    if readiness.unasked.is_empty() {
        return;
    }
    progress.word(&format!(
        "Not asked whether they are ready for the restart of a neighbour (verify: none): {}",
        names(&readiness.unasked, NAMED)
    ));
}

/// The stored plan, if that is what was given.
fn stored_plan(args: &FleetArgs) -> Result<Option<(stored::Source, Plan)>, Failure> {
    let is_plan = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json");
    match args.inventory.paths.as_slice() {
        [path] if is_plan(path) => stored::read(path).map(Some),
        paths if paths.iter().any(is_plan) => Err(Failure::new("a plan is applied by itself")
            .help("give one plan and nothing else: it knows its inventory")),
        _ => Ok(None),
    }
}
