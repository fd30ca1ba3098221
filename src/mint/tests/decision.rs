//! Any inventory after any other: what holds always.

use super::*;
use crate::vault::ArtifactKind::{Certificate, ClientParameters, HostKey, ServerKey};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Host {
    there: bool,
    /// 0 none, else the group's number.
    group: usize,
    /// Numbers of earlier hosts it is a client of.
    servers: Vec<prop::sample::Index>,
    short: bool,
    documented: bool,
    password: Option<u8>,
}

#[derive(Debug, Clone)]
struct Fleet {
    identity: [&'static str; 2],
    hosts: Vec<Host>,
    later: i64,
    renew: bool,
}

fn host() -> impl Strategy<Value = Host> {
    (
        prop::bool::weighted(0.8),
        1_usize..3,
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.3, 0..2_u8),
    )
        .prop_map(|(there, group, servers, short, documented, password)| Host {
            there,
            group,
            servers,
            short,
            documented,
            password,
        })
}

fn fleet() -> impl Strategy<Value = Fleet> {
    let identity = || prop::sample::select(vec!["tc", "iff", "gq", "mv", "[iff, gq]"]);
    (
        [identity(), identity()],
        prop::collection::vec(host(), 6),
        0..200_i64,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(identity, hosts, later, renew)| Fleet {
            identity,
            hosts,
            later: later * DAY,
            renew,
        })
}

impl Fleet {
    /// Two groups with a trusted host each, and hosts below them.
    fn yaml(&self) -> String {
        use std::fmt::Write;
        let mut yaml = format!("{DEFAULTS}groups:\n");
        for (at, identity) in self.identity.iter().enumerate() {
            let _ = writeln!(
                yaml,
                "  g{}: {{ identity: {identity}, trusted: [t{}], {SMALL} }}",
                at + 1,
                at + 1
            );
        }
        yaml.push_str("hosts:\n");
        for at in 1..=2 {
            let _ = writeln!(yaml, "  t{at}: {{ group: g{at}, reference_clock: true }}");
        }
        for (at, host) in self.hosts.iter().enumerate().filter(|(_, host)| host.there) {
            let above: Vec<_> = (0..at)
                .filter(|&above| self.hosts[above].there)
                .map(|above| format!("h{above}"))
                .chain(["t1".to_owned(), "t2".to_owned()])
                .collect();
            let mut servers: Vec<_> = host
                .servers
                .iter()
                .map(|pick| &*above[pick.index(above.len())])
                .collect();
            servers.sort_unstable();
            servers.dedup();
            let _ = write!(
                yaml,
                "  h{at}: {{ group: g{}, servers: [{}]",
                host.group,
                servers.join(", ")
            );
            if host.short {
                yaml.push_str(", certificate: { lifetime: 100d }");
            }
            if host.documented {
                yaml.push_str(", dialect: documented");
            }
            if host.password.is_some() {
                yaml.push_str(", password: { env: PW }");
            }
            yaml.push_str(" }\n");
        }
        yaml
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn any_fleet_after_any_other(fleets in prop::collection::vec(fleet(), 1..4)) {
        let mut fixture = Fixture::new();
        for fleet in fleets {
            let yaml = fleet.yaml();
            let inventory = load_str(&yaml).unwrap();
            let analysis = analyse(&inventory, time::macros::date!(2026 - 11 - 20));
            fixture.given.passwords = (0..fleet.hosts.len())
                .filter_map(|at| {
                    let word = fleet.hosts[at].password.filter(|_| fleet.hosts[at].there)?;
                    Some((inventory.find(&format!("h{at}"))?, Secret::from(format!("pw{word}"))))
                })
                .collect();
            fixture.now += fleet.later;
            fixture.renew_until = fleet.renew.then_some(fixture.now + 50 * DAY);
            let before = fixture.snapshot();
            fixture.mint(&yaml);
            fixture.hold_invariants();
            let after = fixture.snapshot();

            let mut wanted_hosts = HashSet::new();
            for host in inventory.host_ids() {
                let name = &inventory.host(host).name;
                let needs = analysis.needs(host);
                let media = after.media(name);
                let kinds: HashSet<_> = media.iter().map(|file| file.kind).collect();
                if !needs.autokey {
                    prop_assert!(media.is_empty(), "{name}");
                    continue;
                }
                wanted_hosts.insert(name.clone());
                // Exactly what is needed, each once; a client-only host has no server key.
                let server_keys = media.iter().filter(|file| matches!(file.kind, ServerKey(_))).count();
                let parameters = media.iter().filter(|file| matches!(file.kind, ClientParameters(_))).count();
                prop_assert_eq!(server_keys, needs.server_keys.len(), "{}", name);
                prop_assert_eq!(parameters, needs.client_parameters.len(), "{}", name);
                prop_assert_eq!(media.len(), 2 + server_keys + parameters, "{}", name);
                prop_assert!(needs.serves || server_keys == 0);
                prop_assert!(kinds.contains(&HostKey) && kinds.contains(&Certificate));
                let certificate = fixture.certificate(name);
                prop_assert!(certificate.not_after() > fixture.now);
                prop_assert!(certificate.not_before() <= fixture.now + 60);
                prop_assert_eq!(
                    certificate.gq_public().is_some(),
                    needs.trusted && needs.server_keys.contains(&crate::inventory::IdentityScheme::Gq)
                );
                // What opens with the host's password opens with nothing else.
                let _ = fixture.numbers(name, HostKey);
                // A new certificate has a later stamp than the one before.
                let old = before.media(name).into_iter().find(|file| file.kind == Certificate);
                let new = fixture.file(name, Certificate);
                if let Some(old) = old {
                    prop_assert!(old == new || new.filestamp > old.filestamp);
                }
            }
            for name in after.hosts() {
                prop_assert!(wanted_hosts.contains(name) || after.media(name).is_empty(), "{name} is gone");
            }
            // Server keys and client parameters of a group agree in their stamp.
            let mut stamps: HashMap<(ArtifactKind, Box<str>), HashSet<u32>> = HashMap::new();
            for name in after.hosts() {
                for (_, artifact) in after.files(name) {
                    let kind = match artifact.kind {
                        ServerKey(scheme) | ClientParameters(scheme) => ClientParameters(scheme),
                        _ => continue,
                    };
                    stamps.entry((kind, artifact.owner.clone())).or_default().insert(artifact.filestamp.0);
                }
            }
            prop_assert!(stamps.values().all(|stamps| stamps.len() == 1), "{stamps:?}");
        }
    }
}
