//! Opening and holding the vault: which file, and what opens it.

use crate::cli::args::VaultArgs;
use crate::cli::exit::Failure;
use crate::cli::passphrase;
use crate::cli::passwords;
use crate::cli::ui::Ui;
use crate::secret::Secret;
use crate::vault::{self, KeySource, Lock, Vault};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// The vault's file: as given, else beside the first inventory file.
pub fn vault_path(args: &VaultArgs, inventory: &[PathBuf]) -> PathBuf {
    args.vault
        .clone()
        .unwrap_or_else(|| Vault::beside(inventory.first().map_or(Path::new("keytrail.yaml"), |path| path)))
}

/// Holds the vault for this process, waiting for it as long as asked.
pub fn lock_vault(path: &Path, args: &VaultArgs) -> Result<Lock, Failure> {
    // No option takes a secret in the argument itself where the vault is needed.
    let words: Vec<_> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let wait = Duration::from_secs(args.wait.into());
    Lock::take(path, &words.join(" "), wait).map_err(|error| match &error {
        vault::Error::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            vault_failure("cannot lock the vault", &error)
                .help("whoever changes the vault must be able to write in its directory: nothing was changed")
        }
        vault::Error::Io { .. } | vault::Error::LockUnsupported { .. } => {
            vault_failure("cannot lock the vault", &error)
        }
        _ => vault_failure("the vault is not free", &error),
    })
}

/// Holds a vault that is open already, and makes sure that it is the file at its place still.
pub fn hold_vault(vault: &Vault, args: &VaultArgs) -> Result<Lock, Failure> {
    let lock = lock_vault(vault.path(), args)?;
    match vault.in_place() {
        Ok(()) => Ok(lock),
        Err(error) => Err(vault_failure("nothing was changed", &error)),
    }
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

/// Opens the vault; with `create`, makes vault and key where there are none, and says so.
pub fn open_vault(path: &Path, args: &VaultArgs, create: bool, out: &Ui) -> Result<Vault, Failure> {
    let key = key(args, path)?;
    if path.exists() || !create {
        return Vault::open(path, &key).map_err(|error| vault_failure("cannot open the vault", &error));
    }
    if let KeySource::File(identity) = &key
        && !identity.exists()
    {
        vault::create_identity(identity)
            .map_err(|error| vault_failure("cannot make a key for the vault", &error))?;
        out.note(&format!(
            "Made a vault key: {}\n  Keep a copy of it in a safe place: without it nobody can read the vault, with it anybody can.",
            identity.display()
        ));
    }
    let vault =
        Vault::create(path, &key, &[]).map_err(|error| vault_failure("cannot make the vault", &error))?;
    out.note(&format!("Made the vault: {}", path.display()));
    Ok(vault)
}

/// What opens the vault at `path`: an option, else a variable, else the user's identity, or the passphrase that is
/// asked for where the vault has one.
pub fn key(args: &VaultArgs, path: &Path) -> Result<KeySource, Failure> {
    if let Some(file) = &args.identity {
        return Ok(KeySource::File(file.clone()));
    }
    if let Some(file) = &args.passphrase_file {
        return Ok(KeySource::Passphrase(once(file == Path::new("-"), || {
            passwords::from_file("passphrase", file)
        })?));
    }
    if let Some(command) = &args.key_command {
        return Ok(KeySource::Command(words(command)));
    }
    if let Some(key) = from_variables(&|name| std::env::var_os(name))? {
        return Ok(key);
    }
    let sealed = Vault::open_locked(path).and_then(|vault| vault.has_passphrase());
    if sealed.is_ok_and(|passphrase| passphrase) {
        let ask = || {
            passphrase::ask(&format!("Passphrase of {}: ", path.display()))?.ok_or_else(|| {
                Failure::new("the vault is sealed to a passphrase, and there is no terminal to ask for it")
                    .help(
                        "give it with --passphrase-file FILE, --key-command COMMAND, or KEYTRAIL_PASSPHRASE",
                    )
            })
        };
        return once(true, ask).map(KeySource::Passphrase);
    }
    Ok(KeySource::File(vault::default_identity(&config_home()?)))
}

/// What a person types, or standard input holds, can be had only once, and a verb may open the vault again at its end.
fn once(single: bool, read: impl FnOnce() -> Result<Secret, Failure>) -> Result<Secret, Failure> {
    static SAID: OnceLock<Secret> = OnceLock::new();
    if !single {
        return read();
    }
    match SAID.get() {
        Some(said) => Ok(said.clone()),
        None => read().map(|said| SAID.get_or_init(|| said).clone()),
    }
}

/// What the environment gives, if anything; never two things, of which one would be ignored.
fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<KeySource>, Failure> {
    type Make = fn(OsString) -> Result<KeySource, Failure>;
    let known: [(&str, Make); 5] = [
        ("KEYTRAIL_IDENTITY", |file| Ok(KeySource::File(file.into()))),
        ("KEYTRAIL_KEY", |text| {
            Ok(KeySource::Bytes(Secret::new(text.into_vec())))
        }),
        ("KEYTRAIL_PASSPHRASE", |text| {
            Ok(KeySource::Passphrase(Secret::new(text.into_vec())))
        }),
        ("KEYTRAIL_PASSPHRASE_FILE", |file| {
            passwords::from_file("passphrase", Path::new(&file)).map(KeySource::Passphrase)
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
        return Err(Failure::new(format!(
            "{name} and {other} are both set, and only one key opens the vault"
        ))
        .help("unset one of them"));
    }
    make(value).map(Some)
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

fn config_home() -> Result<PathBuf, Failure> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .ok_or_else(|| {
            Failure::new(
                "where the vault's key is kept is not known: neither XDG_CONFIG_HOME nor HOME is set",
            )
            .help("name its file: --identity FILE, or KEYTRAIL_IDENTITY")
        })
}

pub fn vault_failure(what: &str, error: &vault::Error) -> Failure {
    let failure = Failure::new(what).because(error);
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
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
