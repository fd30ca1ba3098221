//! `keytrail rollback`: take hosts back to an earlier state, from the records they keep themselves.

use crate::cli::args::{FleetArgs, Format, RolloutArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::cli::view::{outcome, rollback as view};
use crate::ops::rollback::{BackTo, Rollback, RollbackOptions, RolledBack};

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

pub fn run(args: &RollbackArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let loaded = setup::load(&args.fleet.inventory)?;
    let access = setup::vault(&args.fleet.vault, &loaded.paths);
    let to = match (args.to, args.run) {
        (Some(generation), _) => BackTo::Generation(generation),
        (None, Some(run)) => BackTo::Run(run),
        (None, None) => BackTo::LastRun,
    };
    let rollback = Rollback::prepare(loaded, &args.fleet.on, access, to, setup::environment(out))?;
    let options = RollbackOptions {
        rollout: args.rollout.options(args.fleet.limits()),
        force: args.force,
        dry_run: args.dry_run,
    };
    let done = runtime::run(async |cancel| rollback.run(&options, &cancel).await)?;
    match done {
        RolledBack::Done(report) => {
            match args.format {
                Format::Text => out.line(&outcome::text(&report, out.screen()))?,
                form => out.value(&report, form)?,
            }
            Ok(Answer::from(report.is_good() && !report.cancelled))
        }
        RolledBack::Previewed { hosts, missed } => {
            match args.format {
                Format::Text => out.line(&view::text(&hosts, out.screen()))?,
                form => out.value(&hosts, form)?,
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
