//! What a daemon's log complains of, told in one's own words.

use keytrail_vocabulary::IdentityScheme;
use std::fmt;

/// A complaint in the log of ntp.org's ntpd, NTPsec's ntpd or chronyd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A private key could not be decrypted. The daemon exits.
    WrongPassword,
    /// A private key could not be decoded; OpenSSL's reason. The daemon exits.
    KeyDamaged(String),
    /// A key or certificate file is empty.
    FileEmpty(String),
    /// The first line of a key or certificate file has no filestamp.
    NoFilestamp(String),
    /// What stands where the filestamp should be is no number.
    BadFilestamp(String),
    /// The host key's file is missing or was refused. The daemon exits.
    HostKeyMissing(String),
    /// The certificate's file is missing or was refused. The daemon exits.
    CertificateMissing(String),
    /// The certificate's PEM could not be decoded; OpenSSL's reason.
    CertificateDamaged(String),
    /// The PEM block is something else.
    CertificateWrongPem(String),
    /// A certificate was refused for its lifetime or its filestamp.
    CertificateTimes {
        /// Its subject.
        subject: String,
        /// Its filestamp is later than its beginning, as opposed to: it ends before it begins.
        stamp_late: bool,
    },
    /// A certificate was refused for its names, signature or trail; the daemon's words.
    CertificateRefused(String),
    /// The host key is no RSA key. The daemon exits.
    HostKeyNotRsa,
    /// The installed certificate is not self-signed. The daemon exits.
    CertificateNotSelfSigned(String),
    /// OpenSSL has no randomness and its seed file is missing. The daemon exits.
    SeedMissing(String),
    /// A line of the configuration was not understood. The daemon runs on without what follows it.
    Syntax {
        /// File.
        file: String,
        /// Line, from 1.
        line: u32,
    },
    /// `crypto` was given twice; the second had no effect.
    CryptoTwice,
    /// `crypto digest` names no digest; MD5 stays.
    UnknownDigest(String),
    /// The whole symmetric key file was refused.
    KeyFileRejected(String),
    /// The symmetric key file cannot be opened; the reason.
    KeyFileUnreadable(String),
    /// A line of chrony's key file was skipped; its words.
    KeyLineSkipped(String),
    /// A symmetric key that an association asks for is not in the key file.
    KeyUnknown(u32),
    /// It is there, but not trusted.
    KeyNotTrusted(u32),
    /// A symmetric key is shorter than 80 bits; it is used all the same.
    KeyShort(u32),
    /// No client parameters for that group.
    NoParameters(String),
    /// The server's group key has another generation than this host's parameters.
    OtherGeneration {
        /// Scheme.
        scheme: IdentityScheme,
        /// The server's filestamp.
        stamp: u32,
    },
    /// The server's answer to the challenge does not verify.
    IdentityNotVerified(IdentityScheme),
    /// The identity exchange could not be done; the daemon's words.
    IdentityUnusable(IdentityScheme, String),
    /// A TLS handshake for NTS failed on the certificate.
    NtsCertificate {
        /// Name of the server, where the log tells it.
        server: Option<String>,
        /// Why.
        reason: NtsReason,
    },
    /// No connection for the NTS key establishment; the reason.
    NtsUnreachable {
        /// Name of the server, where the log tells it.
        server: Option<String>,
        /// The system's words.
        reason: String,
    },
    /// An NTS server cannot use its certificate or key; the daemon's words.
    NtsServerFiles(String),
    /// The port is taken: another daemon runs. The daemon exits.
    PortTaken,
    /// The daemon ended on that signal.
    Signal(u32),
    /// The daemon gave up, in its own words.
    Fatal(String),
}

/// Why a certificate was refused in an NTS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NtsReason {
    /// Past its end.
    Expired,
    /// Before its beginning: renewed too early, or the client's clock is behind.
    NotYetValid,
    /// No way from it to a root this client trusts.
    UnknownIssuer,
    /// The name on the client's line is not in it.
    WrongName,
    /// Another reason, as it was.
    Other(String),
}

impl fmt::Display for NtsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet by this host's clock",
            Self::UnknownIssuer => "no root that this host trusts has issued it",
            Self::WrongName => "the name on this host's line is not in it",
            Self::Other(words) => words,
        })
    }
}

impl Trouble {
    /// Whether it is of one try of the identity exchange. The daemon tries again at the next poll, and a single try fails
    /// now and then where nothing is wrong (a short challenge): once the association is proven it is over.
    pub fn of_one_try(&self) -> bool {
        matches!(self, Self::OtherGeneration { .. } | Self::IdentityNotVerified(_))
    }

    /// Whether the daemon exits with it. ntp.org's ntpd then has exit status 255 and says nothing more.
    pub fn fatal(&self) -> bool {
        matches!(
            self,
            Self::WrongPassword
                | Self::KeyDamaged(_)
                | Self::HostKeyMissing(_)
                | Self::CertificateMissing(_)
                | Self::HostKeyNotRsa
                | Self::CertificateNotSelfSigned(_)
                | Self::SeedMissing(_)
                | Self::PortTaken
                | Self::Signal(_)
                | Self::Fatal(_)
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPassword => write!(f, "the password does not open a private key"),
            Self::KeyDamaged(reason) => write!(f, "a private key cannot be decoded ({reason})"),
            Self::FileEmpty(file) => write!(f, "{file} is empty"),
            Self::NoFilestamp(file) => write!(f, "the first line of {file} has no filestamp"),
            Self::BadFilestamp(file) => write!(f, "the filestamp in the first line of {file} is no number"),
            Self::HostKeyMissing(file) => write!(f, "the host key {file} is missing or was refused"),
            Self::CertificateMissing(file) => write!(f, "the certificate {file} is missing or was refused"),
            Self::CertificateDamaged(reason) => write!(f, "the certificate cannot be decoded ({reason})"),
            Self::CertificateWrongPem(found) => {
                write!(f, "the certificate's file holds {found}, not a certificate")
            }
            Self::CertificateTimes {
                subject,
                stamp_late: true,
            } => {
                write!(f, "the certificate of {subject} begins before its filestamp")
            }
            Self::CertificateTimes {
                subject,
                stamp_late: false,
            } => {
                write!(f, "the certificate of {subject} ends before it begins")
            }
            Self::CertificateRefused(words) => write!(f, "a certificate was refused: {words}"),
            Self::HostKeyNotRsa => write!(f, "the host key is not an RSA key"),
            Self::CertificateNotSelfSigned(file) => write!(f, "the certificate {file} is not self-signed"),
            Self::SeedMissing(file) => write!(f, "the random seed file {file} is missing"),
            Self::Syntax { file, line } => write!(f, "{file}:{line} was not understood"),
            Self::CryptoTwice => write!(f, "there is more than one crypto command; the first alone counts"),
            Self::UnknownDigest(name) => write!(f, "crypto digest {name} is unknown; MD5 is used"),
            Self::KeyFileRejected(file) => write!(f, "the whole key file {file} was refused"),
            Self::KeyFileUnreadable(words) => write!(f, "the key file cannot be read: {words}"),
            Self::KeyLineSkipped(words) => write!(f, "a line of the key file was skipped: {words}"),
            Self::KeyUnknown(id) => write!(f, "symmetric key {id} is not in the key file"),
            Self::KeyNotTrusted(id) => write!(f, "symmetric key {id} is in the key file, but not trusted"),
            Self::KeyShort(id) => write!(f, "symmetric key {id} has less than 80 bits"),
            Self::NoParameters(group) => write!(f, "there are no identity parameters for group {group}"),
            Self::OtherGeneration { scheme, stamp } => write!(
                f,
                "the server's {} key has filestamp {stamp}, this host's parameters another",
                scheme.name()
            ),
            Self::IdentityNotVerified(scheme) => {
                write!(f, "the server did not prove its {} group key", scheme.name())
            }
            Self::IdentityUnusable(scheme, words) => {
                write!(f, "the {} exchange could not be done: {words}", scheme.name())
            }
            Self::NtsCertificate { server, reason } => {
                write!(
                    f,
                    "the certificate of {} was refused: {reason}",
                    name(server.as_deref())
                )
            }
            Self::NtsUnreachable { server, reason } => {
                write!(
                    f,
                    "no NTS key establishment with {}: {reason}",
                    name(server.as_deref())
                )
            }
            Self::NtsServerFiles(words) => write!(f, "NTS cannot be served: {words}"),
            Self::PortTaken => write!(f, "the NTP port is taken by another process"),
            Self::Signal(number) => write!(f, "the daemon ended on signal {number}"),
            Self::Fatal(words) => write!(f, "the daemon gave up: {words}"),
        }
    }
}

fn name(server: Option<&str>) -> &str {
    server.unwrap_or("a server")
}
