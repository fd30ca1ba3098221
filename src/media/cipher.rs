//! Ciphers for private files.

use std::{fmt, str::FromStr};

use openssl::{nid::Nid, symm};
use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::secret::Secret;

/// A cipher OpenSSL 3 encrypts private keys with, and ntpd reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)] // the ciphers' own names
pub enum Cipher {
    DesEde3Cbc,
    Aes128Cbc,
    Aes192Cbc,
    #[default]
    Aes256Cbc,
    Camellia128Cbc,
    Camellia192Cbc,
    Camellia256Cbc,
    Aria128Cbc,
    Aria192Cbc,
    Aria256Cbc,
}

/// Cipher, OpenSSL's name, object identifier content.
const TABLE: [(Cipher, &str, &[u8]); 10] = [
    (
        Cipher::DesEde3Cbc,
        "des-ede3-cbc",
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7],
    ),
    (
        Cipher::Aes128Cbc,
        "aes-128-cbc",
        &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2],
    ),
    (
        Cipher::Aes192Cbc,
        "aes-192-cbc",
        &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22],
    ),
    (
        Cipher::Aes256Cbc,
        "aes-256-cbc",
        &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42],
    ),
    (
        Cipher::Camellia128Cbc,
        "camellia-128-cbc",
        &[0x2a, 0x83, 8, 0x8c, 0x9a, 0x4b, 0x3d, 1, 1, 1, 2],
    ),
    (
        Cipher::Camellia192Cbc,
        "camellia-192-cbc",
        &[0x2a, 0x83, 8, 0x8c, 0x9a, 0x4b, 0x3d, 1, 1, 1, 3],
    ),
    (
        Cipher::Camellia256Cbc,
        "camellia-256-cbc",
        &[0x2a, 0x83, 8, 0x8c, 0x9a, 0x4b, 0x3d, 1, 1, 1, 4],
    ),
    (
        Cipher::Aria128Cbc,
        "aria-128-cbc",
        &[0x2a, 0x83, 0x1a, 0x8c, 0x9a, 0x6e, 1, 1, 2],
    ),
    (
        Cipher::Aria192Cbc,
        "aria-192-cbc",
        &[0x2a, 0x83, 0x1a, 0x8c, 0x9a, 0x6e, 1, 1, 7],
    ),
    (
        Cipher::Aria256Cbc,
        "aria-256-cbc",
        &[0x2a, 0x83, 0x1a, 0x8c, 0x9a, 0x6e, 1, 1, 12],
    ),
];

impl Cipher {
    /// Every cipher that can be chosen.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.into_iter().map(|row| row.0)
    }

    fn row(self) -> (Self, &'static str, &'static [u8]) {
        TABLE
            .into_iter()
            .find(|row| row.0 == self)
            .expect("the table holds every cipher")
    }

    /// OpenSSL's name, as for ntp-keygen's `-C`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Content bytes of the object identifier.
    pub(super) fn oid(self) -> &'static [u8] {
        self.row().2
    }

    pub(super) fn from_oid(oid: &[u8]) -> Option<Self> {
        TABLE.into_iter().find(|row| row.2 == oid).map(|row| row.0)
    }

    /// OpenSSL's implementation.
    ///
    /// # Errors
    /// The OpenSSL at hand was built without it.
    pub(super) fn openssl(self) -> Result<symm::Cipher> {
        let found = match self {
            Self::DesEde3Cbc => Some(symm::Cipher::des_ede3_cbc()),
            Self::Aes128Cbc => Some(symm::Cipher::aes_128_cbc()),
            Self::Aes192Cbc => Some(symm::Cipher::aes_192_cbc()),
            Self::Aes256Cbc => Some(symm::Cipher::aes_256_cbc()),
            Self::Camellia128Cbc => symm::Cipher::from_nid(Nid::CAMELLIA_128_CBC),
            Self::Camellia192Cbc => symm::Cipher::from_nid(Nid::CAMELLIA_192_CBC),
            Self::Camellia256Cbc => symm::Cipher::from_nid(Nid::CAMELLIA_256_CBC),
            // No constants in the bindings; the numbers are OpenSSL's NID_aria_*_cbc.
            Self::Aria128Cbc => symm::Cipher::from_nid(Nid::from_raw(1066)),
            Self::Aria192Cbc => symm::Cipher::from_nid(Nid::from_raw(1071)),
            Self::Aria256Cbc => symm::Cipher::from_nid(Nid::from_raw(1076)),
        };
        found.ok_or_else(|| {
            Error::refused(
                format!("cipher {self}"),
                "the OpenSSL of this machine was built without it",
                "use aes-256-cbc",
            )
        })
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Cipher {
    type Err = Error;

    /// Takes OpenSSL's names in any case. What OpenSSL 3 cannot encrypt private keys with is refused here,
    /// before anything is written: ntp-keygen writes an empty file instead, and exits 0 (measured).
    fn from_str(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        if let Some(row) = TABLE.iter().find(|row| row.1 == lower) {
            return Ok(row.0);
        }
        let why = match lower.as_str() {
            "des3" => return Ok(Self::DesEde3Cbc),
            "aes128" => return Ok(Self::Aes128Cbc),
            "aes192" => return Ok(Self::Aes192Cbc),
            "aes256" => return Ok(Self::Aes256Cbc),
            "des-cbc" | "bf-cbc" | "cast5-cbc" | "seed-cbc" | "rc4" | "rc2-cbc" | "des" | "bf" | "cast"
            | "seed" => "OpenSSL 3 has it only in its legacy provider, which ntpd does not load",
            "idea-cbc" | "idea" | "rc5-cbc" => "it is not part of OpenSSL 3 as distributed",
            other
                if other.ends_with("-gcm")
                    || other.ends_with("-ccm")
                    || other.ends_with("-ctr")
                    || other.ends_with("-ocb") =>
            {
                "private key files (PBES2) take CBC ciphers only"
            }
            _ => "no such cipher",
        };
        let names: Vec<_> = Self::all().map(Self::name).collect();
        Err(Error::refused(
            format!("cipher {name:?}"),
            why,
            format!("use one of {}", names.join(", ")),
        ))
    }
}

impl Serialize for Cipher {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Cipher {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// How a private file is encrypted: the password of its host (`crypto pw`) and a cipher.
#[derive(Debug, Clone)]
pub struct Protection {
    /// The password; must not be empty.
    pub password: Secret,
    /// The cipher.
    pub cipher: Cipher,
    /// Rounds of PBKDF2 that turn the password into a key. ntpd reads any number.
    pub iterations: u32,
}

impl Protection {
    /// Rounds that cost an attacker something and a daemon's start some milliseconds. ntp-keygen uses 2048.
    pub const DEFAULT_ITERATIONS: u32 = 16_384;

    /// AES-256-CBC with the default number of rounds.
    ///
    /// # Errors
    /// Empty passwords, and those of more than 255 bytes or with control characters, which `crypto pw` cannot say.
    pub fn new(password: Secret) -> Result<Self> {
        let bytes = password.expose();
        let refuse = |why: &str| {
            Err(Error::refused(
                "password of private files",
                why,
                "use a password of 1 to 255 printable characters",
            ))
        };
        if bytes.is_empty() {
            return refuse("it is empty");
        }
        if bytes.len() > 255 || bytes.iter().any(u8::is_ascii_control) {
            return refuse("`crypto pw` in ntp.conf cannot hold it");
        }
        Ok(Self {
            password,
            cipher: Cipher::default(),
            iterations: Self::DEFAULT_ITERATIONS,
        })
    }

    /// The same with another cipher.
    #[must_use]
    pub fn with_cipher(self, cipher: Cipher) -> Self {
        Self { cipher, ..self }
    }

    /// The same with another number of rounds.
    #[must_use]
    pub fn with_iterations(self, iterations: u32) -> Self {
        Self {
            iterations: iterations.max(1),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_is_there_and_reads_its_name() {
        for cipher in Cipher::all() {
            assert_eq!(cipher.name().parse::<Cipher>().unwrap(), cipher);
            assert_eq!(Cipher::from_oid(cipher.oid()), Some(cipher));
            cipher.openssl().unwrap();
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        for (name, word) in [
            ("des-cbc", "legacy"),
            ("aes-256-gcm", "CBC"),
            ("idea-cbc", "not part"),
            ("x", "no such"),
        ] {
            let error = name.parse::<Cipher>().unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn refuses_passwords_the_daemon_cannot_be_given() {
        assert!(Protection::new("".into()).is_err());
        assert!(Protection::new("a\nb".into()).is_err());
        assert!(Protection::new("correct horse".into()).is_ok());
    }
}
