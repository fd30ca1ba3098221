//! What servers and clients of an MV group hold, and the exchange between them; the scheme is told in [`super::mv`].

use super::{
    Dialect, Error, Result,
    cipher::Protection,
    iff::lost_public_value,
    number::Number,
    pem::PemBlock,
    pkcs8,
    private_key::{DsaNumbers, PrivateKey},
};

/// The server key, the same for every server of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the scheme's own names
pub struct MvServerKey {
    pub p: Number,
    pub q: Number,
    pub e: Number,
    pub gbar: Number,
    pub ghat: Number,
}

/// One client's key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the scheme's own names
pub struct MvClientKey {
    pub p: Number,
    pub xbar: Number,
    pub xhat: Number,
}

/// A server's answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MvResponse {
    /// r E^k.
    pub y: Number,
    /// gbar^k.
    pub gbar: Number,
    /// ghat^k.
    pub ghat: Number,
}

impl MvServerKey {
    /// Whether this server key lets that client in: ghat^xbar gbar^xhat E = 1 mod p.
    pub fn enables(&self, client: &MvClientKey) -> bool {
        let p = &self.p;
        *p == client.p
            && self
                .ghat
                .pow_mod(&client.xbar, p)
                .times_mod(&self.gbar.pow_mod(&client.xhat, p), p)
                .times_mod(&self.e, p)
                .is_one()
    }

    /// Checks what can be checked without a client.
    ///
    /// # Errors
    /// The first relation that does not hold.
    pub fn prove(&self) -> Result<()> {
        let Self { p, q, e, gbar, ghat } = self;
        let one = Number::one();
        let test = |holds: bool, what| {
            let why = "this is no MV server key".to_owned();
            if holds {
                Ok(())
            } else {
                Err(Error::Unproven { what, why })
            }
        };
        test(
            q.bits() > 1 && *p == q.plus(q).plus(&one) && p.bits() <= 4096 && p.is_prime(),
            "p = 2q + 1 is prime",
        )?;
        test(
            [e, gbar, ghat]
                .iter()
                .all(|n| **n < *p && n.pow_mod(q, p).is_one()),
            "E^q = gbar^q = ghat^q = 1 mod p",
        )?;
        test(!gbar.is_one(), "gbar is not 1")
    }

    /// Answers a challenge.
    ///
    /// # Errors
    /// OpenSSL has no random numbers.
    pub fn respond(&self, challenge: &Number) -> Result<MvResponse> {
        let k = Number::random_below(&self.q)?;
        let raise = |base: &Number| base.pow_mod(&k, &self.p);
        Ok(MvResponse {
            y: challenge.times_mod(&raise(&self.e), &self.p),
            gbar: raise(&self.gbar),
            ghat: raise(&self.ghat),
        })
    }

    pub(super) fn container(&self) -> PrivateKey {
        let Self { p, q, e, gbar, ghat } = self.clone();
        PrivateKey::Dsa(DsaNumbers {
            p,
            q,
            g: e,
            public: Some(ghat),
            private: gbar,
        })
    }

    /// The server key as a file's block, encrypted. The current dialect uses the traditional form, which keeps ghat.
    ///
    /// # Errors
    /// OpenSSL cannot encrypt.
    pub fn server_block(&self, protection: &Protection, dialect: Dialect) -> Result<PemBlock> {
        match dialect {
            Dialect::Current => pkcs8::encrypted_traditional_block(&self.container(), protection),
            Dialect::Documented => pkcs8::encrypted_pkcs8_block(&self.container(), protection),
        }
    }

    /// Reads a server key.
    ///
    /// # Errors
    /// PKCS#8, where ghat is lost; numbers that are no server key.
    pub fn from_container(key: &PrivateKey) -> Result<Self> {
        let DsaNumbers {
            p,
            q,
            g,
            public,
            private,
        } = key.dsa("an MV key is")?;
        let ghat = public
            .clone()
            .ok_or_else(|| lost_public_value("MV server key", "ghat"))?;
        let read = Self {
            p: p.clone(),
            q: q.clone(),
            e: g.clone(),
            gbar: private.clone(),
            ghat,
        };
        read.prove()?;
        Ok(read)
    }
}

impl MvClientKey {
    /// The client's test of an answer: y (gbar^k)^xhat (ghat^k)^xbar = r.
    pub fn verify(&self, challenge: &Number, response: &MvResponse) -> bool {
        let Self { p, xbar, xhat } = self;
        let product = response
            .gbar
            .pow_mod(xhat, p)
            .times_mod(&response.ghat.pow_mod(xbar, p), p);
        product.times_mod(&response.y, p) == challenge.modulo(p)
    }

    pub(super) fn container(&self) -> PrivateKey {
        let Self { p, xbar, xhat } = self.clone();
        PrivateKey::Dsa(DsaNumbers {
            p,
            q: Number::one(),
            g: Number::one(),
            public: Some(xhat),
            private: xbar,
        })
    }

    /// The client key as a file's block, in clear as the daemon needs it. The current dialect keeps xhat.
    pub fn client_block(&self, dialect: Dialect) -> PemBlock {
        match dialect {
            Dialect::Current => pkcs8::traditional_block(&self.container()),
            Dialect::Documented => pkcs8::pkcs8_block(&self.container()),
        }
    }

    /// Reads a client key. PKCS#8 works if somebody chose g so that g^xbar is xhat (measured).
    ///
    /// # Errors
    /// PKCS#8 as ntp-keygen writes it, where xhat is lost; numbers that are no client key.
    pub fn from_container(key: &PrivateKey) -> Result<Self> {
        let DsaNumbers {
            p,
            g,
            public,
            private,
            ..
        } = key.dsa("an MV key is")?;
        if !p.is_odd() || p.bits() < 3 || private.is_zero() {
            return Err(Error::Unproven {
                what: "p odd, xbar > 0",
                why: "this is no MV client key".into(),
            });
        }
        let xhat = match public {
            Some(xhat) => xhat.clone(),
            None if g.is_one() => return Err(lost_public_value("MV client key", "xhat")),
            None => g.pow_mod(private, p),
        };
        Ok(Self {
            p: p.clone(),
            xbar: private.clone(),
            xhat,
        })
    }
}
