//! What a rotation would do, shown before it is done: the plan, and what each daemon does meanwhile.

use crate::cli::args::Format;
use crate::cli::args::rollout::RolloutArgs;
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet::Fleet;
use crate::cli::planning::Planned;
use crate::cli::rotating::ChangeArgs;
use crate::cli::stored;
use crate::cli::stored::Stored;
use crate::cli::ui::Ui;
use crate::cli::verbs::plan;
use crate::cli::view::outcome;
use crate::plan::{Plan, render};
use crate::rotate::between::{self, Fare};
use serde::Serialize;
use std::path::Path;

/// A plan and what daemons do while it is carried out.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    stored: Stored<'a>,
    between: &'a [Fare],
}

/// Plans and shows; with `output`, keeps the plan for `apply`.
pub fn show(
    fleet: &Fleet,
    change: &ChangeArgs,
    output: Option<&Path>,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let planned = plan::make(fleet, out)?;
    show_planned(fleet, &planned, change, output, out)
}

/// The same for a plan that is made.
pub fn show_planned(
    fleet: &Fleet,
    planned: &Planned,
    change: &ChangeArgs,
    output: Option<&Path>,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let fares = fares(fleet, &change.rollout, &planned.plan);
    let stored = Stored {
        from: fleet.source.clone(),
        plan: &planned.plan,
    };
    match change.format {
        Format::Text => {
            out.text(&render::text(&planned.plan))?;
            out.text(&format!("\n{}", between::text(&fares)))?;
        }
        form => out.value(
            &Shown {
                stored: stored.clone(),
                between: &fares,
            },
            form,
        )?,
    }
    if !planned.missed.is_empty() {
        out.stderr(&outcome::missed(&planned.missed));
    }
    if change.dry_run {
        out.note("A dry run: nothing was kept in the vault, and no host was changed. Filestamps will be later ones.");
    }
    if let Some(path) = output {
        stored::write(path, &stored)?;
        out.note(&format!(
            "Minted, and changed on no host yet. Plan written: carry it out with `keytrail apply {}`",
            path.display()
        ));
    }
    Ok(if planned.missed.is_empty() {
        Answer::Yes
    } else {
        Answer::No
    })
}

fn fares(fleet: &Fleet, how: &RolloutArgs, plan: &Plan) -> Vec<Fare> {
    let batches = fleet.rollout(how, &plan.hosts).batches;
    between::fares(&fleet.inventory, &fleet.analysis, &plan.hosts, &batches)
}
