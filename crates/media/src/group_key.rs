//! A secure group's key in any of the identity schemes, behind one face.

use std::collections::BTreeSet;

use super::{
    Dialect, Error, GroupScheme, Result,
    cipher::Protection,
    der::{Reader, Writer},
    gq::GqKey,
    iff::IffKey,
    mv::MvAuthority,
    number::Number,
    pem::PemBlock,
    private_key::{DsaNumbers, PrivateKey, RsaNumbers},
};
use keytrail_vocabulary::Secret;

/// The group key, as the trusted agent holds it: everything server keys and client parameters are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupKey {
    /// IFF.
    Iff(IffKey),
    /// GQ.
    Gq(GqKey),
    /// MV.
    Mv(MvAuthority),
}

impl GroupKey {
    /// The size used when none is asked for.
    pub fn default_bits(scheme: GroupScheme) -> u32 {
        match scheme {
            GroupScheme::Iff => IffKey::DEFAULT_BITS,
            GroupScheme::Gq => GqKey::DEFAULT_BITS,
            GroupScheme::Mv => MvAuthority::DEFAULT_BITS,
        }
    }

    /// Makes a group key. `clients` is the number of client keys of MV and means nothing to the others.
    ///
    /// # Errors
    /// Sizes the scheme or the daemon cannot take; see the schemes' own functions.
    pub fn generate(scheme: GroupScheme, bits: u32, clients: usize) -> Result<Self> {
        Ok(match scheme {
            GroupScheme::Iff => Self::Iff(IffKey::generate(bits)?),
            GroupScheme::Gq => Self::Gq(GqKey::generate(bits)?),
            GroupScheme::Mv => Self::Mv(MvAuthority::generate(bits, clients)?),
        })
    }

    /// The scheme.
    pub fn scheme(&self) -> GroupScheme {
        match self {
            Self::Iff(_) => GroupScheme::Iff,
            Self::Gq(_) => GroupScheme::Gq,
            Self::Mv(_) => GroupScheme::Mv,
        }
    }

    /// Size of the modulus in bits.
    pub fn bits(&self) -> u32 {
        match self {
            Self::Iff(key) => key.parameters().p.bits(),
            Self::Gq(key) => key.parameters().n.bits(),
            Self::Mv(key) => key.modulus().bits(),
        }
    }

    /// Checks the numbers by the scheme's equations.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn prove(&self) -> Result<()> {
        match self {
            Self::Iff(key) => key.prove(),
            Self::Gq(key) => key.prove(),
            Self::Mv(key) => key.prove(),
        }
    }

    /// What certificates of the group's servers must carry: GQ's v.
    pub fn certificate_value(&self) -> Option<&Number> {
        match self {
            Self::Gq(key) => Some(key.public_value()),
            Self::Iff(_) | Self::Mv(_) => None,
        }
    }

    /// The server key for one host, encrypted for it. `revoked` holds the numbers of MV clients to shut out and means
    /// nothing to the others.
    ///
    /// # Errors
    /// An unknown MV client, or OpenSSL cannot encrypt.
    pub fn server_block(
        &self,
        protection: &Protection,
        dialect: Dialect,
        revoked: &BTreeSet<usize>,
    ) -> Result<PemBlock> {
        match self {
            Self::Iff(key) => key.server_block(protection),
            Self::Gq(key) => key.server_block(protection, dialect),
            Self::Mv(key) => key.server(revoked)?.server_block(protection, dialect),
        }
    }

    /// The client parameters. `client` is the number of the MV client key and means nothing to the others.
    ///
    /// # Errors
    /// An unknown MV client.
    pub fn client_block(&self, dialect: Dialect, client: usize) -> Result<PemBlock> {
        Ok(match self {
            Self::Iff(key) => key.parameters().client_block(dialect),
            Self::Gq(key) => key.parameters().client_block(dialect),
            Self::Mv(key) => key.client(client)?.client_block(dialect),
        })
    }

    /// The blocks of the file that ntp-keygen keeps at the trusted agent: `IFFkey`, `GQkey`, `MVta`.
    ///
    /// # Errors
    /// OpenSSL cannot encrypt.
    pub fn authority_blocks(&self, protection: &Protection, dialect: Dialect) -> Result<Vec<PemBlock>> {
        match self {
            Self::Iff(key) => Ok(vec![key.server_block(protection)?]),
            Self::Gq(key) => Ok(vec![key.server_block(protection, dialect)?]),
            Self::Mv(key) => key.authority_blocks(protection, dialect),
        }
    }

    /// Reads the containers of such a file.
    ///
    /// # Errors
    /// Numbers that are no group key of this scheme, or an MV authority in PKCS#8, where half of it is lost.
    pub fn from_containers(scheme: GroupScheme, keys: &[PrivateKey]) -> Result<Self> {
        let first = || {
            keys.first()
                .ok_or_else(|| Error::NotMedia("the file holds no key".into()))
        };
        Ok(match scheme {
            GroupScheme::Iff => Self::Iff(IffKey::from_container(first()?)?),
            GroupScheme::Gq => Self::Gq(GqKey::from_container(first()?)?.0),
            GroupScheme::Mv => Self::Mv(MvAuthority::from_containers(keys)?),
        })
    }

    /// All numbers, for the vault.
    pub fn to_vault_bytes(&self) -> Secret {
        let numbers: Vec<&Number> = match self {
            Self::Iff(key) => vec![
                &key.parameters().p,
                &key.parameters().q,
                &key.parameters().g,
                key.b(),
            ],
            Self::Gq(key) => vec![&key.parameters().n, &key.parameters().b, key.u()],
            Self::Mv(key) => key.numbers(),
        };
        let start = Writer::new().octets(self.scheme().lower().as_bytes());
        let inner = numbers.into_iter().fold(start, Writer::integer);
        Secret::new(Writer::new().sequence(&inner).finish().to_vec())
    }

    /// Reads [`GroupKey::to_vault_bytes`] and proves the numbers.
    ///
    /// # Errors
    /// Damage.
    pub fn from_vault_bytes(bytes: &Secret) -> Result<Self> {
        let mut outer = Reader::new(bytes.expose());
        let mut inner = outer.sequence("the group key")?;
        outer.end("the group key")?;
        let place = inner.clone();
        let word = inner.octets("the scheme")?;
        let scheme = GroupScheme::ALL
            .into_iter()
            .find(|scheme| scheme.lower().as_bytes() == word);
        let scheme = scheme.ok_or_else(|| place.error("an unknown identity scheme"))?;
        let mut numbers = Vec::new();
        while !inner.is_empty() {
            numbers.push(inner.integer("a number of the group key")?);
        }
        if scheme == GroupScheme::Mv {
            return MvAuthority::from_numbers(numbers).map(Self::Mv);
        }
        let container = match (scheme, <[Number; 4]>::try_from(numbers)) {
            (GroupScheme::Iff, Ok([p, q, g, private])) => PrivateKey::Dsa(DsaNumbers {
                p,
                q,
                g,
                public: None,
                private,
            }),
            (GroupScheme::Gq, Err(numbers)) => {
                let [n, b, u] =
                    <[Number; 3]>::try_from(numbers).map_err(|_| place.error("not the numbers of GQ"))?;
                let one = Number::one;
                PrivateKey::Rsa(RsaNumbers {
                    n,
                    e: u,
                    d: b,
                    p: one(),
                    q: one(),
                    dmp1: one(),
                    dmq1: one(),
                    iqmp: one(),
                })
            }
            _ => return Err(place.error("not the numbers of this scheme")),
        };
        Self::from_containers(scheme, &[container])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_survives_the_vault() {
        for (scheme, bits) in [
            (GroupScheme::Iff, 512),
            (GroupScheme::Gq, 512),
            (GroupScheme::Mv, 256),
        ] {
            let key = GroupKey::generate(scheme, bits, 2).unwrap();
            let bytes = key.to_vault_bytes();
            assert_eq!(GroupKey::from_vault_bytes(&bytes).unwrap(), key);
            assert_eq!((key.scheme(), key.bits()), (scheme, bits));
            for cut in [0, 1, 10, bytes.len() - 1] {
                assert!(GroupKey::from_vault_bytes(&Secret::new(&bytes.expose()[..cut])).is_err());
            }
        }
    }

    #[test]
    fn every_scheme_reads_its_own_authority_file() {
        let protection = Protection::new("pw".into()).unwrap();
        for (scheme, bits) in [
            (GroupScheme::Iff, 512),
            (GroupScheme::Gq, 512),
            (GroupScheme::Mv, 256),
        ] {
            let key = GroupKey::generate(scheme, bits, 2).unwrap();
            let blocks = key.authority_blocks(&protection, Dialect::Current).unwrap();
            let read = |block| Ok(super::super::pkcs8::read(block, Some(&"pw".into()))?.key);
            let keys: Vec<PrivateKey> = blocks.iter().map(read).collect::<Result<_>>().unwrap();
            assert_eq!(GroupKey::from_containers(scheme, &keys).unwrap(), key);
        }
    }
}
