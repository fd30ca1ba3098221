//! `keygen` on real directories: what is there after each run, proven by the scheme's equations.

use crate::common::keygen_dir::*;
use keytrail::{
    keygen::Options,
    media::{
        Filestamp, GroupScheme, MediaName,
        certificate::Role,
        inspect::{Inspected, pair},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};
use tempfile::TempDir;

#[test]
fn the_manuals_first_steps_give_files_that_belong_together() {
    let dir = TempDir::new().unwrap();
    let mut first = made(&[(GroupScheme::Iff, 512)], "red");
    first.role = Some(Role::Trusted);
    run(&dir, &first);
    let modes: BTreeMap<String, u32> = snapshot(dir.path())
        .into_iter()
        .map(|(name, held)| (name, held.1))
        .collect();
    let stamp = Filestamp::from_unix(NOW).unwrap();
    let expected = [
        (format!("ntpkey_IFFkey_red.{stamp}"), 0o600),
        (format!("ntpkey_RSA-SHA256cert_mort.{stamp}"), 0o644),
        (format!("ntpkey_RSAhost_mort.{stamp}"), 0o600),
        ("ntpkey_cert_mort".into(), 0),
        ("ntpkey_host_mort".into(), 0),
        ("ntpkey_iffkey_mort".into(), 0),
        ("ntpkey_iffkey_red".into(), 0),
    ];
    assert_eq!(modes, BTreeMap::from(expected));

    let before = snapshot(dir.path());
    let mut export = options("mort", "red");
    export.export.parameters = true;
    let outcome = run(&dir, &export);
    assert_eq!(snapshot(dir.path()), before, "an export changed the directory");
    let server = open_file(&dir, "ntpkey_iffkey_red");
    assert!(pair(&server, &exported(&outcome, "iffpar", "")).unwrap().belong);
    let host = open_file(&dir, "ntpkey_host_mort");
    assert!(pair(&open_file(&dir, "ntpkey_cert_mort"), &host).unwrap().belong);
}

#[test]
fn every_export_is_right_together_and_alone_in_every_scheme() {
    for (scheme, bits) in [
        (GroupScheme::Iff, 512),
        (GroupScheme::Gq, 512),
        (GroupScheme::Mv, 256),
    ] {
        let dir = TempDir::new().unwrap();
        let mut both = made(&[(scheme, bits)], "red");
        both.export.parameters = true;
        both.export.server_key = Some("zzz".into());
        let with_key = run(&dir, &both);
        both.generate.group_keys.clear();
        let afterwards = run(&dir, &both);
        let (key, parameters) = (format!("{}key", scheme.lower()), format!("{}par", scheme.lower()));
        for outcome in [&with_key, &afterwards] {
            assert_eq!(outcome.exports.len(), 2);
            let report = pair(
                &exported(outcome, &key, "zzz"),
                &exported(outcome, &parameters, ""),
            )
            .unwrap();
            assert!(report.belong, "{scheme}: {report:?}");
            // No other password opens the server key.
            assert!(exported(outcome, &key, "xxx").material.is_none());
        }
        assert_eq!(
            with_key.exports[0].0, afterwards.exports[0].0,
            "{scheme}: the stamp is the key's"
        );
        if scheme == GroupScheme::Gq {
            let report = pair(
                &open_file(&dir, "ntpkey_cert_mort"),
                &open_file(&dir, "ntpkey_gqkey_red"),
            )
            .unwrap();
            assert!(report.belong, "{report:?}");
        }
    }
}

#[test]
fn a_key_that_only_the_hosts_link_leads_to_is_found_and_linked() {
    let dir = TempDir::new().unwrap();
    run(&dir, &made(&[(GroupScheme::Iff, 512)], "red"));
    let link = dir.path().join("ntpkey_iffkey_red");
    fs::remove_file(&link).unwrap();
    let mut export = options("mort", "red");
    export.export.parameters = true;
    assert_eq!(run(&dir, &export).exports.len(), 1);
    assert!(!link.exists());
    run(&dir, &options("mort", "red"));
    assert_eq!(
        target(&dir, "ntpkey_iffkey_red"),
        target(&dir, "ntpkey_iffkey_mort")
    );
    // The host's link is not taken for another group's.
    export.group = Some("blue".into());
    assert!(refused(&dir, &export).contains("key of blue"));
}

#[test]
fn a_renewal_keeps_what_was_not_named_and_has_a_later_stamp() {
    let dir = TempDir::new().unwrap();
    let mut first = made(&[(GroupScheme::Gq, 512)], "green");
    first.role = Some(Role::Trusted);
    first.scheme = Some("RSA-SHA1".parse().unwrap());
    run(&dir, &first);
    let (host, old) = (target(&dir, "ntpkey_host_mort"), certificate(&dir));
    let old_file = target(&dir, "ntpkey_cert_mort");
    let mut again = Options::new("mort");
    again.password = Some("xxx".into());
    run(&dir, &again);
    let (new, new_file) = (certificate(&dir), target(&dir, "ntpkey_cert_mort"));
    assert_eq!(target(&dir, "ntpkey_host_mort"), host);
    assert_eq!(
        (new.subject(), new.role(), new.scheme()),
        (old.subject(), old.role(), old.scheme())
    );
    assert_eq!(new.gq_public(), old.gq_public());
    assert!(new.gq_public().is_some());
    let stamp = |file: &str| file.parse::<MediaName>().unwrap().stamp;
    assert!(stamp(&new_file) > stamp(&old_file));
    assert!(new.suits(stamp(&new_file)) && dir.path().join(&old_file).exists());

    // The GQ value is not lost silently.
    fs::remove_file(dir.path().join("ntpkey_gqkey_green")).unwrap();
    fs::remove_file(dir.path().join("ntpkey_gqkey_mort")).unwrap();
    assert!(refused(&dir, &again).contains("without GQ value"));
}

#[test]
fn passwords_are_neither_shown_nor_guessed() {
    let dir = TempDir::new().unwrap();
    run(&dir, &made(&[(GroupScheme::Iff, 512)], "red"));
    let mut wrong = options("mort", "red");
    wrong.password = Some("not-the-word".into());
    let text = refused(&dir, &wrong);
    assert!(
        text.contains("password") && !text.contains("not-the-word"),
        "{text}"
    );
    assert!(!format!("{wrong:?}").contains("not-the-word"));
    // New keys need no old password.
    wrong.generate.host_key = true;
    run(&dir, &wrong);
}

#[test]
fn sizes_that_cannot_work_are_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    for (scheme, bits) in [
        (GroupScheme::Iff, 256),
        (GroupScheme::Gq, 256),
        (GroupScheme::Gq, 1024),
        (GroupScheme::Mv, 250),
    ] {
        let text = refused(&dir, &made(&[(scheme, bits)], "red"));
        assert!(text.contains(&format!("{bits} bits")), "{text}");
    }
    let mut small = options("mort", "red");
    small.generate.bits = Some(256);
    assert!(refused(&dir, &small).contains("256 bits"));
    small.generate.bits = Some(512);
    small.scheme = Some("RSA-SHA512".parse().unwrap());
    assert!(refused(&dir, &small).contains("too big"));
}

#[test]
fn mv_clients_are_shut_out_and_let_in_without_new_files_of_theirs() {
    let dir = TempDir::new().unwrap();
    run(&dir, &made(&[(GroupScheme::Mv, 256)], "campus"));
    let client = |number: usize| {
        let mut export = options("mort", "campus");
        export.export.parameters = true;
        export.export.client = Some(number);
        exported(&run(&dir, &export), "mvpar", "")
    };
    let clients: Vec<Inspected> = (1..=3).map(client).collect();
    let enabled = || {
        let server = open_file(&dir, "ntpkey_mvkey_campus");
        let passes = |client: &Inspected| pair(&server, client).unwrap().belong;
        clients.iter().map(passes).collect::<Vec<_>>()
    };
    let files = |dir: &TempDir| snapshot(dir.path()).into_keys().collect::<BTreeSet<_>>();
    assert_eq!(enabled(), [true, true, true]);
    let names = files(&dir);

    let mut update = options("mort", "campus");
    update.revoke = BTreeSet::from([2]);
    run(&dir, &update);
    assert_eq!(enabled(), [true, false, true]);
    // A second revocation adds to the first, which the authority's file remembers.
    update.revoke = BTreeSet::from([3]);
    run(&dir, &update);
    assert_eq!(enabled(), [true, false, false]);
    update.revoke = BTreeSet::from([1]);
    assert!(refused(&dir, &update).contains("nobody could authenticate"));
    update.revoke.clear();
    update.readmit = BTreeSet::from([2]);
    run(&dir, &update);
    assert_eq!(enabled(), [true, true, false]);
    assert_eq!(files(&dir), names, "revocation keeps names and stamps");

    let mut export = options("mort", "campus");
    export.export.parameters = true;
    export.export.client = Some(3);
    assert!(refused(&dir, &export).contains("shut out"));
    export.export.client = Some(4);
    assert!(refused(&dir, &export).contains("clients 1 to 3"));
}
