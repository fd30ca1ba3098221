//! Who can open a vault: the data key sealed to `age1…` recipients, or to a passphrase.

use super::Vault;
use super::books::Books;
use super::error::{Error, Result};
use super::ledger::RECIPIENTS;
use super::seal::DataKey;
use crate::secret::Secret;
use age::secrecy::SecretString;
use std::io::Write as _;

/// What is recorded in place of a recipient when a passphrase seals the vault.
pub(super) const PASSPHRASE: &str = "a passphrase";

/// Who can open a vault.
#[derive(Debug, Clone)]
pub enum Owners {
    /// Whoever holds the identity of one of these `age1…` recipients.
    Recipients(Vec<String>),
    /// Whoever knows it.
    Passphrase(Secret),
}

/// The data key sealed with age, and whom it is sealed to.
pub(super) struct SealedKey {
    /// An age file.
    pub(super) age: Vec<u8>,
    /// `age1…` recipients, or [`PASSPHRASE`].
    pub(super) recipients: Vec<String>,
}

/// One who can open a vault, as the vault lists them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Operator {
    /// The `age1…` recipient, or "a passphrase".
    pub recipient: String,
    /// The name it was added under.
    pub name: String,
    /// When, Unix seconds.
    pub added: i64,
}

impl Operator {
    /// These recipients, with what is known of them; new ones are called `name`.
    pub(super) fn named(recipients: &[String], known: &[Self], name: &str, now: i64) -> Vec<Self> {
        let of = |recipient: &String| {
            let found = known.iter().find(|known| known.recipient == *recipient);
            found.cloned().unwrap_or_else(|| Self {
                recipient: recipient.clone(),
                name: name.to_owned(),
                added: now,
            })
        };
        recipients.iter().map(of).collect()
    }
}

impl Vault {
    /// Who can open the vault, in the order in which they were added.
    ///
    /// # Errors
    /// [`Error::Tampered`] if the list is not what was written (noticed with the key).
    pub fn operators(&self) -> Result<Vec<Operator>> {
        self.reading()?.rows(&RECIPIENTS, |row| {
            Ok(Operator {
                recipient: row.get(1)?,
                name: row.get(2)?,
                added: row.get(3)?,
            })
        })
    }

    /// Whom the vault is sealed to: `age1…` recipients, or "a passphrase".
    pub fn recipients(&self) -> Result<Vec<String>> {
        let operators = self.operators()?.into_iter();
        Ok(operators.map(|operator| operator.recipient).collect())
    }

    /// Whether it is a passphrase that opens the vault.
    pub fn has_passphrase(&self) -> Result<bool> {
        Ok(self.recipients()? == [PASSPHRASE])
    }
}

impl Books<'_> {
    /// Lists those who can open the vault from now on.
    pub(super) fn set_operators(&mut self, operators: &[Operator]) -> Result<()> {
        self.remove(&RECIPIENTS, "true", [])?;
        for operator in operators {
            self.put(
                &RECIPIENTS,
                "INSERT INTO recipients (recipient, name, added) VALUES (?1, ?2, ?3)",
                (&operator.recipient, &operator.name, operator.added),
            )?;
        }
        Ok(())
    }
}

impl Owners {
    /// Seals the data key to them.
    pub(super) fn seal(&self, data_key: &DataKey) -> Result<SealedKey> {
        let crypto = |error: &dyn std::error::Error| Error::Crypto(error.to_string());
        let (encryptor, recipients) = match self {
            Self::Passphrase(passphrase) => (
                age::Encryptor::with_user_passphrase(text(passphrase)?),
                vec![PASSPHRASE.into()],
            ),
            Self::Recipients(names) => {
                let mut names = names.clone();
                let mut seen = std::collections::HashSet::new();
                names.retain(|name| seen.insert(name.clone()));
                let keys = names
                    .iter()
                    .map(|name| recipient(name))
                    .collect::<Result<Vec<_>>>()?;
                let keys = keys.iter().map(|key| key as &dyn age::Recipient);
                (
                    age::Encryptor::with_recipients(keys).map_err(|error| crypto(&error))?,
                    names,
                )
            }
        };
        let mut age = Vec::new();
        encryptor
            .wrap_output(&mut age)
            .and_then(|mut writer| {
                writer.write_all(data_key.bytes())?;
                writer.finish()
            })
            .map_err(|error| crypto(&error))?;
        Ok(SealedKey { age, recipients })
    }
}

fn recipient(name: &str) -> Result<age::x25519::Recipient> {
    name.parse().map_err(|_| Error::RecipientMalformed {
        recipient: name.to_owned(),
    })
}

/// A passphrase as age takes it.
pub(super) fn text(passphrase: &Secret) -> Result<SecretString> {
    let malformed = |why: &str| Error::KeyMalformed {
        from: "the passphrase".into(),
        why: why.into(),
    };
    match passphrase.expose_str() {
        Some(text) if !text.is_empty() => Ok(SecretString::from(text.to_owned())),
        Some(_) => Err(malformed("it is empty")),
        None => Err(malformed("it is not UTF-8 text")),
    }
}
