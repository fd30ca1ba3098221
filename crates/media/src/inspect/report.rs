//! The values a report is made of; all serialize, none holds a private number unless asked for.

use std::fmt;

use serde::Serialize;

use super::Options;
use crate::{
    Filestamp, GroupScheme, MediaKind, ReadFile, SignatureScheme,
    certificate::Role,
    file,
    key_file::{KeyFile, Problem},
    pkcs8::{Container, Encryption},
    symmetric::{KeyType, to_hex},
};
use keytrail_vocabulary::Severity;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holds {
    /// A host key.
    HostKey,
    /// A sign key.
    SignKey,
    /// A certificate.
    Certificate,
    /// The MV authority with its server and client keys.
    MvAuthority,
    /// The server key of an identity scheme.
    ServerKey(GroupScheme),
    /// The client parameters of an identity scheme.
    ClientParameters(GroupScheme),
    /// Symmetric keys.
    SymmetricKeys,
}

impl From<MediaKind> for Holds {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::HostKey => Self::HostKey,
            MediaKind::SignKey(_) => Self::SignKey,
            MediaKind::Certificate(_) => Self::Certificate,
            MediaKind::GroupKey(GroupScheme::Mv) => Self::MvAuthority,
            MediaKind::GroupKey(scheme) | MediaKind::ServerKey(scheme) => Self::ServerKey(scheme),
            MediaKind::ClientParameters(scheme) => Self::ClientParameters(scheme),
            MediaKind::MvClientKey(_) => Self::ClientParameters(GroupScheme::Mv),
            MediaKind::SymmetricKeys => Self::SymmetricKeys,
        }
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostKey => f.write_str("host key"),
            Self::SignKey => f.write_str("sign key"),
            Self::Certificate => f.write_str("certificate"),
            Self::MvAuthority => f.write_str("MV authority"),
            Self::ServerKey(scheme) => write!(f, "{scheme} server key"),
            Self::ClientParameters(scheme) => write!(f, "{scheme} client parameters"),
            Self::SymmetricKeys => f.write_str("symmetric keys"),
        }
    }
}

impl Serialize for Holds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One PEM block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockReport {
    /// The line its BEGIN stands on.
    pub line: usize,
    /// The label, such as `ENCRYPTED PRIVATE KEY`.
    pub label: String,
    /// How it is encrypted, if it is.
    pub encryption: Option<Encryption>,
    /// The container of the private key, if it could be opened.
    pub container: Option<Container>,
}

/// One number of a private file, under the scheme's name for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NumberReport {
    /// The scheme's name: n, v, xbar.
    pub name: String,
    /// Length in bits.
    pub bits: u32,
    /// Whether it must be kept secret.
    pub private: bool,
    /// The number in hexadecimal; private ones only on request.
    pub hex: Option<String>,
}

/// A certificate's fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateReport {
    /// Common name of the subject.
    pub subject: Option<String>,
    /// Common name of the issuer.
    pub issuer: Option<String>,
    /// What follows `@` in the subject.
    pub group: Option<String>,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// Start of validity, RFC 3339.
    pub not_before: String,
    /// End of validity, RFC 3339.
    pub not_after: String,
    /// Whole days left; negative when it has expired.
    pub days_left: i64,
    /// Signature scheme, if known.
    pub scheme: Option<SignatureScheme>,
    /// The signature algorithm's identifier.
    pub signature_oid: String,
    /// Trusted, private, or neither.
    pub role: Role,
    /// `RSA` or `DSA`.
    pub key_algorithm: &'static str,
    /// Size of the key in bits.
    pub key_bits: u32,
    /// Size of the GQ public value in bits, if it has one.
    pub gq_public_bits: Option<u32>,
    /// Whether its own key signed it.
    pub self_signed: bool,
}

/// One symmetric key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// Line number.
    pub line: usize,
    /// Key id.
    pub id: u16,
    /// Type.
    pub kind: KeyType,
    /// Length in bytes.
    pub bytes: usize,
    /// Addresses it is accepted from.
    pub restrict: Vec<String>,
    /// The key in hexadecimal, on request.
    pub hex: Option<String>,
}

/// Whether the numbers satisfy the equations of their scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The equations.
    pub equations: &'static str,
    /// Whether they hold.
    pub holds: bool,
}

/// Something worth saying about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Error: a daemon cannot use it, or it is not safe.
    pub severity: Severity,
    /// What is the matter.
    pub what: String,
    /// What to do.
    pub help: Option<String>,
}

/// What there is to say about one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its name in its directory, if known.
    pub file_name: Option<String>,
    /// What the first line says, normally the name it was made under.
    pub title: String,
    /// The filestamp the daemon takes.
    pub stamp: Option<Filestamp>,
    /// The filestamp as a date, RFC 3339.
    pub stamp_date: Option<String>,
    /// The date on the second line, as written.
    pub made: Option<String>,
    /// What the file holds; `None` if that cannot be told.
    pub holds: Option<Holds>,
    /// Its PEM blocks.
    pub blocks: Vec<BlockReport>,
    /// The numbers of private files.
    pub numbers: Vec<NumberReport>,
    /// A certificate's fields.
    pub certificate: Option<CertificateReport>,
    /// Symmetric keys.
    pub keys: Vec<KeyReport>,
    /// Bad lines of a file of symmetric keys.
    pub problems: Vec<Problem>,
    /// What proves the numbers.
    pub proof: Option<Proof>,
    /// What is wrong or worth knowing, worst first.
    pub remarks: Vec<Remark>,
}

impl Report {
    pub(super) fn new(read: &ReadFile, options: &Options<'_>) -> Self {
        let blocks = read.blocks.iter().map(|(line, block)| BlockReport {
            line: *line,
            label: block.label.clone(),
            encryption: None,
            container: None,
        });
        Self {
            file_name: options.file_name.map(str::to_owned),
            title: read.title.clone(),
            stamp: Some(read.stamp),
            stamp_date: Some(rfc3339(read.stamp.unix())),
            made: read.date.clone(),
            holds: None,
            blocks: blocks.collect(),
            numbers: Vec::new(),
            certificate: None,
            keys: Vec::new(),
            problems: Vec::new(),
            proof: None,
            remarks: Vec::new(),
        }
    }

    pub(super) fn of_keys(
        bytes: &[u8],
        stamp: Option<Filestamp>,
        read: &KeyFile,
        options: &Options<'_>,
    ) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut comments = text.lines().map_while(|line| line.strip_prefix('#'));
        // Without a stamp the first line is no header and may be a key.
        let title = stamp
            .and_then(|_| comments.next())
            .map(file::title)
            .unwrap_or_default();
        let made = stamp
            .and_then(|_| comments.next())
            .map(|date| date.trim().to_owned());
        let keys = read.keys.iter().map(|(line, key)| KeyReport {
            line: *line,
            id: key.id,
            kind: key.kind,
            bytes: key.secret.len(),
            restrict: key.restrict.iter().map(ToString::to_string).collect(),
            hex: options
                .show_private
                .then(|| to_hex(key.secret.expose()).to_string()),
        });
        Self {
            file_name: options.file_name.map(str::to_owned),
            title,
            stamp,
            stamp_date: stamp.map(|stamp| rfc3339(stamp.unix())),
            made,
            holds: Some(Holds::SymmetricKeys),
            blocks: Vec::new(),
            numbers: Vec::new(),
            certificate: None,
            keys: keys.collect(),
            problems: read.problems.clone(),
            proof: None,
            remarks: Vec::new(),
        }
    }

    pub(super) fn remark(&mut self, severity: Severity, what: impl Into<String>, help: Option<&str>) {
        self.remarks.push(Remark {
            severity,
            what: what.into(),
            help: help.map(str::to_owned),
        });
        self.remarks
            .sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    }

    /// The worst there is to say: of the remarks, and of the bad lines of a key file.
    pub fn worst(&self) -> Option<Severity> {
        let lines = self.problems.iter().map(|problem| match problem.cost {
            crate::key_file::Cost::Warning => Severity::Warning,
            crate::key_file::Cost::Line | crate::key_file::Cost::File => Severity::Error,
        });
        self.remarks
            .iter()
            .map(|remark| remark.severity)
            .chain(lines)
            .max()
    }
}

/// A moment as RFC 3339, in UTC.
pub(super) fn rfc3339(unix: i64) -> String {
    let format = &time::format_description::well_known::Rfc3339;
    let moment = time::OffsetDateTime::from_unix_timestamp(unix).ok();
    moment
        .and_then(|moment| moment.format(format).ok())
        .unwrap_or_else(|| format!("Unix time {unix}"))
}
