//! Which vault: how hosts and operators know it.

use crate::digest::Digest;
use openssl::pkey::{Id, PKey, Public};
use openssl::sign::Verifier;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which vault: the public half of its own key pair. Prints as its fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VaultId([u8; 32]);

impl VaultId {
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public key, 64 hex digits.
    pub fn hex(&self) -> String {
        Digest(self.0).to_string()
    }

    /// Whether `signature` of `message` was made by this vault.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verify = || {
            let key: PKey<Public> = PKey::public_key_from_raw_bytes(&self.0, Id::ED25519)?;
            Verifier::new_without_digest(&key)?.verify_oneshot(signature, message)
        };
        verify().unwrap_or(false)
    }
}

impl fmt::Display for VaultId {
    /// As SSH shows keys: easily compared, and told from the `age1…` of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = openssl::base64::encode_block(&Digest::of(&self.0).0);
        write!(f, "SHA256:{}", text.trim_end_matches('='))
    }
}

impl FromStr for VaultId {
    type Err = String;

    /// From [`VaultId::hex`].
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<Digest>().map(|key| Self(key.0)).map_err(|_| {
            format!(
                "'{}' is no vault's public key (64 hex digits)",
                text.escape_debug()
            )
        })
    }
}

impl Serialize for VaultId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for VaultId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
