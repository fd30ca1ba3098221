//! Host keys and sign keys: what a host signs with, and RSA's part in the cookie exchange.

use openssl::{
    dsa::Dsa,
    pkey::{PKey, Private},
    rsa::{Rsa, RsaPrivateKeyBuilder},
};

use super::{
    Error, KeyAlgorithm, Result,
    cipher::Protection,
    number::Number,
    pem::PemBlock,
    pkcs8,
    private_key::{DsaNumbers, PrivateKey, RsaNumbers},
};
use keytrail_vocabulary::Secret;

/// An RSA key: every host has one as its host key, some a second one as their sign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaKey(RsaNumbers);

/// A DSA key, usable as the sign key of a host that serves nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DsaKey(DsaNumbers);

/// The key a host signs its certificate with: its host key, or a sign key of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignKey {
    /// RSA.
    Rsa(RsaKey),
    /// DSA.
    Dsa(DsaKey),
}

impl RsaKey {
    /// Sizes in bits that can be made; 512 to 4096 were seen to authenticate (measured).
    pub const BITS: std::ops::RangeInclusive<u32> = 512..=4096;
    /// The default size.
    pub const DEFAULT_BITS: u32 = 2048;

    /// Makes a key with the public exponent 65537.
    ///
    /// # Errors
    /// A size outside [`RsaKey::BITS`].
    pub fn generate(bits: u32) -> Result<Self> {
        if !Self::BITS.contains(&bits) {
            return Err(Error::refused(
                format!("RSA key of {bits} bits"),
                "OpenSSL 3 makes none below 512 bits, and larger ones than 4096 were never seen to authenticate",
                "choose 2048",
            ));
        }
        let rsa = Rsa::generate(bits).map_err(Error::openssl("generate an RSA key"))?;
        Ok(Self(rsa_numbers(&rsa)))
    }

    /// Size of the modulus in bits.
    pub fn bits(&self) -> u32 {
        self.0.n.bits()
    }

    /// The public modulus.
    pub fn modulus(&self) -> &Number {
        &self.0.n
    }

    /// The numbers.
    pub fn numbers(&self) -> &RsaNumbers {
        &self.0
    }

    fn pkey(&self) -> Result<PKey<Private>> {
        let k = &self.0;
        let build = || {
            let rsa = RsaPrivateKeyBuilder::new(k.n.to_bn(), k.e.to_bn(), k.d.to_bn())?
                .set_factors(k.p.to_bn(), k.q.to_bn())?
                .set_crt_params(k.dmp1.to_bn(), k.dmq1.to_bn(), k.iqmp.to_bn())?
                .build();
            PKey::from_rsa(rsa)
        };
        build().map_err(Error::openssl("load an RSA key"))
    }
}

impl DsaKey {
    /// Sizes in bits ntp-keygen can make with OpenSSL 3 (measured), here with 2048 in addition.
    pub const BITS: std::ops::RangeInclusive<u32> = 512..=2048;

    /// Makes a key.
    ///
    /// # Errors
    /// A size outside [`DsaKey::BITS`].
    pub fn generate(bits: u32) -> Result<Self> {
        if !Self::BITS.contains(&bits) {
            return Err(Error::refused(
                format!("DSA key of {bits} bits"),
                "OpenSSL 3 makes none below 512 bits, and ntp-keygen none above 2048",
                "choose 1024, or an RSA sign key",
            ));
        }
        let dsa = Dsa::generate(bits).map_err(Error::openssl("generate a DSA key"))?;
        Ok(Self(DsaNumbers {
            p: dsa.p().into(),
            q: dsa.q().into(),
            g: dsa.g().into(),
            public: Some(dsa.pub_key().into()),
            private: dsa.priv_key().into(),
        }))
    }

    /// The numbers.
    pub fn numbers(&self) -> &DsaNumbers {
        &self.0
    }

    fn pkey(&self) -> Result<PKey<Private>> {
        let k = &self.0;
        let public = k.public.clone().unwrap_or_else(|| k.g.pow_mod(&k.private, &k.p));
        let dsa = Dsa::from_private_components(
            k.p.to_bn(),
            k.q.to_bn(),
            k.g.to_bn(),
            k.private.to_bn(),
            public.to_bn(),
        );
        dsa.and_then(PKey::from_dsa)
            .map_err(Error::openssl("load a DSA key"))
    }
}

impl SignKey {
    /// The algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Rsa(_) => KeyAlgorithm::Rsa,
            Self::Dsa(_) => KeyAlgorithm::Dsa,
        }
    }

    /// Size in bits.
    pub fn bits(&self) -> u32 {
        match self {
            Self::Rsa(key) => key.bits(),
            Self::Dsa(key) => key.0.p.bits(),
        }
    }

    /// The key as ntpd reads it: PKCS#8, encrypted.
    pub fn block(&self, protection: &Protection) -> Result<PemBlock> {
        pkcs8::encrypted_pkcs8_block(&self.container(), protection)
    }

    /// The key as a container of numbers.
    pub fn container(&self) -> PrivateKey {
        match self {
            Self::Rsa(key) => PrivateKey::Rsa(key.0.clone()),
            Self::Dsa(key) => PrivateKey::Dsa(key.0.clone()),
        }
    }

    /// Takes the numbers of a container that was read, after checking that they are a working key.
    ///
    /// # Errors
    /// Numbers that are no RSA or DSA key (identity keys, for instance).
    pub fn from_container(key: &PrivateKey) -> Result<Self> {
        let key = match key {
            PrivateKey::Rsa(rsa) => Self::Rsa(RsaKey(rsa.clone())),
            PrivateKey::Dsa(dsa) => Self::Dsa(DsaKey(dsa.clone())),
        };
        key.prove()?;
        Ok(key)
    }

    /// Checks that the numbers form a key: RSA's relations between n, e, d, p, q; DSA's between p, q, g and the values.
    ///
    /// # Errors
    /// The first relation that does not hold.
    pub fn prove(&self) -> Result<()> {
        let unproven = |what| Error::Unproven {
            what,
            why: "this is no working key".into(),
        };
        let test = |holds: bool, what| if holds { Ok(()) } else { Err(unproven(what)) };
        match self {
            Self::Rsa(RsaKey(k)) => {
                let one = Number::one();
                test(k.p > one && k.q > one && k.n == k.p.times(&k.q), "n = p q")?;
                test(
                    k.n.is_odd() && k.e > one && k.e.bits() <= 64,
                    "e is a small exponent",
                )?;
                for prime in [&k.p, &k.q] {
                    let product = k.e.times_mod(&k.d, &prime.minus(&one));
                    test(
                        product == one.modulo(&prime.minus(&one)),
                        "e d = 1 mod p - 1 and q - 1",
                    )?;
                }
                Ok(())
            }
            Self::Dsa(DsaKey(k)) => {
                test(k.p.is_odd() && k.q.bits() > 1 && k.p > k.q, "q < p")?;
                test(
                    k.p.minus(&Number::one()).modulo(&k.q).is_zero(),
                    "q divides p - 1",
                )?;
                test(
                    k.g > Number::one() && k.g.pow_mod(&k.q, &k.p).is_one(),
                    "g^q = 1 mod p",
                )?;
                test(!k.private.is_zero() && k.private < k.q, "0 < private < q")?;
                let public = k.g.pow_mod(&k.private, &k.p);
                test(
                    k.public.as_ref().is_none_or(|given| *given == public),
                    "public = g^private mod p",
                )
            }
        }
    }

    /// The private key for the vault: PKCS#8.
    pub fn to_vault_bytes(&self) -> Secret {
        Secret::new(pkcs8::pkcs8_der(&self.container()).to_vec())
    }

    /// Reads [`SignKey::to_vault_bytes`].
    ///
    /// # Errors
    /// Damage.
    pub fn from_vault_bytes(bytes: &Secret) -> Result<Self> {
        let block = PemBlock::new("PRIVATE KEY", bytes.clone());
        Self::from_container(&pkcs8::read(&block, None)?.key)
    }

    pub(super) fn pkey(&self) -> Result<PKey<Private>> {
        match self {
            Self::Rsa(key) => key.pkey(),
            Self::Dsa(key) => key.pkey(),
        }
    }
}

impl From<RsaKey> for SignKey {
    fn from(key: RsaKey) -> Self {
        Self::Rsa(key)
    }
}

impl From<DsaKey> for SignKey {
    fn from(key: DsaKey) -> Self {
        Self::Dsa(key)
    }
}

/// The numbers of an OpenSSL key; all present in a key OpenSSL made itself.
pub(super) fn rsa_numbers(rsa: &Rsa<Private>) -> RsaNumbers {
    const COMPLETE: &str = "a generated key has all its numbers";
    RsaNumbers {
        n: rsa.n().into(),
        e: rsa.e().into(),
        d: rsa.d().into(),
        p: rsa.p().expect(COMPLETE).into(),
        q: rsa.q().expect(COMPLETE).into(),
        dmp1: rsa.dmp1().expect(COMPLETE).into(),
        dmq1: rsa.dmq1().expect(COMPLETE).into(),
        iqmp: rsa.iqmp().expect(COMPLETE).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_keys_that_prove() {
        let rsa: SignKey = RsaKey::generate(512).unwrap().into();
        let dsa: SignKey = DsaKey::generate(512).unwrap().into();
        for key in [rsa, dsa] {
            key.prove().unwrap();
            let back = SignKey::from_vault_bytes(&key.to_vault_bytes()).unwrap();
            assert_eq!((back.algorithm(), back.bits()), (key.algorithm(), 512));
            back.pkey().unwrap();
        }
    }

    #[test]
    fn refuses_sizes_and_broken_numbers() {
        assert!(RsaKey::generate(256).is_err());
        assert!(RsaKey::generate(8192).is_err());
        assert!(DsaKey::generate(511).is_err());
        let mut numbers = RsaKey::generate(512).unwrap().0;
        numbers.d = numbers.d.plus(&Number::one());
        assert!(SignKey::from_container(&PrivateKey::Rsa(numbers)).is_err());
    }
}
