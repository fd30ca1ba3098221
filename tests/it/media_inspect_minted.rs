//! `inspect` on what keytrail mints: it is proven, and what would be a trap on a host is named.

use crate::common::inspected::{NOW, errors, options};
use keytrail::finding::Severity;
use keytrail::media::certificate::{CertificateSpec, Role};
use keytrail::media::cipher::Protection;
use keytrail::media::gq::GqKey;
use keytrail::media::host_key::{RsaKey, SignKey};
use keytrail::media::inspect::{Holds, Inspected, inspect, pair};
use keytrail::media::pem::PemBlock;
use keytrail::media::{Dialect, Filestamp, GroupKey, GroupScheme, MediaFile, MediaKind, MediaName, pkcs8};
use keytrail::secret::Secret;
use std::collections::BTreeSet;

fn name(kind: MediaKind, stamp: u32) -> MediaName {
    MediaName::new(kind, "red", Filestamp(stamp)).unwrap()
}

fn media(kind: MediaKind, stamp: u32, blocks: Vec<PemBlock>) -> Inspected {
    let file = MediaFile::pem(name(kind, stamp), NOW, blocks);
    let password = Secret::from("pw");
    inspect(
        file.render().expose(),
        &options(Some(&file.name.to_string()), Some(&password)),
    )
    .unwrap()
}

fn protection() -> Protection {
    Protection::new("pw".into()).unwrap().with_iterations(1)
}

#[test]
fn what_keytrail_mints_is_proven_and_pairs() {
    let stamp = 4_004_178_813;
    for (scheme, bits) in [
        (GroupScheme::Iff, 512),
        (GroupScheme::Gq, 512),
        (GroupScheme::Mv, 256),
    ] {
        let key = GroupKey::generate(scheme, bits, 3).unwrap();
        let revoked = BTreeSet::from([2]);
        let block = key
            .server_block(&protection(), Dialect::Current, &revoked)
            .unwrap();
        let server = media(MediaKind::ServerKey(scheme), stamp, vec![block]);
        let client = |j, stamp| {
            let block = key.client_block(Dialect::Current, j).unwrap();
            media(MediaKind::ClientParameters(scheme), stamp, vec![block])
        };
        for inspected in [&server, &client(1, stamp)] {
            assert_eq!(errors(inspected), [""; 0], "{:?}", inspected.report);
            assert!(inspected.material.is_some());
        }
        assert!(server.report.proof.as_ref().unwrap().holds);
        assert!(pair(&server, &client(1, stamp)).unwrap().belong);
        assert_eq!(
            pair(&server, &client(2, stamp)).unwrap().belong,
            scheme != GroupScheme::Mv
        );
        assert!(!pair(&server, &client(1, stamp + 1)).unwrap().belong);
        let authority = key.authority_blocks(&protection(), Dialect::Current).unwrap();
        let authority = media(MediaKind::GroupKey(scheme), stamp, authority);
        assert_eq!(errors(&authority), [""; 0], "{:?}", authority.report);
        assert!(pair(&authority, &client(2, stamp)).unwrap().belong);
    }
}

#[test]
fn traps_are_named() {
    let stamp = Filestamp::from_unix(NOW).unwrap().0;
    let iff = GroupKey::generate(GroupScheme::Iff, 512, 0).unwrap();
    let server = iff
        .server_block(&protection(), Dialect::Current, &BTreeSet::new())
        .unwrap();
    let opened = pkcs8::read(&server, Some(&"pw".into())).unwrap().key;
    let encrypted = {
        let client = pkcs8::read(&iff.client_block(Dialect::Current, 0).unwrap(), None)
            .unwrap()
            .key;
        pkcs8::encrypted_traditional_block(&client, &protection()).unwrap()
    };
    let client_kind = MediaKind::ClientParameters(GroupScheme::Iff);
    let gq = GqKey::generate(512).unwrap();
    let leaking = gq.server_block(&protection(), Dialect::Current).unwrap();
    let leaking = pkcs8::pkcs8_block(&pkcs8::read(&leaking, Some(&"pw".into())).unwrap().key);
    for (inspected, words) in [
        (
            media(client_kind, stamp, vec![pkcs8::pkcs8_block(&opened)]),
            "pose as a server",
        ),
        (
            media(MediaKind::ClientParameters(GroupScheme::Gq), stamp, vec![leaking]),
            "pose as a server",
        ),
        (
            media(client_kind, stamp, vec![encrypted]),
            "asks for a pass phrase and exits",
        ),
        (
            media(
                MediaKind::HostKey,
                stamp,
                vec![iff.client_block(Dialect::Current, 0).unwrap()],
            ),
            "named for a host key",
        ),
    ] {
        assert!(
            errors(&inspected).iter().any(|what| what.contains(words)),
            "{:?}",
            inspected.report.remarks
        );
    }
}

#[test]
fn certificates_that_a_daemon_refuses_are_named() {
    let key: SignKey = RsaKey::generate(1024).unwrap().into();
    let spec = |not_before, not_after| CertificateSpec {
        subject: "mort@red".into(),
        serial: 7,
        not_before,
        not_after,
        scheme: "RSA-SHA256".parse().unwrap(),
        role: Role::Trusted,
        gq_public: None,
    };
    let kind = MediaKind::Certificate("RSA-SHA256".parse().unwrap());
    let stamp = Filestamp::from_unix(NOW - 1000).unwrap().0;
    for (not_before, not_after, severity, words) in [
        (
            NOW - 1000,
            NOW + 10 * 86400,
            Severity::Warning,
            "expires in 10 days",
        ),
        (NOW - 1000, NOW - 1, Severity::Error, "expired"),
        (NOW + 1000, NOW + 86400 * 365, Severity::Error, "not valid yet"),
        (
            NOW - 2000,
            NOW + 86400 * 365,
            Severity::Error,
            "later than the start of validity",
        ),
    ] {
        let certificate = spec(not_before, not_after).sign(&key).unwrap();
        let inspected = media(kind, stamp, vec![certificate.block()]);
        let remark = &inspected.report.remarks[0];
        assert!(
            remark.severity == severity && remark.what.contains(words),
            "{:?}",
            inspected.report.remarks
        );
        assert_eq!(inspected.report.holds, Some(Holds::Certificate));
    }
    for (subject, not_after) in [
        ("x".repeat(65), NOW + 1),
        ("a@b@c".into(), NOW + 1),
        ("ok".into(), NOW - 1),
    ] {
        assert!(
            CertificateSpec {
                subject,
                ..spec(NOW, not_after)
            }
            .sign(&key)
            .is_err()
        );
    }
}
