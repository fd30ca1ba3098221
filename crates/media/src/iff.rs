//! IFF, the Schnorr scheme: RFC 5906, appendix D.
//!
//! The group has a prime p, a prime q dividing p - 1, and g of order q. The group key is b < q; clients hold
//! v = g^(q-b) mod p. To a challenge r the server answers y = k + b r mod q and x = g^k mod p for a fresh k; the client
//! tests g^y v^r = x mod p.
//!
//! As the daemon carries it out, x and y come in one message after r: whoever holds the client parameters can choose y and
//! compute an x that fits. The parameters are a secret of the group.

#![allow(clippy::many_single_char_names)] // p, q, g, b, v are the scheme's own names

use openssl::dsa::Dsa;

use super::{
    Dialect, Error, Result,
    cipher::Protection,
    number::Number,
    pem::PemBlock,
    pkcs8,
    private_key::{DsaNumbers, PrivateKey},
};

/// The group key, held by servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IffKey {
    parameters: IffParameters,
    b: Number,
}

/// What clients hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the scheme's own names
pub struct IffParameters {
    pub p: Number,
    pub q: Number,
    pub g: Number,
    pub v: Number,
}

/// A server's answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IffResponse {
    /// k + b r mod q.
    pub y: Number,
    /// g^k mod p; on the wire its digest.
    pub x: Number,
}

impl IffKey {
    /// Sizes of p in bits. ntp-keygen on OpenSSL 3 makes 512 to 2047 (measured).
    pub const BITS: std::ops::RangeInclusive<u32> = 512..=2048;
    /// The default size of p.
    pub const DEFAULT_BITS: u32 = 1024;

    /// Makes a group key. q fills its bytes (160 bits, or 256 for 2048), since the daemon writes challenges without
    /// leading zeros and fails on those that are short (measured).
    ///
    /// # Errors
    /// A size outside [`IffKey::BITS`].
    pub fn generate(bits: u32) -> Result<Self> {
        if !Self::BITS.contains(&bits) {
            return Err(Error::refused(
                format!("IFF group key of {bits} bits"),
                "OpenSSL 3 makes the DSA parameters it rests on from 512 bits up",
                "choose 1024",
            ));
        }
        loop {
            let dsa = Dsa::generate(bits).map_err(Error::openssl("generate IFF parameters"))?;
            let (p, q, g) = (
                Number::from(dsa.p()),
                Number::from(dsa.q()),
                Number::from(dsa.g()),
            );
            if q.fills_its_bytes() {
                let b = Number::random_below(&q)?;
                return Ok(Self::from_numbers(p, q, g, b));
            }
        }
    }

    fn from_numbers(p: Number, q: Number, g: Number, b: Number) -> Self {
        let v = g.pow_mod(&q.minus(&b.modulo(&q)), &p);
        Self {
            parameters: IffParameters { p, q, g, v },
            b,
        }
    }

    /// What the clients get.
    pub fn parameters(&self) -> &IffParameters {
        &self.parameters
    }

    /// The group key b.
    pub fn b(&self) -> &Number {
        &self.b
    }

    /// Checks parameters and key by the scheme's equations, and that the numbers have sizes the daemon copes with.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn prove(&self) -> Result<()> {
        let k = &self.parameters;
        k.prove()?;
        let unproven = |what| Error::Unproven {
            what,
            why: "server key and parameters do not belong together".into(),
        };
        if self.b.is_zero() || self.b >= k.q {
            return Err(unproven("0 < b < q"));
        }
        if !k.g.pow_mod(&self.b, &k.p).times_mod(&k.v, &k.p).is_one() {
            return Err(unproven("g^b v = 1 mod p"));
        }
        Ok(())
    }

    /// Answers a challenge.
    ///
    /// # Errors
    /// OpenSSL has no random numbers.
    pub fn respond(&self, challenge: &Number) -> Result<IffResponse> {
        let IffParameters { p, q, g, .. } = &self.parameters;
        let k = Number::random_below(q)?;
        let y = k.plus_mod(&self.b.times_mod(challenge, q), q);
        Ok(IffResponse {
            y,
            x: g.pow_mod(&k, p),
        })
    }

    /// The server key as a file's block: PKCS#8 in both dialects, for the server needs no public value.
    ///
    /// # Errors
    /// OpenSSL cannot encrypt.
    pub fn server_block(&self, protection: &Protection) -> Result<PemBlock> {
        pkcs8::encrypted_pkcs8_block(&self.container(), protection)
    }

    fn container(&self) -> PrivateKey {
        let IffParameters { p, q, g, v } = self.parameters.clone();
        PrivateKey::Dsa(DsaNumbers {
            p,
            q,
            g,
            public: Some(v),
            private: self.b.clone(),
        })
    }

    /// Reads a server key; v is computed, whatever the file says.
    ///
    /// # Errors
    /// Numbers that are no IFF key.
    pub fn from_container(key: &PrivateKey) -> Result<Self> {
        let DsaNumbers { p, q, g, private, .. } = key.dsa("an IFF key is")?;
        if !p.is_odd() || q.bits() < 2 || q >= p {
            return Err(Error::NotMedia(
                "the numbers p and q are not those of an IFF key".into(),
            ));
        }
        let read = Self::from_numbers(p.clone(), q.clone(), g.clone(), private.clone());
        read.prove()?;
        Ok(read)
    }
}

impl IffParameters {
    /// Checks the parameters for themselves.
    ///
    /// # Errors
    /// The first relation that does not hold.
    pub fn prove(&self) -> Result<()> {
        let Self { p, q, g, v } = self;
        let one = Number::one();
        let test = |holds: bool, what| {
            let why = "these are no IFF parameters".to_owned();
            if holds {
                Ok(())
            } else {
                Err(Error::Unproven { what, why })
            }
        };
        test(
            p.is_odd() && q.bits() > 1 && q < p && p.minus(&one).modulo(q).is_zero(),
            "q divides p - 1",
        )?;
        test(
            p.bits() <= 4096 && p.is_prime() && q.is_prime(),
            "p and q are prime",
        )?;
        test(*g > one && g < p && g.pow_mod(q, p).is_one(), "g^q = 1 mod p")?;
        test(*v > one && v < p && v.pow_mod(q, p).is_one(), "v^q = 1 mod p")
    }

    /// The client's test of an answer: g^y v^r = x mod p.
    pub fn verify(&self, challenge: &Number, response: &IffResponse) -> bool {
        let Self { p, g, v, .. } = self;
        g.pow_mod(&response.y, p).times_mod(&v.pow_mod(challenge, p), p) == response.x
    }

    /// The client parameters as a file's block, in clear as the daemon needs them. The current dialect uses the traditional
    /// form, which keeps v; PKCS#8, as ntp-keygen writes it, has no place for v, and what is read back is g.
    pub fn client_block(&self, dialect: Dialect) -> PemBlock {
        let Self { p, q, g, v } = self.clone();
        let key = PrivateKey::Dsa(DsaNumbers {
            p,
            q,
            g,
            public: Some(v),
            private: Number::one(),
        });
        match dialect {
            Dialect::Current => pkcs8::traditional_block(&key),
            Dialect::Documented => pkcs8::pkcs8_block(&key),
        }
    }

    /// Reads client parameters.
    ///
    /// # Errors
    /// PKCS#8, where v is lost; numbers that are no IFF parameters.
    pub fn from_container(key: &PrivateKey) -> Result<Self> {
        let DsaNumbers { p, q, g, public, .. } = key.dsa("IFF parameters are")?;
        let Some(v) = public.clone() else {
            return Err(lost_public_value("IFF client parameters", "v"));
        };
        let read = Self {
            p: p.clone(),
            q: q.clone(),
            g: g.clone(),
            v,
        };
        read.prove()?;
        Ok(read)
    }
}

pub(super) fn lost_public_value(what: &str, value: &str) -> Error {
    Error::refused(
        what,
        format!("the public value {value} is lost in PKCS#8, so this file can never authenticate"),
        "re-issue it in the current dialect (a traditional DSA PRIVATE KEY) from the group key",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use proptest::prelude::*;

    static KEY: LazyLock<IffKey> = LazyLock::new(|| IffKey::generate(512).unwrap());

    #[test]
    fn generated_keys_prove_and_fill_their_bytes() {
        KEY.prove().unwrap();
        assert!(KEY.parameters().q.bits() == 160 && KEY.parameters().p.fills_its_bytes());
        assert!(IffKey::generate(511).is_err());
    }

    #[test]
    fn clients_get_v_in_the_current_dialect_only() {
        let read = |dialect| {
            let block = KEY.parameters().client_block(dialect);
            IffParameters::from_container(&pkcs8::read(&block, None).unwrap().key)
        };
        assert_eq!(read(Dialect::Current).unwrap(), *KEY.parameters());
        assert!(
            read(Dialect::Documented)
                .unwrap_err()
                .to_string()
                .contains("lost in PKCS#8")
        );
    }

    #[test]
    fn servers_read_their_key_back() {
        let protection = Protection::new("pw".into()).unwrap();
        let block = KEY.server_block(&protection).unwrap();
        let read = pkcs8::read(&block, Some(&"pw".into())).unwrap();
        assert_eq!(IffKey::from_container(&read.key).unwrap(), *KEY);
    }

    /// A weakness of the exchange that users must know of; see docs/media.md.
    #[test]
    fn parameters_alone_answer_a_challenge_known_beforehand() {
        let IffParameters { p, q, g, v } = KEY.parameters();
        let (challenge, y) = (Number::random_below(q).unwrap(), Number::random_below(q).unwrap());
        let x = g.pow_mod(&y, p).times_mod(&v.pow_mod(&challenge, p), p);
        assert!(KEY.parameters().verify(&challenge, &IffResponse { y, x }));
    }

    proptest! {
        #[test]
        fn every_challenge_is_answered_and_forgeries_are_not(r in proptest::collection::vec(any::<u8>(), 20), wrong in 1u32..) {
            let challenge = Number::from_bytes(&r);
            let response = KEY.respond(&challenge).unwrap();
            prop_assert!(KEY.parameters().verify(&challenge, &response));
            let y = response.y.plus_mod(&Number::from(wrong), &KEY.parameters().q);
            let forged = IffResponse { y, x: response.x };
            prop_assert!(!KEY.parameters().verify(&challenge, &forged));
        }

        /// Over small groups: p = 2q + 1 with g = 4.
        #[test]
        fn holds_in_small_groups(pick in 0usize..5, b in 1u32.., r in any::<u32>()) {
            let p = [23u32, 47, 1019, 2039, 2_147_483_579][pick];
            let q = Number::from((p - 1) / 2);
            let b = Number::from(b).modulo(&q);
            prop_assume!(!b.is_zero());
            let key = IffKey::from_numbers(Number::from(p), q, Number::from(4), b);
            key.prove().unwrap();
            let challenge = Number::from(r);
            prop_assert!(key.parameters().verify(&challenge, &key.respond(&challenge).unwrap()));
        }
    }
}
