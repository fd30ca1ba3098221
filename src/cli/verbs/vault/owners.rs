//! `keytrail vault recipients` and `rekey`: who can open the vault.

use crate::cli::args::{Format, InventoryArgs, VaultArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::secret_input;
use crate::cli::ui::Ui;
use crate::cli::vault_key as key;
use crate::cli::verbs::vault::Which;
use crate::cli::view::operators;
use crate::ops::now;
use crate::report::counted;
use crate::vault::{self, KeySource, Operator, Owners, Vault};
use clap::Args;
use std::path::PathBuf;

/// `vault recipients`.
#[derive(Debug, Args)]
#[command(override_usage = "keytrail vault recipients [OPTIONS] [add|remove AGE1…] [INVENTORY]…")]
pub struct RecipientsArgs {
    /// add or remove with recipients (age1…), and inventory
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// The vault, and what opens it
    #[command(flatten)]
    vault: VaultArgs,
    /// What those who are added are called in the list; in their order, may be repeated
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Output of the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// `vault rekey`.
#[derive(Debug, Args)]
pub struct RekeyArgs {
    /// Which vault
    #[command(flatten)]
    which: Which,
    /// Who can open it from now on, in place of those before; may be repeated
    #[arg(long, value_name = "AGE1…", conflicts_with = "new_passphrase_file")]
    new_recipient: Vec<String>,
    /// File with the passphrase that opens it from now on, in place of any key; '-' for standard input
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

/// What it means that the file could not be written anew after it was sealed anew.
const RESIDUE: &str = "everything is sealed anew, but what was deleted earlier can still be in the file, sealed under the old key";

#[derive(PartialEq)]
enum Change {
    Add,
    Remove,
}

pub fn recipients(args: &RecipientsArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let (change, rest) = match args.words.split_first() {
        Some((word, rest)) if word == "add" => (Some(Change::Add), rest),
        Some((word, rest)) if word == "remove" => (Some(Change::Remove), rest),
        _ => (None, &args.words[..]),
    };
    let (named, inventory): (Vec<&String>, Vec<&String>) =
        rest.iter().partition(|word| word.starts_with("age1"));
    let which = Which {
        inventory: InventoryArgs {
            paths: inventory.into_iter().map(PathBuf::from).collect(),
        },
        vault: args.vault.clone(),
    };
    let path = which.path();
    let Some(change) = change else {
        if let Some(name) = named.first() {
            return Err(
                Failure::new(format!("what about {name}?")).help("say: keytrail vault recipients add age1…")
            );
        }
        let list = key::open_unverified(&path, out)
            .and_then(|vault| vault.operators())
            .map_err(|error| key::vault_failure("cannot look into the vault", &error))?;
        match args.format {
            Format::Text => out.line(&operators::text(&list))?,
            form => out.value(&list, form)?,
        }
        return Ok(Answer::Yes);
    };
    if named.is_empty() {
        return Err(
            Failure::new("no recipient was named").help("give the 'public key' line of a key file: age1…")
        );
    }
    let failed = |error| key::vault_failure("nothing was changed", &error);
    let (mut vault, source) = open(&which, out)?;
    let _lock = key::hold_vault(&vault, &which.vault)?;
    let before = vault.operators().map_err(failed)?;
    let present = vault.recipients().map_err(failed)?;
    if vault.has_passphrase().map_err(failed)? {
        return Err(
            Failure::new("a passphrase opens this vault, and age allows no recipients beside one")
                .help("seal it to recipients: keytrail vault rekey --new-recipient age1…"),
        );
    }
    if change == Change::Add {
        let mut owners = present.clone();
        for (at, recipient) in named.iter().enumerate() {
            owners.push((*recipient).clone());
            let name = args.name.get(at).cloned().unwrap_or_else(added_by);
            vault
                .set_owners(&Owners::Recipients(owners.clone()), &name, now())
                .map_err(failed)?;
        }
    } else {
        let stranger = named.iter().find(|name| !present.contains(name));
        if let Some(stranger) = stranger {
            return Err(Failure::new(format!(
                "{stranger} is none of the vault's recipients; nothing was changed"
            )));
        }
        let left: Vec<String> = present
            .into_iter()
            .filter(|name| !named.contains(&name))
            .collect();
        let own = source.recipients().map_err(failed)?;
        if !own.iter().any(|own| left.contains(own)) {
            return Err(Failure::new(
                "this would shut you out: the key you opened the vault with is the one to remove",
            )
            .help("add the other operator first and let that operator remove you; nothing was changed"));
        }
        let sealed = vault
            .rekey(&Owners::Recipients(left), &added_by(), now())
            .map_err(failed)?;
        key::compact(&vault, RESIDUE, out);
        out.note(&format!("{} sealed anew under a new data key.", values(sealed)));
        warn_about_copies(out);
    }
    said(&before, &vault.operators().map_err(failed)?, out)?;
    Ok(Answer::Yes)
}

pub fn rekey(args: &RekeyArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let path = args.which.path();
    let failed = |error| key::vault_failure("nothing was changed", &error);
    let passphrase = args
        .new_passphrase_file
        .as_deref()
        .map(|file| secret_input::from_file("passphrase", file))
        .transpose()?;
    let (mut vault, source) = open(&args.which, out)?;
    let _lock = key::hold_vault(&vault, &args.which.vault)?;
    let before = vault.operators().map_err(failed)?;
    let owners = match (passphrase, &*args.new_recipient) {
        (Some(passphrase), _) => Owners::Passphrase(passphrase),
        (None, [_, ..]) => Owners::Recipients(args.new_recipient.clone()),
        (None, []) => match &source {
            KeySource::Passphrase(passphrase) => Owners::Passphrase(passphrase.clone()),
            _ if vault.has_passphrase().map_err(failed)? => {
                return Err(Failure::new("which passphrase opens the vault from now on?")
                    .help("give it: --new-passphrase-file FILE"));
            }
            _ => Owners::Recipients(vault.recipients().map_err(failed)?),
        },
    };
    let sealed = vault.rekey(&owners, &added_by(), now()).map_err(failed)?;
    key::compact(&vault, RESIDUE, out);
    out.line(&format!(
        "{}: {} sealed anew under a new data key",
        path.display(),
        values(sealed)
    ))?;
    said(&before, &vault.operators().map_err(failed)?, out)?;
    warn_about_copies(out);
    Ok(Answer::Yes)
}

fn open(which: &Which, out: &Ui) -> Result<(Vault, KeySource), Failure> {
    let path = which.path();
    let source = key::key(&which.vault, &path)?;
    let vault = key::open_with(&path, &source, out)?;
    Ok((vault, source))
}

/// What a recipient is called that nobody gave a name.
fn added_by() -> String {
    format!("added by {}", vault::operator())
}

/// Who could open it, and who can now.
fn said(before: &[Operator], now: &[Operator], out: &mut Ui) -> Result<(), Failure> {
    out.note(&format!(
        "Until now it was opened by\n{}",
        operators::text(before)
    ));
    out.note("From now on it is opened by");
    out.line(&operators::text(now))
}

fn values(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "value")
}

fn warn_about_copies(out: &Ui) {
    out.note(
        "Copies of the vault from before still open with the keys they were sealed to: remove them if somebody must be shut out,
and rotate what that person could read (docs/vault.md).",
    );
}
