//! The part of DER that key media use: reading with a place for every complaint, and writing.

use zeroize::Zeroizing;

use super::{Error, Result, number::Number};

/// Tags of the types met in key media.
pub mod tag {
    #![allow(missing_docs)] // the ASN.1 types' own names
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OID: u8 = 0x06;
    pub const UTF8_STRING: u8 = 0x0c;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    /// `[0]`, constructed: a certificate's version, PKCS#8 attributes.
    pub const CONTEXT_0: u8 = 0xa0;
    /// `[3]`, constructed: a certificate's extensions.
    pub const CONTEXT_3: u8 = 0xa3;
}

/// Numbers beyond this many bytes are no key anybody made; they would only keep the processor busy.
const MAX_INTEGER: usize = 1024;

/// A cursor over DER that knows where it is.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Offset of `bytes[0]` in the outermost block.
    base: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of a block.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, base: 0 }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// An error at the present place.
    pub fn error(&self, what: impl Into<String>) -> Error {
        Error::Der {
            offset: self.base,
            what: what.into(),
        }
    }

    /// The tag of the next element, if there is one.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// The content of the next element, which must have this tag.
    ///
    /// # Errors
    /// Another tag, a length that is not DER, or an element that ends beyond the block.
    pub fn element(&mut self, expected: u8, what: &str) -> Result<Reader<'a>> {
        match self.peek() {
            None => return Err(self.error(format!("ends where {what} should be"))),
            Some(found) if found != expected => {
                return Err(self.error(format!(
                    "{what} should have tag {expected:#04x}, found {found:#04x}"
                )));
            }
            Some(_) => {}
        }
        let (header, length) = self.length(what)?;
        let end = header.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.error(format!("{what} of {length} bytes is cut off")))?;
        let inner = Reader {
            bytes: &self.bytes[header..end],
            base: self.base + header,
        };
        self.bytes = &self.bytes[end..];
        self.base += end;
        Ok(inner)
    }

    /// The next element whatever it is: its tag, and all its bytes including the header.
    ///
    /// # Errors
    /// As [`Reader::element`].
    pub fn any(&mut self, what: &str) -> Result<(u8, &'a [u8])> {
        let whole = self.bytes;
        let tag = self
            .peek()
            .ok_or_else(|| self.error(format!("ends where {what} should be")))?;
        let before = self.base;
        self.element(tag, what)?;
        Ok((tag, &whole[..self.base - before]))
    }

    /// Header length and content length of the next element.
    fn length(&self, what: &str) -> Result<(usize, usize)> {
        let first = *self
            .bytes
            .get(1)
            .ok_or_else(|| self.error(format!("{what} has no length")))?;
        if first < 0x80 {
            return Ok((2, usize::from(first)));
        }
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return Err(self.error(format!("{what} has a length that is not DER")));
        }
        let digits = self
            .bytes
            .get(2..2 + count)
            .ok_or_else(|| self.error(format!("{what} has no length")))?;
        let length = digits
            .iter()
            .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        Ok((2 + count, length))
    }

    /// A SEQUENCE.
    pub fn sequence(&mut self, what: &str) -> Result<Reader<'a>> {
        self.element(tag::SEQUENCE, what)
    }

    /// An OCTET STRING's bytes.
    pub fn octets(&mut self, what: &str) -> Result<&'a [u8]> {
        Ok(self.element(tag::OCTET_STRING, what)?.rest())
    }

    /// An object identifier's content bytes.
    pub fn oid(&mut self, what: &str) -> Result<&'a [u8]> {
        Ok(self.element(tag::OID, what)?.rest())
    }

    /// A non-negative INTEGER.
    ///
    /// # Errors
    /// Negative, empty, or longer than any key.
    pub fn integer(&mut self, what: &str) -> Result<Number> {
        let content = self.element(tag::INTEGER, what)?;
        match content.bytes {
            [] => Err(content.error(format!("{what} is an empty number"))),
            [first, ..] if first & 0x80 != 0 => Err(content.error(format!("{what} is negative"))),
            bytes if bytes.len() > MAX_INTEGER + 1 => {
                Err(content.error(format!("{what} has {} bytes, more than any key", bytes.len())))
            }
            bytes => Ok(Number::from_bytes(bytes)),
        }
    }

    /// An INTEGER that fits 32 bits.
    pub fn small(&mut self, what: &str) -> Result<u32> {
        let place = self.clone();
        let bytes = self.integer(what)?.to_bytes();
        if bytes.len() > 4 {
            return Err(place.error(format!("{what} is larger than 32 bits")));
        }
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    /// Nothing more may follow.
    pub fn end(&self, what: &str) -> Result<()> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.error(format!("{} bytes too many after {what}", self.bytes.len())))
        }
    }
}

/// DER being written; wiped when dropped.
#[derive(Default)]
pub struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Any element.
    #[must_use]
    pub fn element(mut self, tag: u8, content: &[u8]) -> Self {
        self.0.push(tag);
        let length = content.len();
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => self.0.push(short),
            _ => {
                let bytes = length.to_be_bytes();
                let skip = bytes.iter().take_while(|byte| **byte == 0).count();
                let count = u8::try_from(bytes.len() - skip).expect("a length has at most 8 bytes");
                self.0.push(0x80 | count);
                self.0.extend_from_slice(&bytes[skip..]);
            }
        }
        self.0.extend_from_slice(content);
        self
    }

    /// An INTEGER.
    #[must_use]
    pub fn integer(self, number: &Number) -> Self {
        let bytes = number.to_bytes();
        let mut content = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
        // Zero is one byte, and a set top bit would mean a negative number.
        if bytes.first().is_none_or(|first| first & 0x80 != 0) {
            content.push(0);
        }
        content.extend_from_slice(&bytes);
        self.element(tag::INTEGER, &content)
    }

    /// An INTEGER from a machine word.
    #[must_use]
    pub fn small(self, number: u32) -> Self {
        self.integer(&Number::from(number))
    }

    /// An object identifier, from its content bytes.
    #[must_use]
    pub fn oid(self, content: &[u8]) -> Self {
        self.element(tag::OID, content)
    }

    /// NULL.
    #[must_use]
    pub fn null(self) -> Self {
        self.element(tag::NULL, &[])
    }

    /// An OCTET STRING.
    #[must_use]
    pub fn octets(self, content: &[u8]) -> Self {
        self.element(tag::OCTET_STRING, content)
    }

    /// A SEQUENCE of what `content` writes.
    #[must_use]
    pub fn sequence(self, content: &Writer) -> Self {
        self.element(tag::SEQUENCE, &content.0)
    }

    /// The bytes written.
    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// The dotted form of an object identifier's content bytes, as far as it can be read.
pub fn dotted(content: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut value: u64 = 0;
    for byte in content {
        value = value.saturating_mul(128).saturating_add(u64::from(byte & 0x7f));
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (value / 40).min(2);
                arcs.extend([first, value - first * 40]);
            } else {
                arcs.push(value);
            }
            value = 0;
        }
    }
    arcs.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_as_openssl_does() {
        let inner = Writer::new().small(0).small(127).small(128).null();
        let der = Writer::new().sequence(&inner).finish();
        assert_eq!(*der, [0x30, 12, 2, 1, 0, 2, 1, 127, 2, 2, 0, 128, 5, 0]);
        assert_eq!(Writer::new().octets(&[0; 200]).finish()[..3], [4, 0x81, 200]);
        assert_eq!(Writer::new().octets(&[0; 300]).finish()[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn complains_with_a_place() {
        let der = Writer::new()
            .sequence(&Writer::new().small(1).octets(b"x"))
            .finish();
        let mut outer = Reader::new(&der);
        let mut inner = outer.sequence("the whole").unwrap();
        inner.integer("a").unwrap();
        let error = inner.integer("b").unwrap_err().to_string();
        assert_eq!(
            error,
            "byte 5 of the decoded block: b should have tag 0x02, found 0x04"
        );
        assert!(
            Reader::new(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff])
                .sequence("x")
                .is_err()
        );
        assert!(
            Reader::new(&[0x02, 0x01, 0x80])
                .integer("x")
                .unwrap_err()
                .to_string()
                .contains("negative")
        );
    }

    #[test]
    fn shows_object_identifiers() {
        assert_eq!(
            dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]),
            "1.2.840.113549.1.1.11"
        );
        assert_eq!(dotted(&[0x2b, 6, 1, 4]), "1.3.6.1.4");
        assert_eq!(dotted(&[0xff; 30]), "");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            while reader.any("x").is_ok() {}
            let _ = Reader::new(&bytes).integer("x");
            let _ = dotted(&bytes);
        }

        #[test]
        fn numbers_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let number = Number::from_bytes(&bytes);
            let der = Writer::new().integer(&number).finish();
            let mut reader = Reader::new(&der);
            prop_assert_eq!(reader.integer("n").unwrap(), number);
            prop_assert!(reader.is_empty());
        }
    }
}
