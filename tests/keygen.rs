//! `keygen` on real directories: what is there after each run, proven by the scheme's equations.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use keytrail::{
    inventory::Implementation,
    keygen::{Directory, Errors, Existing, Options, Outcome, decide, symmetric_keys},
    media::{
        Filestamp, GroupScheme, MediaName,
        certificate::Role,
        inspect::{self, Inspected, Material, inspect, pair},
    },
    secret::Secret,
};
use tempfile::TempDir;

const NOW: i64 = 1_795_190_013;

fn options(host: &str, group: &str) -> Options {
    let mut options = Options::new(host);
    options.group = Some(group.into());
    options.password = Some("xxx".into());
    options.generate.bits = Some(512);
    options
}

fn made(schemes: &[(GroupScheme, u32)], group: &str) -> Options {
    let mut options = options("mort", group);
    options.generate.group_keys = schemes.iter().map(|(scheme, _)| *scheme).collect();
    options.generate.identity_bits = schemes.first().map(|(_, bits)| *bits);
    options.generate.mv_clients = 3;
    options
}

fn run_at(dir: &Path, options: &Options, now: i64) -> Result<Outcome, Errors> {
    options.check()?;
    let directory = Directory::open(dir)?;
    let present = directory.observe(options)?;
    let existing = Existing::read(&present, options)?;
    let outcome = decide(options, &present, &existing, now)?.make(options)?;
    directory.write(&outcome)?;
    Ok(outcome)
}

fn run(dir: &TempDir, options: &Options) -> Outcome {
    run_at(dir.path(), options, NOW).unwrap_or_else(|errors| panic!("{errors}"))
}

fn refused(dir: &TempDir, options: &Options) -> String {
    let before = snapshot(dir.path());
    let text = run_at(dir.path(), options, NOW).unwrap_err().to_string();
    assert_eq!(
        snapshot(dir.path()),
        before,
        "a refused run changed the directory: {text}"
    );
    text
}

/// Names with what they hold: content or link, and mode.
fn snapshot(dir: &Path) -> BTreeMap<String, (Vec<u8>, u32)> {
    let entry = |entry: fs::DirEntry| {
        let path = entry.path();
        let held = match fs::read_link(&path) {
            Ok(target) => (target.to_string_lossy().into_owned().into_bytes(), 0),
            Err(_) => (
                fs::read(&path).unwrap(),
                path.metadata().unwrap().permissions().mode() & 0o7777,
            ),
        };
        (entry.file_name().into_string().unwrap(), held)
    };
    fs::read_dir(dir)
        .unwrap()
        .map(|found| entry(found.unwrap()))
        .collect()
}

fn open(name: &str, bytes: &[u8], password: &str) -> Inspected {
    let password = Secret::from(password);
    let options = inspect::Options {
        file_name: Some(name),
        password: Some(&password),
        daemon: Implementation::NtpOrg,
        now: NOW,
        show_private: false,
    };
    inspect(bytes, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn open_file(dir: &TempDir, name: &str) -> Inspected {
    open(name, &fs::read(dir.path().join(name)).unwrap(), "xxx")
}

fn exported(outcome: &Outcome, kind: &str, password: &str) -> Inspected {
    let (name, bytes) = outcome
        .exports
        .iter()
        .find(|(name, _)| name.to_string().starts_with(&format!("ntpkey_{kind}_")))
        .unwrap_or_else(|| panic!("no {kind} was exported"));
    open(&name.to_string(), bytes.expose(), password)
}

fn target(dir: &TempDir, link: &str) -> String {
    let target = fs::read_link(dir.path().join(link)).unwrap_or_else(|error| panic!("{link}: {error}"));
    target.to_string_lossy().into_owned()
}

fn certificate(dir: &TempDir) -> keytrail::media::certificate::Certificate {
    match open_file(dir, "ntpkey_cert_mort").material {
        Some(Material::Certificate(certificate)) => certificate,
        other => panic!("{other:?}"),
    }
}

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

fn golden(dir: &TempDir, set: &str, links: &[(&str, &str)]) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/media")
        .join(set);
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    for (link, target) in links {
        symlink(target, dir.path().join(link)).unwrap();
    }
}

#[test]
fn a_gq_key_of_ntp_keygen_is_put_right() {
    let dir = TempDir::new().unwrap();
    golden(
        &dir,
        "gq",
        &[
            ("ntpkey_cert_howland", "ntpkey_RSA-SHA256cert_howland.4004178817"),
            ("ntpkey_host_howland", "ntpkey_RSAhost_howland.4004178817"),
            ("ntpkey_gqkey_howland", "ntpkey_GQkey_green.4004178817"),
        ],
    );
    let mut renew = Options::new("howland");
    renew.password = Some("yyy".into());
    run(&dir, &renew);
    let key = fs::read(dir.path().join("ntpkey_gqkey_green")).unwrap();
    let key = open("ntpkey_gqkey_green", &key, "yyy");
    assert_eq!(key.report.stamp, Some(Filestamp(4_004_178_817)));
    assert!(key.report.proof.as_ref().unwrap().holds);
    assert_eq!(key.report.worst(), None, "{:?}", key.report.remarks);
    let certificate = fs::read(dir.path().join("ntpkey_cert_howland")).unwrap();
    assert!(
        pair(&open("ntpkey_cert_howland", &certificate, ""), &key)
            .unwrap()
            .belong
    );
}

#[test]
fn an_mv_authority_of_ntp_keygen_is_named_for_what_it_lost() {
    let dir = TempDir::new().unwrap();
    golden(&dir, "mv", &[("ntpkey_mvta_mvg", "ntpkey_MVta_mvg.4004178820")]);
    let mut export = Options::new("ta");
    export.group = Some("mvg".into());
    export.password = Some("tapw".into());
    export.export.parameters = true;
    let text = refused(&dir, &export);
    assert!(
        text.contains("ntpkey_MVta_mvg.4004178820") && text.contains("lost"),
        "{text}"
    );
}

#[test]
fn plain_files_under_generic_names_are_not_lost() {
    let dir = TempDir::new().unwrap();
    run(&dir, &options("mort", "red"));
    let link = dir.path().join("ntpkey_cert_mort");
    let own = target(&dir, "ntpkey_cert_mort");
    let content = fs::read(&link).unwrap();
    fs::remove_file(&link).unwrap();
    fs::rename(dir.path().join(&own), &link).unwrap();
    run(&dir, &options("mort", "red"));
    assert_eq!(fs::read(dir.path().join(&own)).unwrap(), content);
    assert_ne!(target(&dir, "ntpkey_cert_mort"), own);

    let keys = dir.path().join("ntp.keys");
    fs::write(&keys, "1 MD5 mine\n").unwrap();
    let present = Directory::open(dir.path())
        .unwrap()
        .observe(&options("mort", "red"))
        .unwrap();
    let error = symmetric_keys(&options("mort", "red"), &present, NOW).unwrap_err();
    assert!(error.to_string().contains("ntp.keys"), "{error}");
}

#[test]
fn twenty_symmetric_keys_are_linked() {
    let dir = TempDir::new().unwrap();
    let directory = Directory::open(dir.path()).unwrap();
    let options = options("hms", "red");
    for _ in 0..2 {
        let present = directory.observe(&options).unwrap();
        directory
            .write(&symmetric_keys(&options, &present, NOW).unwrap())
            .unwrap();
    }
    let file = target(&dir, "ntp.keys");
    assert_eq!(
        file,
        format!("ntpkey_MD5key_red.{}", Filestamp::from_unix(NOW).unwrap().0 + 1)
    );
    assert_eq!(snapshot(dir.path())[&file].1, 0o600);
    let read = open_file(&dir, "ntp.keys");
    assert_eq!(read.report.keys.len(), 20);
    assert!(read.report.problems.is_empty());
}

#[test]
fn two_runs_at_once_are_kept_apart_and_leftovers_are_cleared() {
    let dir = TempDir::new().unwrap();
    let first = Directory::open(dir.path()).unwrap();
    let second = Directory::open(dir.path()).unwrap_err();
    assert!(second.to_string().contains("another run"), "{second}");
    drop(first);
    let leftover = dir.path().join(".keytrail-keygen.0");
    fs::write(&leftover, "half a key").unwrap();
    run(&dir, &options("mort", "red"));
    assert!(!leftover.exists());
}

#[test]
fn a_name_that_is_taken_stops_the_run_before_any_link() {
    let dir = TempDir::new().unwrap();
    let options = options("mort", "red");
    let directory = Directory::open(dir.path()).unwrap();
    let present = directory.observe(&options).unwrap();
    let existing = Existing::read(&present, &options).unwrap();
    let outcome = decide(&options, &present, &existing, NOW)
        .unwrap()
        .make(&options)
        .unwrap();
    // Somebody who takes no lock comes between.
    let taken = &outcome.files.last().unwrap().path;
    fs::write(dir.path().join(taken), "not ours").unwrap();
    let error = directory.write(&outcome).unwrap_err();
    assert!(error.to_string().contains(taken), "{error}");
    let left = snapshot(dir.path());
    assert_eq!(left.keys().collect::<Vec<_>>(), [taken]);
    assert_eq!(left[taken].0, b"not ours");
}
