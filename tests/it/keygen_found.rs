//! `keygen` in directories with files of others: of ntp-keygen, half done, or in use.

use crate::common::keygen_dir::*;
use keytrail::{
    keygen::{Directory, Existing, Options, decide, symmetric_keys},
    media::{Filestamp, inspect::pair},
};
use std::{fs, os::unix::fs::symlink, path::Path};
use tempfile::TempDir;

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
