//! Ciphers for private files.

use crate::Refused;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

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

impl Cipher {
    /// Every cipher that can be chosen.
    pub const ALL: [Self; 10] = [
        Self::DesEde3Cbc,
        Self::Aes128Cbc,
        Self::Aes192Cbc,
        Self::Aes256Cbc,
        Self::Camellia128Cbc,
        Self::Camellia192Cbc,
        Self::Camellia256Cbc,
        Self::Aria128Cbc,
        Self::Aria192Cbc,
        Self::Aria256Cbc,
    ];

    /// Whether it is AES, which is all that FIPS 140 approves of among these for new data.
    pub fn is_aes(self) -> bool {
        matches!(self, Self::Aes128Cbc | Self::Aes192Cbc | Self::Aes256Cbc)
    }

    /// OpenSSL's name, as for ntp-keygen's `-C`.
    pub fn name(self) -> &'static str {
        match self {
            Self::DesEde3Cbc => "des-ede3-cbc",
            Self::Aes128Cbc => "aes-128-cbc",
            Self::Aes192Cbc => "aes-192-cbc",
            Self::Aes256Cbc => "aes-256-cbc",
            Self::Camellia128Cbc => "camellia-128-cbc",
            Self::Camellia192Cbc => "camellia-192-cbc",
            Self::Camellia256Cbc => "camellia-256-cbc",
            Self::Aria128Cbc => "aria-128-cbc",
            Self::Aria192Cbc => "aria-192-cbc",
            Self::Aria256Cbc => "aria-256-cbc",
        }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Cipher {
    type Err = Refused;

    /// Takes OpenSSL's names in any case. What OpenSSL 3 cannot encrypt private keys with is refused here,
    /// before anything is written: ntp-keygen writes an empty file instead, and exits 0 (measured).
    fn from_str(name: &str) -> Result<Self, Refused> {
        let lower = name.to_ascii_lowercase();
        if let Some(known) = Self::ALL.into_iter().find(|known| known.name() == lower) {
            return Ok(known);
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
        let names: Vec<_> = Self::ALL.into_iter().map(Self::name).collect();
        Err(Refused::new(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_names() {
        for cipher in Cipher::ALL {
            assert_eq!(cipher.name().parse::<Cipher>(), Ok(cipher));
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
}
