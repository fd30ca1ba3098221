//! Rotations that go in steps, of which any can be the last for now: the state of the vault says how far they are, and the
//! inventory in force follows from it.

use crate::apply::Report;
use crate::cli::args::{FleetArgs, Format};
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet;
use crate::cli::fleet::{Fleet, vault_failure};
use crate::cli::rotating;
use crate::cli::rotating::ChangeArgs;
use crate::cli::shown;
use crate::cli::ui::Ui;
use crate::cli::verbs::plan;
use crate::cli::view::outcome;
use crate::vault::{self, Vault};
use serde::Serialize;
use std::path::Path;

/// What goes in steps.
pub trait Steps {
    /// Notes in the vault that it begins, where it has not.
    fn begin(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure>;
    /// Goes on to the next step where the one before is everywhere.
    fn advance(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure>;
    /// Says where it is, and makes the fleet be about the hosts concerned. `None`: it is through.
    fn step(&self, fleet: &mut Fleet, out: &Ui) -> Result<Option<At>, Failure>;
    /// Notes that the step is everywhere.
    fn arrive(&self, args: &FleetArgs, out: &Ui) -> Result<(), Failure>;
    /// What it means for the daemons that a step is not everywhere, a sentence or two.
    fn meanwhile(&self) -> String;
}

/// Where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The step, counted from 1.
    pub step: usize,
    /// Of so many.
    pub of: usize,
}

/// One step, for programs.
#[derive(Serialize)]
struct Taken {
    step: usize,
    report: Report,
}

/// Takes steps, at most `most`; with `output` none, but writes the plan of the next one. `args`: as [`rotating::place`] gives
/// them.
pub fn run(
    what: &dyn Steps,
    most: usize,
    output: Option<&Path>,
    command: &str,
    mut args: FleetArgs,
    change: &ChangeArgs,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    what.begin(&args, out)?;
    let mut taken = Vec::new();
    while taken.len() < most {
        what.advance(&args, out)?;
        let mut fleet = match fleet::prepare(&args, change.format, out)? {
            Ok(fleet) => fleet,
            Err(answer) => return Ok(answer),
        };
        args.said = true;
        fleet.hold()?;
        fleet.source.restart = change.restart.restart;
        let Some(at) = what.step(&mut fleet, out)? else {
            break;
        };
        if change.dry_run {
            out.note("The first of the steps, as it would be done now:");
            return shown::show(&fleet, change, None, out);
        }
        if output.is_some() {
            let planned = plan::make(&fleet, out)?;
            if planned.plan.is_empty() && planned.missed.is_empty() {
                drop(fleet);
                what.arrive(&args, out)?;
                continue;
            }
            let answer = shown::show_planned(&fleet, &planned, change, output, out)?;
            out.note(&format!(
                "That is step {} of {}. After it, go on: keytrail {command}",
                at.step, at.of
            ));
            return Ok(answer);
        }
        let Some(report) = rotating::carry(fleet, command, change, out)? else {
            return Ok(Answer::No);
        };
        if change.format == Format::Text {
            out.line(&outcome::text(&report, out.screen()))?;
        }
        let good = report.is_good() && !report.cancelled;
        taken.push(Taken {
            step: at.step,
            report,
        });
        let At { step, of } = at;
        if !good {
            finish(&taken, change.format, out)?;
            out.stderr(&format!(
                "Pending: step {step} of {of} is not everywhere. {}\n  Go on: keytrail {command}",
                what.meanwhile()
            ));
            return Ok(Answer::No);
        }
        what.arrive(&args, out)?;
        if step < of && taken.len() == most {
            out.note(&format!(
                "Stopped after step {step} of {of}, as asked. Go on: keytrail {command}"
            ));
        }
    }
    finish(&taken, change.format, out)?;
    Ok(Answer::Yes)
}

fn finish(taken: &[Taken], format: Format, out: &mut Ui) -> Result<(), Failure> {
    match format {
        Format::Text => Ok(()),
        form => out.value(&taken, form),
    }
}

/// Changes a state of the vault that says how far something is.
pub fn change_state<S>(
    args: &FleetArgs,
    out: &Ui,
    read: impl Fn(&Vault) -> vault::Result<S>,
    write: impl Fn(&S, &mut Vault) -> vault::Result<()>,
    change: impl FnOnce(&mut S, &Vault) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = fleet::vault_path(&args.vault, &[]);
    let _lock = fleet::lock_vault(&path, &args.vault)?;
    let mut vault = fleet::open_vault(&path, &args.vault, false, out)?;
    let mut state = read(&vault).map_err(|error| vault_failure("cannot read the vault", &error))?;
    change(&mut state, &vault)?;
    write(&state, &mut vault)
        .map_err(|error| vault_failure("cannot keep in the vault how far the keys are", &error))
}
