//! Ciphers for private files: OpenSSL's implementation, the object identifier, and what else encryption takes.

use openssl::{nid::Nid, symm};

use crate::{Error, Result};
pub use keytrail_vocabulary::Cipher;
use keytrail_vocabulary::Secret;

/// The content bytes of every cipher's object identifier.
const IDENTIFIERS: [(Cipher, &[u8]); 10] = [
    (Cipher::DesEde3Cbc, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7]),
    (Cipher::Aes128Cbc, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2]),
    (Cipher::Aes192Cbc, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22]),
    (Cipher::Aes256Cbc, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42]),
    (
        Cipher::Camellia128Cbc,
        &[0x2a, 0x83, 8, 0x8c, 0x9a, 0x4b, 0x3d, 1, 1, 1, 2],
    ),
    (
        Cipher::Camellia192Cbc,
        &[0x2a, 0x83, 8, 0x8c, 0x9a, 0x4b, 0x3d, 1, 1, 1, 3],
    ),
    (
        Cipher::Camellia256Cbc,
        &[0x2a, 0x83, 8, 0x8c, 0x9a, 0x4b, 0x3d, 1, 1, 1, 4],
    ),
    (Cipher::Aria128Cbc, &[0x2a, 0x83, 0x1a, 0x8c, 0x9a, 0x6e, 1, 1, 2]),
    (Cipher::Aria192Cbc, &[0x2a, 0x83, 0x1a, 0x8c, 0x9a, 0x6e, 1, 1, 7]),
    (
        Cipher::Aria256Cbc,
        &[0x2a, 0x83, 0x1a, 0x8c, 0x9a, 0x6e, 1, 1, 12],
    ),
];

/// Content bytes of the object identifier.
pub(crate) fn oid(cipher: Cipher) -> &'static [u8] {
    let row = IDENTIFIERS.into_iter().find(|row| row.0 == cipher);
    row.expect("the table holds every cipher").1
}

/// The cipher with this object identifier.
pub(crate) fn from_oid(oid: &[u8]) -> Option<Cipher> {
    IDENTIFIERS.into_iter().find(|row| row.1 == oid).map(|row| row.0)
}

/// OpenSSL's implementation.
///
/// # Errors
/// The OpenSSL at hand was built without it.
pub(crate) fn openssl(cipher: Cipher) -> Result<symm::Cipher> {
    let found = match cipher {
        Cipher::DesEde3Cbc => Some(symm::Cipher::des_ede3_cbc()),
        Cipher::Aes128Cbc => Some(symm::Cipher::aes_128_cbc()),
        Cipher::Aes192Cbc => Some(symm::Cipher::aes_192_cbc()),
        Cipher::Aes256Cbc => Some(symm::Cipher::aes_256_cbc()),
        Cipher::Camellia128Cbc => symm::Cipher::from_nid(Nid::CAMELLIA_128_CBC),
        Cipher::Camellia192Cbc => symm::Cipher::from_nid(Nid::CAMELLIA_192_CBC),
        Cipher::Camellia256Cbc => symm::Cipher::from_nid(Nid::CAMELLIA_256_CBC),
        // No constants in the bindings; the numbers are OpenSSL's NID_aria_*_cbc.
        Cipher::Aria128Cbc => symm::Cipher::from_nid(Nid::from_raw(1066)),
        Cipher::Aria192Cbc => symm::Cipher::from_nid(Nid::from_raw(1071)),
        Cipher::Aria256Cbc => symm::Cipher::from_nid(Nid::from_raw(1076)),
    };
    found.ok_or_else(|| {
        Error::refused(
            format!("cipher {cipher}"),
            "the OpenSSL of this machine was built without it",
            "use aes-256-cbc",
        )
    })
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
    fn every_cipher_is_there() {
        for cipher in Cipher::ALL {
            assert_eq!(from_oid(oid(cipher)), Some(cipher));
            openssl(cipher).unwrap();
        }
    }

    #[test]
    fn refuses_passwords_the_daemon_cannot_be_given() {
        assert!(Protection::new("".into()).is_err());
        assert!(Protection::new("a\nb".into()).is_err());
        assert!(Protection::new("correct horse".into()).is_ok());
    }
}
