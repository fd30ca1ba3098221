//! Reading a certificate's DER, as far as Autokey uses it.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::{
    Result,
    der::{Reader, tag},
    number::Number,
};

/// One extension, in the order of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Content bytes of the object identifier.
    pub oid: Vec<u8>,
    /// Whether it is marked critical.
    pub critical: bool,
    /// The DER inside the extension's OCTET STRING.
    pub value: Vec<u8>,
}

/// A certificate's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the algorithms' own names
pub enum PublicKey {
    Rsa {
        n: Number,
        e: Number,
    },
    Dsa {
        p: Number,
        q: Number,
        g: Number,
        y: Number,
    },
}

/// The fields of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// 3 for X.509 v3.
    pub version: u32,
    pub serial: Number,
    /// Content bytes of the signature algorithm's identifier.
    pub signature_oid: Vec<u8>,
    /// The common names, if the name has one.
    pub issuer: Option<String>,
    pub subject: Option<String>,
    /// Unix times in seconds.
    pub not_before: i64,
    pub not_after: i64,
    pub public_key: PublicKey,
    pub extensions: Vec<Extension>,
}

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const DSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];

/// Reads a certificate. The signature is not looked at.
///
/// # Errors
/// Whatever is not a certificate with an RSA or DSA key.
pub fn read(der: &[u8]) -> Result<Fields> {
    let mut outer = Reader::new(der);
    let mut certificate = outer.sequence("the certificate")?;
    outer.end("the certificate")?;
    let mut body = certificate.sequence("the certificate's body")?;
    let version = match body.peek() {
        Some(tag::CONTEXT_0) => {
            1 + body
                .element(tag::CONTEXT_0, "the version")?
                .small("the version")?
                .min(9)
        }
        _ => 1,
    };
    let serial = body.integer("the serial number")?;
    let signature_oid = body
        .sequence("the signature algorithm")?
        .oid("the signature algorithm")?
        .to_vec();
    let issuer = name(&mut body, "the issuer")?;
    let mut validity = body.sequence("the validity")?;
    let not_before = moment(&mut validity, "notBefore")?;
    let not_after = moment(&mut validity, "notAfter")?;
    let subject = name(&mut body, "the subject")?;
    let public_key = public_key(&mut body)?;
    let extensions = match body.peek() {
        Some(tag::CONTEXT_3) => extensions(body.element(tag::CONTEXT_3, "the extensions")?)?,
        _ => Vec::new(),
    };
    body.end("the certificate's body")?;
    certificate.sequence("the outer signature algorithm")?;
    certificate.element(tag::BIT_STRING, "the signature")?;
    certificate.end("the certificate")?;
    Ok(Fields {
        version,
        serial,
        signature_oid,
        issuer,
        subject,
        not_before,
        not_after,
        public_key,
        extensions,
    })
}

fn name(body: &mut Reader<'_>, what: &str) -> Result<Option<String>> {
    let mut sets = body.sequence(what)?;
    let mut found = None;
    while !sets.is_empty() {
        let mut set = sets.element(tag::SET, what)?;
        while !set.is_empty() {
            let mut attribute = set.sequence(what)?;
            let oid = attribute.oid(what)?;
            let kind = attribute.peek().unwrap_or(0);
            let value = attribute.element(kind, what)?.rest();
            if oid == COMMON_NAME && found.is_none() {
                found = Some(String::from_utf8_lossy(value).into_owned());
            }
        }
    }
    Ok(found)
}

fn moment(validity: &mut Reader<'_>, what: &str) -> Result<i64> {
    let place = validity.clone();
    let generalized = validity.peek() == Some(tag::GENERALIZED_TIME);
    let tag = if generalized {
        tag::GENERALIZED_TIME
    } else {
        tag::UTC_TIME
    };
    let text = validity.element(tag, what)?.rest();
    parse_moment(text, generalized)
        .ok_or_else(|| place.error(format!("{what} is no date of the form YYMMDDHHMMSSZ")))
}

fn parse_moment(text: &[u8], generalized: bool) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let year_digits = if generalized { 4 } else { 2 };
    if digits.len() != year_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        digits[range]
            .iter()
            .fold(0u16, |sum, d| sum * 10 + u16::from(d - b'0'))
    };
    let two = |index: usize| u8::try_from(number(year_digits + index..year_digits + index + 2)).ok();
    let year = match i32::from(number(0..year_digits)) {
        short if !generalized && short < 50 => 2000 + short,
        short if !generalized => 1900 + short,
        year => year,
    };
    let date = Date::from_calendar_date(year, Month::try_from(two(0)?).ok()?, two(2)?).ok()?;
    let time = Time::from_hms(two(4)?, two(6)?, two(8)?).ok()?;
    Some(OffsetDateTime::new_in_offset(date, time, UtcOffset::UTC).unix_timestamp())
}

fn public_key(body: &mut Reader<'_>) -> Result<PublicKey> {
    let mut info = body.sequence("the public key")?;
    let mut algorithm = info.sequence("the public key's algorithm")?;
    let place = algorithm.clone();
    let oid = algorithm.oid("the public key's algorithm")?;
    let place_of_bits = info.clone();
    let bits = info.element(tag::BIT_STRING, "the public key")?.rest();
    let Some((0, key)) = bits.split_first() else {
        return Err(place_of_bits.error("the public key does not end at a byte"));
    };
    let mut key = Reader::new(key);
    if oid == RSA_ENCRYPTION {
        let mut rsa = key.sequence("the RSA public key")?;
        Ok(PublicKey::Rsa {
            n: rsa.integer("n")?,
            e: rsa.integer("e")?,
        })
    } else if oid == DSA_ENCRYPTION {
        let mut parameters = algorithm.sequence("the DSA parameters")?;
        let (p, q, g) = (
            parameters.integer("p")?,
            parameters.integer("q")?,
            parameters.integer("g")?,
        );
        Ok(PublicKey::Dsa {
            p,
            q,
            g,
            y: key.integer("y")?,
        })
    } else {
        Err(place.error(format!(
            "public key algorithm {} is neither RSA nor DSA",
            super::der::dotted(oid)
        )))
    }
}

fn extensions(mut outer: Reader<'_>) -> Result<Vec<Extension>> {
    let mut list = outer.sequence("the extensions")?;
    let mut found = Vec::new();
    while !list.is_empty() {
        let mut extension = list.sequence("an extension")?;
        let oid = extension.oid("an extension's identifier")?.to_vec();
        let critical = match extension.peek() {
            Some(tag::BOOLEAN) => extension.element(tag::BOOLEAN, "the critical flag")?.rest() != [0],
            _ => false,
        };
        let value = extension.octets("an extension's value")?.to_vec();
        found.push(Extension { oid, critical, value });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_of_time() {
        assert_eq!(parse_moment(b"261120155324Z", false), Some(1_795_190_004));
        assert_eq!(parse_moment(b"20501120155324Z", true), Some(2_552_572_404));
        assert_eq!(parse_moment(b"700101000000Z", false), Some(0));
        for bad in [
            &b"2611201553Z"[..],
            b"261320155324Z",
            b"26112015532xZ",
            b"261120155324",
            b"",
        ] {
            assert_eq!(parse_moment(bad, false), None);
        }
    }
}
