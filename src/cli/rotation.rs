//! What `rotate`, `renew` and `revoke` have in common: opening a session for it, showing what it would do, carrying it out.

use crate::cli::args::{ChangeArgs, FleetArgs, Format};
use crate::cli::exit::{Answer, Failure};
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::cli::view::rotation_preview::RotationPreview;
use crate::cli::view::{outcome, pending};
use crate::ops::rotation;
use crate::ops::{ApplyJob, Loaded, Planned, Session, Task, saved_plan};
use crate::rotate::impact::host_impacts;
use std::path::{Path, PathBuf};

/// A session for a rotation, on a copy of the vault for a dry run; nothing is minted yet.
pub fn session(args: &FleetArgs, change: &ChangeArgs, loaded: Loaded, out: &Ui) -> Result<Session, Failure> {
    runtime::small_pages();
    let environment = setup::environment(out);
    loaded.proven(&*environment.observer)?;
    let access = setup::vault(&args.vault, &loaded.paths);
    let templates = args.templates.clone();
    Ok(rotation::prepare(
        loaded,
        access,
        templates,
        environment,
        change.dry_run,
    )?)
}

/// The task with what the options ask for.
pub fn with_options(mut task: Task, change: &ChangeArgs) -> Task {
    task.restart = change.restart.restart;
    task
}

/// Plans a task and shows it, and with `output` keeps the plan for `apply`.
pub fn show(
    session: &Session,
    task: &Task,
    (args, change): (&FleetArgs, &ChangeArgs),
    output: Option<&Path>,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let limits = args.limits();
    let planned = runtime::run(async |cancel| session.plan(task, limits, &cancel).await)?;
    show_planned(session, task, &planned, (args, change, output), out)
}

/// The same for a plan that is made.
pub fn show_planned(
    session: &Session,
    task: &Task,
    planned: &Planned,
    (args, change, output): (&FleetArgs, &ChangeArgs, Option<&Path>),
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let hosts = &planned.plan.hosts;
    let options = change.rollout.options(args.limits());
    let batches = session.rollout(&task.care, &options, hosts).batches;
    let impacts = host_impacts(session.inventory(), session.analysis(), hosts, &batches);
    let preview = RotationPreview {
        saved: planned.saved(session, task),
        between: &impacts,
    };
    match change.format {
        Format::Text => out.text(&preview.text())?,
        form => out.value(&preview, form)?,
    }
    if !planned.missed.is_empty() {
        out.stderr(&outcome::missed(&planned.missed));
    }
    if change.dry_run {
        out.note("A dry run: nothing was kept in the vault, and no host was changed. Filestamps will be later ones.");
    }
    if let Some(path) = output {
        saved_plan::write(path, &preview.saved)?;
        out.note(&format!(
            "Minted, and changed on no host yet. Plan written: carry it out with `keytrail apply {}`",
            path.display()
        ));
    }
    Ok(Answer::from(planned.missed.is_empty()))
}

/// Carries a task out, and says what of rotations is left.
pub fn carry_out(
    session: &Session,
    task: &Task,
    command: &str,
    (args, change): (&FleetArgs, &ChangeArgs),
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let job = ApplyJob {
        task,
        options: &change.rollout.options(args.limits()),
        command,
        saved: None,
    };
    let report = runtime::run(async |cancel| session.apply(&job, &cancel).await)?;
    match change.format {
        Format::Text => out.line(&outcome::text(&report, out.screen()))?,
        form => out.value(&report, form)?,
    }
    for left in session.pending_restarts()? {
        out.stderr(&pending::text(&left));
    }
    Ok(Answer::from(report.is_good() && !report.cancelled))
}

/// The words of a command that end with its inventory.
pub fn command(words: impl IntoIterator<Item = String>, inventory: &[PathBuf]) -> String {
    let paths = inventory.iter().map(|path| path.display().to_string());
    words.into_iter().chain(paths).collect::<Vec<_>>().join(" ")
}
