//! Key media: every file ntpd reads for Autokey and symmetric keys, as typed values.
//!
//! Pure functions: time comes in as an argument, randomness from OpenSSL's generator, and nothing here
//! touches the file system, reads a clock or prints. From the bottom up:
//!
//! * [`name`]: what a file is called, from the words of [`keytrail_vocabulary`];
//! * [`number`], [`der`], [`pem`], [`cipher`], [`private_key`], [`pkcs8`]: how numbers get into a file;
//! * [`host_key`], [`certificate`]: what every Autokey host has;
//! * [`iff`], [`gq`], [`mv`], joined in [`group_key`]: what a secure group shares, with its equations;
//! * [`symmetric`], [`key_file`]: keys for message authentication codes, as each daemon spells them;
//! * [`file`](mod@file): header and content of one file; [`inspect`]: what any such file holds, and whether it can work.
//!
//! Statements marked "measured" were measured on ntp.org ntpd 4.2.8p15 with OpenSSL 3.

pub mod certificate;
pub mod cipher;
pub mod der;
mod error;
pub mod file;
pub mod gq;
pub mod group_key;
pub mod host_key;
pub mod iff;
pub mod inspect;
pub mod key_file;
pub mod mv;
mod mv_keys;
pub mod name;
pub mod number;
pub mod pem;
pub mod pkcs8;
pub mod private_key;
pub mod symmetric;
mod x509;

pub use error::{Error, Result};
pub use file::{Body, MediaFile, ReadFile};
pub use group_key::GroupKey;
pub use keytrail_vocabulary::{Dialect, Filestamp, KeyAlgorithm, SignatureDigest, SignatureScheme};
pub use name::{GroupScheme, MediaKind, MediaName};
