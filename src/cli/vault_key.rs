//! Opening and holding the vault: which file, and what opens it.

use crate::cli::args::{EXPECTED, VaultArgs};
use crate::cli::exit::Failure;
use crate::cli::passphrase;
use crate::cli::progress::Console;
use crate::cli::secret_input;
use crate::cli::ui::Ui;
use crate::ops::{Error, Notice, Observer as _, Result, VaultAccess};
use crate::secret::Secret;
use crate::vault::{self, KeySource, Known, Lock, Vault};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The vault's file: as given, else beside the first inventory file.
pub fn vault_path(args: &VaultArgs, inventory: &[PathBuf]) -> PathBuf {
    args.vault
        .clone()
        .unwrap_or_else(|| Vault::beside(inventory.first().map_or(Path::new("keytrail.yaml"), |path| path)))
}

/// How the vault is opened and locked.
pub fn access(args: &VaultArgs, path: impl Into<PathBuf>) -> VaultAccess {
    // No option takes a secret in the argument itself where the vault is needed.
    let words: Vec<_> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let options = args.clone();
    VaultAccess::new(path, Box::new(move |path| key(&options, path)))
        .knowing(Box::new(known))
        .at_hand(is_at_hand(args))
        .waiting(Duration::from_secs(args.wait.into()), words.join(" "))
}

/// Locks the vault for this process, waiting for it as long as asked.
pub fn lock_vault(path: &Path, args: &VaultArgs) -> Result<Lock> {
    access(args, path).lock()
}

/// Locks a vault that is open already, and makes sure that it is still the file at its place.
pub fn hold_vault(vault: &Vault, args: &VaultArgs) -> Result<Lock> {
    access(args, vault.path()).lock_open(vault)
}

/// Writes the vault's file anew without what was deleted from it. Where that fails, `left` says what it means: what was done
/// before stays done.
pub fn compact(vault: &Vault, left: &str, out: &Ui) -> Option<u64> {
    match vault.compact() {
        Ok(freed) => Some(freed),
        Err(error) => {
            out.stderr(&format!(
                "warning: {left}: {error}\n  help: make room for a second copy of the file, then run it again"
            ));
            None
        }
    }
}

/// Opens a vault that is there with its key, and makes sure that it is the one that was used here before.
pub fn open_with(path: &Path, key: &KeySource, out: &Ui) -> Result<Vault> {
    VaultAccess::with_key(path, key.clone())
        .knowing(Box::new(known))
        .open(&Console::new(out))
}

/// Opens a vault without its key, and says what that means.
pub fn open_unverified(path: &Path, out: &Ui) -> Result<Vault, vault::Error> {
    let vault = Vault::open_locked(path)?;
    Console::new(out).notice(Notice::VaultUnverified(path));
    Ok(vault)
}

/// The vaults that were used here before, as far as that is kept: beside the identity, and in the user's configuration.
pub fn known(key: &KeySource) -> Result<Known> {
    let beside = match key {
        KeySource::File(identity) => identity.parent().map(|dir| {
            if dir.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                dir.to_owned()
            }
        }),
        _ => None,
    };
    let own = config_home()
        .ok()
        .and_then(|home| vault::default_identity(&home).parent().map(Path::to_owned));
    let known = Known::new(beside.into_iter().chain(own));
    let Some(expected) = std::env::var_os(EXPECTED).filter(|value| !value.is_empty()) else {
        return Ok(known);
    };
    let id = expected
        .to_string_lossy()
        .parse()
        .map_err(|why: String| Error::new(format!("cannot use {EXPECTED}")).why(why))?;
    Ok(known.expecting(id, EXPECTED))
}

/// What opens the vault at `path`: an option, else a variable, else the user's identity, or the passphrase that is
/// asked for where the vault has one.
pub fn key(args: &VaultArgs, path: &Path) -> Result<KeySource> {
    if let Some(file) = &args.identity {
        return Ok(KeySource::File(file.clone()));
    }
    if let Some(file) = &args.passphrase_file {
        return secret_input::from_file("passphrase", file).map(KeySource::Passphrase);
    }
    if let Some(command) = &args.key_command {
        return Ok(KeySource::Command(words(command)));
    }
    if let Some(key) = from_variables(&|name| std::env::var_os(name))? {
        return Ok(key);
    }
    if vault::takes_passphrase(path).is_ok_and(|passphrase| passphrase) {
        let typed = passphrase::ask(&format!("Passphrase of {}: ", path.display()))?;
        return typed.map(KeySource::Passphrase).ok_or_else(|| {
            Error::new("the vault is sealed to a passphrase, and there is no terminal to ask for it")
                .help("give it with --passphrase-file FILE, --key-command COMMAND, or KEYTRAIL_PASSPHRASE")
        });
    }
    Ok(KeySource::File(vault::default_identity(&config_home()?)))
}

/// Whether the vault can be opened without asking anybody, as far as that is known without looking at the vault.
fn is_at_hand(args: &VaultArgs) -> bool {
    args.identity.is_some()
        || args.passphrase_file.is_some()
        || args.key_command.is_some()
        || !matches!(from_variables(&|name| std::env::var_os(name)), Ok(None))
}

/// What the environment gives, if anything; never two things, of which one would be ignored.
fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<KeySource>> {
    type Make = fn(OsString) -> Result<KeySource>;
    let known: [(&str, Make); 5] = [
        ("KEYTRAIL_IDENTITY", |file| Ok(KeySource::File(file.into()))),
        ("KEYTRAIL_KEY", |text| {
            Ok(KeySource::Bytes(Secret::new(text.into_vec())))
        }),
        ("KEYTRAIL_PASSPHRASE", |text| {
            Ok(KeySource::Passphrase(Secret::new(text.into_vec())))
        }),
        ("KEYTRAIL_PASSPHRASE_FILE", |file| {
            secret_input::from_file("passphrase", Path::new(&file)).map(KeySource::Passphrase)
        }),
        ("KEYTRAIL_KEY_COMMAND", |command| {
            Ok(KeySource::Command(words(&command.to_string_lossy())))
        }),
    ];
    let mut given = known
        .into_iter()
        .filter_map(|(name, make)| Some((name, make, variable(name).filter(|value| !value.is_empty())?)));
    let Some((name, make, value)) = given.next() else {
        return Ok(None);
    };
    if let Some((other, ..)) = given.next() {
        return Err(Error::new(format!(
            "{name} and {other} are both set, and only one key opens the vault"
        ))
        .help("unset one of them"));
    }
    make(value).map(Some)
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

fn config_home() -> Result<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .ok_or_else(|| {
            Error::new("where the vault's key is kept is not known: neither XDG_CONFIG_HOME nor HOME is set")
                .help("name its file: --identity FILE, or KEYTRAIL_IDENTITY")
        })
}

/// Something the vault could not do, with the help it gives.
pub fn vault_failure(what: &str, error: &vault::Error) -> Failure {
    Failure::vault(what, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_gives_the_key_and_two_are_refused() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<(String, OsString)> = set
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.into()))
                .collect();
            from_variables(&move |name| {
                set.iter()
                    .find(|(set, _)| set == name)
                    .map(|(_, value)| value.clone())
            })
        };
        assert!(with(&[]).expect("none").is_none());
        assert!(with(&[("KEYTRAIL_KEY", "")]).expect("empty is none").is_none());
        assert!(matches!(
            with(&[("KEYTRAIL_IDENTITY", "k")]),
            Ok(Some(KeySource::File(path))) if path == Path::new("k")
        ));
        assert!(matches!(
            with(&[("KEYTRAIL_KEY_COMMAND", "pass show vault")]),
            Ok(Some(KeySource::Command(argv))) if argv == ["pass", "show", "vault"]
        ));
        assert!(matches!(
            with(&[("KEYTRAIL_PASSPHRASE", "correct horse")]),
            Ok(Some(KeySource::Passphrase(text))) if text.expose() == b"correct horse"
        ));
        let refused = with(&[("KEYTRAIL_KEY", "x"), ("KEYTRAIL_PASSPHRASE", "hunter2")]).expect_err("two");
        let said = refused.to_string();
        assert!(said.contains("KEYTRAIL_KEY and KEYTRAIL_PASSPHRASE"), "{said}");
        assert!(!said.contains("hunter2"));
    }
}
