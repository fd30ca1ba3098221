//! `keytrail plan`: what would change on which host. Mints what is missing; changes no host.

use crate::apply::Limits;
use crate::cli::args::{FleetArgs, Format, RestartArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet;
use crate::cli::fleet::Fleet;
use crate::cli::planning;
use crate::cli::planning::Planned;
use crate::cli::progress::Progress;
use crate::cli::runtime;
use crate::cli::stored;
use crate::cli::stored::Stored;
use crate::cli::ui::Ui;
use crate::cli::view::outcome;
use crate::plan;
use std::path::PathBuf;
use std::sync::Arc;

/// `plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail plan fleet.yaml
  keytrail plan fleet.yaml --on group:green -o plan.json
  keytrail plan fleet.yaml --exit-code     exit 1 when anything would change, for CI")]
pub struct PlanArgs {
    /// Which hosts
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Also write the plan to a file that `apply` takes
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit 1 when anything would change
    #[arg(long)]
    pub exit_code: bool,
    /// Which daemons restart
    #[command(flatten)]
    pub restart: RestartArgs,
}

pub fn run(args: &PlanArgs, out: &mut Ui) -> Result<Answer, Failure> {
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
pub fn make(fleet: &Fleet, out: &Ui) -> Result<Planned, Failure> {
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
