//! The decision's invariants over random options and directories; no key is made for each case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use keytrail_media::{
    Dialect, Filestamp, GroupKey, GroupScheme, KeyAlgorithm, MediaKind, MediaName, SignatureScheme,
    certificate::{Certificate, CertificateSpec, Role},
    host_key::{RsaKey, SignKey},
};

const NOW: i64 = 1_795_190_013;
const NOW_STAMP: u32 = 4_004_178_813;

static RSA: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::generate(512).unwrap());
static GROUPS: LazyLock<BTreeMap<GroupScheme, GroupKey>> = LazyLock::new(|| {
    let sizes = [
        (GroupScheme::Iff, 512),
        (GroupScheme::Gq, 512),
        (GroupScheme::Mv, 256),
    ];
    let make = |(scheme, bits)| (scheme, GroupKey::generate(scheme, bits, 3).unwrap());
    sizes.into_iter().map(make).collect()
});

fn certificate(group: Option<&str>, role: Role) -> Certificate {
    let spec = CertificateSpec {
        subject: CertificateSpec::common_name("mort", group),
        serial: 7,
        not_before: NOW - 1000,
        not_after: NOW + 1000,
        scheme: SignatureScheme::RSA_SHA256,
        role,
        gq_public: None,
    };
    spec.sign(&SignKey::Rsa(RSA.clone())).unwrap()
}

fn kept<T>(value: T, kind: MediaKind, owner: &str, stamp: u32) -> Kept<T> {
    let name = MediaName::new(kind, owner, Filestamp(stamp)).unwrap();
    Kept {
        value,
        file: name.to_string(),
        stamp: name.stamp,
    }
}

/// What may be there: host key and certificate, group keys with their stamps, and the group's name.
#[derive(Debug, Clone)]
struct Before {
    host: Option<u32>,
    role: Role,
    groups: BTreeMap<GroupScheme, u32>,
    named: bool,
    /// Whether group keys are linked by the host's name only, as ntp-keygen does it.
    stock_links: bool,
    /// Older generations that no link leads to.
    strays: Vec<(u8, u32)>,
}

impl Before {
    fn owner(&self) -> &'static str {
        if self.named { "red" } else { "mort" }
    }

    fn build(&self) -> (Present, Existing) {
        let mut present = Present::default();
        let mut existing = Existing {
            group: self.named.then(|| "red".to_owned()),
            ..Existing::default()
        };
        let mut link = |kind: MediaKind, owner: &str, by: &str, stamp: u32| {
            let name = MediaName::new(kind, owner, Filestamp(stamp)).unwrap();
            let found = Found {
                file: name.to_string(),
                link: true,
                bytes: format!("# {name}\n").as_str().into(),
            };
            present.names.insert(name.to_string());
            present.names.insert(kind.link_name(by));
            present.files.insert(kind.link_name(by), found);
        };
        if let Some(stamp) = self.host {
            let cert = MediaKind::Certificate(SignatureScheme::RSA_SHA256);
            link(MediaKind::HostKey, "mort", "mort", stamp);
            link(cert, "mort", "mort", stamp);
            existing.host_key = Some(kept(RSA.clone(), MediaKind::HostKey, "mort", stamp));
            let value = certificate(existing.group.as_deref(), self.role);
            existing.certificate = Some(kept(value, cert, "mort", stamp));
        }
        for (scheme, stamp) in &self.groups {
            let kind = MediaKind::GroupKey(*scheme);
            link(
                kind,
                self.owner(),
                if self.stock_links { "mort" } else { self.owner() },
                *stamp,
            );
        }
        for (kind, stamp) in &self.strays {
            let kind = [MediaKind::HostKey, MediaKind::GroupKey(GroupScheme::Iff)][usize::from(*kind)];
            let name = MediaName::new(
                kind,
                if kind.is_private() { "mort" } else { "red" },
                Filestamp(*stamp),
            )
            .unwrap();
            present.names.insert(name.to_string());
        }
        (present, existing)
    }

    /// Adds the group keys this run needs, as reading would.
    fn open_groups(&self, existing: &mut Existing, options: &Options) {
        for (scheme, stamp) in &self.groups {
            let wanted = options.exports()
                || (*scheme == GroupScheme::Gq && options.makes_certificate())
                || (*scheme == GroupScheme::Mv && options.updates_mv());
            if wanted && !options.generate.group_keys.contains(scheme) {
                let state = GroupState {
                    key: GROUPS[scheme].clone(),
                    dialect: (*scheme != GroupScheme::Iff).then_some(Dialect::Current),
                    revoked: BTreeSet::new(),
                };
                existing.group_keys.insert(
                    *scheme,
                    kept(state, MediaKind::GroupKey(*scheme), self.owner(), *stamp),
                );
            }
        }
    }
}

prop_compose! {
    fn before()(
        host in proptest::option::of(NOW_STAMP - 50..NOW_STAMP + 5),
        role in prop_oneof![Just(Role::Plain), Just(Role::Trusted)],
        groups in proptest::collection::btree_map(
            proptest::sample::select(GroupScheme::ALL.to_vec()), NOW_STAMP - 50..NOW_STAMP + 5, 0..=3),
        named: bool,
        stock_links: bool,
        strays in proptest::collection::vec((0u8..2, NOW_STAMP - 100..NOW_STAMP + 20), 0..4),
    ) -> Before {
        Before { host, role, groups, named, stock_links, strays }
    }
}

prop_compose! {
    fn options()(
        group in proptest::option::of(Just("red".to_owned())),
        host_key: bool,
        sign_key in proptest::option::of(prop_oneof![Just(KeyAlgorithm::Rsa), Just(KeyAlgorithm::Dsa)]),
        group_keys in proptest::collection::btree_set(proptest::sample::select(GroupScheme::ALL.to_vec()), 0..=3),
        role in proptest::option::of(prop_oneof![Just(Role::Trusted), Just(Role::Private)]),
        parameters: bool,
        server_key: bool,
        client in 1usize..4,
        revoke in proptest::collection::btree_set(1usize..4, 0..3),
        lifetime in proptest::option::of(1u32..=Options::MAX_LIFETIME),
    ) -> Options {
        let mut options = Options::new("mort");
        options.group = group;
        options.password = Some("xxx".into());
        options.generate.host_key = host_key;
        options.generate.sign_key = sign_key;
        options.generate.mv_clients = 3;
        if !group_keys.contains(&GroupScheme::Mv) {
            options.revoke = revoke;
        }
        options.generate.group_keys = group_keys;
        options.role = role;
        options.export.parameters = parameters;
        options.export.server_key = server_key.then(|| "zzz".into());
        options.export.client = (parameters && client > 1).then_some(client);
        options.lifetime = lifetime;
        options
    }
}

/// What keeps a run of these tests from happening, said once more and independently.
fn must_refuse(before: &Before, options: &Options, existing: &Existing) -> bool {
    let opened = existing.group_keys.keys();
    let keys: BTreeSet<GroupScheme> = opened.chain(&options.generate.group_keys).copied().collect();
    let mv = keys.contains(&GroupScheme::Mv);
    let role = options
        .role
        .unwrap_or(before.host.map_or(Role::Plain, |_| before.role));
    let dsa_serves =
        options.generate.sign_key == Some(KeyAlgorithm::Dsa) && (role != Role::Plain || !keys.is_empty());
    let nothing_to_revoke = options.updates_mv() && !mv;
    let nothing_to_export = options.exports() && keys.is_empty();
    let no_such_client = options.export.client.is_some() && !mv;
    let client_is_out =
        options.export.parameters && mv && options.revoke.contains(&options.export.client.unwrap_or(1));
    dsa_serves || nothing_to_revoke || nothing_to_export || no_such_client || client_is_out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_decided_is_whole(before in before(), options in options()) {
        options.check().unwrap();
        let (present, mut existing) = before.build();
        if options.group.is_some() {
            existing.group.clone_from(&options.group);
        }
        let owner = existing.owner(&options).to_owned();
        if owner == before.owner() {
            before.open_groups(&mut existing, &options);
        }
        let decided = decide(&options, &present, &existing, NOW);
        prop_assert_eq!(decided.is_err(), must_refuse(&before, &options, &existing), "{:?}", decided.map_err(|e| e.to_string()));
        let Ok(run) = decided else { return Ok(()) };

        // Every new file has a name nobody has, the run's stamp, and follows every older one.
        let mut after = present.names.clone();
        for file in &run.files {
            if file.replaces {
                after.insert(file.path.clone());
            } else {
                prop_assert!(after.insert(file.path.clone()), "{} is taken", file.path);
                prop_assert_eq!(file.name.stamp, run.stamp);
                let latest = present.latest(file.name.kind, &file.name.owner);
                prop_assert!(latest.is_none_or(|(latest, _)| latest < run.stamp));
            }
            prop_assert_eq!(file.name.to_string(), file.path.clone());
        }
        prop_assert!(run.stamp.unix() >= NOW && run.stamp.unix() <= NOW + 60);

        // Every link leads to something, and every new file is what its generic name leads to.
        for link in &run.links {
            prop_assert!(after.contains(&link.target), "{} -> {}", link.name, link.target);
        }
        for file in run.files.iter().filter(|file| !file.replaces) {
            let leads = |name: &str| run.links.iter().any(|link| link.name == name && link.target == file.path);
            prop_assert!(leads(&file.name.link()));
            prop_assert!(leads(&file.name.kind.link_name("mort")));
        }

        // The daemon takes the certificate, and it says what was asked for.
        if let Some(plan) = &run.certificate {
            prop_assert!(run.stamp.unix() <= plan.not_before && plan.not_before < plan.not_after);
            prop_assert_eq!(plan.subject.clone(), CertificateSpec::common_name("mort", existing.group.as_deref()));
            prop_assert_eq!(plan.role, options.role.unwrap_or(before.host.map_or(Role::Plain, |_| before.role)));
        } else {
            prop_assert!(run.files.iter().all(|file| file.replaces), "new files without a certificate");
        }

        // Exports are of the group, under the stamp of the key they come from.
        for export in &run.exports {
            let (MediaKind::ClientParameters(scheme) | MediaKind::ServerKey(scheme)) = export.name.kind else {
                panic!("exported {}", export.name)
            };
            let stamp = match &run.group_keys[&scheme] {
                Choice::Keep(kept) => kept.stamp,
                Choice::Make(_) => run.stamp,
            };
            prop_assert_eq!(&export.name.owner, &owner);
            prop_assert_eq!(export.name.stamp, stamp);
            prop_assert!(!run.revoked.contains(&export.client) || export.name.kind != MediaKind::ClientParameters(GroupScheme::Mv));
        }
        let kinds = usize::from(options.export.parameters) + usize::from(options.export.server_key.is_some());
        prop_assert_eq!(run.exports.len(), kinds * if kinds > 0 { run.group_keys.len() } else { 0 });
    }

    #[test]
    fn subjects_are_read_as_the_manual_says(host in "[a-z][a-z0-9.-]{0,20}", group in "[a-z][a-z0-9_-]{0,20}") {
        let read = |text: String| text.parse::<Subject>().unwrap();
        prop_assert_eq!(read(format!("{host}@{group}")), Subject { host: Some(host.clone()), group: Some(group.clone()) });
        prop_assert_eq!(read(format!("@{group}")), Subject { host: None, group: Some(group.clone()) });
        prop_assert_eq!(read(host.clone()), Subject { host: Some(host.clone()), group: None });
        prop_assert_eq!(read(host.clone()).with_ident(Some(group.clone())).unwrap().group, Some(group));
        let at_nobody = format!("{host}@");
        prop_assert!(at_nobody.parse::<Subject>().is_err());
    }
}

fn refusals(options: &Options) -> String {
    options.check().unwrap_err().to_string()
}

#[test]
fn options_are_refused_all_at_once() {
    let mut options = Options::new("h".repeat(60));
    options.group = Some("group".into());
    options.password = Some("".into());
    options.lifetime = Some(49_711);
    options.generate.group_keys = BTreeSet::from([GroupScheme::Mv]);
    options.generate.mv_clients = 1;
    let text = refusals(&options);
    for words in ["66 bytes", "it is empty", "49711 days", "-V 1"] {
        assert!(text.contains(words), "{text}");
    }
    let mut options = Options::new("mort");
    for days in [0, 49_711] {
        options.lifetime = Some(days);
        assert!(refusals(&options).contains("lifetime"));
    }
    options.lifetime = Some(49_710);
    options.check().unwrap();
}

#[test]
fn two_groups_are_refused() {
    let subject: Subject = "mort@red".parse().unwrap();
    assert!(subject.clone().with_ident(Some("blue".into())).is_err());
    assert_eq!(
        subject.with_ident(Some("red".into())).unwrap().group.unwrap(),
        "red"
    );
}

#[test]
fn mv_grows_with_its_clients() {
    let mut options = Options::new("ta");
    for (clients, bits) in [(2, 512), (20, 512), (21, 576), (84, 2048)] {
        options.generate.mv_clients = clients;
        assert_eq!(options.identity_bits(GroupScheme::Mv), bits, "{clients} clients");
    }
}

#[test]
fn a_file_from_the_future_is_named() {
    let mut present = Present::default();
    let name = format!("ntpkey_RSAhost_mort.{}", NOW_STAMP + 1000);
    present.names.insert(name.clone());
    let existing = Existing::default();
    let errors = decide(&Options::new("mort"), &present, &existing, NOW)
        .unwrap_err()
        .to_string();
    assert!(errors.contains(&name) && errors.contains("future"), "{errors}");
}

#[test]
fn a_dsa_sign_key_is_for_clients_only() {
    let (present, existing) = (Present::default(), Existing::default());
    let mut options = Options::new("mort");
    options.generate.sign_key = Some(KeyAlgorithm::Dsa);
    let run = decide(&options, &present, &existing, NOW).unwrap();
    assert_eq!(run.certificate.as_ref().unwrap().scheme.to_string(), "DSA-SHA256");
    assert!(
        run.notes
            .iter()
            .any(|note| matches!(note, Note::Warning(text) if text.contains("crashes")))
    );
    options.role = Some(Role::Trusted);
    let errors = decide(&options, &present, &existing, NOW)
        .unwrap_err()
        .to_string();
    assert!(errors.contains("error 105"), "{errors}");
}

#[test]
fn a_link_to_nothing_is_an_error_unless_its_key_is_to_be_new() {
    let mut present = Present::default();
    present.names.insert("ntpkey_host_mort".into());
    present
        .dangling
        .insert("ntpkey_host_mort".into(), "ntpkey_RSAhost_mort.1".into());
    let mut options = Options::new("mort");
    let errors = Existing::read(&present, &options).unwrap_err().to_string();
    assert!(
        errors.contains("ntpkey_RSAhost_mort.1, which is not there"),
        "{errors}"
    );
    options.generate.host_key = true;
    Existing::read(&present, &options).unwrap();
}
