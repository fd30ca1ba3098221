//! `keytrail plan`: what would change on which host. Mints what is missing; changes no host.

use crate::cli::args::{FleetArgs, Format, RestartArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::cli::view::outcome;
use crate::ops::{Care, Reach, Task, saved_plan};
use crate::plan;
use std::path::PathBuf;

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
    let environment = setup::environment(out);
    let loaded = setup::load(&args.fleet.inventory)?;
    loaded.proven(&*environment.observer)?;
    let task = Task {
        hosts: loaded.select(&args.fleet.on, Reach::Connected, &*environment.observer)?,
        selectors: args.fleet.on.clone(),
        care: Care::default(),
        restart: args.restart.restart,
    };
    let mut session = setup::session(&args.fleet, loaded, environment)?;
    // What follows only looks.
    session.unlock();
    let limits = args.fleet.limits();
    let planned = runtime::run(async |cancel| session.plan(&task, limits, &cancel).await)?;
    let saved = planned.saved(&session, &task);
    match args.format {
        Format::Text => out.text(&plan::render::text(&planned.plan))?,
        form => out.value(&saved, form)?,
    }
    if !planned.missed.is_empty() {
        out.stderr(&outcome::missed(&planned.missed));
    }
    if let Some(path) = &args.output {
        saved_plan::write(path, &saved)?;
        out.note(&format!(
            "Plan written: apply it with `keytrail apply {}`",
            path.display()
        ));
    }
    let wrong = !planned.missed.is_empty() || (args.exit_code && planned.plan.summary.changed > 0);
    Ok(Answer::from(!wrong))
}
