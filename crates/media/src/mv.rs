//! MV, the Mu-Varadharajan scheme: RFC 5906, appendix F, as the stock programs carry it out.
//!
//! q is a product of distinct primes s_1 … s_n, one for each client key, and p = 2q + 1 is prime; g has order q. With
//! X_j a random unit mod q for each client, and T their sum, the trusted agent keeps b and A = g^-T and hands out
//!
//! * client j: xbar_j = b^-1 (T - X_j), xhat_j = (q/s_j + 1) X_j, both mod q;
//! * servers: E = A^s, gbar = g^s, ghat = g^(s b), where s = q / (product of the s_j that are revoked).
//!
//! Client j passes exactly if s_j divides s, for then ghat^xbar_j gbar^xhat_j E = g^(s X_j q/s_j) = 1 mod p. To a challenge
//! r the server answers y = r E^k, gbar^k, ghat^k; the client tests y (gbar^k)^xhat (ghat^k)^xbar = r.
//!
//! With nobody revoked s would be q, and every server value 1: so one member more than there are clients is made, and
//! always revoked. The stock generator does the same to its last client, without saying so.
//!
//! What the exchange shows to anybody who listens: r is sent in clear, so y / r is E^k, and the triple E^k, gbar^k, ghat^k
//! passes for a server's key. MV as the daemon carries it out keeps clients apart, but proves little about servers.

#![allow(clippy::many_single_char_names)] // p, q, g, b, s are the scheme's own names

use std::collections::BTreeSet;

pub use super::mv_keys::{MvClientKey, MvResponse, MvServerKey};
use super::{
    Dialect, Error, Result,
    cipher::Protection,
    number::Number,
    pem::PemBlock,
    pkcs8,
    private_key::{DsaNumbers, PrivateKey},
};

/// What one client key rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    /// The prime whose absence from the enabling key revokes this member.
    s: Number,
    /// X_j: the stock program's x_j to the n-th power, the only form in which it is used.
    x: Number,
}

/// What the trusted agent keeps: everything from which server and client keys are made, now and after any
/// revocation. The stock program forgets the primes, which makes later revocations impossible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MvAuthority {
    p: Number,
    q: Number,
    g: Number,
    b: Number,
    /// One for each client, and one more that is always revoked.
    members: Vec<Member>,
}

/// Fewer bits than this per member, and there are not enough distinct primes.
const MIN_MEMBER_BITS: u32 = 24;

impl MvAuthority {
    /// Sizes of p in bits.
    pub const BITS: std::ops::RangeInclusive<u32> = 256..=2048;
    /// The default size of p.
    pub const DEFAULT_BITS: u32 = 512;

    /// How many clients a modulus of `bits` has room for.
    pub fn capacity(bits: u32) -> usize {
        ((bits.saturating_sub(1) / MIN_MEMBER_BITS) as usize).saturating_sub(1)
    }

    /// Makes a group key for `clients` client keys. p fills its bytes, since the daemon writes challenges
    /// without leading zeros and fails on those that are short (measured: 5 of 7 rounds with 513 bits, 0 with 512).
    ///
    /// # Errors
    /// Sizes other than multiples of 8 in [`MvAuthority::BITS`], no clients, or more than there is room for.
    pub fn generate(bits: u32, clients: usize) -> Result<Self> {
        if !Self::BITS.contains(&bits) || !bits.is_multiple_of(8) {
            return Err(Error::refused(
                format!("MV group key of {bits} bits"),
                "the modulus must fill its bytes, or the daemon loses challenges",
                "choose a multiple of 8 from 256 to 2048, best 512",
            ));
        }
        if clients == 0 || clients > Self::capacity(bits) {
            return Err(Error::refused(
                format!("MV group key for {clients} clients in {bits} bits"),
                format!(
                    "there is room for 1 to {} client keys, each with a prime of its own",
                    Self::capacity(bits)
                ),
                "give several hosts the same client key, or choose more bits",
            ));
        }
        Self::search(bits, u32::try_from(clients + 1).expect("limited by the capacity"))
    }

    fn search(bits: u32, count: u32) -> Result<Self> {
        let each = (bits - 1) / count;
        let mut primes = Vec::new();
        while primes.len() < count as usize {
            let prime = Number::random_prime(each)?;
            if !primes.contains(&prime) {
                primes.push(prime);
            }
        }
        let (p, q) = loop {
            let mut found = None;
            for place in 0..primes.len() {
                if let Some(pair) = Self::replace(&mut primes, place, bits)? {
                    found = Some(pair);
                    break;
                }
            }
            if let Some(pair) = found {
                break pair;
            }
        };
        let g = Self::generator(&p, &q, &primes)?;
        let b = Number::random_unit(&q)?;
        let members = primes.into_iter().map(|s| {
            let x = Number::random_unit(&q)?.pow_mod(&Number::from(count), &q);
            Ok(Member { s, x })
        });
        let members = members.collect::<Result<_>>()?;
        Ok(Self { p, q, g, b, members })
    }

    /// Puts a new prime in this place, of a size that makes p = 2q + 1 exactly `bits` long with its top bit set.
    /// Returns p and q if p is prime.
    fn replace(primes: &mut [Number], place: usize, bits: u32) -> Result<Option<(Number, Number)>> {
        let others = (0..primes.len()).filter(|other| *other != place);
        let rest = others.fold(Number::one(), |product, other| product.times(&primes[other]));
        // 2^(bits-2) <= q < 2^(bits-1), so that p >= 2^(bits-1) + 1.
        let lowest = power_of_two(bits - 2).div(&rest).plus(&Number::one());
        let width = power_of_two(bits - 1).div(&rest).minus(&lowest);
        let prime = loop {
            let candidate = lowest.plus(&Number::random_below(&width)?);
            if !primes.contains(&candidate) && candidate.is_prime() {
                break candidate;
            }
        };
        let q = rest.times(&prime);
        primes[place] = prime;
        let p = q.plus(&q).plus(&Number::one());
        Ok(p.is_prime().then_some((p, q)))
    }

    /// A random number of order q, and of no smaller order.
    fn generator(p: &Number, q: &Number, primes: &[Number]) -> Result<Number> {
        loop {
            let root = Number::random_below(p)?;
            let g = root.times_mod(&root, p);
            if primes.iter().all(|s| !g.pow_mod(&q.div(s), p).is_one()) {
                return Ok(g);
            }
        }
    }

    /// The number of client keys that can be handed out: numbers 1 to this.
    pub fn clients(&self) -> usize {
        self.members.len() - 1
    }

    /// The modulus p.
    pub fn modulus(&self) -> &Number {
        &self.p
    }

    /// T, the sum of all X_j, mod q.
    fn total(&self) -> Number {
        self.members
            .iter()
            .fold(Number::from(0), |sum, member| sum.plus_mod(&member.x, &self.q))
    }

    /// A = g^-T.
    fn a(&self) -> Number {
        self.g
            .pow_mod(&Number::from(0).minus_mod(&self.total(), &self.q), &self.p)
    }

    /// The server key that shuts out the clients with these numbers, and lets all others in. Keep the filestamp of
    /// the key it replaces: then no client needs a new file (measured).
    ///
    /// # Errors
    /// A number that no client has.
    pub fn server(&self, revoked: &BTreeSet<usize>) -> Result<MvServerKey> {
        if let Some(unknown) = revoked.iter().find(|j| !(1..=self.clients()).contains(*j)) {
            return Err(self.no_such_client(*unknown));
        }
        let last = self.members.len();
        let shut_out = revoked.iter().copied().chain([last]);
        let product = shut_out.fold(Number::one(), |product, j| product.times(&self.members[j - 1].s));
        let s = self.q.div(&product);
        Ok(MvServerKey {
            p: self.p.clone(),
            q: self.q.clone(),
            e: self.a().pow_mod(&s, &self.p),
            gbar: self.g.pow_mod(&s, &self.p),
            ghat: self.g.pow_mod(&s.times_mod(&self.b, &self.q), &self.p),
        })
    }

    /// The key of client `j`, counted from 1. It stays the same through all revocations.
    ///
    /// # Errors
    /// A number that no client has.
    pub fn client(&self, j: usize) -> Result<MvClientKey> {
        if !(1..=self.clients()).contains(&j) {
            return Err(self.no_such_client(j));
        }
        Ok(self.member_key(&self.members[j - 1]))
    }

    fn member_key(&self, member: &Member) -> MvClientKey {
        let q = &self.q;
        let inverse = self
            .b
            .inverse_mod(q)
            .expect("b has no common divisor with q, checked by prove and generate");
        let w = q.div(&member.s).plus(&Number::one());
        MvClientKey {
            p: self.p.clone(),
            xbar: inverse.times_mod(&self.total().minus_mod(&member.x, q), q),
            xhat: w.times_mod(&member.x, q),
        }
    }

    fn no_such_client(&self, j: usize) -> Error {
        Error::refused(
            format!("MV client {j}"),
            format!("this group key has clients 1 to {}", self.clients()),
            "use one of those, or make a new group key with more clients",
        )
    }

    /// Checks the numbers against each other.
    ///
    /// # Errors
    /// The first relation that does not hold.
    pub fn prove(&self) -> Result<()> {
        let Self { p, q, g, b, members } = self;
        let one = Number::one();
        let test = |holds: bool, what| {
            let why = "this is no MV group key".to_owned();
            if holds {
                Ok(())
            } else {
                Err(Error::Unproven { what, why })
            }
        };
        test(
            members.len() >= 2 && q.bits() > 1 && p.bits() <= 4096,
            "at least one client and a spare",
        )?;
        test(*p == q.plus(q).plus(&one) && p.is_prime(), "p = 2q + 1 is prime")?;
        let product = members
            .iter()
            .fold(Number::one(), |product, member| product.times(&member.s));
        test(
            product == *q && members.iter().all(|member| member.s.is_prime()),
            "q is the product of the primes s_j",
        )?;
        test(g.pow_mod(q, p).is_one(), "g^q = 1 mod p")?;
        let full = members
            .iter()
            .all(|member| !g.pow_mod(&q.div(&member.s), p).is_one());
        test(full, "g has order q")?;
        let units = std::iter::once(b).chain(members.iter().map(|member| &member.x));
        test(
            units.into_iter().all(|unit| unit.gcd(q).is_one()),
            "b and all X_j are units mod q",
        )
    }

    /// All blocks of an `MVta` file, encrypted: authority, server key with nobody revoked, and every member including
    /// the spare. In the current dialect [`MvAuthority::from_containers`] reads it back; in PKCS#8 b, ghat and all xhat are lost.
    ///
    /// # Errors
    /// OpenSSL cannot encrypt.
    pub fn authority_blocks(&self, protection: &Protection, dialect: Dialect) -> Result<Vec<PemBlock>> {
        let authority = DsaNumbers {
            p: self.p.clone(),
            q: self.q.clone(),
            g: self.g.clone(),
            public: Some(self.b.clone()),
            private: self.a(),
        };
        let server = self.server(&BTreeSet::new())?.container();
        let members = self
            .members
            .iter()
            .map(|member| self.member_key(member).container());
        let keys = [PrivateKey::Dsa(authority), server].into_iter().chain(members);
        keys.map(|key| match dialect {
            Dialect::Current => pkcs8::encrypted_traditional_block(&key, protection),
            Dialect::Documented => pkcs8::encrypted_pkcs8_block(&key, protection),
        })
        .collect()
    }

    /// Reads the containers of an `MVta` file and works out the primes again: with b known, the xbar_j give T and every
    /// X_j, and xhat_j / X_j - 1 is q / s_j.
    ///
    /// # Errors
    /// PKCS#8, where b and all xhat are lost; numbers that do not fit together.
    pub fn from_containers(keys: &[PrivateKey]) -> Result<Self> {
        let wrong = |what: &str| Error::NotMedia(format!("this is no MV authority: {what}"));
        let [PrivateKey::Dsa(authority), PrivateKey::Dsa(_), members @ ..] = keys else {
            return Err(wrong(
                "it should begin with the authority's and the servers' block",
            ));
        };
        let DsaNumbers {
            p,
            q,
            g,
            public,
            private: a,
        } = authority;
        let b = public
            .clone()
            .ok_or_else(|| {
            Error::refused(
                "MV authority file",
                "the values b, ghat and all xhat are lost in PKCS#8: no key made from it can ever authenticate",
                "make a new group key; the primes for revocation are lost as well",
            )
        })?;
        let count = u32::try_from(members.len())
            .ok()
            .filter(|n| (2..=1000).contains(n));
        let count = count.ok_or_else(|| wrong("it should hold two or more client blocks"))?;
        if q.bits() < 2 || *p != q.plus(q).plus(&Number::one()) {
            return Err(wrong("p is not 2q + 1"));
        }
        let clients: Vec<MvClientKey> = members
            .iter()
            .map(MvClientKey::from_container)
            .collect::<Result<_>>()?;
        let sum = clients
            .iter()
            .fold(Number::from(0), |sum, client| sum.plus_mod(&client.xbar, q));
        let share = Number::from(count - 1)
            .inverse_mod(q)
            .ok_or_else(|| wrong("n - 1 is no unit mod q"))?;
        let total = sum.times_mod(&b, q).times_mod(&share, q);
        let members = clients.iter().map(|client| {
            let x = total.minus_mod(&client.xbar.times_mod(&b, q), q);
            let inverse = x.inverse_mod(q).ok_or_else(|| wrong("an X_j is no unit mod q"))?;
            let quotient = client.xhat.times_mod(&inverse, q).minus_mod(&Number::one(), q);
            Ok(Member {
                s: q.div(&quotient.gcd(q)),
                x,
            })
        });
        let members = members.collect::<Result<_>>()?;
        let read = Self {
            p: p.clone(),
            q: q.clone(),
            g: g.clone(),
            b,
            members,
        };
        read.prove()?;
        if read.a() != *a {
            return Err(wrong("A is not g^-T"));
        }
        Ok(read)
    }

    /// p, q, g, b, and for every member s and X: for the vault.
    pub(super) fn numbers(&self) -> Vec<&Number> {
        let members = self.members.iter().flat_map(|member| [&member.s, &member.x]);
        [&self.p, &self.q, &self.g, &self.b]
            .into_iter()
            .chain(members)
            .collect()
    }

    /// Reads [`MvAuthority::numbers`].
    pub(super) fn from_numbers(numbers: Vec<Number>) -> Result<Self> {
        let mut numbers = numbers.into_iter();
        let mut next = || numbers.next();
        let broken = || Error::NotMedia("an MV group key with missing numbers".into());
        let (Some(p), Some(q), Some(g), Some(b)) = (next(), next(), next(), next()) else {
            return Err(broken());
        };
        let mut members = Vec::new();
        while let Some(s) = next() {
            members.push(Member {
                s,
                x: next().ok_or_else(broken)?,
            });
        }
        let read = Self { p, q, g, b, members };
        read.prove()?;
        Ok(read)
    }
}

fn power_of_two(exponent: u32) -> Number {
    let mut bytes = vec![0; exponent as usize / 8 + 1];
    bytes[0] = 1 << (exponent % 8);
    Number::from_bytes(&bytes)
}

#[cfg(test)]
#[path = "mv_tests.rs"]
mod tests;
