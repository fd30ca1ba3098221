//! Private key containers in PEM: PKCS#8 and the traditional forms, plain and encrypted.
//!
//! What ntp-keygen writes is encrypted PKCS#8 (PBES2). PKCS#8 drops a DSA key's public value, which is why most
//! identity media of the stock generator never authenticate; the traditional `DSA PRIVATE KEY` keeps it.

use openssl::{hash::MessageDigest, pkcs5, symm};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    Error, Result,
    cipher::{Cipher, Protection},
    der::{Reader, Writer, tag},
    number::Number,
    pem::PemBlock,
    private_key::{DsaNumbers, PrivateKey, RsaNumbers},
};
use crate::secret::Secret;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const DSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// 1.2.840.113549.2: the arc of the HMAC functions; 7 is SHA1, 9 SHA256.
const HMAC_ARC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
/// A file that asks for more rounds than this is there to waste time.
const MAX_ITERATIONS: u32 = 10_000_000;

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

// ---- writing

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
    let cipher = protection.cipher.openssl()?;
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
    let scheme = Writer::new().oid(protection.cipher.oid()).octets(&iv);
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
    let cipher = protection.cipher.openssl()?;
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

// ---- reading

/// A private key read from a block, and how it was kept there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadKey {
    /// The numbers.
    pub key: PrivateKey,
    /// The container it came from.
    pub container: Container,
    /// How it was encrypted.
    pub encryption: Option<Encryption>,
}

/// How a block is encrypted, without opening it. `None`: it is not.
///
/// # Errors
/// A form or cipher that OpenSSL 3 does not read either.
pub fn encryption(block: &PemBlock) -> Result<Option<Encryption>> {
    if block.label == "ENCRYPTED PRIVATE KEY" {
        return Ok(Some(Sealed::read(block.content.expose())?.encryption()));
    }
    match block.header("Proc-Type") {
        Some(kind) if kind.ends_with("ENCRYPTED") => Ok(Some(Encryption::Traditional {
            cipher: dek_info(block)?.0,
        })),
        _ => Ok(None),
    }
}

/// Reads the private key of a block.
///
/// # Errors
/// Another kind of block, damage, a missing or wrong password.
pub fn read(block: &PemBlock, password: Option<&Secret>) -> Result<ReadKey> {
    let encryption = encryption(block)?;
    let opened;
    let der: &[u8] = match encryption {
        None => block.content.expose(),
        Some(encryption) => {
            let password = password.ok_or(Error::PasswordNeeded)?;
            opened = match encryption {
                Encryption::Pbes2 { .. } => Sealed::read(block.content.expose())?.open(password)?,
                Encryption::Traditional { cipher } => {
                    let (_, iv) = dek_info(block)?;
                    let cipher = cipher.openssl()?;
                    decrypt(
                        cipher,
                        &legacy_key(password, &iv, cipher)?,
                        &iv,
                        block.content.expose(),
                    )?
                }
            };
            &opened
        }
    };
    // A wrong password passes the padding check once in 256 times; what comes out is no DER then.
    let (container, key) = parse(&block.label, der).map_err(|error| match (encryption, error) {
        (Some(_), Error::Der { offset: 0..=3, .. }) => Error::WrongPassword,
        (_, error) => error,
    })?;
    Ok(ReadKey {
        key,
        container,
        encryption,
    })
}

fn parse(label: &str, der: &[u8]) -> Result<(Container, PrivateKey)> {
    let mut reader = Reader::new(der);
    let key = match label {
        "RSA PRIVATE KEY" => (
            Container::Traditional,
            PrivateKey::Rsa(RsaNumbers::read(&mut reader)?),
        ),
        "DSA PRIVATE KEY" => (
            Container::Traditional,
            PrivateKey::Dsa(DsaNumbers::read(&mut reader)?),
        ),
        "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => (Container::Pkcs8, private_key_info(&mut reader)?),
        other => {
            return Err(Error::NotMedia(format!(
                "a block of {other} holds no private key"
            )));
        }
    };
    reader.end("the private key")?;
    Ok(key)
}

fn private_key_info(reader: &mut Reader<'_>) -> Result<PrivateKey> {
    let mut info = reader.sequence("PrivateKeyInfo")?;
    info.small("the version")?;
    let mut algorithm = info.sequence("the algorithm")?;
    let place = algorithm.clone();
    let oid = algorithm.oid("the algorithm's identifier")?;
    let is_dsa = oid == DSA_ENCRYPTION;
    if !is_dsa && oid != RSA_ENCRYPTION {
        return Err(place.error(format!(
            "algorithm {} is neither RSA nor DSA",
            super::der::dotted(oid)
        )));
    }
    let mut inner = info.element(tag::OCTET_STRING, "the private key")?;
    if info.peek() == Some(tag::CONTEXT_0) {
        info.element(tag::CONTEXT_0, "attributes")?;
    }
    info.end("PrivateKeyInfo")?;
    let key = if is_dsa {
        let mut parameters = algorithm.sequence("the DSA parameters")?;
        PrivateKey::Dsa(DsaNumbers {
            p: parameters.integer("p")?,
            q: parameters.integer("q")?,
            g: parameters.integer("g")?,
            public: None,
            private: inner.integer("the private value")?,
        })
    } else {
        PrivateKey::Rsa(RsaNumbers::read(&mut inner)?)
    };
    inner.end("the private key")?;
    Ok(key)
}

/// `EncryptedPrivateKeyInfo` under PBES2.
struct Sealed<'a> {
    salt: &'a [u8],
    iv: &'a [u8],
    data: &'a [u8],
    cipher: Cipher,
    prf: Prf,
    iterations: u32,
}

impl<'a> Sealed<'a> {
    fn read(der: &'a [u8]) -> Result<Self> {
        let mut outer = Reader::new(der);
        let mut info = outer.sequence("EncryptedPrivateKeyInfo")?;
        outer.end("EncryptedPrivateKeyInfo")?;
        let mut algorithm = info.sequence("the encryption algorithm")?;
        let data = info.octets("the encrypted data")?;
        info.end("EncryptedPrivateKeyInfo")?;
        let place = algorithm.clone();
        if algorithm.oid("the encryption scheme")? != PBES2 {
            return Err(place.error("this is not PBES2; older schemes (PBE with MD5, RC2 …) are not read"));
        }
        let mut parameters = algorithm.sequence("the PBES2 parameters")?;
        let mut kdf = parameters.sequence("the key derivation")?;
        let place = kdf.clone();
        if kdf.oid("the key derivation function")? != PBKDF2 {
            return Err(place.error("the key derivation is not PBKDF2"));
        }
        let mut kdf = kdf.sequence("the PBKDF2 parameters")?;
        let salt = kdf.octets("the salt")?;
        let place = kdf.clone();
        let iterations = kdf.small("the number of rounds")?;
        if iterations == 0 || iterations > MAX_ITERATIONS {
            return Err(place.error(format!(
                "{iterations} rounds of PBKDF2 (read are 1 to {MAX_ITERATIONS})"
            )));
        }
        if kdf.peek() == Some(tag::INTEGER) {
            kdf.small("the key length")?;
        }
        let prf = if kdf.is_empty() {
            Prf::Sha1
        } else {
            Self::prf(&mut kdf)?
        };
        let mut scheme = parameters.sequence("the cipher")?;
        let place = scheme.clone();
        let oid = scheme.oid("the cipher's identifier")?;
        let cipher = Cipher::from_oid(oid).ok_or_else(|| {
            place.error(format!(
                "cipher {} cannot be read by OpenSSL 3",
                super::der::dotted(oid)
            ))
        })?;
        let iv = scheme.octets("the initialisation vector")?;
        if Some(iv.len()) != cipher.openssl()?.iv_len() {
            return Err(scheme.error(format!(
                "an initialisation vector of {} bytes does not fit {cipher}",
                iv.len()
            )));
        }
        Ok(Self {
            salt,
            iv,
            data,
            cipher,
            prf,
            iterations,
        })
    }

    fn encryption(&self) -> Encryption {
        Encryption::Pbes2 {
            cipher: self.cipher,
            prf: self.prf,
            iterations: self.iterations,
        }
    }

    fn prf(kdf: &mut Reader<'_>) -> Result<Prf> {
        let mut prf = kdf.sequence("the pseudo-random function")?;
        let place = prf.clone();
        match prf.oid("the pseudo-random function")?.strip_prefix(HMAC_ARC) {
            Some([7]) => Ok(Prf::Sha1),
            Some([8]) => Ok(Prf::Sha224),
            Some([9]) => Ok(Prf::Sha256),
            Some([10]) => Ok(Prf::Sha384),
            Some([11]) => Ok(Prf::Sha512),
            _ => Err(place.error("unknown pseudo-random function")),
        }
    }

    fn open(&self, password: &Secret) -> Result<Zeroizing<Vec<u8>>> {
        let cipher = self.cipher.openssl()?;
        let key = pbkdf2(password, self.salt, self.iterations, self.prf, cipher)?;
        decrypt(cipher, &key, self.iv, self.data)
    }
}

fn decrypt(cipher: symm::Cipher, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    symm::decrypt(cipher, key, Some(iv), data)
        .map(Zeroizing::new)
        .map_err(|_| Error::WrongPassword)
}

/// Cipher and initialisation vector of `DEK-Info: AES-256-CBC,0011…`.
fn dek_info(block: &PemBlock) -> Result<(Cipher, Vec<u8>)> {
    let wrong = |what: String| Error::NotMedia(format!("the block's DEK-Info line {what}"));
    let value = block
        .header("DEK-Info")
        .ok_or_else(|| wrong("is missing".into()))?;
    let (cipher, iv) = value
        .split_once(',')
        .ok_or_else(|| wrong("has no initialisation vector".into()))?;
    let cipher: Cipher = cipher
        .parse()
        .map_err(|error| wrong(format!("names a cipher that cannot be read: {error}")))?;
    let length = cipher.openssl()?.iv_len().unwrap_or(0);
    let iv = (iv.len() == 2 * length)
        .then(|| Number::from_hex(iv))
        .flatten()
        .and_then(|number| number.to_bytes_padded(length))
        .ok_or_else(|| wrong(format!("should hold {} hexadecimal digits", 2 * length)))?;
    Ok((cipher, iv.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for cipher in Cipher::all() {
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
        let key = crate::media::host_key::rsa_numbers(&rsa);
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
