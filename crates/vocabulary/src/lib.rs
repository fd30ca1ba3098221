//! The words of keytrail's field as types: NTP implementations, identity and signature schemes, key types, ciphers,
//! filestamps; and the two kinds of bytes that everything handles, [`Secret`] and [`Digest`].
//!
//! This crate knows nothing above it: no file, no host, no inventory, no OpenSSL. A word is parsed here, once; whoever
//! holds the type need not look at the text again. What is no word of the field is [`Refused`], with the reason and
//! with what to use instead.
//!
//! Statements marked "measured" were measured on ntp.org ntpd 4.2.8p15 with OpenSSL 3.

mod cipher;
mod count;
mod dialect;
mod digest;
mod filestamp;
pub mod foreign;
mod identity_scheme;
mod implementation;
mod key_type;
mod refused;
mod secret;
mod severity;
mod signature_scheme;
mod time_span;
mod written;

pub use cipher::Cipher;
pub use count::counted;
pub use dialect::Dialect;
pub use digest::Digest;
pub use filestamp::Filestamp;
pub use identity_scheme::IdentityScheme;
pub use implementation::Implementation;
pub use key_type::KeyType;
pub use refused::Refused;
pub use secret::Secret;
pub use severity::Severity;
pub use signature_scheme::{KeyAlgorithm, SignatureDigest, SignatureScheme};
pub use time_span::{parse_date, parse_days, parse_span};
pub use written::Written;
