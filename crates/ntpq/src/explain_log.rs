//! Complaints of the logs in words: what is likely behind each, and what to do now.

use super::explanation::{Explanation, explanation};
use super::trouble::{NtsReason, Trouble};

impl Trouble {
    /// What is likely behind it, and what to do now.
    pub fn explanation(&self) -> Explanation {
        match self {
            Trouble::NtsCertificate { .. } | Trouble::NtsUnreachable { .. } | Trouble::NtsServerFiles(_) => {
                nts(self)
            }
            Trouble::KeyFileRejected(_)
            | Trouble::KeyFileUnreadable(_)
            | Trouble::KeyLineSkipped(_)
            | Trouble::KeyUnknown(_)
            | Trouble::KeyNotTrusted(_)
            | Trouble::KeyShort(_) => symmetric(self),
            Trouble::NoParameters(_)
            | Trouble::OtherGeneration { .. }
            | Trouble::IdentityNotVerified(_)
            | Trouble::IdentityUnusable(..) => identity(self),
            _ => start(self),
        }
    }
}

fn start(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::WrongPassword => explanation!("log/wrong-password"),
        Trouble::KeyDamaged(_) => explanation!("log/key-damaged"),
        Trouble::FileEmpty(_) => explanation!("log/file-empty"),
        Trouble::NoFilestamp(_) | Trouble::BadFilestamp(_) => explanation!("log/no-filestamp"),
        Trouble::HostKeyMissing(_) => explanation!("log/host-key-missing"),
        Trouble::CertificateMissing(_) => explanation!("log/certificate-missing"),
        Trouble::CertificateDamaged(_) | Trouble::CertificateWrongPem(_) => {
            explanation!("log/certificate-damaged")
        }
        Trouble::CertificateTimes { stamp_late: true, .. } => explanation!("log/certificate-before-stamp"),
        Trouble::CertificateTimes { .. } => explanation!("log/certificate-times"),
        Trouble::CertificateRefused(_) => explanation!("log/certificate-refused"),
        Trouble::HostKeyNotRsa => explanation!("log/host-key-not-rsa"),
        Trouble::CertificateNotSelfSigned(_) => explanation!("log/certificate-not-self-signed"),
        Trouble::SeedMissing(_) => explanation!("log/seed-missing"),
        Trouble::Syntax { .. } => explanation!("log/syntax"),
        Trouble::CryptoTwice => explanation!("log/crypto-twice"),
        Trouble::UnknownDigest(_) => explanation!("log/unknown-digest"),
        Trouble::PortTaken => explanation!("log/port-taken"),
        Trouble::Signal(1) => explanation!("log/hangup"),
        Trouble::Signal(_) => explanation!("log/signal"),
        _ => explanation!("log/fatal"),
    }
}

fn identity(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::NoParameters(_) => explanation!("log/no-parameters"),
        Trouble::OtherGeneration { .. } => explanation!("log/other-generation"),
        Trouble::IdentityNotVerified(_) => explanation!("log/identity-not-verified"),
        _ => explanation!("log/identity-unusable"),
    }
}

fn symmetric(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::KeyFileRejected(_) => explanation!("log/key-file-rejected"),
        Trouble::KeyFileUnreadable(_) => explanation!("log/key-file-unreadable"),
        Trouble::KeyLineSkipped(_) => explanation!("log/key-line-skipped"),
        Trouble::KeyUnknown(_) => explanation!("log/key-unknown"),
        Trouble::KeyNotTrusted(_) => explanation!("log/key-not-trusted"),
        _ => explanation!("log/key-short"),
    }
}

fn nts(trouble: &Trouble) -> Explanation {
    match trouble {
        Trouble::NtsCertificate { reason, .. } => match reason {
            NtsReason::Expired => explanation!("log/nts-certificate-expired"),
            NtsReason::NotYetValid => explanation!("log/nts-certificate-not-yet-valid"),
            NtsReason::UnknownIssuer => explanation!("log/nts-certificate-unknown-issuer"),
            NtsReason::WrongName => explanation!("log/nts-certificate-wrong-name"),
            NtsReason::Other(_) => explanation!("log/nts-certificate-other"),
        },
        Trouble::NtsUnreachable { .. } => explanation!("log/nts-unreachable"),
        _ => explanation!("log/nts-server-files"),
    }
}
