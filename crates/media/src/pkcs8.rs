//! Private key containers in PEM: PKCS#8 and the traditional forms, plain and encrypted.
//!
//! What ntp-keygen writes is encrypted PKCS#8 (PBES2). PKCS#8 drops a DSA key's public value, which is why most
//! identity media of the stock generator never authenticate; the traditional `DSA PRIVATE KEY` keeps it.

use openssl::{hash::MessageDigest, pkcs5, symm};
use serde::Serialize;
use zeroize::Zeroizing;

mod read;

use super::{
    Error, Result,
    cipher::{self, Cipher, Protection},
    der::Writer,
    pem::PemBlock,
    private_key::PrivateKey,
};
use keytrail_vocabulary::Secret;
pub use read::{ReadKey, encryption, read};

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const DSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// 1.2.840.113549.2: the arc of the HMAC functions; 7 is SHA1, 9 SHA256.
const HMAC_ARC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];

/// The pseudo-random function of PBKDF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Prf {
    /// HMAC-SHA1: the default where the structure names none, as older OpenSSL wrote it.
    #[serde(rename = "hmac-sha1")]
    Sha1,
    /// HMAC-SHA224.
    #[serde(rename = "hmac-sha224")]
    Sha224,
    /// HMAC-SHA256: what OpenSSL writes today.
    #[serde(rename = "hmac-sha256")]
    Sha256,
    /// HMAC-SHA384.
    #[serde(rename = "hmac-sha384")]
    Sha384,
    /// HMAC-SHA512.
    #[serde(rename = "hmac-sha512")]
    Sha512,
}

impl Prf {
    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha224 => MessageDigest::sha224(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// How a block that was read is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "form", rename_all = "lowercase")]
pub enum Encryption {
    /// PKCS#8 with PBES2.
    Pbes2 {
        /// The cipher.
        cipher: Cipher,
        /// The pseudo-random function.
        prf: Prf,
        /// Rounds.
        iterations: u32,
    },
    /// Traditional PEM with `Proc-Type: 4,ENCRYPTED`: one round of MD5 makes the key.
    Traditional {
        /// The cipher.
        cipher: Cipher,
    },
}

/// Which container a private key was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// `PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`: a DSA key's public value is not in it.
    Pkcs8,
    /// `RSA PRIVATE KEY`, `DSA PRIVATE KEY`.
    Traditional,
}

/// The labels of blocks that hold private keys.
pub const LABELS: [&str; 4] = [
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "RSA PRIVATE KEY",
    "DSA PRIVATE KEY",
];

/// PKCS#8 `PrivateKeyInfo`.
pub fn pkcs8_der(key: &PrivateKey) -> Zeroizing<Vec<u8>> {
    let (algorithm, inner) = match key {
        PrivateKey::Rsa(rsa) => (Writer::new().oid(RSA_ENCRYPTION).null(), rsa.to_der()),
        PrivateKey::Dsa(dsa) => (
            Writer::new().oid(DSA_ENCRYPTION).sequence(&dsa.parameters()),
            Writer::new().integer(&dsa.private).finish(),
        ),
    };
    Writer::new()
        .sequence(&Writer::new().small(0).sequence(&algorithm).octets(&inner))
        .finish()
}

/// `PRIVATE KEY`: PKCS#8, not encrypted.
pub fn pkcs8_block(key: &PrivateKey) -> PemBlock {
    PemBlock::new("PRIVATE KEY", secret(pkcs8_der(key)))
}

/// `ENCRYPTED PRIVATE KEY`: PKCS#8 under PBES2 with PBKDF2, HMAC-SHA256 and an 8-byte salt, as OpenSSL 3 writes it.
pub fn encrypted_pkcs8_block(key: &PrivateKey, protection: &Protection) -> Result<PemBlock> {
    let plain = pkcs8_der(key);
    let cipher = cipher::openssl(protection.cipher)?;
    let mut salt = [0; 8];
    let mut iv = vec![0; cipher.iv_len().unwrap_or(0)];
    openssl::rand::rand_bytes(&mut salt).map_err(Error::openssl("draw a salt"))?;
    openssl::rand::rand_bytes(&mut iv).map_err(Error::openssl("draw an initialisation vector"))?;
    let derived = pbkdf2(
        &protection.password,
        &salt,
        protection.iterations,
        Prf::Sha256,
        cipher,
    )?;
    let sealed = symm::encrypt(cipher, &derived, Some(&iv), &plain)
        .map_err(Error::openssl("encrypt a private key"))?;

    let prf = [HMAC_ARC, &[9]].concat();
    let kdf = Writer::new()
        .octets(&salt)
        .small(protection.iterations)
        .sequence(&Writer::new().oid(&prf).null());
    let kdf = Writer::new().oid(PBKDF2).sequence(&kdf);
    let scheme = Writer::new().oid(cipher::oid(protection.cipher)).octets(&iv);
    let parameters = Writer::new().sequence(&kdf).sequence(&scheme);
    let algorithm = Writer::new().oid(PBES2).sequence(&parameters);
    let der = Writer::new()
        .sequence(&Writer::new().sequence(&algorithm).octets(&sealed))
        .finish();
    Ok(PemBlock::new("ENCRYPTED PRIVATE KEY", secret(der)))
}

fn traditional(key: &PrivateKey) -> (&'static str, Zeroizing<Vec<u8>>) {
    match key {
        PrivateKey::Rsa(rsa) => ("RSA PRIVATE KEY", rsa.to_der()),
        PrivateKey::Dsa(dsa) => ("DSA PRIVATE KEY", dsa.to_der()),
    }
}

/// `RSA PRIVATE KEY` or `DSA PRIVATE KEY`, not encrypted.
pub fn traditional_block(key: &PrivateKey) -> PemBlock {
    let (label, der) = traditional(key);
    PemBlock::new(label, secret(der))
}

/// The traditional form with `Proc-Type: 4,ENCRYPTED`. Its key derivation is one round of MD5, so the
/// password must carry the strength; it is the only encrypted form that keeps a DSA key's public value.
pub fn encrypted_traditional_block(key: &PrivateKey, protection: &Protection) -> Result<PemBlock> {
    let (label, plain) = traditional(key);
    let cipher = cipher::openssl(protection.cipher)?;
    let mut iv = vec![0; cipher.iv_len().unwrap_or(0)];
    openssl::rand::rand_bytes(&mut iv).map_err(Error::openssl("draw an initialisation vector"))?;
    let derived = legacy_key(&protection.password, &iv, cipher)?;
    let sealed = symm::encrypt(cipher, &derived, Some(&iv), &plain)
        .map_err(Error::openssl("encrypt a private key"))?;
    let iv_hex = iv
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
    let mut block = PemBlock::new(label, Secret::new(sealed));
    block.headers = vec![
        ("Proc-Type".into(), "4,ENCRYPTED".into()),
        (
            "DEK-Info".into(),
            format!("{},{iv_hex}", protection.cipher.name().to_ascii_uppercase()),
        ),
    ];
    Ok(block)
}

fn secret(der: Zeroizing<Vec<u8>>) -> Secret {
    let mut der = der;
    Secret::new(std::mem::take(&mut *der))
}

fn pbkdf2(
    password: &Secret,
    salt: &[u8],
    rounds: u32,
    prf: Prf,
    cipher: symm::Cipher,
) -> Result<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
    pkcs5::pbkdf2_hmac(password.expose(), salt, rounds as usize, prf.digest(), &mut key)
        .map_err(Error::openssl("derive a key from the password"))?;
    Ok(key)
}

/// `EVP_BytesToKey` with MD5, one round, the first 8 bytes of the initialisation vector as salt.
fn legacy_key(password: &Secret, iv: &[u8], cipher: symm::Cipher) -> Result<Zeroizing<Vec<u8>>> {
    let salt = iv.get(..8);
    let pair = pkcs5::bytes_to_key(cipher, MessageDigest::md5(), password.expose(), salt, 1)
        .map_err(Error::openssl("derive a key from the password"))?;
    Ok(Zeroizing::new(pair.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{number::Number, private_key::DsaNumbers};

    fn key() -> PrivateKey {
        let number = |v: u32| Number::from(v);
        PrivateKey::Dsa(DsaNumbers {
            p: number(1019),
            q: number(509),
            g: number(4),
            public: Some(number(77)),
            private: number(5),
        })
    }

    fn protection(cipher: Cipher) -> Protection {
        Protection::new("pass".into())
            .unwrap()
            .with_cipher(cipher)
            .with_iterations(10)
    }

    #[test]
    fn only_the_traditional_form_keeps_the_public_value() {
        let PrivateKey::Dsa(numbers) = key() else {
            unreachable!()
        };
        let lost = PrivateKey::Dsa(DsaNumbers {
            public: None,
            ..numbers
        });
        assert_eq!(read(&pkcs8_block(&key()), None).unwrap().key, lost);
        assert_eq!(read(&traditional_block(&key()), None).unwrap().key, key());
    }

    #[test]
    fn every_cipher_round_trips_and_wants_its_password() {
        let password = Secret::from("pass");
        for cipher in Cipher::ALL {
            let sealed = encrypted_pkcs8_block(&key(), &protection(cipher)).unwrap();
            let read_back = read(&sealed, Some(&password)).unwrap();
            let expected = Encryption::Pbes2 {
                cipher,
                prf: Prf::Sha256,
                iterations: 10,
            };
            assert_eq!(read_back.encryption, Some(expected));
            let kept = encrypted_traditional_block(&key(), &protection(cipher)).unwrap();
            assert_eq!(read(&kept, Some(&password)).unwrap().key, key());
            for block in [sealed, kept] {
                assert!(matches!(read(&block, None), Err(Error::PasswordNeeded)));
                assert!(read(&block, Some(&"wrong".into())).is_err());
            }
        }
    }

    #[test]
    fn openssl_reads_what_is_written() {
        let rsa = openssl::rsa::Rsa::generate(512).unwrap();
        let key = crate::host_key::rsa_numbers(&rsa);
        let key = PrivateKey::Rsa(key);
        for block in [
            encrypted_pkcs8_block(&key, &protection(Cipher::Aes256Cbc)).unwrap(),
            encrypted_traditional_block(&key, &protection(Cipher::Aria192Cbc)).unwrap(),
        ] {
            let mut text = Zeroizing::new(String::new());
            block.render(&mut text);
            let read =
                openssl::pkey::PKey::private_key_from_pem_passphrase(text.as_bytes(), b"pass").unwrap();
            assert_eq!(read.rsa().unwrap().d(), rsa.d());
        }
    }
}
