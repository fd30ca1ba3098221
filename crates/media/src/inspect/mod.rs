//! What a media file holds, whether its numbers satisfy the scheme's equations, and whether a daemon can use it.
//!
//! [`inspect`] reads any file ntp-keygen or keytrail ever wrote, in every encoding; [`pair`] says whether two files belong
//! together. Private numbers leave this module only where [`Options::show_private`] asks for them.

mod certificate;
mod judge;
mod pair;
mod recognise;
mod report;

use super::{
    Error, Filestamp, MediaKind, ReadFile, Result,
    certificate::Certificate,
    file,
    gq::{GqKey, GqParameters},
    host_key::SignKey,
    iff::{IffKey, IffParameters},
    key_file::{self, KeyFile},
    mv::{MvAuthority, MvClientKey, MvServerKey},
    pkcs8::{self, ReadKey},
};
use keytrail_vocabulary::{Implementation, Secret, Severity};

pub use pair::{Check, PairReport, pair};
pub use report::{BlockReport, CertificateReport, Holds, KeyReport, NumberReport, Proof, Remark, Report};

/// What is known besides the file.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// The file's name in its directory, if it has one; generic names (`ntpkey_iffkey_red`) tell the kind where the
    /// first line does not.
    pub file_name: Option<&'a str>,
    /// The password of private files.
    pub password: Option<&'a Secret>,
    /// The daemon whose rules a file of symmetric keys is read by.
    pub daemon: Implementation,
    /// The present, Unix seconds, for what is left of a certificate.
    pub now: i64,
    /// Whether the report holds private numbers and symmetric keys.
    pub show_private: bool,
}

/// The values a file was found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// A host or sign key.
    SignKey(SignKey),
    /// A certificate.
    Certificate(Certificate),
    /// An IFF server key.
    IffServer(IffKey),
    /// IFF client parameters.
    IffClient(IffParameters),
    /// A GQ server key.
    GqServer(GqKey),
    /// GQ client parameters.
    GqClient(GqParameters),
    /// An MV authority.
    MvAuthority(MvAuthority),
    /// An MV server key.
    MvServer(MvServerKey),
    /// An MV client key.
    MvClient(MvClientKey),
    /// Symmetric keys.
    Symmetric(KeyFile),
}

/// A file that was read: the report for people, and the values for [`pair`].
#[derive(Debug, Clone)]
pub struct Inspected {
    /// What there is to say.
    pub report: Report,
    /// The values; `None` where they cannot be had: no password, or lost in the file.
    pub material: Option<Material>,
    stamp: Option<Filestamp>,
}

/// Reads a file and judges it.
///
/// # Errors
/// Only what cannot be read at all: binary, too large, no filestamp, damaged blocks. What can be read and
/// cannot work is a [`Remark`] in the report.
pub fn inspect(bytes: &[u8], options: &Options<'_>) -> Result<Inspected> {
    let text = file::text(bytes)?;
    let named = options.file_name.and_then(recognise::kind_of_name);
    let pem = text.contains("-----BEGIN ");
    let first = text.lines().next().unwrap_or_default();
    let titled = file::title(first)
        .parse()
        .ok()
        .map(|name: super::MediaName| name.kind);
    let keys = titled == Some(MediaKind::SymmetricKeys) || named == Some(Holds::SymmetricKeys);
    if keys || (!pem && titled.is_none() && named.is_none() && recognise::looks_like_key_lines(text)) {
        return symmetric(bytes, options);
    }
    let read = ReadFile::parse(bytes)?;
    let name = read.name().ok();
    let mut report = Report::new(&read, options);
    let expected = name.as_ref().map(|name| Holds::from(name.kind)).or(named);
    if let Some(name) = name
        .as_ref()
        .filter(|name| options.file_name.is_some_and(|file| file != name.to_string()))
    {
        judge::other_name(&mut report, name, options.file_name.unwrap_or_default());
    }

    if read.blocks[0].1.label.ends_with("CERTIFICATE") {
        let certificate =
            Certificate::from_block(&read.blocks[0].1).map_err(|error| in_block(&read, 0, &error))?;
        certificate::judge(&mut report, &certificate, read.stamp, options.now)?;
        judge::expect(&mut report, expected, Holds::Certificate);
        let material = Some(Material::Certificate(certificate));
        return Ok(Inspected {
            report,
            material,
            stamp: Some(read.stamp),
        });
    }

    for (index, (_, block)) in read.blocks.iter().enumerate() {
        let encryption = pkcs8::encryption(block).map_err(|error| in_block(&read, index, &error))?;
        report.blocks[index].encryption = encryption;
    }
    let mut keys = Vec::new();
    for (index, (_, block)) in read.blocks.iter().enumerate() {
        let encryption = report.blocks[index].encryption;
        match pkcs8::read(block, options.password) {
            Ok(key) => {
                report.blocks[index].container = Some(key.container);
                keys.push(key);
            }
            Err(error @ (Error::PasswordNeeded | Error::WrongPassword)) => {
                let severity = if matches!(error, Error::PasswordNeeded) {
                    Severity::Note
                } else {
                    Severity::Error
                };
                report.holds = expected;
                report.remark(severity, error.to_string(), error.help());
                judge::encryption_suits(&mut report, expected, encryption);
                return Ok(Inspected {
                    report,
                    material: None,
                    stamp: Some(read.stamp),
                });
            }
            Err(error) => return Err(in_block(&read, index, &error)),
        }
    }
    let holds = recognise::holds(&keys, expected);
    report.holds = Some(holds);
    judge::expect(&mut report, expected, holds);
    judge::encryption_suits(&mut report, Some(holds), keys[0].encryption);
    report.numbers = recognise::numbers(&keys, holds, options.show_private);
    let material = judge::private(&mut report, &keys, holds);
    Ok(Inspected {
        report,
        material,
        stamp: Some(read.stamp),
    })
}

fn in_block(read: &ReadFile, index: usize, error: &Error) -> Error {
    Error::line(
        read.blocks[index].0,
        format!("the block that begins here: {error}"),
    )
}

fn symmetric(bytes: &[u8], options: &Options<'_>) -> Result<Inspected> {
    let keys = key_file::read(bytes, options.daemon)?;
    let stamp = file::filestamp(bytes).ok();
    let report = Report::of_keys(bytes, stamp, &keys, options);
    Ok(Inspected {
        report,
        material: Some(Material::Symmetric(keys)),
        stamp,
    })
}
