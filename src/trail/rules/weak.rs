//! Weaknesses of settings and keys, and which policy forbids which.

use crate::finding::Step;
use crate::inventory::{Cipher, KeyAlgorithm, KeyType, Policy, Settings, SymmetricKey};

/// Something that works and is weak by today's measure.
pub struct Weakness {
    /// Where it is set, below the entry.
    pub path: Vec<Step>,
    /// What it is.
    pub what: String,
    /// What to take instead.
    pub better: &'static str,
    /// Whether it is worth a word without any policy: there is something better that works as well.
    pub always: bool,
    /// Policies that forbid it.
    pub forbidden_by: &'static [Policy],
}

const BOTH: &[Policy] = &[Policy::Modern, Policy::Fips];

/// Weaknesses of a host with Autokey.
pub fn of_settings(settings: &Settings) -> Vec<Weakness> {
    let mut found = Vec::new();
    let mut add = |path: &[&str], what: String, better, always, forbidden_by| {
        let path = path.iter().map(|step| Step::from(*step)).collect();
        found.push(Weakness {
            path,
            what,
            better,
            always,
            forbidden_by,
        });
    };
    // What is no scheme of today is one of yesterday.
    let scheme = settings.certificate_scheme.known();
    if scheme.is_none_or(|scheme| scheme.digest.is_weak()) {
        add(
            &["certificate", "scheme"],
            format!("certificates signed with {}", settings.certificate_scheme),
            "RSA-SHA256",
            true,
            BOTH,
        );
    }
    if settings.host_key_bits < 2048 {
        add(
            &["host_key", "bits"],
            format!("RSA host keys of {} bits", settings.host_key_bits),
            "2048 bits",
            true,
            BOTH,
        );
    }
    match settings.sign_key {
        Some(key) if key.kind == KeyAlgorithm::Dsa => {
            add(
                &["sign_key"],
                format!("DSA sign keys of {} bits", key.bits),
                "no sign key, or RSA of 2048 bits",
                true,
                BOTH,
            );
        }
        Some(key) if key.bits < 2048 => {
            add(
                &["sign_key", "bits"],
                format!("RSA sign keys of {} bits", key.bits),
                "2048 bits",
                true,
                BOTH,
            );
        }
        _ => {}
    }
    let digest = settings.digest.as_deref().unwrap_or("MD5").to_ascii_uppercase();
    if !digest.starts_with("SHA") {
        // MD5 is the daemon's default, and all hosts must agree: worth a word only where a policy asks.
        add(
            &["crypto", "digest"],
            format!("the packet digest {digest}"),
            "`crypto: { digest: SHA256 }` on every host",
            false,
            BOTH,
        );
    }
    let cipher = settings.cipher.known();
    if cipher.is_none_or(|cipher| *cipher == Cipher::DesEde3Cbc) {
        add(
            &["cipher"],
            format!("private files encrypted with {}", settings.cipher),
            "aes-256-cbc",
            true,
            BOTH,
        );
    } else if cipher.is_some_and(|cipher| !cipher.is_aes()) {
        add(
            &["cipher"],
            format!("private files encrypted with {}", settings.cipher),
            "aes-256-cbc",
            false,
            &[Policy::Fips],
        );
    }
    found
}

/// What is weak about a key's type: the words, what to take instead, and who forbids it.
pub fn of_key(key: &SymmetricKey) -> Option<Weakness> {
    let (always, forbidden_by) = match key.kind.known()? {
        KeyType::Md5 => (true, BOTH),
        KeyType::Sha1 => (true, &[Policy::Modern][..]),
        KeyType::Ripemd160 | KeyType::Sm3 | KeyType::Blake2s256 => (false, &[Policy::Fips][..]),
        _ => return None,
    };
    let what = format!("the {} key {}", key.kind, key.id);
    Some(Weakness {
        path: Vec::new(),
        what,
        better: "AES-128-CMAC",
        always,
        forbidden_by,
    })
}
