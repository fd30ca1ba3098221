//! `keytrail vault prune`: remove the media of old generations.

use crate::cli::args::{Format, days};
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key as key;
use crate::cli::verbs::vault::Which;
use crate::inventory::Inventory;
use crate::ops::{Kind, Loaded, now};
use crate::report::counted;
use crate::vault::Pruned;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// `vault prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Which vault
    #[command(flatten)]
    which: Which,
    /// How many generations stay at least, counted from the latest
    #[arg(long, value_name = "N")]
    keep: usize,
    /// Only generations that were made longer ago than this (400d)
    #[arg(long, value_name = "AGE", value_parser = days)]
    older_than: Option<i64>,
    /// How many runs keep their results host by host (`keytrail history RUN`), counted from the latest
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: usize,
    /// Only say which would go
    #[arg(long)]
    dry_run: bool,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Serialize)]
struct Done {
    generations: Vec<u32>,
    /// Results of hosts in old runs.
    results: usize,
    /// What was removed; nothing with --dry-run.
    removed: Option<Removed>,
}

#[derive(Serialize)]
struct Removed {
    #[serde(flatten)]
    pruned: Pruned,
    /// By how much the vault became smaller, bytes; absent: it could not be written anew.
    freed: Option<u64>,
}

pub fn run(args: &PruneArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let path = args.which.path();
    let failed = |error| key::vault_failure("nothing was removed", &error);
    let now = now();
    let before = args.older_than.map(|days| now - days * 86400);
    let (mut vault, _lock) = if args.dry_run {
        (key::open_unverified(&path, out).map_err(failed)?, None)
    } else {
        // Who removes media has the key: nobody else should.
        let source = key::key(&args.which.vault, &path)?;
        let vault = key::open_with(&path, &source, out)?;
        let lock = key::hold_vault(&vault, &args.which.vault)?;
        (vault, Some(lock))
    };
    let inventory = inventory(&args.which.inventory.paths)?;
    let exists = |host: &str| {
        inventory
            .as_ref()
            .is_none_or(|inventory| inventory.find(host).is_some())
    };
    let generations = vault.prunable(args.keep, before, &exists).map_err(failed)?;
    let (runs, results) = vault.prunable_results(args.runs).map_err(failed)?;
    let removed = if args.dry_run || generations.is_empty() && runs.is_empty() {
        None
    } else {
        // Media first: if that fails, nothing was removed.
        let pruned = vault.prune(&generations, now).map_err(failed)?;
        vault.prune_results(&runs).map_err(|error| {
            key::vault_failure(
                "the results of old runs could not be removed (media were)",
                &error,
            )
        })?;
        let freed = key::compact(&vault, "what was removed still takes its room in the file", out);
        Some(Removed { pruned, freed })
    };
    let done = Done {
        generations: generations.iter().map(|generation| generation.0).collect(),
        results,
        removed,
    };
    match args.format {
        Format::Text => out.line(&text(&done))?,
        form => out.value(&done, form)?,
    }
    Ok(Answer::Yes)
}

/// Whose hosts still count; all do where only the vault is named. One that left stands for ever where it was last brought to.
fn inventory(paths: &[PathBuf]) -> Result<Option<Box<Inventory>>, Failure> {
    if paths.is_empty() {
        return Ok(None);
    }
    match Loaded::read(paths) {
        Ok(loaded) => Ok(Some(Box::new(loaded.inventory))),
        Err(error) if matches!(error.kind(), Kind::Malformed { .. }) => Err(Failure::new(
            "which hosts are still there is not known: the inventory cannot be read",
        )
        .help("mend it (keytrail check), or name the vault alone: --vault FILE")),
        Err(error) => Err(error.into()),
    }
}

fn text(done: &Done) -> String {
    let results = match (done.results, &done.removed) {
        (0, _) => String::new(),
        (count, None) => format!("Would remove {} of old runs\n", counted(count, "result")),
        (count, Some(_)) => format!("Removed {} of old runs\n", counted(count, "result")),
    };
    format!("{results}{}", of_generations(done))
}

fn of_generations(done: &Done) -> String {
    if done.generations.is_empty() {
        return "Nothing to remove: every generation is kept, in use, or the way back from one.".into();
    }
    let numbers: Vec<String> = done.generations.iter().map(u32::to_string).collect();
    let which = format!(
        "{} {}",
        if numbers.len() == 1 {
            "generation"
        } else {
            "generations"
        },
        numbers.join(", ")
    );
    match &done.removed {
        None => format!("Would remove {which}"),
        Some(Removed { pruned, freed }) => format!(
            "Removed {which}: {}, {}{}",
            counted(pruned.files, "file"),
            counted(pruned.secrets, "secret"),
            freed.map_or_else(String::new, |freed| format!(
                "; the vault is {} kB smaller",
                freed / 1024
            ))
        ),
    }
}
