//! Types of symmetric keys: their names in manuals and daemons, and which daemon has which.

use crate::{Implementation, Refused};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What the key is used with: a digest over key and packet, or AES-CMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the algorithms' own names
pub enum KeyType {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_256,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
    Ripemd160,
    Blake2s256,
    Sm3,
    Aes128Cmac,
    Aes192Cmac,
    Aes256Cmac,
}

impl KeyType {
    /// Every type some daemon knows.
    pub const ALL: [Self; 17] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha512_256,
        Self::Sha3_224,
        Self::Sha3_256,
        Self::Sha3_384,
        Self::Sha3_512,
        Self::Ripemd160,
        Self::Blake2s256,
        Self::Sm3,
        Self::Aes128Cmac,
        Self::Aes192Cmac,
        Self::Aes256Cmac,
    ];

    /// The name in inventories and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha224 => "SHA224",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
            Self::Sha512_256 => "SHA512-256",
            Self::Sha3_224 => "SHA3-224",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_384 => "SHA3-384",
            Self::Sha3_512 => "SHA3-512",
            Self::Ripemd160 => "RIPEMD160",
            Self::Blake2s256 => "BLAKE2s256",
            Self::Sm3 => "SM3",
            Self::Aes128Cmac => "AES-128-CMAC",
            Self::Aes192Cmac => "AES-192-CMAC",
            Self::Aes256Cmac => "AES-256-CMAC",
        }
    }

    /// The key length in bytes that the algorithm demands; digests take any.
    pub fn exact_length(self) -> Option<usize> {
        match self {
            Self::Aes128Cmac => Some(16),
            Self::Aes192Cmac => Some(24),
            Self::Aes256Cmac => Some(32),
            _ => None,
        }
    }

    /// The length of generated keys. 20 bytes make 40 hexadecimal digits, which no daemon takes for text.
    pub fn generated_length(self) -> usize {
        self.exact_length().unwrap_or(20)
    }

    /// Whether the code on the wire is longer than 20 bytes before ntpd cuts it. A chrony client then needs
    /// `version 4` on its server line towards ntpd (measured).
    pub fn needs_version_4_from_chrony(self) -> bool {
        !matches!(
            self,
            Self::Md5 | Self::Sha1 | Self::Ripemd160 | Self::Aes128Cmac | Self::Aes192Cmac | Self::Aes256Cmac
        )
    }

    /// The type by any name a daemon or manual has for it, in any case.
    fn from_name(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let known = Self::ALL
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(&upper));
        known.or_else(|| {
            Some(match upper.as_str() {
                "M" => Self::Md5,
                "SHA" | "SHA-1" => Self::Sha1,
                "SHA-224" => Self::Sha224,
                "SHA-256" | "SHA2-256" => Self::Sha256,
                "SHA-384" | "SHA2-384" => Self::Sha384,
                "SHA-512" | "SHA2-512" => Self::Sha512,
                "RMD160" => Self::Ripemd160,
                "AES" | "AES128" | "AES-128" | "AES128CMAC" | "CMAC" | "AES-CMAC" => Self::Aes128Cmac,
                "AES192" | "AES-192" | "AES192CMAC" => Self::Aes192Cmac,
                "AES256" | "AES-256" | "AES256CMAC" => Self::Aes256Cmac,
                _ => return None,
            })
        })
    }

    /// How this daemon names this type in its key file; `None` if it does not have it.
    pub fn name_for(self, daemon: Implementation) -> Option<&'static str> {
        use Implementation::{Chrony, NtpOrg, Ntpsec, Openvms};
        match (self, daemon) {
            (Self::Md5, Openvms) => Some("M"),
            (Self::Aes128Cmac, NtpOrg) => Some("AES128CMAC"),
            (Self::Aes128Cmac, Ntpsec) => Some("AES-128"),
            (Self::Aes192Cmac, Ntpsec) => Some("AES-192"),
            (Self::Aes256Cmac, Ntpsec) => Some("AES-256"),
            (Self::Aes128Cmac, Chrony) => Some("AES128"),
            (Self::Aes256Cmac, Chrony) => Some("AES256"),
            (_, Openvms)
            | (Self::Aes192Cmac, _)
            | (Self::Aes256Cmac | Self::Blake2s256, NtpOrg)
            | (Self::Sha224 | Self::Sha512_256 | Self::Ripemd160 | Self::Blake2s256 | Self::Sm3, Chrony) => {
                None
            }
            _ => Some(self.as_str()),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyType {
    type Err = Refused;

    /// Takes the names of all daemons and manuals, in any case.
    fn from_str(name: &str) -> Result<Self, Refused> {
        Self::from_name(name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.into_iter().map(Self::as_str).collect();
            Refused::new(
                format!("key type {name:?}"),
                "no NTP daemon has it",
                format!(
                    "use one of {}; AES-128-CMAC is the one all daemons share",
                    names.join(", ")
                ),
            )
        })
    }
}

impl Serialize for KeyType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for KeyType {
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
    fn knows_the_names_of_all_daemons() {
        for kind in KeyType::ALL {
            assert_eq!(kind.as_str().parse::<KeyType>().unwrap(), kind);
        }
        for name in ["AES", "aes128", "AES-128", "AES128CMAC", "cmac"] {
            assert_eq!(name.parse::<KeyType>().unwrap(), KeyType::Aes128Cmac);
        }
        assert!(
            "TIGER"
                .parse::<KeyType>()
                .unwrap_err()
                .help
                .contains("AES-128-CMAC")
        );
    }
}
