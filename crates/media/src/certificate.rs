//! Certificates: X.509 v3, self-signed, in exactly the form ntp-keygen 4.2.8p15 writes and ntpd reads.

use openssl::{
    asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKeyRef, Private},
    x509::{X509, X509Builder, X509Extension, X509Name},
};
use serde::{Deserialize, Serialize};

use super::{
    Error, Filestamp, KeyAlgorithm, Result, SignatureDigest, SignatureScheme,
    der::dotted,
    host_key::SignKey,
    number::Number,
    pem::PemBlock,
    x509::{self, Fields},
};
use keytrail_vocabulary::Secret;

pub use super::x509::PublicKey;

/// What the certificate claims beyond its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A host somewhere on a trail.
    #[default]
    Plain,
    /// A trusted host, where trails end (`ntp-keygen -T`).
    Trusted,
    /// The private certificate of the PC scheme, one for the whole group (`-P`).
    Private,
}

/// The longest common name OpenSSL puts into a certificate. ntp-keygen ignores the refusal and writes a
/// certificate without a name, which ntpd does not load (measured).
pub const MAX_NAME: usize = 64;

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// CA:TRUE.
const CA_TRUE: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];
/// digitalSignature and keyCertSign.
const SIGNING: &[u8] = &[0x03, 0x02, 0x02, 0x84];
/// 1.3.6.1.5.5.7.48.1.11, OpenSSL's "trustRoot".
const TRUST_ROOT: &[u8] = &[
    0x30, 0x0b, 0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x0b,
];
/// 1.3.6.1.4, OpenSSL's "private".
const PRIVATE: &[u8] = &[0x30, 0x06, 0x06, 0x04, 0x2b, 0x06, 0x01, 0x04];

/// A certificate to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSpec {
    /// Common name of subject and issuer: `host`, or `host@group`.
    pub subject: String,
    /// ntp-keygen takes the NTP seconds of the run.
    pub serial: u32,
    /// Start of validity, Unix seconds. Must not be earlier than the file's filestamp, or ntpd refuses it (measured).
    pub not_before: i64,
    /// End of validity, Unix seconds.
    pub not_after: i64,
    /// Signature scheme; its algorithm must be the sign key's.
    pub scheme: SignatureScheme,
    /// Trusted, private, or neither.
    pub role: Role,
    /// The GQ public value v, which clients of a GQ group take from here.
    pub gq_public: Option<Number>,
}

impl CertificateSpec {
    /// The common name of a host in a group, or of a host without one. With `@group` the daemon
    /// drops messages of hosts without (measured): in one association both have a group or neither.
    pub fn common_name(host: &str, group: Option<&str>) -> String {
        group.map_or_else(|| host.to_owned(), |group| format!("{host}@{group}"))
    }

    /// Checks what can be checked before signing.
    ///
    /// # Errors
    /// A name, validity, public value or scheme that the daemon would not accept.
    pub fn check(&self, key: &SignKey) -> Result<()> {
        let name = &self.subject;
        let control = name.chars().any(char::is_control);
        if name.is_empty() || name.len() > MAX_NAME || control || name.matches('@').count() > 1 {
            return Err(Error::refused(
                format!("certificate name {name:?} ({} characters)", name.len()),
                format!("a certificate names host or host@group in 1 to {MAX_NAME} characters"),
                "choose a shorter host or group name",
            ));
        }
        if self.not_after <= self.not_before {
            return Err(Error::refused(
                format!("certificate of {name}"),
                "its validity would end before it begins",
                "give a later end or a longer lifetime",
            ));
        }
        if self.scheme.key != key.algorithm() {
            return Err(Error::refused(
                format!("scheme {} with a {} key", self.scheme, key.algorithm().as_str()),
                "the scheme's algorithm must be the sign key's",
                format!("use {}-… or another sign key", key.algorithm().as_str()),
            ));
        }
        if self
            .gq_public
            .as_ref()
            .is_some_and(|v| v.bits() > super::gq::MAX_BITS)
        {
            return Err(Error::refused(
                format!("GQ public value in the certificate of {name}"),
                "the daemon reads at most 127 bytes of it",
                "make the GQ group key with at most 1016 bits",
            ));
        }
        let rsa = key.algorithm() == KeyAlgorithm::Rsa;
        Ok(self.scheme.check_rsa_bits(if rsa { key.bits() } else { 0 })?)
    }

    /// Makes the certificate and signs it with `key`, whose public half it carries. With an RSA key the result
    /// depends on nothing else: the same arguments give the same bytes.
    ///
    /// # Errors
    /// As [`CertificateSpec::check`].
    pub fn sign(&self, key: &SignKey) -> Result<Certificate> {
        self.check(key)?;
        let pkey = key.pkey()?;
        let der = self.build(&pkey).map_err(Error::openssl("sign a certificate"))?;
        Certificate::from_der(&der)
    }

    fn build(&self, key: &PKeyRef<Private>) -> Result<Vec<u8>, ErrorStack> {
        let mut builder = X509Builder::new()?;
        builder.set_version(2)?;
        let serial: Asn1Integer = Number::from(self.serial).as_bn().to_asn1_integer()?;
        builder.set_serial_number(&serial)?;
        builder.set_not_before(&*Asn1Time::from_unix(self.not_before)?)?;
        builder.set_not_after(&*Asn1Time::from_unix(self.not_after)?)?;
        let mut name = X509Name::builder()?;
        name.append_entry_by_nid(Nid::COMMONNAME, &self.subject)?;
        let name = name.build();
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_pubkey(key)?;
        // The order is ntp-keygen's.
        let mut add = |oid: &str, critical: bool, value: &[u8]| {
            let oid = Asn1Object::from_str(oid)?;
            let value = Asn1OctetString::new_from_bytes(value)?;
            builder.append_extension2(&*X509Extension::new_from_der(&oid, critical, &value)?)
        };
        add(BASIC_CONSTRAINTS, true, CA_TRUE)?;
        add(KEY_USAGE, false, SIGNING)?;
        if let Some(v) = &self.gq_public {
            add(
                SUBJECT_KEY_IDENTIFIER,
                false,
                &super::der::Writer::new().octets(&v.to_bytes()).finish(),
            )?;
        }
        match self.role {
            Role::Plain => {}
            Role::Trusted => add(EXTENDED_KEY_USAGE, false, TRUST_ROOT)?,
            Role::Private => add(EXTENDED_KEY_USAGE, false, PRIVATE)?,
        }
        builder.sign(key, message_digest(self.scheme.digest))?;
        builder.build().to_der()
    }
}

/// A certificate that was made or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    fields: Fields,
}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// The first place that is not a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        Ok(Self {
            der: der.to_vec(),
            fields: x509::read(der)?,
        })
    }

    /// Reads a PEM block.
    ///
    /// # Errors
    /// Another label, or damage.
    pub fn from_block(block: &PemBlock) -> Result<Self> {
        if block.label != "CERTIFICATE" {
            return Err(Error::NotMedia(format!(
                "expected a block of CERTIFICATE, found {}",
                block.label
            )));
        }
        Self::from_der(block.content.expose())
    }

    /// The PEM block.
    pub fn block(&self) -> PemBlock {
        PemBlock::new("CERTIFICATE", Secret::new(self.der.as_slice()))
    }

    /// The DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// X.509 version; ntp-keygen writes 3.
    pub fn version(&self) -> u32 {
        self.fields.version
    }

    /// Serial number.
    pub fn serial(&self) -> &Number {
        &self.fields.serial
    }

    /// Subject's common name; `None` is what ntp-keygen makes of names over 64 characters.
    pub fn subject(&self) -> Option<&str> {
        self.fields.subject.as_deref()
    }

    /// Issuer's common name.
    pub fn issuer(&self) -> Option<&str> {
        self.fields.issuer.as_deref()
    }

    /// The group: what follows `@` in the subject.
    pub fn group(&self) -> Option<&str> {
        self.subject()?.split_once('@').map(|(_, group)| group)
    }

    /// Start of validity, Unix seconds.
    pub fn not_before(&self) -> i64 {
        self.fields.not_before
    }

    /// End of validity, Unix seconds.
    pub fn not_after(&self) -> i64 {
        self.fields.not_after
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.fields.public_key
    }

    /// The signature algorithm's identifier in dotted form.
    pub fn signature_oid(&self) -> String {
        dotted(&self.fields.signature_oid)
    }

    /// The signature scheme, if it is one of those in use.
    pub fn scheme(&self) -> Option<SignatureScheme> {
        use KeyAlgorithm::{Dsa, Rsa};
        let (key, digest) = match self.signature_oid().as_str() {
            "1.2.840.113549.1.1.4" => (Rsa, SignatureDigest::Md5),
            "1.2.840.113549.1.1.5" => (Rsa, SignatureDigest::Sha1),
            "1.2.840.113549.1.1.14" => (Rsa, SignatureDigest::Sha224),
            "1.2.840.113549.1.1.11" => (Rsa, SignatureDigest::Sha256),
            "1.2.840.113549.1.1.12" => (Rsa, SignatureDigest::Sha384),
            "1.2.840.113549.1.1.13" => (Rsa, SignatureDigest::Sha512),
            "1.3.36.3.3.1.2" => (Rsa, SignatureDigest::Ripemd160),
            "2.16.840.1.101.3.4.3.13" => (Rsa, SignatureDigest::Sha3_224),
            "2.16.840.1.101.3.4.3.14" => (Rsa, SignatureDigest::Sha3_256),
            "2.16.840.1.101.3.4.3.15" => (Rsa, SignatureDigest::Sha3_384),
            "2.16.840.1.101.3.4.3.16" => (Rsa, SignatureDigest::Sha3_512),
            "1.2.840.10040.4.3" => (Dsa, SignatureDigest::Sha1),
            "2.16.840.1.101.3.4.3.1" => (Dsa, SignatureDigest::Sha224),
            "2.16.840.1.101.3.4.3.2" => (Dsa, SignatureDigest::Sha256),
            _ => return None,
        };
        Some(SignatureScheme { key, digest })
    }

    fn extension(&self, oid: &str) -> Option<&[u8]> {
        let found = self
            .fields
            .extensions
            .iter()
            .find(|extension| dotted(&extension.oid) == oid);
        found.map(|extension| extension.value.as_slice())
    }

    /// Every extension in order: dotted identifier, critical, DER value.
    pub fn extensions(&self) -> impl Iterator<Item = (String, bool, &[u8])> {
        self.fields
            .extensions
            .iter()
            .map(|e| (dotted(&e.oid), e.critical, e.value.as_slice()))
    }

    /// Trusted, private, or neither.
    pub fn role(&self) -> Role {
        match self.extension(EXTENDED_KEY_USAGE) {
            Some(TRUST_ROOT) => Role::Trusted,
            Some(PRIVATE) => Role::Private,
            _ => Role::Plain,
        }
    }

    /// The GQ public value. Read as the daemon does: whatever follows two bytes of header.
    pub fn gq_public(&self) -> Option<Number> {
        self.extension(SUBJECT_KEY_IDENTIFIER)?
            .get(2..)
            .map(Number::from_bytes)
    }

    /// Whether the certificate's own key made its signature.
    ///
    /// # Errors
    /// OpenSSL cannot read the certificate or its key.
    pub fn is_self_signed(&self) -> Result<bool> {
        let verify = || {
            let certificate = X509::from_der(&self.der)?;
            let key = certificate.public_key()?;
            certificate.verify(&key)
        };
        verify().map_err(Error::openssl("verify a certificate"))
    }

    /// Whether `key` is the one this certificate was made for.
    pub fn belongs_to(&self, key: &SignKey) -> bool {
        match (self.public_key(), key) {
            (PublicKey::Rsa { n, e }, SignKey::Rsa(key)) => *n == key.numbers().n && *e == key.numbers().e,
            (PublicKey::Dsa { p, q, g, y }, SignKey::Dsa(key)) => {
                let k = key.numbers();
                let same = *p == k.p && *q == k.q && *g == k.g && !p.is_zero();
                same && *y == g.pow_mod(&k.private, p)
            }
            _ => false,
        }
    }

    /// Whether the daemon takes this certificate from a file with this stamp: the stamp must not be later
    /// than notBefore (measured).
    pub fn suits(&self, stamp: Filestamp) -> bool {
        stamp.unix() <= self.not_before()
    }

    /// For the vault: the DER.
    pub fn to_vault_bytes(&self) -> Secret {
        Secret::new(self.der.as_slice())
    }

    /// Reads [`Certificate::to_vault_bytes`].
    ///
    /// # Errors
    /// Damage.
    pub fn from_vault_bytes(bytes: &Secret) -> Result<Self> {
        Self::from_der(bytes.expose())
    }
}

/// OpenSSL's implementation of a digest.
fn message_digest(digest: SignatureDigest) -> MessageDigest {
    match digest {
        SignatureDigest::Md5 => MessageDigest::md5(),
        SignatureDigest::Sha1 => MessageDigest::sha1(),
        SignatureDigest::Sha224 => MessageDigest::sha224(),
        SignatureDigest::Sha256 => MessageDigest::sha256(),
        SignatureDigest::Sha384 => MessageDigest::sha384(),
        SignatureDigest::Sha512 => MessageDigest::sha512(),
        SignatureDigest::Ripemd160 => {
            MessageDigest::from_nid(Nid::RIPEMD160).unwrap_or_else(MessageDigest::null)
        }
        SignatureDigest::Sha3_224 => MessageDigest::sha3_224(),
        SignatureDigest::Sha3_256 => MessageDigest::sha3_256(),
        SignatureDigest::Sha3_384 => MessageDigest::sha3_384(),
        SignatureDigest::Sha3_512 => MessageDigest::sha3_512(),
    }
}
