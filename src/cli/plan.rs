//! `keytrail plan`: what would change on which host. Mints what is missing; changes no host.

use super::args::{Format, Plan as Args};
use super::fleet::{self, Fleet};
use super::out::Out;
use super::planning::{self, Planned};
use super::progress::Progress;
use super::stored::{self, Stored};
use super::{Answer, Failure, outcome, runtime};
use crate::apply::Limits;
use crate::plan;
use std::sync::Arc;

pub fn run(args: &Args, out: &mut Out) -> Result<Answer, Failure> {
    let mut fleet = match fleet::prepare(&args.fleet, args.format, out)? {
        Ok(fleet) => fleet,
        Err(answer) => return Ok(answer),
    };
    // What follows only looks.
    fleet.lock = None;
    fleet.source.restart = args.restart.restart;
    let planned = make(&fleet, out)?;
    let stored = Stored {
        from: fleet.source.clone(),
        plan: &planned.plan,
    };
    match args.format {
        Format::Text => out.text(&plan::render::text(&planned.plan))?,
        form => out.value(&stored, form)?,
    }
    if !planned.missed.is_empty() {
        out.stderr(&outcome::missed(&planned.missed));
    }
    if let Some(path) = &args.output {
        stored::write(path, &stored)?;
        out.note(&format!(
            "Plan written: apply it with `keytrail apply {}`",
            path.display()
        ));
    }
    let wrong = !planned.missed.is_empty() || (args.exit_code && planned.plan.summary.changed > 0);
    Ok(if wrong { Answer::No } else { Answer::Yes })
}

/// Plans with connections that end with the plan.
pub fn make(fleet: &Fleet, out: &Out) -> Result<Planned, Failure> {
    runtime::run(async |cancel| {
        let limits = Limits {
            jobs: fleet.jobs,
            ..Limits::default()
        }
        .within(fleet.timeout);
        let connections = planning::connections(&fleet.inventory, limits)?;
        planning::plan(fleet, &connections, &Arc::new(Progress::new(out)), &cancel).await
    })
}
