//! `keytrail unlock`: take away locks that runs have left on hosts.

use crate::apply;
use crate::cli::args::{FleetArgs, Format};
use crate::cli::exit::{Answer, Failure};
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::cli::view::outcome;
use crate::ops::unlock::{Unlocked, unlock};
use crate::report::counted;

/// `unlock`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  keytrail unlock fleet.yaml --on yellow

A run locks every host that it changes, and gives it back when it is done there. Locks of a run \
that died end by themselves after half an hour, and a run with the same vault on the same \
controller takes them on: this is for another controller that is gone. Make sure that it is: two \
runs at once on a host stop each other.")]
pub struct UnlockArgs {
    /// Which hosts
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub fn run(args: &UnlockArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let loaded = setup::load(&args.fleet.inventory)?;
    let environment = setup::environment(out);
    let limits = args.fleet.limits();
    let Unlocked { report, owners } =
        runtime::run(async |cancel| unlock(loaded, &args.fleet.on, limits, &environment, &cancel).await)?;
    match args.format {
        Format::Text => {
            for (host, owner) in &owners {
                out.line(&format!("{host}: was locked by {owner}"))?;
            }
            for (host, outcome) in report.hosts.iter().filter(|(_, outcome)| !outcome.is_good()) {
                out.stderr(&outcome::trouble(host, outcome));
            }
            let of = |wanted: fn(&apply::Outcome) -> bool| {
                report.hosts.values().filter(|outcome| wanted(outcome)).count()
            };
            let free = of(|outcome| matches!(outcome, apply::Outcome::Unchanged));
            let missed = match of(|outcome| !outcome.is_good()) {
                0 => String::new(),
                missed => format!(", {missed} could not be asked"),
            };
            out.line(&format!(
                "{} unlocked, {free} had no lock{missed}.",
                counted(owners.len(), "host")
            ))?;
        }
        form => out.value(
            &serde_json::json!({ "unlocked": owners, "hosts": report.hosts }),
            form,
        )?,
    }
    Ok(Answer::from(report.is_good()))
}
