//! The two containers all private media travel in, an RSA and a DSA private key, as plain numbers.
//!
//! Host and sign keys are what the container says. The identity schemes only borrow its fields, so the numbers
//! need not form a valid key and are never checked here.

use zeroize::Zeroizing;

use super::{
    Error, Result,
    der::{Reader, Writer},
    number::Number,
};

/// The fields of an RSA private key (PKCS#1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // PKCS#1's own names
pub struct RsaNumbers {
    pub n: Number,
    pub e: Number,
    pub d: Number,
    pub p: Number,
    pub q: Number,
    pub dmp1: Number,
    pub dmq1: Number,
    pub iqmp: Number,
}

/// The fields of a DSA private key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // DSA's own names
pub struct DsaNumbers {
    pub p: Number,
    pub q: Number,
    pub g: Number,
    /// The public value; PKCS#8 has no place for it, and readers recompute it as g^private mod p.
    pub public: Option<Number>,
    pub private: Number,
}

/// A private key container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivateKey {
    /// RSA host and sign keys, GQ.
    Rsa(RsaNumbers),
    /// DSA sign keys, IFF, MV.
    Dsa(DsaNumbers),
}

impl PrivateKey {
    /// The fields of a DSA container; `what` it should hold, with its verb, for the error.
    pub(super) fn dsa(&self, what: &str) -> Result<&DsaNumbers> {
        match self {
            Self::Dsa(numbers) => Ok(numbers),
            Self::Rsa(_) => Err(Error::NotMedia(format!(
                "{what} kept in a DSA private key, this one is RSA"
            ))),
        }
    }
}

impl RsaNumbers {
    /// `RSAPrivateKey` of PKCS#1.
    pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
        let fields = [
            &self.n, &self.e, &self.d, &self.p, &self.q, &self.dmp1, &self.dmq1, &self.iqmp,
        ];
        let inner = fields.into_iter().fold(Writer::new().small(0), Writer::integer);
        Writer::new().sequence(&inner).finish()
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut key = reader.sequence("the RSA private key")?;
        key.small("the RSA key's version")?;
        let read = Self {
            n: key.integer("n")?,
            e: key.integer("e")?,
            d: key.integer("d")?,
            p: key.integer("p")?,
            q: key.integer("q")?,
            dmp1: key.integer("dmp1")?,
            dmq1: key.integer("dmq1")?,
            iqmp: key.integer("iqmp")?,
        };
        key.end("the RSA private key")?;
        Ok(read)
    }
}

impl DsaNumbers {
    /// The traditional form: 0, p, q, g, public, private. A missing public value is computed as DSA has it.
    pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
        let computed;
        let public = match &self.public {
            Some(public) => public,
            None if self.p.is_zero() => &self.p,
            None => {
                computed = self.g.pow_mod(&self.private, &self.p);
                &computed
            }
        };
        let fields = [&self.p, &self.q, &self.g, public, &self.private];
        let inner = fields.into_iter().fold(Writer::new().small(0), Writer::integer);
        Writer::new().sequence(&inner).finish()
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut key = reader.sequence("the DSA private key")?;
        key.small("the DSA key's version")?;
        let (p, q, g) = (key.integer("p")?, key.integer("q")?, key.integer("g")?);
        let public = Some(key.integer("the public value")?);
        let private = key.integer("the private value")?;
        key.end("the DSA private key")?;
        Ok(Self {
            p,
            q,
            g,
            public,
            private,
        })
    }

    /// `Dss-Parms`: p, q, g.
    pub(super) fn parameters(&self) -> Writer {
        Writer::new().integer(&self.p).integer(&self.q).integer(&self.g)
    }
}
