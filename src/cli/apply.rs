//! `keytrail apply`: bring the fleet to the state of the inventory.

use super::args::{Apply as Args, FleetArgs, Format};
use super::fleet::{self, Fleet};
use super::out::Out;
use super::planning;
use super::progress::Progress;
use super::{Answer, Failure, outcome, runtime, stored};
use crate::apply::{self, Limits, Report};
use crate::plan::Plan;
use std::path::PathBuf;
use std::sync::Arc;

pub fn run(args: &Args, out: &mut Out) -> Result<Answer, Failure> {
    let (fleet_args, stored) = match stored_plan(&args.fleet)? {
        Some((source, plan)) => (source.args(&args.fleet), Some(plan)),
        None => (args.fleet.clone(), None),
    };
    let mut fleet = match fleet::prepare(&fleet_args, args.format, out)? {
        Ok(fleet) => fleet,
        Err(answer) => return Ok(answer),
    };
    fleet.hold(&fleet_args.vault)?;
    let limits = Limits {
        jobs: fleet.jobs,
        skip_unreachable: args.skip_unreachable,
        ..Limits::default()
    };
    let applied = apply(fleet, limits, stored.as_ref(), out)?;
    let Applied::Done(report) = applied else {
        return Ok(Answer::No);
    };
    match args.format {
        Format::Text => out.line(&outcome::text(&report, out.color()))?,
        form => out.value(&report, form)?,
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

/// Plans afresh and runs the plan; a stored plan must still be the same.
pub fn apply(fleet: Fleet, limits: Limits, stored: Option<&Plan>, out: &Out) -> Result<Applied, Failure> {
    runtime::run(async |cancel| {
        let progress = Arc::new(Progress::new(out));
        let connections = planning::connections(&fleet, limits)?;
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
        let (work, contents) = planned.work(fleet.vault);
        let heard: Arc<dyn apply::Progress> = progress.clone();
        let mut report = apply::apply(&connections, work, contents, heard, &cancel).await;
        progress.finish();
        report.add_missed(missed);
        Ok(Applied::Done(report))
    })
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
