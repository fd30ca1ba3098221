//! The key of a vault: an age identity (X25519) or a passphrase, and the data key sealed with it.
//!
//! One identity serves all vaults of a person. It lives away from the inventory
//! ([`default_identity`]): whoever copies the inventory's directory, with the vault in it, has nothing.

use super::error::{Error, Result};
use super::owners::{self, Owners, SealedKey};
use super::schema;
use super::seal::DataKey;
use crate::inventory::VAULT_KEY_VARIABLES;
use crate::secret::Secret;
use age::secrecy::ExposeSecret;
use std::fmt;
use std::io::{Read, Write};
use std::iter;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the secret line of an age identity starts with.
const IDENTITY: &str = "AGE-SECRET-KEY-1";

/// Where the key of a vault comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// An age identity file as `age-keygen` writes it, readable by its owner alone.
    File(PathBuf),
    /// A passphrase that a person remembers (scrypt, about a second of work each time).
    Passphrase(Secret),
    /// The text of an age identity, e.g. from a variable.
    Bytes(Secret),
    /// A command (argv, no shell) that prints the text of an age identity, or a passphrase in its first line.
    Command(Vec<String>),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the key {}", path.display()),
            Self::Passphrase(_) => f.write_str("the passphrase"),
            Self::Bytes(_) => f.write_str("the key given"),
            Self::Command(argv) => write!(f, "the key from '{}'", program(argv)),
        }
    }
}

/// Where the identity of a person lives: `keytrail/identity.agekey` below `config_home`
/// (`$XDG_CONFIG_HOME`, else `~/.config`).
pub fn default_identity(config_home: &Path) -> PathBuf {
    config_home.join("keytrail").join("identity.agekey")
}

/// Makes a new identity file, mode 0600 in a directory of mode 0700, on disk when this returns.
/// Gives its recipient (`age1…`). The caller tells the user to back it up.
///
/// # Errors
/// [`Error::Exists`] if there is a file already; [`Error::Io`].
pub fn create_identity(path: &Path) -> Result<String> {
    let io = Error::io(path);
    let dir = parent(path);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io)?;
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    // Written aside (tempfile makes it 0600) and put in place whole: a vault may never be sealed to a key
    // that a power cut could still take back.
    let mut file = tempfile::Builder::new()
        .prefix(".keytrail-")
        .tempfile_in(dir)
        .map_err(io)?;
    writeln!(
        file,
        "# keytrail vault key: without it the vault cannot be read. Keep a copy in a safe place."
    )
    .and_then(|()| writeln!(file, "# public key: {recipient}"))
    .and_then(|()| writeln!(file, "{}", identity.to_string().expose_secret()))
    .and_then(|()| file.as_file().sync_all())
    .map_err(io)?;
    persist(file.into_temp_path(), path)?;
    Ok(recipient)
}

/// Puts a finished file in its place, if there is none yet, and makes that durable.
pub(super) fn persist(file: tempfile::TempPath, path: &Path) -> Result<()> {
    file.persist_noclobber(path).map_err(|failed| {
        if failed.error.kind() == std::io::ErrorKind::AlreadyExists {
            Error::Exists { path: path.into() }
        } else {
            Error::io(path)(failed.error)
        }
    })?;
    std::fs::File::open(parent(path))
        .and_then(|dir| dir.sync_all())
        .map_err(Error::io(path))
}

/// The directory a file is in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Whether the vault at `path`, of whatever format, is sealed to a passphrase.
pub fn takes_passphrase(path: &Path) -> Result<bool> {
    let (db, _) = schema::open_any(path)?;
    let age: Vec<u8> = db
        .query_row("SELECT age FROM data_key", [], |row| row.get(0))
        .map_err(|error| schema::sqlite(path, error))?;
    Ok(age::Decryptor::new(&age[..]).is_ok_and(|sealed| sealed.is_scrypt()))
}

impl KeySource {
    /// Who opens a vault that is sealed to this key: its recipients with `others`, or whoever knows the passphrase.
    pub(super) fn owners(&self, others: &[String]) -> Result<Owners> {
        match self {
            // age allows a passphrase only on its own.
            Self::Passphrase(_) if !others.is_empty() => Err(Error::Crypto(
                "a vault is sealed to recipients or to a passphrase, not to both".into(),
            )),
            Self::Passphrase(passphrase) => Ok(Owners::Passphrase(passphrase.clone())),
            Self::Command(argv) => {
                let said = run(argv)?;
                let key = if said.expose_str().is_some_and(|text| text.contains(IDENTITY)) {
                    Self::Bytes(said)
                } else {
                    Self::Passphrase(first_line(&said))
                };
                key.owners(others)
            }
            _ => {
                let mut names = self.recipients()?;
                names.extend(others.iter().cloned());
                Ok(Owners::Recipients(names))
            }
        }
    }

    /// Opens the data key of the vault at `path`.
    pub(super) fn open(&self, sealed: &SealedKey, path: &Path) -> Result<DataKey> {
        let wrong = || Error::WrongKey {
            path: path.into(),
            from: self.to_string(),
            recipients: sealed.recipients.clone(),
        };
        let damaged = |why: String| Error::Corrupt {
            path: path.into(),
            why: format!("the sealed data key cannot be read ({why})"),
        };
        let decryptor = age::Decryptor::new(&sealed.age[..]).map_err(|error| damaged(error.to_string()))?;
        let mut bytes = Vec::new();
        let passphrase = match self {
            Self::Passphrase(passphrase) => Some(passphrase.clone()),
            Self::Command(argv) if decryptor.is_scrypt() => Some(first_line(&run(argv)?)),
            _ => None,
        };
        let reader = if passphrase.is_some() && !decryptor.is_scrypt() {
            return Err(wrong());
        } else if let Some(passphrase) = passphrase {
            let mut identity = age::scrypt::Identity::new(owners::text(&passphrase)?);
            // The vault may have been made on a faster machine; 2^22 is some 16 s and 4 GiB.
            identity.set_max_work_factor(22);
            decryptor.decrypt(iter::once(&identity as &dyn age::Identity))
        } else {
            let identities = self.identities(&sealed.recipients)?;
            decryptor.decrypt(
                identities
                    .iter()
                    .map(|identity| identity.as_ref() as &dyn age::Identity),
            )
        };
        match reader {
            Ok(mut reader) => reader
                .read_to_end(&mut bytes)
                .map_err(|error| damaged(error.to_string()))?,
            Err(age::DecryptError::NoMatchingKeys | age::DecryptError::DecryptionFailed) => {
                return Err(wrong());
            }
            Err(error) => return Err(damaged(error.to_string())),
        };
        DataKey::from_key(&Secret::new(bytes)).ok_or_else(|| damaged("wrong length".into()))
    }

    /// The public side of the identities in this source (`age1…`).
    pub fn recipients(&self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        self.identity_file(&[])?
            .write_recipients_file(&mut lines)
            .map_err(|_| self.malformed("it is empty"))?;
        let lines = String::from_utf8_lossy(&lines);
        Ok(lines.lines().map(str::to_owned).collect())
    }

    fn identities(&self, recipients: &[String]) -> Result<Vec<Box<dyn age::Identity + Send + Sync>>> {
        self.identity_file(recipients)?
            .into_identities()
            .map_err(|error| self.malformed(&error.to_string()))
    }

    /// `recipients`: whom the vault is sealed to, for telling which key is missing.
    fn identity_file(&self, recipients: &[String]) -> Result<age::IdentityFile<age::NoCallbacks>> {
        let text = match self {
            Self::File(path) => read_key_file(path, recipients)?,
            Self::Bytes(text) | Self::Passphrase(text) => text.clone(),
            Self::Command(argv) => run(argv)?,
        };
        // age names the line that is wrong and never its content.
        age::IdentityFile::from_buffer(text.expose()).map_err(|error| self.malformed(&error.to_string()))
    }

    fn malformed(&self, why: &str) -> Error {
        Error::KeyMalformed {
            from: self.to_string(),
            why: why.to_owned(),
        }
    }
}

fn read_key_file(path: &Path, recipients: &[String]) -> Result<Secret> {
    let mut file = std::fs::File::open(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            Error::KeyMissing {
                path: path.into(),
                recipients: recipients.to_vec(),
            }
        } else {
            Error::io(path)(source)
        }
    })?;
    let meta = file.metadata().map_err(Error::io(path))?;
    let mode = meta.mode() & 0o7777;
    if meta.is_file() && mode & 0o077 != 0 {
        return Err(Error::KeyExposed {
            path: path.into(),
            mode,
        });
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(Error::io(path))?;
    Ok(Secret::new(text))
}

fn run(argv: &[String]) -> Result<Secret> {
    let failed = |why: String| Error::KeyCommand {
        program: program(argv).to_owned(),
        why,
    };
    let mut command = Command::new(program(argv));
    // The command gives the key; another that happens to be set is none of its business.
    for name in VAULT_KEY_VARIABLES {
        command.env_remove(name);
    }
    let output = command
        .args(argv.get(1..).unwrap_or_default())
        .stdin(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let key = Secret::new(output.stdout);
    if output.status.success() {
        Ok(key)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(failed(match said.trim() {
            "" => output.status.to_string(),
            said => format!("{}: {said}", output.status),
        }))
    }
}

/// A passphrase as a password manager prints it.
fn first_line(said: &Secret) -> Secret {
    let line = said
        .expose()
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    Secret::new(line.strip_suffix(b"\r").unwrap_or(line))
}

fn program(argv: &[String]) -> &str {
    argv.first().map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn seal(key: &KeySource, data_key: &DataKey, others: &[String]) -> Result<SealedKey> {
        key.owners(others)?.seal(data_key)
    }

    fn open(key: &KeySource, sealed: &SealedKey) -> Result<DataKey> {
        key.open(sealed, Path::new("x.vault"))
    }

    #[test]
    fn an_identity_file_is_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = default_identity(&dir.path().join("config"));
        let recipient = create_identity(&path).unwrap();
        assert!(recipient.starts_with("age1"));
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o7777, 0o700);
        assert!(matches!(create_identity(&path), Err(Error::Exists { .. })));

        let key = KeySource::File(path.clone());
        let data_key = DataKey::generate().unwrap();
        let sealed = seal(&key, &data_key, &[]).unwrap();
        assert_eq!(sealed.recipients, [recipient]);
        assert_eq!(open(&key, &sealed).unwrap().bytes(), data_key.bytes());
        let bytes = KeySource::Bytes(Secret::new(std::fs::read(&path).unwrap()));
        assert_eq!(open(&bytes, &sealed).unwrap().bytes(), data_key.bytes());
        let command = KeySource::Command(vec!["cat".into(), path.to_str().unwrap().into()]);
        assert_eq!(open(&command, &sealed).unwrap().bytes(), data_key.bytes());

        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(
            open(&key, &sealed),
            Err(Error::KeyExposed { mode: 0o640, .. })
        ));
    }

    #[test]
    fn every_recipient_opens_it_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let key = |name: &str| {
            let path = dir.path().join(name);
            (create_identity(&path).unwrap(), KeySource::File(path))
        };
        let ((_, ann), (bob_public, bob), (_, eve)) = (key("ann"), key("bob"), key("eve"));
        let data_key = DataKey::generate().unwrap();
        let sealed = seal(&ann, &data_key, &[bob_public]).unwrap();
        assert_eq!(open(&ann, &sealed).unwrap().bytes(), data_key.bytes());
        assert_eq!(open(&bob, &sealed).unwrap().bytes(), data_key.bytes());
        let refused = open(&eve, &sealed).err().unwrap();
        assert!(matches!(&refused, Error::WrongKey { recipients, .. } if recipients == &sealed.recipients));
        assert!(matches!(
            open(&KeySource::Passphrase("x".into()), &sealed),
            Err(Error::WrongKey { .. })
        ));
    }

    #[test]
    fn a_passphrase_opens_it_and_another_does_not() {
        let data_key = DataKey::generate().unwrap();
        let sealed = seal(&KeySource::Passphrase("correct horse".into()), &data_key, &[]).unwrap();
        let right = KeySource::Passphrase("correct horse".into());
        assert_eq!(open(&right, &sealed).unwrap().bytes(), data_key.bytes());
        let said = |text: &str| KeySource::Command(vec!["printf".into(), text.into()]);
        assert_eq!(
            open(&said("correct horse\\nnote\\n"), &sealed).unwrap().bytes(),
            data_key.bytes()
        );
        assert!(matches!(
            open(&said("battery staple"), &sealed),
            Err(Error::WrongKey { .. })
        ));
        let by_command = seal(&said("correct horse\\nnote\\n"), &data_key, &[]).unwrap();
        assert_eq!(open(&right, &by_command).unwrap().bytes(), data_key.bytes());
        let wrong = KeySource::Passphrase("battery staple".into());
        assert!(matches!(open(&wrong, &sealed), Err(Error::WrongKey { .. })));
        let dir = tempfile::tempdir().unwrap();
        create_identity(&dir.path().join("key")).unwrap();
        assert!(matches!(
            open(&KeySource::File(dir.path().join("key")), &sealed),
            Err(Error::WrongKey { .. })
        ));
    }

    #[test]
    fn what_is_no_key_is_said_without_showing_it() {
        let sealed = seal(
            &KeySource::Passphrase("x".into()),
            &DataKey::generate().unwrap(),
            &[],
        )
        .unwrap();
        let said = open(&KeySource::Bytes("hunter2\n".into()), &sealed)
            .err()
            .unwrap();
        assert!(matches!(&said, Error::KeyMalformed { .. }));
        assert!(!format!("{said} {said:?}").contains("hunter2"), "{said:?}");
        let missing = KeySource::File("/nonexistent/key".into());
        assert!(matches!(open(&missing, &sealed), Err(Error::KeyMissing { .. })));
        let failing = KeySource::Command(vec!["sh".into(), "-c".into(), "echo locked >&2; exit 3".into()]);
        let said = open(&failing, &sealed).err().unwrap().to_string();
        assert!(said.contains("locked") && said.contains('3'), "{said}");
        assert!(matches!(
            seal(
                &KeySource::Bytes(Secret::new("")),
                &DataKey::generate().unwrap(),
                &[]
            ),
            Err(Error::KeyMalformed { .. })
        ));
        let empty = KeySource::Passphrase(Secret::new(""));
        assert!(matches!(
            seal(&empty, &DataKey::generate().unwrap(), &[]),
            Err(Error::KeyMalformed { .. })
        ));
    }
}
