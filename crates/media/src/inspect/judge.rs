//! What is wrong with a file, or worth knowing, in the light of what the daemons were seen to do.

use super::{
    Error, Holds, Material, ReadKey, Result,
    report::{Proof, Report},
};
use crate::{
    Dialect, GroupScheme, KeyAlgorithm, MediaName,
    gq::{self, GqKey, GqParameters},
    host_key::SignKey,
    iff::{IffKey, IffParameters},
    mv::{MvAuthority, MvClientKey, MvServerKey},
    pkcs8::Encryption,
    private_key::PrivateKey,
};
use keytrail_vocabulary::Severity::{Error as Bad, Note, Warning};

const REISSUE: &str = "re-issue it in the current dialect from the group key";

pub(super) fn other_name(report: &mut Report, name: &MediaName, file_name: &str) {
    // Generic names are links or renamed exports, as they should be.
    if file_name != name.link() && file_name.parse::<MediaName>().is_ok() {
        let what = format!(
            "the first line names {name}; the daemon takes the filestamp from there, not from the file's name"
        );
        report.remark(Warning, what, Some("name the file as its first line does"));
    }
}

pub(super) fn expect(report: &mut Report, expected: Option<Holds>, found: Holds) {
    report.holds = Some(found);
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let leak = matches!(
            (expected, found),
            (Holds::ClientParameters(_), Holds::ServerKey(_))
        );
        if leak {
            let what = format!(
                "this file is named for {expected} and holds the {found}: whoever has it can pose as a server"
            );
            report.remark(
                Bad,
                what,
                Some("replace it by client parameters on every client, and mint a new group key"),
            );
        } else {
            let help = "put the right file under this name";
            report.remark(
                Bad,
                format!("this file is named for a {expected} and holds a {found}"),
                Some(help),
            );
        }
    }
}

pub(super) fn encryption_suits(report: &mut Report, holds: Option<Holds>, encryption: Option<Encryption>) {
    match (holds, encryption) {
        (Some(Holds::ClientParameters(_)), Some(_)) => report.remark(
            Bad,
            "encrypted client parameters: the daemon asks for a pass phrase and exits when it first needs them",
            Some("re-issue them unencrypted; client parameters are not secret from the group"),
        ),
        (Some(Holds::ClientParameters(_) | Holds::Certificate) | None, None) | (_, Some(Encryption::Pbes2 { .. })) => {}
        (_, Some(Encryption::Traditional { .. })) => report.remark(
            Note,
            "traditional encryption makes the key by one round of MD5: the password alone must carry the strength",
            None,
        ),
        (_, None) => report.remark(
            Warning,
            "the private key is not encrypted",
            Some("the daemon reads it; keep it readable for the daemon alone, or write it encrypted"),
        ),
    }
}

/// Proves private numbers, and says what is wrong with them.
pub(super) fn private(report: &mut Report, keys: &[ReadKey], holds: Holds) -> Option<Material> {
    use GroupScheme::{Gq, Iff, Mv};
    let key = &keys[0].key;
    let prove = |equations, result: Result<Material>| (equations, result);
    let (equations, result) = match holds {
        Holds::HostKey | Holds::SignKey => prove(
            "the key's numbers belong together: n = p q and e d = 1, or public = g^private mod p",
            SignKey::from_container(key).map(Material::SignKey),
        ),
        Holds::ServerKey(Iff) => prove(
            "g^q = 1 and g^b v = 1 mod p",
            IffKey::from_container(key).map(Material::IffServer),
        ),
        Holds::ClientParameters(Iff) => prove(
            "g^q = 1 and v^q = 1 mod p",
            IffParameters::from_container(key).map(Material::IffClient),
        ),
        Holds::ServerKey(Gq) => prove("u^b v = 1 mod n", gq_server(report, key).map(Material::GqServer)),
        Holds::ClientParameters(Gq) => prove("1 < b < n", gq_client(report, key).map(Material::GqClient)),
        Holds::MvAuthority => {
            let containers: Vec<PrivateKey> = keys.iter().map(|key| key.key.clone()).collect();
            let read = MvAuthority::from_containers(&containers);
            prove(
                "p = 2q + 1, g^q = 1, A = g^-T, and every client key by its prime",
                read.map(Material::MvAuthority),
            )
        }
        Holds::ServerKey(Mv) => prove(
            "p = 2q + 1, E^q = gbar^q = ghat^q = 1 mod p",
            MvServerKey::from_container(key).map(Material::MvServer),
        ),
        Holds::ClientParameters(Mv) => prove("", MvClientKey::from_container(key).map(Material::MvClient)),
        Holds::Certificate | Holds::SymmetricKeys => return None,
    };
    match &result {
        Ok(_) if equations.is_empty() => {}
        Ok(_) => {
            report.proof = Some(Proof {
                equations,
                holds: true,
            });
        }
        Err(error @ Error::Unproven { .. }) => {
            report.proof = Some(Proof {
                equations,
                holds: false,
            });
            report.remark(Bad, error.to_string(), error.help());
        }
        Err(error) => report.remark(Bad, error.to_string(), error.help()),
    }
    sizes(report, holds, key);
    result.ok()
}

fn gq_server(report: &mut Report, key: &PrivateKey) -> Result<GqKey> {
    let (key, dialect) = GqKey::from_container(key)?;
    gq_dialect(report, dialect);
    Ok(key)
}

fn gq_client(report: &mut Report, key: &PrivateKey) -> Result<GqParameters> {
    let (parameters, dialect) = GqParameters::from_container(key)?;
    gq_dialect(report, dialect);
    if let PrivateKey::Rsa(rsa) = key
        && dialect == Dialect::Current
        && !rsa.e.is_one()
        && rsa.e != parameters.b
    {
        report.remark(
            Bad,
            "the field e of these client parameters is neither 1 nor b: it may be the group key u",
            Some("replace the file on every client by one with e = 1, and mint a new group key"),
        );
    }
    Ok(parameters)
}

fn gq_dialect(report: &mut Report, dialect: Dialect) {
    if dialect == Dialect::Documented {
        report.remark(
            Bad,
            "documented layout (e = b, d = 1): ntpd 4.2.8p15 takes e for u and d for b, so this file can never authenticate",
            Some(REISSUE),
        );
    }
}

/// Moduli that do not fill their bytes lose challenges; GQ has an upper limit.
fn sizes(report: &mut Report, holds: Holds, key: &PrivateKey) {
    let modulus = match (holds, key) {
        (
            Holds::ServerKey(GroupScheme::Iff) | Holds::ClientParameters(GroupScheme::Iff),
            PrivateKey::Dsa(k),
        ) => Some(("q", &k.q)),
        (Holds::MvAuthority | Holds::ServerKey(_) | Holds::ClientParameters(_), PrivateKey::Dsa(k)) => {
            Some(("p", &k.p))
        }
        (Holds::ServerKey(_) | Holds::ClientParameters(_), PrivateKey::Rsa(k)) => Some(("n", &k.n)),
        _ => None,
    };
    if let Some((name, number)) = modulus.filter(|(_, number)| !number.fills_its_bytes()) {
        let top = number.to_bytes().first().copied().unwrap_or(0);
        let share = match top {
            0..=1 => "most identity rounds fail".into(),
            _ => format!("one identity round in {top} fails"),
        };
        let what = format!(
            "{name} has {} bits and its top byte is {top:#04x}: {share} with error 114, to be tried again at the next poll",
            number.bits()
        );
        report.remark(
            Warning,
            what,
            Some("mint a group key whose size is a multiple of 8 bits"),
        );
    }
    if let (Holds::ServerKey(GroupScheme::Gq) | Holds::ClientParameters(GroupScheme::Gq), PrivateKey::Rsa(k)) =
        (holds, key)
        && k.n.bits() > gq::MAX_BITS
    {
        let what = format!(
            "n has {} bits; above {} every identity round fails with error 114",
            k.n.bits(),
            gq::MAX_BITS
        );
        report.remark(Bad, what, Some("mint a GQ group key of at most 1016 bits"));
    }
    let weak =
        matches!((holds, key), (Holds::HostKey | Holds::SignKey, PrivateKey::Rsa(k)) if k.n.bits() < 1024);
    if weak {
        report.remark(
            Note,
            "RSA keys below 1024 bits can be factored in practice",
            Some("use 2048 bits"),
        );
    }
    if holds == Holds::SignKey && matches!(key, PrivateKey::Dsa(_)) {
        let algorithm = KeyAlgorithm::Dsa.as_str();
        let what = format!(
            "a {algorithm} sign key: for hosts that serve nobody; clients refuse such servers (error 105)"
        );
        report.remark(
            Warning,
            what,
            Some("use an RSA sign key on hosts that serve others"),
        );
    }
}
