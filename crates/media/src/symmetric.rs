//! Symmetric keys: what a message authentication code is made with.
//!
//! One key means the same bytes everywhere; how it is spelled differs from daemon to daemon, see [`super::key_file`].

use std::{fmt, net::IpAddr, str::FromStr};

use zeroize::Zeroizing;

use super::{Error, Result, number::Number};
pub use keytrail_vocabulary::KeyType;
use keytrail_vocabulary::Secret;

/// Addresses a key is accepted from: `192.0.2.0/24` or a single address. Only ntp.org knows such lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    /// The address.
    pub address: IpAddr,
    /// Prefix length; `None` is a single address.
    pub bits: Option<u8>,
}

impl FromStr for Subnet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let parse = || {
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = match bits {
                Some(bits) => Some(bits.parse().ok().filter(|bits| *bits <= most)?),
                None => None,
            };
            Some(Self { address, bits })
        };
        parse().ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            let help = "write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32";
            Error::refused(
                format!("address {shown:?}"),
                "this is no IP address or subnet",
                help,
            )
        })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        self.bits.map_or(Ok(()), |bits| write!(f, "/{bits}"))
    }
}

/// A symmetric key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymmetricKey {
    /// 1 to 65535; 65534 is the most that manuals name, 15 on OpenVMS.
    pub id: u16,
    /// What it is used with.
    pub kind: KeyType,
    /// The key's bytes.
    pub secret: Secret,
    /// Addresses it is accepted from; empty: from all.
    pub restrict: Vec<Subnet>,
}

impl SymmetricKey {
    /// A key of random bytes.
    ///
    /// # Errors
    /// Id 0, or no random numbers.
    pub fn generate(id: u16, kind: KeyType) -> Result<Self> {
        let mut bytes = Zeroizing::new(vec![0; kind.generated_length()]);
        openssl::rand::rand_bytes(&mut bytes).map_err(Error::openssl("draw a key"))?;
        Self::new(id, kind, Secret::new(std::mem::take(&mut *bytes)))
    }

    /// A key of random printable characters, from `!` to `~` without `#`, as ntp-keygen makes for MD5, and without `"`, which
    /// ends a word for ntpq. All that OpenVMS reads.
    ///
    /// # Errors
    /// As [`SymmetricKey::new`].
    pub fn generate_text(id: u16, kind: KeyType, length: usize) -> Result<Self> {
        let alphabet: Vec<u8> = (b'!'..=b'~').filter(|c| !b"\"#".contains(c)).collect();
        let limit = Number::from(u32::try_from(alphabet.len()).expect("fewer than 100 characters") + 1);
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        while text.len() < length {
            let index = Number::random_below(&limit)?.to_bytes()[0];
            text.push(alphabet[usize::from(index) - 1]);
            // Chance must not spell a prefix that chrony reads as something else.
            if text.as_slice() == b"HEX:" || text.as_slice() == b"ASCII:" {
                text.clear();
            }
        }
        Self::new(id, kind, Secret::new(std::mem::take(&mut *text)))
    }

    /// A key given as bytes.
    ///
    /// # Errors
    /// Id 0; an empty key; an AES key that has not exactly the algorithm's length, which daemons cut or pad differently.
    pub fn new(id: u16, kind: KeyType, secret: Secret) -> Result<Self> {
        let help = "choose an id from 1 to 65534";
        if id == 0 {
            return Err(Error::refused(
                "symmetric key 0",
                "NTP reserves id 0 for packets without a key",
                help,
            ));
        }
        if secret.is_empty() {
            return Err(Error::refused(
                format!("symmetric key {id}"),
                "it is empty",
                "leave the value out to have it generated",
            ));
        }
        if let Some(length) = kind.exact_length().filter(|length| *length != secret.len()) {
            return Err(Error::refused(
                format!("symmetric key {id}"),
                format!(
                    "{kind} takes {length} bytes, this key has {}; daemons cut or pad such keys differently",
                    secret.len()
                ),
                format!(
                    "give exactly {} hexadecimal digits, or leave the value out to have it generated",
                    2 * length
                ),
            ));
        }
        Ok(Self {
            id,
            kind,
            secret,
            restrict: Vec::new(),
        })
    }

    /// A key as people write it: `HEX:` or `ASCII:` in front says which; otherwise up to 20 characters are text, and
    /// more are hexadecimal digits, as in ntp.org's key file.
    ///
    /// # Errors
    /// As [`SymmetricKey::new`]; digits that are not hexadecimal, or an odd number of them.
    pub fn given(id: u16, kind: KeyType, value: &Secret) -> Result<Self> {
        let wrong = |why: &str| {
            let help = "give an even number of hexadecimal digits after HEX:, or text after ASCII:";
            Error::refused(format!("symmetric key {id}"), why, help)
        };
        let text = value
            .expose_str()
            .ok_or_else(|| wrong("its value is not text"))?
            .trim_end_matches(['\r', '\n']);
        let secret = if let Some(text) = text.strip_prefix("ASCII:") {
            Secret::from(text)
        } else if let Some(digits) = text.strip_prefix("HEX:") {
            from_hex(digits)
                .ok_or_else(|| wrong("what follows HEX: is not an even number of hexadecimal digits"))?
        } else if text.chars().count() > 20 {
            from_hex(text).ok_or_else(|| {
                wrong("a value of more than 20 characters is read as hexadecimal, and this is not")
            })?
        } else {
            Secret::from(text)
        };
        Self::new(id, kind, secret)
    }

    /// Restricts the key to these addresses.
    #[must_use]
    pub fn restricted_to(self, restrict: Vec<Subnet>) -> Self {
        Self { restrict, ..self }
    }

    /// The twenty keys of `ntp-keygen -M`: ids 1 to 10 MD5 with 20 characters, 11 to 20 SHA1 with 20 bytes.
    ///
    /// # Errors
    /// No random numbers.
    pub fn generate_twenty() -> Result<Vec<Self>> {
        let md5 = (1..=10).map(|id| Self::generate_text(id, KeyType::Md5, 20));
        md5.chain((11..=20).map(|id| Self::generate(id, KeyType::Sha1)))
            .collect()
    }
}

/// Bytes from an even number of hexadecimal digits.
pub(super) fn from_hex(digits: &str) -> Option<Secret> {
    let even = digits.len().is_multiple_of(2) && !digits.is_empty();
    let bytes = even
        .then(|| Number::from_hex(digits).filter(|_| !digits.starts_with("0x")))
        .flatten()?;
    bytes
        .to_bytes_padded(digits.len() / 2)
        .map(|mut bytes| Secret::new(std::mem::take(&mut *bytes)))
}

/// Lower-case hexadecimal digits, two for each byte.
pub(super) fn to_hex(bytes: &[u8]) -> Zeroizing<String> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_values_as_people_write_them() {
        let bytes = |kind, value: &str| {
            SymmetricKey::given(7, kind, &value.into()).map(|key| key.secret.expose().to_vec())
        };
        assert_eq!(bytes(KeyType::Md5, "tulip").unwrap(), b"tulip");
        assert_eq!(bytes(KeyType::Md5, "ASCII:tulip").unwrap(), b"tulip");
        assert_eq!(bytes(KeyType::Md5, "HEX:00ff").unwrap(), [0, 255]);
        assert_eq!(
            bytes(KeyType::Aes128Cmac, "00112233445566778899aabbccddeeff")
                .unwrap()
                .len(),
            16
        );
        for (kind, value) in [
            (KeyType::Md5, ""),
            (KeyType::Md5, "HEX:0ff"),
            (KeyType::Md5, "HEX:0x12"),
            (KeyType::Md5, "twenty-one characters"),
            (KeyType::Aes128Cmac, "short"),
        ] {
            assert!(bytes(kind, value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn generates_what_every_daemon_takes() {
        for kind in KeyType::ALL {
            assert_eq!(
                SymmetricKey::generate(1, kind).unwrap().secret.len(),
                kind.generated_length()
            );
        }
        let twenty = SymmetricKey::generate_twenty().unwrap();
        assert_eq!(
            twenty.iter().map(|key| key.id).collect::<Vec<_>>(),
            (1..=20).collect::<Vec<_>>()
        );
        assert!(twenty[..10].iter().all(|key| {
            key.secret
                .expose()
                .iter()
                .all(|c| c.is_ascii_graphic() && *c != b'#')
        }));
    }

    #[test]
    fn reads_addresses() {
        for text in ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32"] {
            assert_eq!(text.parse::<Subnet>().unwrap().to_string(), text);
        }
        for text in ["", "host", "192.0.2.0/33", "192.0.2.0/", "::/129"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn hexadecimal_round_trips(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Some(Secret::new(bytes)));
        }
    }
}
