//! GQ, the Guillou-Quisquater scheme: RFC 5906, appendix E.
//!
//! The group has an RSA modulus n whose factors are forgotten, and an exponent b. The group key is u; the public
//! value v = (u^-1)^b mod n stands in the trusted host's certificate. To a challenge r the server answers y = k u^r and
//! x = k^b mod n for a fresh k; the client tests v^r y^b = x mod n. As with IFF, who holds the client parameters can pass for a
//! server, since x is not sent before r.

use openssl::rsa::Rsa;

use super::{
    Dialect, Error, Result,
    cipher::Protection,
    number::Number,
    pem::PemBlock,
    pkcs8,
    private_key::{PrivateKey, RsaNumbers},
};

/// The largest modulus. v stands in the certificate as an OCTET STRING whose header the daemon takes to be two bytes,
/// which holds up to 127 bytes of content (measured: 1008 bits pass, 1024 always fail with error 114).
pub const MAX_BITS: u32 = 1016;

/// The group key, held by servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GqKey {
    parameters: GqParameters,
    u: Number,
    v: Number,
}

/// What clients hold; v they take from the trusted host's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the scheme's own names
pub struct GqParameters {
    pub n: Number,
    pub b: Number,
}

/// A server's answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GqResponse {
    /// k u^r mod n.
    pub y: Number,
    /// k^b mod n; on the wire its digest.
    pub x: Number,
}

impl GqKey {
    /// The default size of n.
    pub const DEFAULT_BITS: u32 = 1008;

    /// Makes a group key. n fills its bytes, since the daemon writes challenges without leading zeros and fails on
    /// those that are short (measured); b is prime, so that no challenge shares a factor with it.
    ///
    /// # Errors
    /// Sizes other than multiples of 8 from 512 to 1016.
    pub fn generate(bits: u32) -> Result<Self> {
        if !(512..=MAX_BITS).contains(&bits) || !bits.is_multiple_of(8) {
            return Err(Error::refused(
                format!("GQ group key of {bits} bits"),
                "OpenSSL 3 makes moduli from 512 bits up, the daemon reads public values of at most 127 bytes, and loses \
                 challenges where the modulus does not fill its bytes",
                "choose a multiple of 8 from 512 to 1016, best 1008",
            ));
        }
        let rsa = Rsa::generate(bits).map_err(Error::openssl("generate a GQ modulus"))?;
        let n = Number::from(rsa.n());
        let b = Number::random_prime(bits - 1)?;
        let u = Number::random_unit(&n)?;
        Self::from_numbers(n, b, u).ok_or_else(|| Error::NotMedia("u has no inverse modulo n".into()))
    }

    fn from_numbers(n: Number, b: Number, u: Number) -> Option<Self> {
        let v = u.inverse_mod(&n)?.pow_mod(&b, &n);
        Some(Self {
            parameters: GqParameters { n, b },
            u,
            v,
        })
    }

    /// What the clients get.
    pub fn parameters(&self) -> &GqParameters {
        &self.parameters
    }

    /// The public value, for the certificates of the group's servers.
    pub fn public_value(&self) -> &Number {
        &self.v
    }

    /// The group key u.
    pub fn u(&self) -> &Number {
        &self.u
    }

    /// Checks the key by the scheme's equation, and that the numbers have sizes the daemon copes with.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn prove(&self) -> Result<()> {
        let GqParameters { n, b } = &self.parameters;
        self.parameters.prove()?;
        let unproven = |what| Error::Unproven {
            what,
            why: "this is no GQ group key".into(),
        };
        if self.u <= Number::one() || self.u >= *n {
            return Err(unproven("1 < u < n"));
        }
        if !self.u.pow_mod(b, n).times_mod(&self.v, n).is_one() {
            return Err(unproven("u^b v = 1 mod n"));
        }
        Ok(())
    }

    /// Answers a challenge.
    ///
    /// # Errors
    /// OpenSSL has no random numbers.
    pub fn respond(&self, challenge: &Number) -> Result<GqResponse> {
        let GqParameters { n, b } = &self.parameters;
        let k = Number::random_below(n)?;
        let y = k.times_mod(&self.u.pow_mod(challenge, n), n);
        Ok(GqResponse {
            y,
            x: k.pow_mod(b, n),
        })
    }

    fn container(&self, dialect: Dialect) -> PrivateKey {
        let GqParameters { n, b } = self.parameters.clone();
        let one = Number::one;
        // The current daemon computes with e where u is meant and with d where b is meant.
        let (e, d) = match dialect {
            Dialect::Current => (self.u.clone(), b),
            Dialect::Documented => (b, one()),
        };
        let (p, q) = (self.u.clone(), self.v.clone());
        PrivateKey::Rsa(RsaNumbers {
            n,
            e,
            d,
            p,
            q,
            dmp1: one(),
            dmq1: one(),
            iqmp: one(),
        })
    }

    /// The server key as a file's block, encrypted.
    ///
    /// # Errors
    /// OpenSSL cannot encrypt.
    pub fn server_block(&self, protection: &Protection, dialect: Dialect) -> Result<PemBlock> {
        pkcs8::encrypted_pkcs8_block(&self.container(dialect), protection)
    }

    /// Reads a server key of either dialect, and says which it was.
    ///
    /// # Errors
    /// Numbers that are no GQ key.
    pub fn from_container(key: &PrivateKey) -> Result<(Self, Dialect)> {
        let rsa = rsa(key)?;
        let (u, b, dialect) = if rsa.d.is_one() {
            (&rsa.p, &rsa.e, Dialect::Documented)
        } else {
            (&rsa.e, &rsa.d, Dialect::Current)
        };
        let read = Self::from_numbers(rsa.n.clone(), b.clone(), u.clone());
        let read = read.ok_or_else(|| Error::NotMedia("the numbers are not those of a GQ key".into()))?;
        read.prove()?;
        Ok((read, dialect))
    }
}

fn rsa(key: &PrivateKey) -> Result<&RsaNumbers> {
    match key {
        PrivateKey::Rsa(rsa) if rsa.n.is_odd() && rsa.n.bits() > 1 => Ok(rsa),
        PrivateKey::Rsa(_) => Err(Error::NotMedia("the modulus is not that of a GQ key".into())),
        PrivateKey::Dsa(_) => Err(Error::NotMedia(
            "a GQ key is kept in an RSA private key, this one is DSA".into(),
        )),
    }
}

impl GqParameters {
    /// Checks what clients can check: sizes.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn prove(&self) -> Result<()> {
        let Self { n, b } = self;
        if !n.is_odd() || *n <= Number::one() || *b <= Number::one() || b >= n {
            return Err(Error::Unproven {
                what: "1 < b < n, n odd",
                why: "these are no GQ parameters".into(),
            });
        }
        Ok(())
    }

    /// The client's test of an answer: v^r y^b = x mod n, with v from the certificate.
    pub fn verify(&self, v: &Number, challenge: &Number, response: &GqResponse) -> bool {
        let Self { n, b } = self;
        v.pow_mod(challenge, n).times_mod(&response.y.pow_mod(b, n), n) == response.x
    }

    /// The client parameters as a file's block, in clear as the daemon needs them.
    pub fn client_block(&self, dialect: Dialect) -> PemBlock {
        let Self { n, b } = self.clone();
        let one = Number::one;
        let (e, d) = match dialect {
            Dialect::Current => (one(), b),
            Dialect::Documented => (b, one()),
        };
        let numbers = RsaNumbers {
            n,
            e,
            d,
            p: one(),
            q: one(),
            dmp1: one(),
            dmq1: one(),
            iqmp: one(),
        };
        pkcs8::pkcs8_block(&PrivateKey::Rsa(numbers))
    }

    /// Reads client parameters of either dialect, and says which it was.
    ///
    /// # Errors
    /// Numbers that are no GQ parameters.
    pub fn from_container(key: &PrivateKey) -> Result<(Self, Dialect)> {
        let rsa = rsa(key)?;
        let (b, dialect) = if rsa.d.is_one() {
            (&rsa.e, Dialect::Documented)
        } else {
            (&rsa.d, Dialect::Current)
        };
        let read = Self {
            n: rsa.n.clone(),
            b: b.clone(),
        };
        read.prove()?;
        Ok((read, dialect))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use proptest::prelude::*;

    static KEY: LazyLock<GqKey> = LazyLock::new(|| GqKey::generate(512).unwrap());

    #[test]
    fn generated_keys_prove_and_fill_their_bytes() {
        KEY.prove().unwrap();
        assert_eq!(KEY.parameters().n.bits(), 512);
        for bits in [504, 1012, 1024, 2048] {
            assert!(
                GqKey::generate(bits)
                    .unwrap_err()
                    .help()
                    .unwrap()
                    .contains("1008")
            );
        }
    }

    #[test]
    fn both_dialects_read_back() {
        let protection = Protection::new("pw".into()).unwrap();
        for dialect in [Dialect::Current, Dialect::Documented] {
            let server = KEY.server_block(&protection, dialect).unwrap();
            let read = pkcs8::read(&server, Some(&"pw".into())).unwrap();
            assert_eq!(GqKey::from_container(&read.key).unwrap(), (KEY.clone(), dialect));
            let client = pkcs8::read(&KEY.parameters().client_block(dialect), None).unwrap();
            assert_eq!(
                GqParameters::from_container(&client.key).unwrap(),
                (KEY.parameters().clone(), dialect)
            );
        }
    }

    /// A weakness of the exchange that users must know of; see docs/media.md.
    #[test]
    fn parameters_alone_answer_a_challenge_known_beforehand() {
        let GqParameters { n, b } = KEY.parameters();
        let (challenge, y) = (Number::random_below(n).unwrap(), Number::random_below(n).unwrap());
        let x = KEY.v.pow_mod(&challenge, n).times_mod(&y.pow_mod(b, n), n);
        assert!(KEY.parameters().verify(&KEY.v, &challenge, &GqResponse { y, x }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_challenge_is_answered_and_forgeries_are_not(r in proptest::collection::vec(any::<u8>(), 64), wrong in 2u32..) {
            let challenge = Number::from_bytes(&r);
            let response = KEY.respond(&challenge).unwrap();
            prop_assert!(KEY.parameters().verify(&KEY.v, &challenge, &response));
            let y = response.y.times_mod(&Number::from(wrong), &KEY.parameters().n);
            let forged = GqResponse { y, x: response.x };
            prop_assert!(!KEY.parameters().verify(&KEY.v, &challenge, &forged));
        }

        #[test]
        fn holds_for_small_moduli(primes in (0usize..6, 0usize..6), b in 2u32..10_000, u in 2u32.., r in any::<u32>()) {
            let small = [101u32, 103, 107, 109, 113, 127];
            let n = Number::from(small[primes.0] * small[primes.1] * 3);
            let (b, u) = (Number::from(b), Number::from(u).modulo(&n));
            prop_assume!(b < n && u > Number::one() && u.gcd(&n).is_one());
            let key = GqKey::from_numbers(n, b, u).unwrap();
            key.prove().unwrap();
            let challenge = Number::from(r);
            prop_assert!(key.parameters().verify(&key.v, &challenge, &key.respond(&challenge).unwrap()));
        }
    }
}
