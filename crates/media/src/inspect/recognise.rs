//! What a file of private numbers holds: by its name, or by the shape of the numbers.

use super::{Holds, NumberReport, ReadKey};
use crate::{
    GroupScheme, MediaName,
    host_key::SignKey,
    number::Number,
    private_key::{DsaNumbers, PrivateKey, RsaNumbers},
};

/// What a file name says: a full name, or a generic one (`ntpkey_iffpar_red`, `ntp.keys`).
pub(super) fn kind_of_name(name: &str) -> Option<Holds> {
    if let Ok(name) = name.parse::<MediaName>() {
        return Some(name.kind.into());
    }
    let lower = name.to_ascii_lowercase();
    if lower.contains("ntp.keys") || lower.contains("chrony.keys") {
        return Some(Holds::SymmetricKeys);
    }
    let rest = name
        .strip_prefix("ntpkey_")
        .or_else(|| name.strip_prefix("tcpip$ntpkey_"))?;
    let word = rest.split('_').next()?;
    let all = GroupScheme::ALL.into_iter();
    let group = |suffix: &str| {
        all.clone()
            .find(|scheme| format!("{}{suffix}", scheme.lower()) == word)
    };
    match word {
        "host" => Some(Holds::HostKey),
        "sign" => Some(Holds::SignKey),
        "cert" => Some(Holds::Certificate),
        "mvta" => Some(Holds::MvAuthority),
        _ => group("key")
            .map(Holds::ServerKey)
            .or_else(|| group("par").map(Holds::ClientParameters)),
    }
}

/// Whether most lines that say anything begin with a number and have two to four words.
pub(super) fn looks_like_key_lines(text: &str) -> bool {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '!', ';', '%']));
    let is_key = |line: &str| {
        let mut words = line.split_whitespace();
        words
            .next()
            .is_some_and(|id| id.bytes().all(|c| c.is_ascii_digit()))
            && words.next().is_some()
    };
    let (good, bad): (Vec<_>, Vec<_>) = lines.take(1000).partition(|line| is_key(line));
    good.len() > bad.len()
}

/// What the keys are. A name is believed where the container does not contradict it.
pub(super) fn holds(keys: &[ReadKey], expected: Option<Holds>) -> Holds {
    use GroupScheme::{Gq, Iff, Mv};
    let by_shape = match &keys[0].key {
        _ if keys.len() > 2 => Holds::MvAuthority,
        PrivateKey::Rsa(rsa) if is_rsa_key(rsa) => Holds::HostKey,
        PrivateKey::Rsa(rsa) if rsa.p.is_one() => Holds::ClientParameters(Gq),
        PrivateKey::Rsa(_) => Holds::ServerKey(Gq),
        PrivateKey::Dsa(dsa) if dsa.q.is_one() => Holds::ClientParameters(Mv),
        PrivateKey::Dsa(dsa) if dsa.private.is_one() => Holds::ClientParameters(Iff),
        PrivateKey::Dsa(dsa) if dsa.p == dsa.q.plus(&dsa.q).plus(&Number::one()) => Holds::ServerKey(Mv),
        PrivateKey::Dsa(dsa) if is_dsa_key(dsa) => Holds::SignKey,
        PrivateKey::Dsa(_) => Holds::ServerKey(Iff),
    };
    match (expected, by_shape) {
        // Containers that look alike: host and sign keys; in PKCS#8, DSA sign keys and IFF server keys.
        (Some(named @ Holds::SignKey), Holds::HostKey | Holds::ServerKey(Iff))
        | (Some(named @ Holds::ServerKey(Iff)), Holds::SignKey) => named,
        _ => by_shape,
    }
}

fn is_rsa_key(rsa: &RsaNumbers) -> bool {
    rsa.p > Number::one() && rsa.n == rsa.p.times(&rsa.q)
}

/// In PKCS#8 a DSA sign key and an IFF server key look the same; the traditional form tells them apart.
fn is_dsa_key(dsa: &DsaNumbers) -> bool {
    dsa.public.is_some() && SignKey::from_container(&PrivateKey::Dsa(dsa.clone())).is_ok()
}

/// The numbers under the names they have in the scheme.
pub(super) fn numbers(keys: &[ReadKey], holds: Holds, show_private: bool) -> Vec<NumberReport> {
    let mut found = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let holds = match (holds, index) {
            (Holds::MvAuthority, 0) => holds,
            (Holds::MvAuthority, 1) => Holds::ServerKey(GroupScheme::Mv),
            (Holds::MvAuthority, _) => Holds::ClientParameters(GroupScheme::Mv),
            _ => holds,
        };
        let suffix = if keys.len() > 2 && index > 1 {
            format!("_{}", index - 1)
        } else {
            String::new()
        };
        for (name, number, private) in named(&key.key, holds) {
            let hex = (show_private || !private).then(|| number.to_hex());
            found.push(NumberReport {
                name: format!("{name}{suffix}"),
                bits: number.bits(),
                private,
                hex,
            });
        }
    }
    found
}

/// Name, number, and whether it must be kept secret.
fn named(key: &PrivateKey, holds: Holds) -> Vec<(&'static str, &Number, bool)> {
    use GroupScheme::{Gq, Iff, Mv};
    match key {
        PrivateKey::Rsa(k) => match holds {
            // The dialects differ in where u and b stand.
            Holds::ServerKey(Gq) if k.d.is_one() => {
                vec![
                    ("n", &k.n, false),
                    ("b", &k.e, false),
                    ("u", &k.p, true),
                    ("v", &k.q, false),
                ]
            }
            Holds::ServerKey(Gq) => vec![
                ("n", &k.n, false),
                ("b", &k.d, false),
                ("u", &k.e, true),
                ("v", &k.q, false),
            ],
            Holds::ClientParameters(Gq) => {
                vec![
                    ("n", &k.n, false),
                    ("b", if k.d.is_one() { &k.e } else { &k.d }, false),
                ]
            }
            _ => vec![
                ("n", &k.n, false),
                ("e", &k.e, false),
                ("d", &k.d, true),
                ("p", &k.p, true),
                ("q", &k.q, true),
            ],
        },
        PrivateKey::Dsa(k) => {
            let (g, public, private, secret_public) = match holds {
                Holds::ServerKey(Iff) => ("g", "v", "b", false),
                Holds::ClientParameters(Iff) => ("g", "v", "", false),
                Holds::MvAuthority => ("g", "b", "A", true),
                Holds::ServerKey(Mv) => ("E", "ghat", "gbar", true),
                Holds::ClientParameters(Mv) => ("", "xhat", "xbar", true),
                _ => ("g", "public", "private", false),
            };
            let secret_g = holds == Holds::ServerKey(Mv);
            let mut all = vec![("p", &k.p, false), ("q", &k.q, false), (g, &k.g, secret_g)];
            all.extend(k.public.as_ref().map(|value| (public, value, secret_public)));
            all.push((private, &k.private, true));
            // Client files fill q and g (MV) or the private value (IFF) with 1.
            let filler = |name: &str, number: &Number| name.is_empty() || (name == "q" && number.is_one());
            all.retain(|(name, number, _)| !filler(name, number));
            all
        }
    }
}
