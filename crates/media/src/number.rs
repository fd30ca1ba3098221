//! Whole numbers of key media: OpenSSL's big numbers with the arithmetic the identity schemes are written in.

use std::{cmp::Ordering, fmt};

use openssl::{
    bn::{BigNum, BigNumContext, BigNumRef, MsbOption},
    error::ErrorStack,
};
use zeroize::Zeroizing;

use super::{Error, Result};

/// A non-negative whole number, wiped from memory when dropped and never printed by `Debug`.
///
/// Methods that cannot fail for the arguments given panic only where OpenSSL is out of memory.
pub struct Number(BigNum);

/// Memory is the only thing these operations can run out of.
const MEMORY: &str = "OpenSSL big-number arithmetic fails only when memory runs out";

fn compute(operation: impl FnOnce(&mut BigNumRef, &mut BigNumContext) -> Result<(), ErrorStack>) -> Number {
    let mut result = BigNum::new().expect(MEMORY);
    let mut context = BigNumContext::new().expect(MEMORY);
    operation(&mut result, &mut context).expect(MEMORY);
    Number(result)
}

impl Number {
    /// The number 1.
    pub fn one() -> Self {
        Self::from(1)
    }

    /// From big-endian bytes; leading zeros do not matter.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(BigNum::from_slice(bytes).expect(MEMORY))
    }

    /// From hexadecimal digits, with or without `0x`. `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let clean = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        clean
            .then(|| BigNum::from_hex_str(digits).ok().map(Self))
            .flatten()
    }

    /// Minimal big-endian bytes; zero is empty.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_vec())
    }

    /// Big-endian bytes filled up with zeros in front. `None` if the number is longer.
    pub fn to_bytes_padded(&self, length: usize) -> Option<Zeroizing<Vec<u8>>> {
        let length = i32::try_from(length).ok()?;
        self.0.to_vec_padded(length).ok().map(Zeroizing::new)
    }

    /// Lower-case hexadecimal without leading zeros. This shows the number: public numbers, or on request.
    pub fn to_hex(&self) -> String {
        let hex = self
            .to_bytes()
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let trimmed = hex.trim_start_matches('0');
        if trimmed.is_empty() {
            "0".into()
        } else {
            trimmed.into()
        }
    }

    /// Length in bits.
    pub fn bits(&self) -> u32 {
        self.0.num_bits().unsigned_abs()
    }

    /// Whether the most significant byte is at least 0x80, so that the byte length has no slack.
    pub fn fills_its_bytes(&self) -> bool {
        self.bits() > 0 && self.bits().is_multiple_of(8)
    }

    /// Whether the number is odd.
    pub fn is_odd(&self) -> bool {
        self.0.is_odd()
    }

    /// Whether this is 0.
    pub fn is_zero(&self) -> bool {
        self.0.num_bits() == 0
    }

    /// Whether this is 1.
    pub fn is_one(&self) -> bool {
        *self == Self::one()
    }

    /// Whether the number is prime, with an error probability below 2^-100.
    pub fn is_prime(&self) -> bool {
        let mut context = BigNumContext::new().expect(MEMORY);
        // 0 rounds: OpenSSL chooses enough; trial division first.
        self.0.is_prime_fasttest(0, &mut context, true).expect(MEMORY)
    }

    /// Sum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        compute(|r, _| r.checked_add(&self.0, &other.0))
    }

    /// Difference; panics if `other` is larger.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        assert!(self >= other, "difference of numbers would be negative");
        compute(|r, _| r.checked_sub(&self.0, &other.0))
    }

    /// Product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        compute(|r, ctx| r.checked_mul(&self.0, &other.0, ctx))
    }

    /// Quotient, rounded down; panics if `other` is 0.
    #[must_use]
    pub fn div(&self, other: &Self) -> Self {
        assert!(!other.is_zero(), "division by zero");
        compute(|r, ctx| r.checked_div(&self.0, &other.0, ctx))
    }

    /// Greatest common divisor.
    #[must_use]
    pub fn gcd(&self, other: &Self) -> Self {
        compute(|r, ctx| r.gcd(&self.0, &other.0, ctx))
    }

    /// Remainder modulo `m`; panics if `m` is 0.
    #[must_use]
    pub fn modulo(&self, m: &Self) -> Self {
        assert!(!m.is_zero(), "remainder modulo zero");
        compute(|r, ctx| r.nnmod(&self.0, &m.0, ctx))
    }

    /// Sum modulo `m`; panics if `m` is 0.
    #[must_use]
    pub fn plus_mod(&self, other: &Self, m: &Self) -> Self {
        self.plus(other).modulo(m)
    }

    /// Difference modulo `m`; panics if `m` is 0.
    #[must_use]
    pub fn minus_mod(&self, other: &Self, m: &Self) -> Self {
        let (a, b) = (self.modulo(m), other.modulo(m));
        if a >= b { a.minus(&b) } else { a.plus(m).minus(&b) }
    }

    /// Product modulo `m`; panics if `m` is 0.
    #[must_use]
    pub fn times_mod(&self, other: &Self, m: &Self) -> Self {
        assert!(!m.is_zero(), "product modulo zero");
        compute(|r, ctx| r.mod_mul(&self.0, &other.0, &m.0, ctx))
    }

    /// `self` to the power of `exponent`, modulo `m`, in time that does not depend on the exponent's bits
    /// where OpenSSL can (odd `m`); panics if `m` is 0.
    #[must_use]
    pub fn pow_mod(&self, exponent: &Self, m: &Self) -> Self {
        assert!(!m.is_zero(), "power modulo zero");
        let mut secret_exponent = exponent.clone();
        if m.is_odd() {
            secret_exponent.0.set_const_time();
        }
        compute(|r, ctx| r.mod_exp(&self.modulo(m).0, &secret_exponent.0, &m.0, ctx))
    }

    /// The inverse modulo `m`, if there is one.
    pub fn inverse_mod(&self, m: &Self) -> Option<Self> {
        if m.is_zero() || !self.gcd(m).is_one() {
            return None;
        }
        Some(compute(|r, ctx| r.mod_inverse(&self.modulo(m).0, &m.0, ctx)))
    }

    /// A uniformly random number in `1..limit`; panics if `limit` is below 2.
    pub fn random_below(limit: &Self) -> Result<Self> {
        assert!(limit.bits() > 1, "no number from 1 below the limit");
        let mut number = BigNum::new().expect(MEMORY);
        loop {
            limit
                .0
                .rand_range(&mut number)
                .map_err(Error::openssl("draw a random number"))?;
            if number.num_bits() > 0 {
                return Ok(Self(number));
            }
        }
    }

    /// A random number in `1..limit` without a common divisor with `limit`.
    pub fn random_unit(limit: &Self) -> Result<Self> {
        loop {
            let candidate = Self::random_below(limit)?;
            if candidate.gcd(limit).is_one() {
                return Ok(candidate);
            }
        }
    }

    /// A random prime of exactly `bits` bits.
    pub fn random_prime(bits: u32) -> Result<Self> {
        let mut prime = BigNum::new().expect(MEMORY);
        let bits = i32::try_from(bits).expect("sizes are checked before");
        prime
            .generate_prime(bits, false, None, None)
            .map_err(Error::openssl("find a prime"))?;
        Ok(Self(prime))
    }

    /// A random number of exactly `bits` bits.
    pub fn random_bits(bits: u32) -> Result<Self> {
        let mut number = BigNum::new().expect(MEMORY);
        let bits = i32::try_from(bits).expect("sizes are checked before");
        number
            .rand(bits, MsbOption::ONE, false)
            .map_err(Error::openssl("draw a random number"))?;
        Ok(Self(number))
    }

    pub(super) fn as_bn(&self) -> &BigNumRef {
        &self.0
    }

    pub(super) fn to_bn(&self) -> BigNum {
        self.0.to_owned().expect(MEMORY)
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self(BigNum::from_u32(value).expect(MEMORY))
    }
}

impl From<&BigNumRef> for Number {
    fn from(value: &BigNumRef) -> Self {
        Self(value.to_owned().expect(MEMORY))
    }
}

impl Clone for Number {
    fn clone(&self) -> Self {
        Self(self.to_bn())
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bits]", self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn never_prints_itself() {
        assert_eq!(format!("{:?}", Number::from(0x1234_5678)), "[29 bits]");
    }

    proptest! {
        #[test]
        fn agrees_with_machine_arithmetic(a in 0u32..1 << 20, b in 0u32..1 << 20, m in 1u32..1 << 20) {
            let (x, y, n) = (Number::from(a), Number::from(b), Number::from(m));
            let (a, b, m) = (u64::from(a), u64::from(b), u64::from(m));
            let number = |v: u64| Number::from_bytes(&v.to_be_bytes());
            prop_assert_eq!(x.plus(&y), number(a + b));
            prop_assert_eq!(x.times_mod(&y, &n), number(a * b % m));
            prop_assert_eq!(x.minus_mod(&y, &n), number((a % m + m - b % m) % m));
            prop_assert_eq!(x.modulo(&n), number(a % m));
            if let Some(inverse) = x.inverse_mod(&n) {
                prop_assert_eq!(inverse.times_mod(&x, &n), number(1 % m));
            }
        }

        #[test]
        fn bytes_and_hex_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let number = Number::from_bytes(&bytes);
            prop_assert_eq!(&Number::from_bytes(&number.to_bytes()), &number);
            prop_assert_eq!(&Number::from_hex(&number.to_hex()).unwrap(), &number);
        }
    }
}
