//! `size-unusable`: sizes that the daemon or OpenSSL refuses.

use super::{Context, Rule, sample, words};
use crate::finding::{Finding, Severity, Step};
use crate::inventory::{Group, HostEntry, IdentityScheme, Implementation, Settings, SignKeyKind};
use crate::trail::cryptotype::server_schemes;

pub(super) const RULE: Rule = Rule {
    code: "size-unusable",
    severity: Severity::Error,
    title: "a key size the daemon or OpenSSL refuses",
    why: "Sizes that work with the 4.2.8p15 daemon and OpenSSL 3:\n\n\
          | what | bits |\n|---|---|\n\
          | RSA host and sign keys | 512 to 4096; 1024 or more with SHA384 and SHA512 |\n\
          | DSA sign keys | 512 to 2047 |\n\
          | IFF | 512 to 2047 |\n\
          | GQ | 512 to 1016 |\n\
          | MV | 256 to 1024, and at least 16 for each client key; at most 97 client keys |\n\n\
          GQ ends at 1016 because the daemon skips exactly two bytes of a header in the trusted certificate; \
          from 1024 bits on the header has three, and every exchange ends with error 114.",
    source: "measured on 4.2.8p15 with OpenSSL 3.0; source of 4.2.8p15, cert_parse",
    run,
    fails: sample!("size-unusable", "fail"),
    passes: sample!("size-unusable", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    for (at, group) in inventory.groups.iter().enumerate() {
        let members = inventory
            .entries
            .iter()
            .filter(|entry| entry.group.is_some_and(|id| id.0 as usize == at))
            .map(|entry| u64::from(entry.count))
            .sum();
        if !group.is_external() {
            group_keys(group, members, found);
        }
    }
    for (settings, entries) in context.by_settings() {
        if matches!(settings.ntpd, Implementation::Ntpsec | Implementation::Chrony) {
            continue;
        }
        if let Some(&entry) = entries
            .iter()
            .find(|entry| context.needs.of(context.graph.node_of(entry.first)).autokey)
        {
            host_keys(settings, entry, words::count(&entries), found);
        }
    }
}

fn group_keys(group: &Group, members: u64, found: &mut Vec<Finding>) {
    let bits = group.identity_bits;
    for scheme in server_schemes(group) {
        let (size, usable, why) = match scheme {
            IdentityScheme::Iff => (bits.iff, 512..=2047, "OpenSSL makes no such DSA parameters"),
            IdentityScheme::Gq if bits.gq > 1016 => (
                bits.gq,
                512..=1016,
                "the daemon misreads the trusted certificate: error 114",
            ),
            IdentityScheme::Gq => (bits.gq, 512..=1016, "OpenSSL refuses smaller moduli"),
            IdentityScheme::Mv => (bits.mv, 256..=1024, "the primes of the client keys do not fit"),
            IdentityScheme::Tc | IdentityScheme::Pc => continue,
        };
        let name = words::scheme(scheme);
        if !usable.contains(&size) {
            found.push(
                RULE.found(format!(
                    "{name} keys of {size} bits are not usable for the group {}",
                    group.name
                ))
                .at(
                    group.place(&[
                        Step::from("identity_bits"),
                        name.to_ascii_lowercase().as_str().into(),
                    ]),
                    why,
                )
                .help(format!("choose {} to {} bits", usable.start(), usable.end()))
                .about(&*group.name),
            );
        }
        if scheme == IdentityScheme::Mv {
            mv_clients(group, members, found);
        }
    }
}

/// MV splits the bits among one prime for each client key, one more of which is always revoked.
fn mv_clients(group: &Group, members: u64, found: &mut Vec<Finding>) {
    let clients = group.mv_clients.map_or(members, u64::from);
    let place = || group.place(&["mv_clients".into()]);
    let finding = if clients > 97 {
        RULE.found(format!(
            "MV cannot serve {clients} client keys in the group {}; 97 are possible",
            group.name
        ))
        .at(place(), "")
        .help("let hosts share client keys (`mv_clients: 97`), or choose IFF or GQ")
    } else if u64::from(group.identity_bits.mv) < 16 * clients {
        RULE.found(format!(
            "{} bits are too few for {clients} MV client keys in the group {}",
            group.identity_bits.mv, group.name
        ))
        .at(
            place(),
            "each client key has a prime of its own: at least 16 bits each",
        )
        .help("choose more bits, or fewer client keys")
    } else {
        return;
    };
    found.push(finding.about(&*group.name));
}

fn host_keys(settings: &Settings, entry: &HostEntry, count: u64, found: &mut Vec<Finding>) {
    let mut report = |message: String, path: &[Step], label: &str, help: &str| {
        let finding = RULE
            .found(message)
            .at(entry.place(path), label)
            .help(help)
            .about(&*entry.pattern);
        found.push(if count > 1 {
            finding.help(format!("{} have these settings", words::hosts(count)))
        } else {
            finding
        });
    };
    let host = settings.host_key_bits;
    if !(512..=4096).contains(&host) {
        report(
            format!("an RSA host key of {host} bits is not usable"),
            &["host_key".into(), "bits".into()],
            if host < 512 {
                "OpenSSL refuses it"
            } else {
                "the certificate would not fit an extension field"
            },
            "choose 2048 bits (512 to 4096 work)",
        );
    }
    let sign = settings.sign_key;
    if let Some(sign) = sign {
        let usable = match sign.kind {
            SignKeyKind::Rsa => 512..=4096,
            SignKeyKind::Dsa => 512..=2047,
        };
        if !usable.contains(&sign.bits) {
            report(
                format!("a sign key of {} bits is not usable", sign.bits),
                &["sign_key".into(), "bits".into()],
                "OpenSSL or the daemon refuses it",
                &format!("choose {} to {} bits", usable.start(), usable.end()),
            );
        }
    }
    let scheme = settings.certificate_scheme.to_ascii_uppercase();
    let signing = sign.map_or(Some(host), |sign| {
        (sign.kind == SignKeyKind::Rsa).then_some(sign.bits)
    });
    let least = if scheme.contains("512") {
        752
    } else if scheme.contains("384") {
        624
    } else {
        0
    };
    if let Some(bits) = signing.filter(|&bits| bits >= 512 && bits < least) {
        report(
            format!(
                "{} does not fit a key of {bits} bits",
                settings.certificate_scheme
            ),
            &["certificate".into(), "scheme".into()],
            "the digest is longer than the key can sign",
            "choose RSA-SHA256 or a key of 2048 bits",
        );
    }
}
