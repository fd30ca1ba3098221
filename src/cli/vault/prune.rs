//! `keytrail vault prune`: remove the media of old generations.

use super::{Which, key};
use crate::cli::args::{Format, days};
use crate::cli::out::{Out, counted};
use crate::cli::{Answer, Failure, when};
use crate::vault::{Pruned, Vault};
use clap::Args;
use serde::Serialize;

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
    /// What was removed; nothing with --dry-run.
    removed: Option<Pruned>,
}

pub fn run(args: &PruneArgs, out: &mut Out) -> Result<Answer, Failure> {
    let path = args.which.path();
    let failed = |error| key::vault_failure("nothing was removed", &error);
    let now = when::now();
    let before = args.older_than.map(|days| now - days * 86400);
    let (mut vault, _lock) = if args.dry_run {
        (Vault::open_locked(&path).map_err(failed)?, None)
    } else {
        // Who removes media has the key: nobody else should.
        let source = key::key(&args.which.vault, &path)?;
        let vault = Vault::open(&path, &source).map_err(failed)?;
        (vault, Some(key::lock_vault(&path, &args.which.vault)?))
    };
    let generations = vault.prunable(args.keep, before).map_err(failed)?;
    let removed = if args.dry_run || generations.is_empty() {
        None
    } else {
        Some(vault.prune(&generations, now).map_err(failed)?)
    };
    let done = Done {
        generations: generations.iter().map(|generation| generation.0).collect(),
        removed,
    };
    match args.format {
        Format::Text => out.line(&text(&done))?,
        form => out.value(&done, form)?,
    }
    Ok(Answer::Yes)
}

fn text(done: &Done) -> String {
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
        Some(removed) => format!(
            "Removed {which}: {}, {}; the vault is {} kB smaller",
            counted(removed.files, "file"),
            counted(removed.secrets, "secret"),
            removed.freed / 1024
        ),
    }
}
