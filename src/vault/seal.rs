//! The data key, and sealing single values: AES-256-GCM under it, with the row's identity as associated data.
//!
//! A sealed value opens only in the row it was written for, and in a vault of the format it was written in: moved to another
//! row, another column or another vault it is refused like a changed one. Nonces are random; at 600 000 values for a full rotation of 100 000
//! hosts the 2^32 values that NIST SP 800-38D (section 8.3) allows under one key last for 7 000 such rotations.

use super::error::{Error, Result};
use crate::secret::Secret;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use zeroize::Zeroizing;

const NONCE: usize = 12;
const TAG: usize = 16;

/// The format that values are sealed for.
pub(super) const FORMAT: i32 = 3;

/// Length of the data key in bytes.
pub(super) const KEY_LEN: usize = 32;

/// The random key under which every value of a vault is sealed.
pub(super) struct DataKey {
    key: Zeroizing<[u8; KEY_LEN]>,
    /// The format that seals are bound to.
    format: i32,
}

impl DataKey {
    /// With a new random data key.
    pub(super) fn generate() -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        openssl::rand::rand_bytes(&mut *key).map_err(crypto)?;
        Ok(Self { key, format: FORMAT })
    }

    /// With this data key; `None` if it has another length.
    pub(super) fn from_key(key: &Secret) -> Option<Self> {
        let key = Zeroizing::new(key.expose().try_into().ok()?);
        Some(Self { key, format: FORMAT })
    }

    /// The same key for what was sealed before formats were part of it: in formats 1 and 2.
    pub(super) fn of_former_formats(self) -> Self {
        Self { format: 1, ..self }
    }

    /// A key for another purpose, which tells nothing of this one.
    pub(super) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        // One block of HMAC-SHA256 (as HKDF-Expand, RFC 5869) of a key that is uniform already.
        let mut pads = [Zeroizing::new([0x36; 64]), Zeroizing::new([0x5c; 64])];
        for pad in &mut pads {
            pad.iter_mut().zip(&*self.key).for_each(|(pad, key)| *pad ^= key);
        }
        let mut inner = openssl::sha::Sha256::new();
        inner.update(&*pads[0]);
        inner.update(purpose.as_bytes());
        inner.update(&[1]);
        let mut outer = openssl::sha::Sha256::new();
        outer.update(&*pads[1]);
        outer.update(&inner.finish());
        Zeroizing::new(outer.finish())
    }

    fn bound(&self, identity: &Identity) -> Vec<u8> {
        let mut bound = format!("keytrail vault {}", self.format).into_bytes();
        bound.extend_from_slice(&identity.0);
        bound
    }

    /// The data key, for sealing it to the vault's owners.
    pub(super) fn bytes(&self) -> &[u8] {
        &*self.key
    }

    /// `nonce ‖ ciphertext ‖ tag` of `value` for the row `identity`.
    pub(super) fn seal(&self, value: &[u8], identity: &Identity) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        openssl::rand::rand_bytes(&mut nonce).map_err(crypto)?;
        let mut tag = [0; TAG];
        let ciphertext = encrypt_aead(
            Cipher::aes_256_gcm(),
            &*self.key,
            Some(&nonce),
            &self.bound(identity),
            value,
            &mut tag,
        )
        .map_err(crypto)?;
        Ok([&nonce[..], &ciphertext, &tag].concat())
    }

    /// The value sealed for the row `identity`; `None` if these bytes were not written for it.
    pub(super) fn open(&self, sealed: &[u8], identity: &Identity) -> Option<Secret> {
        let (nonce, rest) = sealed.split_at_checked(NONCE)?;
        let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        decrypt_aead(
            Cipher::aes_256_gcm(),
            &*self.key,
            Some(nonce),
            &self.bound(identity),
            ciphertext,
            tag,
        )
        .ok()
        .map(Secret::new)
    }
}

/// What a row is: its table and every field that must not change. Fields are length-prefixed, so that no two
/// lists of fields have the same bytes.
pub(super) struct Identity(Vec<u8>);

impl Identity {
    /// Of a row in `table`.
    pub(super) fn new(table: &'static str) -> Self {
        let mut identity = Self(Vec::with_capacity(192));
        identity.push(table.as_bytes());
        identity
    }

    /// With one more field.
    pub(super) fn with(mut self, field: impl AsRef<[u8]>) -> Self {
        self.push(field.as_ref());
        self
    }

    /// With one more number, which may be absent.
    pub(super) fn with_number(self, number: impl Into<Option<i64>>) -> Self {
        match number.into() {
            Some(number) => self.with(number.to_be_bytes()),
            None => self.with([]),
        }
    }

    fn push(&mut self, field: &[u8]) {
        self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn crypto(error: openssl::error::ErrorStack) -> Error {
    Error::Crypto(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(table: &'static str, fields: &[&str]) -> Identity {
        fields.iter().fold(Identity::new(table), Identity::with)
    }

    proptest! {
        #[test]
        fn opens_what_it_sealed_and_nothing_else(
            value in prop::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>(), bit in 0..8u8
        ) {
            let data_key = DataKey::generate().unwrap();
            let mut sealed = data_key.seal(&value, &row("secrets", &["a", "b"])).unwrap();
            prop_assert_eq!(data_key.open(&sealed, &row("secrets", &["a", "b"])), Some(Secret::new(value)));
            prop_assert!(data_key.open(&sealed, &row("secrets", &["ab", ""])).is_none());
            prop_assert!(data_key.open(&sealed, &row("contents", &["a", "b"])).is_none());
            prop_assert!(DataKey::generate().unwrap().open(&sealed, &row("secrets", &["a", "b"])).is_none());
            let at = flip.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(data_key.open(&sealed, &row("secrets", &["a", "b"])).is_none());
            prop_assert!(data_key.open(&sealed[..at], &row("secrets", &["a", "b"])).is_none());
        }
    }

    #[test]
    fn seals_hold_in_one_format() {
        let key = || DataKey::from_key(&Secret::new(vec![7; KEY_LEN])).unwrap();
        let sealed = key().seal(b"x", &row("secrets", &[])).unwrap();
        assert!(key().open(&sealed, &row("secrets", &[])).is_some());
        assert!(
            key()
                .of_former_formats()
                .open(&sealed, &row("secrets", &[]))
                .is_none()
        );
        assert_ne!(key().derive("one"), key().derive("other"));
        assert_ne!(&*key().derive("one"), key().bytes());
    }

    #[test]
    fn absent_numbers_are_not_zero() {
        let data_key = DataKey::generate().unwrap();
        let sealed = data_key.seal(b"", &Identity::new("t").with_number(None)).unwrap();
        assert!(
            data_key
                .open(&sealed, &Identity::new("t").with_number(0))
                .is_none()
        );
    }
}
