//! `size-unusable`: sizes that the daemon or OpenSSL refuses.

use super::{Context, Rule, sample, why, words};
use crate::finding::{Finding, Severity, Step};
use crate::inventory::{Group, HostEntry, IdentityScheme, Implementation, KeyAlgorithm, Settings};
use crate::trail::cryptotype::server_schemes;

pub(super) const RULE: Rule = Rule {
    code: "size-unusable",
    severity: Severity::Error,
    title: "a key size the daemon or OpenSSL refuses",
    why: why!("size-unusable"),
    source: "measured on 4.2.8p15 with OpenSSL 3.0; source of 4.2.8p15, cert_parse",
    run,
    brings: &[],
    fails: sample!("size-unusable", "fail"),
    passes: sample!("size-unusable", "pass"),
};

fn run(context: &Context<'_>, found: &mut Vec<Finding>) {
    let inventory = context.inventory;
    let mv_holders = mv_holders(context);
    for (group, holders) in inventory.groups.iter().zip(mv_holders) {
        if !group.is_external() {
            group_keys(group, holders, found);
        }
    }
    for (settings, entries) in context.by_settings {
        if matches!(settings.ntpd, Implementation::Ntpsec | Implementation::Chrony) {
            continue;
        }
        if let Some(&entry) = entries
            .iter()
            .find(|entry| context.needs.of(context.graph.node_of(entry.first)).autokey)
        {
            host_keys(context, settings, entry, entries, found);
        }
    }
}

/// By group: hosts that hold an MV client key of it.
fn mv_holders(context: &Context<'_>) -> Vec<u64> {
    let mut holders = vec![0; context.inventory.groups.len()];
    for node in context.graph.nodes() {
        for (group, scheme) in &context.needs.of(node).client_parameters {
            if *scheme == IdentityScheme::Mv {
                holders[group.0 as usize] += u64::from(context.graph.member(node).count);
            }
        }
    }
    holders
}

fn group_keys(group: &Group, holders: u64, found: &mut Vec<Finding>) {
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
            IdentityScheme::Mv => (bits.mv, 256..=2048, "the primes of the client keys do not fit"),
            IdentityScheme::Tc | IdentityScheme::Pc => continue,
        };
        let name = scheme.name();
        if !usable.contains(&size) {
            found.push(
                RULE.found(format!(
                    "{name} keys of {size} bits are not usable for the group {}",
                    group.name
                ))
                .at(
                    group.place(&[
                        Step::from("identity_key"),
                        name.to_ascii_lowercase().as_str().into(),
                    ]),
                    why,
                )
                .help(format!("choose {} to {} bits", usable.start(), usable.end()))
                .about(&*group.name),
            );
        }
        if scheme == IdentityScheme::Mv {
            mv_clients(group, holders, found);
        }
    }
}

/// MV splits the bits among one prime for each client key and one more, which is always revoked. With fewer
/// bits each there are not enough distinct primes.
const MIN_BITS_OF_MV_CLIENT: u64 = 24;

fn mv_clients(group: &Group, holders: u64, found: &mut Vec<Finding>) {
    let clients = group.mv_clients.map_or(holders, u64::from);
    let bits = u64::from(group.identity_bits.mv);
    if bits >= MIN_BITS_OF_MV_CLIENT * (clients + 1) {
        return;
    }
    found.push(
        RULE.found(format!("{bits} bits are too few for {clients} MV client keys in the group {}", group.name))
            .at(
                group.place(&["mv".into(), "clients".into()]),
                format!("each client key and one more take {MIN_BITS_OF_MV_CLIENT} bits"),
            )
            .help("choose more bits (up to 2048), let hosts share client keys (`mv: { clients: N }`), or use IFF or GQ")
            .about(&*group.name),
    );
}

fn host_keys<'a>(
    context: &Context<'a>,
    settings: &Settings,
    entry: &HostEntry,
    entries: &[&'a HostEntry],
    found: &mut Vec<Finding>,
) {
    let count = words::count(entries);
    let mut report = |message: String, path: &[Step], label: &str, help: &str| {
        let finding = RULE
            .found(message)
            .at(context.setting_place(entries, path), label)
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
                "larger than any that was measured to work"
            },
            "choose 2048 bits (512 to 4096 work)",
        );
    }
    let sign = settings.sign_key;
    if let Some(sign) = sign {
        let usable = match sign.kind {
            KeyAlgorithm::Rsa => 512..=4096,
            KeyAlgorithm::Dsa => 512..=2047,
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
    let signing = sign.map_or(Some(host), |sign| {
        (sign.kind == KeyAlgorithm::Rsa).then_some(sign.bits)
    });
    let scheme = settings.certificate_scheme.known();
    let least = scheme.map_or(0, |scheme| scheme.least_rsa_bits());
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
