//! Signature schemes of certificates, under the names of the manual.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Refused;

/// Kinds of host and sign keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SignKeyKind")]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyAlgorithm {
    /// RSA.
    #[serde(alias = "rsa")]
    Rsa,
    /// DSA: on OpenSSL 3 only for sign keys of hosts that serve nobody; a server with one is refused by its clients
    /// (measured, error 105).
    #[serde(alias = "dsa")]
    Dsa,
}

impl KeyAlgorithm {
    /// `RSA` or `DSA`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Dsa => "DSA",
        }
    }
}

/// The message digest of a certificate signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the digests' own names
pub enum SignatureDigest {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Ripemd160,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

impl SignatureDigest {
    /// Every digest OpenSSL 3 still signs certificates with.
    pub const ALL: [Self; 11] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Ripemd160,
        Self::Sha3_224,
        Self::Sha3_256,
        Self::Sha3_384,
        Self::Sha3_512,
    ];

    /// The digest's name, as in `RSA-SHA256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha224 => "SHA224",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
            Self::Ripemd160 => "RIPEMD160",
            Self::Sha3_224 => "SHA3-224",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_384 => "SHA3-384",
            Self::Sha3_512 => "SHA3-512",
        }
    }

    /// Whether signatures with it no longer count as safe (NIST SP 800-131A): MD5, SHA1, RIPEMD160.
    pub fn is_weak(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1 | Self::Ripemd160)
    }

    /// Length of the digest in bits.
    fn bits(self) -> u32 {
        match self {
            Self::Md5 => 128,
            Self::Sha1 | Self::Ripemd160 => 160,
            Self::Sha224 | Self::Sha3_224 => 224,
            Self::Sha256 | Self::Sha3_256 => 256,
            Self::Sha384 | Self::Sha3_384 => 384,
            Self::Sha512 | Self::Sha3_512 => 512,
        }
    }
}

/// How a certificate is signed: key algorithm and digest, for example `RSA-SHA256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignatureScheme {
    /// The algorithm of the signing key.
    pub key: KeyAlgorithm,
    /// The digest.
    pub digest: SignatureDigest,
}

impl SignatureScheme {
    /// The default: `RSA-SHA256`.
    pub const RSA_SHA256: Self = Self {
        key: KeyAlgorithm::Rsa,
        digest: SignatureDigest::Sha256,
    };

    /// The name in the file name `ntpkey_<this>cert_HOST.STAMP`: OpenSSL's short name of the *RSA* signature
    /// with this digest, even where a DSA key signs (measured).
    pub fn short_name(self) -> &'static str {
        match self.digest {
            SignatureDigest::Md5 => "RSA-MD5",
            SignatureDigest::Sha1 => "RSA-SHA1",
            SignatureDigest::Sha224 => "RSA-SHA224",
            SignatureDigest::Sha256 => "RSA-SHA256",
            SignatureDigest::Sha384 => "RSA-SHA384",
            SignatureDigest::Sha512 => "RSA-SHA512",
            SignatureDigest::Ripemd160 => "RSA-RIPEMD160",
            SignatureDigest::Sha3_224 => "id-rsassa-pkcs1-v1_5-with-sha3-224",
            SignatureDigest::Sha3_256 => "id-rsassa-pkcs1-v1_5-with-sha3-256",
            SignatureDigest::Sha3_384 => "id-rsassa-pkcs1-v1_5-with-sha3-384",
            SignatureDigest::Sha3_512 => "id-rsassa-pkcs1-v1_5-with-sha3-512",
        }
    }

    /// The same digest under a key of another algorithm, which is what ntp-keygen makes of `-S DSA -c RSA-SHA1`.
    ///
    /// # Errors
    /// DSA signs certificates with SHA1, SHA224 and SHA256 only.
    pub fn with_key(self, key: KeyAlgorithm) -> Result<Self, Refused> {
        let possible = matches!(
            self.digest,
            SignatureDigest::Sha1 | SignatureDigest::Sha224 | SignatureDigest::Sha256
        );
        if key == KeyAlgorithm::Dsa && !possible {
            return Err(Refused::new(
                format!("scheme {self} with a DSA sign key"),
                "DSA signatures of certificates exist with SHA1, SHA224 and SHA256 only",
                "use DSA-SHA256, or an RSA sign key",
            ));
        }
        Ok(Self { key, ..self })
    }

    /// The smallest RSA modulus in bits that holds this signature: DigestInfo adds 15 to 19 bytes, padding 11.
    pub fn least_rsa_bits(self) -> u32 {
        self.digest.bits() + 8 * (19 + 11)
    }

    /// Whether an RSA key of `bits` can hold this signature (PKCS#1 v1.5 needs the digest, its name and padding).
    ///
    /// # Errors
    /// The digest is too big: ntp-keygen then writes no certificate and exits 0 (measured).
    pub fn check_rsa_bits(self, bits: u32) -> Result<(), Refused> {
        let needed = self.least_rsa_bits();
        if self.key == KeyAlgorithm::Rsa && bits < needed {
            return Err(Refused::new(
                format!("{self} with an RSA key of {bits} bits"),
                "the digest is too big for the key",
                format!(
                    "use a key of at least {} bits, or RSA-SHA256",
                    needed.next_multiple_of(256)
                ),
            ));
        }
        Ok(())
    }
}

impl fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.key.as_str(), self.digest.as_str())
    }
}

impl FromStr for SignatureScheme {
    type Err = Refused;

    /// Takes the manual's names (`RSA-MD5`, `DSA-SHA1`), OpenSSL's short names, and bare digests (`sha256`).
    fn from_str(name: &str) -> Result<Self, Refused> {
        let upper = name.to_ascii_uppercase();
        let (key, digest) = if let Some(rest) = upper.strip_prefix("RSA-") {
            (KeyAlgorithm::Rsa, rest)
        } else if let Some(rest) = upper.strip_prefix("DSA-").or(upper.strip_prefix("DSA_WITH_")) {
            (KeyAlgorithm::Dsa, rest)
        } else if let Some(rest) = upper.strip_prefix("ID-RSASSA-PKCS1-V1_5-WITH-") {
            (KeyAlgorithm::Rsa, rest)
        } else {
            (KeyAlgorithm::Rsa, upper.as_str())
        };
        let digest = match digest {
            // RSA-SHA1-2 is OpenSSL's other name for the same signature.
            "SHA1-2" => "SHA1",
            // The manual's DSA-SHA is DSA with SHA1, the only digest DSA had then; RSA-SHA was SHA-0.
            "SHA" if key == KeyAlgorithm::Dsa => "SHA1",
            other => other,
        };
        if let Some(digest) = SignatureDigest::ALL
            .into_iter()
            .find(|known| known.as_str() == digest)
        {
            return Self {
                key: KeyAlgorithm::Rsa,
                digest,
            }
            .with_key(key);
        }
        let gone = |why: &str| {
            Err(Refused::new(
                format!("signature scheme {name}"),
                why,
                "use RSA-SHA256",
            ))
        };
        match digest {
            "MD2" => gone("MD2 was removed from OpenSSL"),
            "MD4" => gone("OpenSSL 3 has MD4 only in its legacy provider"),
            "MDC2" => gone("OpenSSL 3 has MDC2 only in its legacy provider, and most builds leave it out"),
            "SHA" => gone("this is SHA-0, withdrawn in 1996 and removed from OpenSSL"),
            _ => Err(Refused::new(
                format!("signature scheme {name:?}"),
                "no such scheme",
                "use one of RSA-MD5, RSA-SHA1, RSA-SHA224, RSA-SHA256, RSA-SHA384, RSA-SHA512, RSA-RIPEMD160, \
                 RSA-SHA3-224, RSA-SHA3-256, RSA-SHA3-384, RSA-SHA3-512, DSA-SHA1, DSA-SHA224, DSA-SHA256",
            )),
        }
    }
}

impl Serialize for SignatureScheme {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SignatureScheme {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_manuals_names() {
        for (name, shown, short) in [
            ("RSA-MD5", "RSA-MD5", "RSA-MD5"),
            ("RSA-SHA1-2", "RSA-SHA1", "RSA-SHA1"),
            ("sha256", "RSA-SHA256", "RSA-SHA256"),
            (
                "RSA-SHA3-256",
                "RSA-SHA3-256",
                "id-rsassa-pkcs1-v1_5-with-sha3-256",
            ),
            ("DSA-SHA", "DSA-SHA1", "RSA-SHA1"),
            ("dsa_with_SHA256", "DSA-SHA256", "RSA-SHA256"),
        ] {
            let scheme: SignatureScheme = name.parse().unwrap();
            assert_eq!(
                (scheme.to_string().as_str(), scheme.short_name()),
                (shown, short),
                "{name}"
            );
            assert_eq!(scheme.to_string().parse::<SignatureScheme>().unwrap(), scheme);
        }
    }

    #[test]
    fn says_why_a_scheme_is_gone() {
        for (name, word) in [
            ("RSA-MD2", "removed"),
            ("RSA-MD4", "legacy"),
            ("RSA-MDC2", "legacy"),
            ("RSA-SHA", "SHA-0"),
            ("DSA-MD5", "SHA1"),
            ("ROT13", "no such"),
        ] {
            let error = name.parse::<SignatureScheme>().unwrap_err();
            assert!(error.to_string().contains(word), "{name}: {error}");
            assert!(!error.help.is_empty());
        }
    }

    #[test]
    fn knows_which_digest_fits_a_key() {
        let sha512: SignatureScheme = "RSA-SHA512".parse().unwrap();
        assert!(sha512.check_rsa_bits(512).is_err());
        assert!(sha512.check_rsa_bits(1024).is_ok());
        assert!(SignatureScheme::RSA_SHA256.check_rsa_bits(512).is_ok());
    }
}
