//! `keytrail vault`: care for the store of what was minted.

mod backup;
mod check;
mod info;
mod owners;
mod prune;
mod upgrade;

use crate::cli::args::{Format, InventoryArgs, VaultArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key as key;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `vault`.
#[derive(Debug, Args)]
#[command(
    after_help = "The vault is a file beside the inventory, campus.vault for campus.yaml; --vault FILE names another one. \
docs/vault.md tells how it is kept, and what to do when it or its key is lost."
)]
pub struct VaultVerb {
    /// What to do
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What is in the vault; needs no key
    #[command(after_help = "Examples:
  keytrail vault info campus.yaml
  keytrail vault info --vault backup.vault --format json")]
    Info(Look),
    /// Open every value and say what is wrong, and what of a damaged vault can still be read
    #[command(after_help = "Examples:
  keytrail vault check campus.yaml
  keytrail vault check --without-key --vault backup.vault    the file alone, without the key

Exit status 1 if anything is wrong. Nothing is ever changed.")]
    Check(check::CheckArgs),
    /// Write a copy of the vault, also while an apply runs; needs no key
    #[command(after_help = "Examples:
  keytrail vault backup campus.yaml -o /mnt/backup/campus.vault
  keytrail vault backup campus.yaml -o /mnt/backup/           a name with the time, for a timer

The copy opens with the vault's key. Keep a copy of the key too, elsewhere: without it the backup is worth nothing.")]
    Backup(backup::BackupArgs),
    /// Put a backup in the place of the vault, after having opened everything in it
    #[command(after_help = "Example:
  keytrail vault restore /mnt/backup/campus.vault campus.yaml

The vault from before is kept beside it. Hosts that were changed since show that the backup is older: nothing is done with it then (docs/vault.md).")]
    Restore(backup::RestoreArgs),
    /// Who can open the vault; let others in, or shut them out
    #[command(after_help = "Examples:
  keytrail vault recipients campus.yaml
  keytrail vault recipients add age1… campus.yaml       the public key in the other's key file
  keytrail vault recipients remove age1… campus.yaml    with a new data key, as by rekey")]
    Recipients(owners::RecipientsArgs),
    /// Make a new data key and seal every value anew
    #[command(after_help = "Examples:
  keytrail vault rekey campus.yaml
  keytrail vault rekey campus.yaml --new-recipient age1… --new-recipient age1…
  keytrail vault rekey campus.yaml --new-passphrase-file pass.txt

Backups from before still open with the keys they were sealed to: remove them when somebody must be shut out.")]
    Rekey(owners::RekeyArgs),
    /// Remove the media of old generations
    #[command(after_help = "Examples:
  keytrail vault prune --keep 10 --dry-run campus.yaml
  keytrail vault prune --keep 3 --older-than 400d campus.yaml

Never the generation in force, one in which some host stands, or the one before these.")]
    Prune(prune::PruneArgs),
    /// Bring a vault of an earlier format to the present one
    #[command(after_help = "Examples:
  keytrail vault upgrade campus.yaml          shows who can open it and what is in it, and asks
  keytrail vault upgrade campus.yaml --yes

Every value is sealed anew under a new data key, and the vault gets an identity. The old file is kept beside it.")]
    Upgrade(upgrade::UpgradeArgs),
}

/// Which vault.
#[derive(Debug, Args)]
pub struct Which {
    /// The inventory the vault is beside
    #[command(flatten)]
    inventory: InventoryArgs,
    /// The vault, and what opens it
    #[command(flatten)]
    vault: VaultArgs,
}

/// Which vault, and in which form the answer.
#[derive(Debug, Args)]
pub struct Look {
    /// Which vault
    #[command(flatten)]
    which: Which,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Which {
    fn path(&self) -> PathBuf {
        key::vault_path(&self.vault, &self.inventory.paths)
    }
}

pub fn run(args: &VaultVerb, out: &mut Ui) -> Result<Answer, Failure> {
    match &args.verb {
        Verb::Info(args) => info::run(args, out),
        Verb::Check(args) => check::run(args, out),
        Verb::Backup(args) => backup::backup(args, out),
        Verb::Restore(args) => backup::restore(args, out),
        Verb::Recipients(args) => owners::recipients(args, out),
        Verb::Rekey(args) => owners::rekey(args, out),
        Verb::Prune(args) => prune::run(args, out),
        Verb::Upgrade(args) => upgrade::run(args, out),
    }
}
