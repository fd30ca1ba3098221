//! Complaints recognised by the daemons' own words: ntp.org's and NTPsec's ntpd, chronyd.

use super::trouble::{NtsReason, Trouble};
use keytrail_vocabulary::IdentityScheme;

impl Trouble {
    /// Recognises a message (without time, host and process).
    pub fn recognise(message: &str) -> Option<Self> {
        trouble(message)
    }
}

fn trouble(message: &str) -> Option<Trouble> {
    crypto(message)
        .or_else(|| symmetric(message))
        .or_else(|| nts(message))
        .or_else(|| general(message))
}

fn crypto(message: &str) -> Option<Trouble> {
    let (routine, words) = message.split_once(": ")?;
    let file = |prefix: &str| words.strip_prefix(prefix).map(|f| f.trim().to_owned());
    let between = |prefix: &str, suffix: &str| {
        words
            .strip_prefix(prefix)?
            .strip_suffix(suffix)
            .map(str::to_owned)
    };
    match routine {
        "crypto_setup" => {
            if let Some(name) = between("host key file ", " not found or corrupt") {
                return Some(Trouble::HostKeyMissing(name));
            }
            if let Some(name) = between("certificate file ", " not found or corrupt") {
                return Some(Trouble::CertificateMissing(name));
            }
            if let Some(name) = between("certificate ", " is not self-signed") {
                return Some(Trouble::CertificateNotSelfSigned(name));
            }
            if let Some(name) = between("random seed file ", " missing") {
                return Some(Trouble::SeedMissing(name));
            }
            match words {
                "host key is not RSA key type" => Some(Trouble::HostKeyNotRsa),
                "spurious crypto command" => Some(Trouble::CryptoTwice),
                _ => None,
            }
        }
        "crypto_key" | "crypto_cert" => {
            if let Some(name) = file("empty file ") {
                return Some(Trouble::FileEmpty(name));
            }
            if let Some(name) = file("no filestamp ") {
                return Some(Trouble::NoFilestamp(name));
            }
            if let Some(name) = file("invalid filestamp ") {
                return Some(Trouble::BadFilestamp(name));
            }
            if let Some(found) = file("wrong PEM type ") {
                return Some(Trouble::CertificateWrongPem(found));
            }
            let reason = words.strip_prefix("error:")?.trim().to_owned();
            Some(if routine == "crypto_cert" {
                Trouble::CertificateDamaged(reason)
            } else if ["bad decrypt", "bad password", "wrong password"]
                .iter()
                .any(|w| reason.contains(w))
            {
                Trouble::WrongPassword
            } else {
                Trouble::KeyDamaged(reason)
            })
        }
        "cert_parse" => Some(match words.strip_prefix("invalid times ") {
            Some(rest) => {
                // "SUBJECT first T last T fstamp T", all in ISO 8601, which sorts as text.
                let word_after = |label: &str| {
                    rest.rsplit_once(label)
                        .map(|(before, after)| (before, after.split(' ').next().unwrap_or_default()))
                };
                let (subject, first) = word_after(" first ")?;
                let (_, stamp) = word_after(" fstamp ")?;
                Trouble::CertificateTimes {
                    subject: subject.to_owned(),
                    stamp_late: stamp > first,
                }
            }
            None => Trouble::CertificateRefused(words.to_owned()),
        }),
        "crypto_config" => file("invalid digest name ").map(Trouble::UnknownDigest),
        "crypto_ident" => file("no identity parameters found for group ").map(Trouble::NoParameters),
        "crypto_iff" | "crypto_alice" | "crypto_bob" => identity(IdentityScheme::Iff, words),
        "crypto_gq" | "crypto_alice2" | "crypto_bob2" => identity(IdentityScheme::Gq, words),
        "crypto_mv" | "crypto_alice3" | "crypto_bob3" => identity(IdentityScheme::Mv, words),
        _ => None,
    }
}

fn identity(scheme: IdentityScheme, words: &str) -> Option<Trouble> {
    if let Some(stamp) = words.strip_prefix("invalid filestamp ") {
        return Some(Trouble::OtherGeneration {
            scheme,
            stamp: stamp.trim().parse().ok()?,
        });
    }
    Some(match words {
        "identity not verified" => Trouble::IdentityNotVerified(scheme),
        _ => Trouble::IdentityUnusable(scheme, words.to_owned()),
    })
}

fn symmetric(message: &str) -> Option<Trouble> {
    let message = message.strip_prefix("ERR: ").unwrap_or(message);
    if let Some(words) = message.strip_prefix("authreadkeys: ") {
        if let Some(file) = words.strip_prefix("rejecting file '") {
            return Some(Trouble::KeyFileRejected(file.split('\'').next()?.to_owned()));
        }
        return words
            .starts_with("file '")
            .then(|| Trouble::KeyFileUnreadable(words.to_owned()));
    }
    if message.starts_with("Could not open keyfile") {
        return Some(Trouble::KeyFileUnreadable(message.to_owned()));
    }
    if message.starts_with("Could not parse key")
        || message.starts_with("Could not decode key")
        || message.starts_with("Invalid length")
        || message.starts_with("Unknown hash function")
    {
        return Some(Trouble::KeyLineSkipped(message.to_owned()));
    }
    // "key 5 not found for server A" (NTPsec), "Key 5 is missing" (chrony)
    let words: Vec<&str> = message.split_whitespace().collect();
    let [key, id, rest @ ..] = &words[..] else {
        return None;
    };
    if !key.eq_ignore_ascii_case("key") {
        return None;
    }
    let id = id.parse().ok()?;
    match rest {
        ["not", "found", "for", ..] | ["is", "missing"] => Some(Trouble::KeyUnknown(id)),
        ["found", "but", "not", "trusted", ..] => Some(Trouble::KeyNotTrusted(id)),
        ["is", "too", "short"] => Some(Trouble::KeyShort(id)),
        _ => None,
    }
}

fn nts(message: &str) -> Option<Trouble> {
    if let Some(words) = message.strip_prefix("NTSc: certificate invalid: ") {
        let words = words.split_once("=>").map_or(words, |(_, text)| text);
        return Some(Trouble::NtsCertificate {
            server: None,
            reason: nts_reason(words),
        });
    }
    if let Some(reason) = message
        .strip_prefix("NTSc: ")
        .and_then(|m| m.split_once("connect failed: "))
    {
        return Some(Trouble::NtsUnreachable {
            server: None,
            reason: reason.1.to_owned(),
        });
    }
    if let Some(words) = message.strip_prefix("NTSs: ") {
        let lower = words.to_ascii_lowercase();
        return ["can't", "cannot", "failed", "error", "permission denied"]
            .iter()
            .any(|w| lower.contains(w))
            // Handshakes that clients break off are the clients' affair.
            .then(|| Trouble::NtsServerFiles(words.to_owned()))
            .filter(|_| !lower.contains("accept"));
    }
    if message.starts_with("Could not set credentials") {
        return Some(Trouble::NtsServerFiles(message.to_owned()));
    }
    // chrony: "TLS handshake with A:4460 (NAME) failed : …", "Could not connect to A:4460 (NAME) : …"
    let named = |rest: &str| {
        rest.split_once('(')
            .and_then(|(_, r)| r.split_once(')'))
            .map(|(name, _)| name.to_owned())
    };
    if let Some((head, reason)) = message.split_once(" failed : ")
        && let Some(rest) = head.strip_prefix("TLS handshake with ")
    {
        // The first two sentences are the same whatever the reason.
        let reason = reason.rsplit("is NOT trusted. ").next().unwrap_or(reason);
        return Some(Trouble::NtsCertificate {
            server: named(rest),
            reason: nts_reason(reason),
        });
    }
    let (head, reason) = message.rsplit_once(" : ")?;
    let rest = head.strip_prefix("Could not connect to ")?;
    Some(Trouble::NtsUnreachable {
        server: named(rest),
        reason: reason.trim().to_owned(),
    })
}

fn general(message: &str) -> Option<Trouble> {
    if let Some(rest) = message.strip_prefix("syntax error in ") {
        let (file, rest) = rest.split_once(" line ")?;
        let line = rest.split([',', ' ']).next()?.parse().ok()?;
        return Some(Trouble::Syntax {
            file: file.to_owned(),
            line,
        });
    }
    if message.contains("unable to bind to wildcard address") {
        return Some(Trouble::PortTaken);
    }
    if let Some((_, rest)) = message.split_once("exiting on signal ") {
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return number.parse().ok().map(Trouble::Signal);
    }
    if message.starts_with("Fatal error : ")
        || message.starts_with("exiting (due to")
        || message.starts_with("BUG: ")
    {
        return Some(Trouble::Fatal(message.to_owned()));
    }
    None
}

fn nts_reason(words: &str) -> NtsReason {
    let lower = words.to_ascii_lowercase();
    if lower.contains("not yet valid") {
        NtsReason::NotYetValid
    } else if lower.contains("expired") {
        NtsReason::Expired
    } else if lower.contains("issuer") {
        NtsReason::UnknownIssuer
    } else if lower.contains("mismatch") || lower.contains("does not match") {
        NtsReason::WrongName
    } else {
        NtsReason::Other(words.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sources_say_is_recognised() {
        for (message, wanted) in [
            ("crypto_setup: spurious crypto command", Trouble::CryptoTwice),
            (
                "crypto_setup: certificate ntpkey_cert_mid is not self-signed",
                Trouble::CertificateNotSelfSigned("ntpkey_cert_mid".into()),
            ),
            (
                "crypto_config: invalid digest name SHA9",
                Trouble::UnknownDigest("SHA9".into()),
            ),
            (
                "crypto_key: invalid filestamp /k/x",
                Trouble::BadFilestamp("/k/x".into()),
            ),
            (
                "crypto_cert: wrong PEM type PRIVATE KEY",
                Trouble::CertificateWrongPem("PRIVATE KEY".into()),
            ),
            (
                "crypto_key: error:0906A068:PEM routines:PEM_do_header:bad password read",
                Trouble::WrongPassword,
            ),
            (
                "crypto_gq: invalid filestamp 4003922443",
                Trouble::OtherGeneration {
                    scheme: IdentityScheme::Gq,
                    stamp: 4_003_922_443,
                },
            ),
            (
                "crypto_mv: identity not verified",
                Trouble::IdentityNotVerified(IdentityScheme::Mv),
            ),
            (
                "crypto_bob: scheme unavailable",
                Trouble::IdentityUnusable(IdentityScheme::Iff, "scheme unavailable".into()),
            ),
            (
                "cert_parse: invalid times a b first 2026-11-17T16:40:43 last 2025-11-17T16:40:43 fstamp 2026-11-17T16:40:43",
                Trouble::CertificateTimes {
                    subject: "a b".into(),
                    stamp_late: false,
                },
            ),
            (
                "authreadkeys: rejecting file '/etc/ntp.keys' after 1 error(s)",
                Trouble::KeyFileRejected("/etc/ntp.keys".into()),
            ),
            ("Key 7 is too short", Trouble::KeyShort(7)),
            ("ntpd exiting on signal 15 (Terminated)", Trouble::Signal(15)),
            (
                "unable to bind to wildcard address 0.0.0.0 - another process may be running - EXITING",
                Trouble::PortTaken,
            ),
            (
                "BUG: authencrypt: bogus type 0",
                Trouble::Fatal("BUG: authencrypt: bogus type 0".into()),
            ),
        ] {
            assert_eq!(trouble(message), Some(wanted), "{message}");
        }
    }

    #[test]
    fn ordinary_messages_are_no_complaints() {
        for message in [
            "Listen normally on 2 eth0 10.77.0.2:123",
            "Cannot set RLIMIT_MEMLOCK: Operation not permitted",
            "NTSs: Private Key OK",
            "NTSs: NTS-KE from 10.77.9.2:42624, Using TLSv1.3 (256), took 0.003 sec",
            "key words to live by",
            "",
        ] {
            assert_eq!(trouble(message), None, "{message}");
        }
    }
}
