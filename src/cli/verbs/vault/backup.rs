//! `keytrail vault backup` and `restore`.

use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key as key;
use crate::cli::verbs::vault::Which;
use crate::ops::now;
use crate::report::time_format;
use crate::vault::{self, Vault};
use clap::Args;
use std::path::{Path, PathBuf};

/// `vault backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Which vault
    #[command(flatten)]
    which: Which,
    /// The copy, which must not exist; or a directory, for a name with the time
    #[arg(short, long, value_name = "FILE|DIR")]
    output: PathBuf,
}

/// `vault restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "BACKUP")]
    from: PathBuf,
    /// Which vault
    #[command(flatten)]
    which: Which,
}

pub fn backup(args: &BackupArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let path = args.which.path();
    let failed = |error| key::vault_failure("there is no backup", &error);
    let vault = key::open_unverified(&path, out).map_err(failed)?;
    let to = if args.output.is_dir() {
        args.output.join(stamped(&path, now()))
    } else {
        has_place(&args.output)?;
        args.output.clone()
    };
    vault.backup(&to).map_err(failed)?;
    let generation = Vault::open_locked(&to)
        .and_then(|copy| copy.latest())
        .map_err(failed)?;
    out.line(&format!(
        "{}: {}",
        to.display(),
        generation.map_or_else(
            || "nothing minted yet".into(),
            |latest| format!("up to generation {latest}")
        )
    ))?;
    out.note("It opens with the vault's key: keep a copy of that too, elsewhere.");
    Ok(Answer::Yes)
}

/// That the directory is there in which a backup is to be. It is not made: where a disk is not mounted, a backup in its place
/// would be none.
fn has_place(output: &Path) -> Result<(), Failure> {
    let is_directory = output.as_os_str().as_encoded_bytes().ends_with(b"/");
    let dir = if is_directory {
        Some(output)
    } else {
        output.parent()
    };
    let Some(dir) = dir.filter(|dir| !dir.as_os_str().is_empty() && !dir.exists()) else {
        return Ok(());
    };
    let dir = dir.display();
    Err(Failure::new("there is no backup")
        .why(format!("there is no directory {dir}"))
        .help(format!(
            "make it first, or mount what belongs there: mkdir -p {dir}"
        )))
}

/// `campus-20261126T111706Z.vault` for `campus.vault`.
fn stamped(vault: &Path, now: i64) -> String {
    let stem = vault.file_stem().unwrap_or_default().to_string_lossy();
    let stamp: String = time_format::rfc3339(now)
        .chars()
        .filter(|c| !"-:".contains(*c))
        .collect();
    format!("{stem}-{stamp}.vault")
}

pub fn restore(args: &RestoreArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let path = args.which.path();
    let failed = |error| key::vault_failure("nothing was restored", &error);
    // The backup says whether it takes a passphrase: the vault may be gone.
    let source = key::key(&args.which.vault, &args.from)?;
    let lock = key::lock_vault(&path, &args.which.vault)?;
    let before = Vault::open_locked(&path)
        .and_then(|vault| vault.latest())
        .ok()
        .flatten();
    let known = key::known(&source)?;
    let accept = |copy: &Vault| {
        // The place counts, not the copy's own.
        known.is_known(&path, copy.id()?).map(drop)
    };
    let restored =
        vault::restore_if(&args.from, &path, &source, &lock, now(), &accept).map_err(
            |error| match &error {
                // What the error's own help says is about a vault that one works with.
                vault::Error::NotFound { .. } | vault::Error::Foreign { .. } => {
                    Failure::new("nothing was restored")
                        .because(&error)
                        .help("the backup comes first: keytrail vault restore BACKUP INVENTORY")
                }
                _ => failed(error),
            },
        )?;
    out.line(&format!(
        "{}: {}",
        path.display(),
        restored.generation.map_or_else(
            || "nothing minted yet".into(),
            |latest| format!("generation {latest}")
        )
    ))?;
    if let Some(kept) = &restored.before {
        out.note(&format!("The vault from before is {}.", kept.display()));
    }
    key::open_with(&path, &source, out)?;
    match before {
        Some(before) if restored.generation < Some(before) => out.note(&format!(
            "It had generation {before}: what was minted since is not in this one. Hosts that got it show that this is an older copy (docs/vault.md)."
        )),
        _ => {}
    }
    Ok(Answer::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_needs_a_directory_that_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let said = |output: &str| has_place(&dir.path().join(output)).map_err(|failure| failure.to_string());
        assert!(said("fleet.vault").is_ok() && has_place(Path::new("fleet.vault")).is_ok());
        for output in ["backups/", "backups/fleet.vault"] {
            let said = said(output).expect_err("nowhere to write it");
            assert!(said.contains("mkdir -p") && said.contains("/backups"), "{said}");
        }
    }

    #[test]
    fn a_backup_in_a_directory_has_the_time_in_its_name() {
        let name = stamped(Path::new("sites/campus.vault"), 1_795_692_912);
        assert_eq!(name, "campus-20261126T113512Z.vault");
    }
}
