//! Opening private key containers: every form ntpd and ntp-keygen ever wrote or read with OpenSSL 3.

use openssl::symm;
use zeroize::Zeroizing;

use super::{
    Container, DSA_ENCRYPTION, Encryption, HMAC_ARC, PBES2, PBKDF2, Prf, RSA_ENCRYPTION, legacy_key, pbkdf2,
};
use crate::{
    Error, Result,
    cipher::{self, Cipher},
    der::{Reader, dotted, tag},
    number::Number,
    pem::PemBlock,
    private_key::{DsaNumbers, PrivateKey, RsaNumbers},
};
use keytrail_vocabulary::Secret;

/// A file that asks for more rounds than this is there to waste time.
const MAX_ITERATIONS: u32 = 10_000_000;

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
                    let cipher = cipher::openssl(cipher)?;
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
        return Err(place.error(format!("algorithm {} is neither RSA nor DSA", dotted(oid))));
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
        let cipher = cipher::from_oid(oid)
            .ok_or_else(|| place.error(format!("cipher {} cannot be read by OpenSSL 3", dotted(oid))))?;
        let iv = scheme.octets("the initialisation vector")?;
        if Some(iv.len()) != cipher::openssl(cipher)?.iv_len() {
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
        let cipher = cipher::openssl(self.cipher)?;
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
    let length = cipher::openssl(cipher)?.iv_len().unwrap_or(0);
    let iv = (iv.len() == 2 * length)
        .then(|| Number::from_hex(iv))
        .flatten()
        .and_then(|number| number.to_bytes_padded(length))
        .ok_or_else(|| wrong(format!("should hold {} hexadecimal digits", 2 * length)))?;
    Ok((cipher, iv.to_vec()))
}
