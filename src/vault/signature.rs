//! The vault's own key pair (Ed25519): made with it, unchanged by a new data key, private half sealed inside.
//!
//! Recipients are public, so anybody can make a vault that its operators can open. They cannot make one whose head is
//! signed by the key that operators and hosts know.

use super::error::Result;
use super::seal::{DataKey, Identity, crypto};
use super::vault_id::VaultId;
use crate::secret::Secret;
use openssl::pkey::{Id, PKey, Private};
use openssl::sign::Signer as Signing;
use std::fmt;

/// Who can sign for a vault: its private key.
#[derive(Clone)]
pub struct Signer {
    key: PKey<Private>,
    id: VaultId,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.id)
    }
}

impl Signer {
    pub(super) fn generate() -> Result<Self> {
        let made = || {
            let key = PKey::generate_ed25519()?;
            let id = key.raw_public_key()?;
            Ok((key, id))
        };
        let (key, id) = made().map_err(crypto)?;
        Ok(Self {
            key,
            id: VaultId::from_bytes(&id).expect("32 bytes"),
        })
    }

    /// Which vault it signs for.
    pub fn id(&self) -> VaultId {
        self.id
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let sign = || Signing::new_without_digest(&self.key)?.sign_oneshot_to_vec(message);
        sign().map_err(crypto)
    }

    /// The private half, for the vault to keep.
    pub(super) fn seal(&self, data_key: &DataKey) -> Result<Vec<u8>> {
        let private = Secret::new(self.key.raw_private_key().map_err(crypto)?);
        data_key.seal(private.expose(), &row(&self.id))
    }

    /// From what the vault keeps; `None` where the two halves do not belong together.
    pub(super) fn open(id: VaultId, sealed: &[u8], data_key: &DataKey) -> Option<Self> {
        let private = data_key.open(sealed, &row(&id))?;
        let key = PKey::private_key_from_raw_bytes(private.expose(), Id::ED25519).ok()?;
        (key.raw_public_key().ok()?[..] == *id.bytes()).then_some(Self { key, id })
    }
}

fn row(id: &VaultId) -> Identity {
    Identity::new("identity").with(*id.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_for_itself_alone() {
        let (one, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let signature = one.sign(b"head").unwrap();
        assert!(one.id().signed(b"head", &signature));
        assert!(!one.id().signed(b"heads", &signature));
        assert!(!other.id().signed(b"head", &signature));
        assert!(!one.id().signed(b"head", b""));
        assert_eq!(one.id().hex().parse(), Ok(one.id()));
        assert!(one.id().to_string().starts_with("SHA256:"));
        assert!("x".parse::<VaultId>().is_err());

        let key = DataKey::generate().unwrap();
        let sealed = one.seal(&key).unwrap();
        assert_eq!(Signer::open(one.id(), &sealed, &key).unwrap().id(), one.id());
        assert!(
            Signer::open(other.id(), &sealed, &key).is_none(),
            "another's name on it"
        );
        assert!(Signer::open(one.id(), &sealed, &DataKey::generate().unwrap()).is_none());
    }
}
