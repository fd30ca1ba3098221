//! Making one thing: numbers, passwords, the bytes of a file.

use super::random;
use super::work::{FileTask, Make, Recipe, SecretTask, Source};
use crate::media::certificate::CertificateSpec;
use crate::media::cipher::{Cipher, Protection};
use crate::media::host_key::{DsaKey, RsaKey, SignKey};
use crate::media::pem::PemBlock;
use crate::media::symmetric::SymmetricKey;
use crate::media::{Error, GroupKey, MediaFile, MediaName, Result};
use crate::secret::Secret;
use crate::vault::{SecretId, SecretKind};
use std::collections::HashMap;

/// A secret, ready for use.
pub(super) enum Material {
    Bytes(Secret),
    Key(Box<SignKey>),
    Group(Box<GroupKey>),
}

impl Material {
    pub(super) fn make(task: &SecretTask) -> Result<Self> {
        Ok(match &task.make {
            Make::Given(value) => Self::Bytes(value.clone()),
            Make::Password => Self::Bytes(random::password().map_err(|source| Error::OpenSsl {
                doing: "draw a password",
                source,
            })?),
            Make::Rsa { bits } => Self::Key(Box::new(RsaKey::generate(*bits)?.into())),
            Make::Dsa { bits } => Self::Key(Box::new(DsaKey::generate(*bits)?.into())),
            Make::Group {
                scheme,
                bits,
                clients,
            } => Self::Group(Box::new(GroupKey::generate(*scheme, *bits, *clients)?)),
            Make::Symmetric { id, kind, text } => {
                let key = match text {
                    Some(length) => SymmetricKey::generate_text(*id, *kind, *length),
                    None => SymmetricKey::generate(*id, *kind),
                };
                Self::Bytes(key?.secret)
            }
        })
    }

    /// Reads what [`Material::to_bytes`] gave.
    pub(super) fn read(kind: SecretKind, bytes: &Secret) -> Result<Self> {
        Ok(match kind {
            SecretKind::Password | SecretKind::Symmetric => Self::Bytes(bytes.clone()),
            SecretKind::HostKey | SecretKind::SignKey => {
                Self::Key(Box::new(SignKey::from_vault_bytes(bytes)?))
            }
            SecretKind::Group(_) => Self::Group(Box::new(GroupKey::from_vault_bytes(bytes)?)),
        })
    }

    pub(super) fn to_bytes(&self) -> Secret {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Key(key) => key.to_vault_bytes(),
            Self::Group(key) => key.to_vault_bytes(),
        }
    }
}

/// The materials files are made of: those of one unit over those of everybody.
pub(super) struct Materials<'a> {
    /// Group keys, new and kept.
    pub(super) common: &'a HashMap<(SecretKind, Box<str>), Material>,
    /// Values from the vault.
    pub(super) kept: &'a HashMap<SecretId, Secret>,
    /// Of this unit.
    pub(super) own: HashMap<(SecretKind, Box<str>), Material>,
}

impl Materials<'_> {
    /// Reads what the file needs from the vault's values, each once.
    fn load(&mut self, recipe: &Recipe) -> Result<()> {
        for source in recipe.sources() {
            let name = (source.kind, source.owner.clone());
            if let Some(bytes) = source.kept.and_then(|id| self.kept.get(&id))
                && !self.common.contains_key(&name)
                && !self.own.contains_key(&name)
            {
                self.own.insert(name, Material::read(source.kind, bytes)?);
            }
        }
        Ok(())
    }

    fn get(&self, source: &Source) -> &Material {
        let name = (source.kind, source.owner.clone());
        self.own
            .get(&name)
            .or_else(|| self.common.get(&name))
            .expect("the work names every secret its files are made of")
    }

    fn key(&self, source: &Source) -> &SignKey {
        match self.get(source) {
            Material::Key(key) => key,
            _ => unreachable!("host and sign keys are kept as keys"),
        }
    }

    fn group(&self, source: &Source) -> &GroupKey {
        match self.get(source) {
            Material::Group(key) => key,
            _ => unreachable!("group keys are kept as group keys"),
        }
    }

    fn protection(&self, password: &Source, cipher: Cipher) -> Result<Protection> {
        match self.get(password) {
            Material::Bytes(password) => Ok(Protection::new(password.clone())?.with_cipher(cipher)),
            _ => unreachable!("passwords are kept as bytes"),
        }
    }

    /// The bytes of a file, and the end of its validity if it has one.
    pub(super) fn file(&mut self, task: &FileTask) -> Result<(Secret, Option<i64>)> {
        self.load(&task.recipe)?;
        let (block, not_after): (PemBlock, _) = match &task.recipe {
            Recipe::Given(file) => return Ok((file.clone(), None)),
            Recipe::Private {
                key,
                password,
                cipher,
            } => {
                let protection = self.protection(password, *cipher)?;
                (self.key(key).block(&protection)?, None)
            }
            Recipe::Certificate {
                key,
                subject,
                scheme,
                role,
                not_after,
                gq,
            } => {
                let spec = CertificateSpec {
                    subject: subject.clone(),
                    serial: task.stamp.0,
                    not_before: task.stamp.unix(),
                    not_after: *not_after,
                    scheme: *scheme,
                    role: *role,
                    gq_public: gq
                        .as_ref()
                        .and_then(|gq| self.group(gq).certificate_value().cloned()),
                };
                (spec.sign(self.key(key))?.block(), Some(*not_after))
            }
            Recipe::ServerKey {
                group,
                password,
                cipher,
                dialect,
                revoked,
            } => {
                let protection = self.protection(password, *cipher)?;
                let block = self.group(group).server_block(&protection, *dialect, revoked)?;
                (block, None)
            }
            Recipe::ClientParameters {
                group,
                dialect,
                client,
            } => (self.group(group).client_block(*dialect, *client)?, None),
        };
        let name = MediaName::new(task.media, &*task.owner, task.stamp)?;
        // The date is the stamp's: the same file made again is the same bytes.
        let file = MediaFile::pem(name, task.stamp.unix(), vec![block]);
        Ok((file.render(), not_after))
    }
}
