//! Exported hosts: the tree of a Unix host, the bundle for OpenVMS, where passwords are, and what an export replaces.

use crate::common::exported::*;
use crate::common::stamps::without_stamps;
use keytrail::export::{self, Entry, What};
use keytrail::secret::Secret;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

#[test]
fn the_openvms_bundle_is_as_it_should_be() {
    let site = Site::new();
    let ran = site.exported(&["vmid", "vleaf.example.org", "vgq", "-o", "out"]);
    assert!(ran.stdout.contains("out/vmid: "), "{}", ran.stdout);
    assert!(ran.stderr.contains("@INSTALL_NTPKEYS.COM"), "{}", ran.stderr);
    let mut shown = String::new();
    for host in ["vmid", "vleaf.example.org", "vgq"] {
        let files = listed(&site.path("out").join(host));
        let _ = writeln!(shown, "== {host}\n{}", listing(&files));
        for name in ["INSTALL_NTPKEYS.COM", "tcpip$ntp.conf"] {
            let content = &files[name].1;
            assert!(
                content.lines().all(|line| line.len() < 255),
                "DCL takes no longer lines"
            );
            let _ = writeln!(shown, "-- {name}\n{}", without_stamps(content, "STAMP"));
        }
    }
    // Generated passwords differ from run to run.
    let shown: String = shown
        .lines()
        .map(|line| match line.split_once("crypto pw ") {
            Some((_, rest)) => format!(
                "crypto pw PASSWORD{}\n",
                &rest[rest.find(' ').unwrap_or(rest.len())..]
            ),
            None => format!("{line}\n"),
        })
        .collect();
    snapbox::assert_data_eq!(shown, snapbox::file!["../golden/export/openvms.txt"]);
}

/// Every line the procedure takes a file from names one that is in the bundle, and no media stay behind.
#[test]
fn the_procedure_installs_what_is_in_the_bundle() {
    let site = Site::new();
    site.exported(&["vmid", "vgq", "-o", "out"]);
    for host in ["vmid", "vgq"] {
        let files = listed(&site.path("out").join(host));
        let procedure = &files["INSTALL_NTPKEYS.COM"].1;
        let named: Vec<&str> = procedure
            .lines()
            .filter_map(|line| line.strip_prefix("$ NAME = \"")?.strip_suffix('"'))
            .collect();
        for name in &named {
            assert!(files.contains_key(*name), "{host}: {name}");
        }
        for name in files.keys().filter(|name| *name != "INSTALL_NTPKEYS.COM") {
            assert!(named.contains(&name.as_str()), "{host}: {name} is not installed");
        }
        for label in ["CHECK", "GUARD", "PLACE_PRIVATE", "PLACE_PUBLIC", "SET_ASIDE"] {
            assert_eq!(procedure.matches(&format!("\n${label}:\n")).count(), 1, "{label}");
        }
        // Private files only ever go where nobody else reads them.
        let lines: Vec<&str> = procedure.lines().collect();
        for three in lines
            .windows(3)
            .filter(|three| three[2].starts_with("$ GOSUB PLACE_"))
        {
            let name = three[0].trim_start_matches("$ NAME = ").trim_matches('"');
            let private = files[name].0 == 0o600;
            assert_eq!(three[2].ends_with("PLACE_PRIVATE"), private, "{host}: {name}");
        }
    }
}

#[test]
fn the_tree_of_a_unix_host_is_what_an_apply_leaves() {
    let site = Site::new();
    site.exported(&["--on", "mort,leaf", "-o", "out"]);
    let files = listed(&site.path("out"));
    snapbox::assert_data_eq!(listing(&files), snapbox::file!["../golden/export/unix.txt"]);
    assert_eq!(
        site.path("out").metadata().expect("there").permissions().mode() & 0o777,
        0o700
    );
    assert!(files["leaf/etc/ntp.conf"].1.contains("includefile"));
    let leaf: Vec<_> = files.keys().filter(|name| name.starts_with("leaf/")).collect();
    assert!(leaf.iter().any(|name| name.contains("iffpar")), "{leaf:?}");
    assert!(
        !leaf.iter().any(|name| name.contains("iffkey")),
        "a client has no server key: {leaf:?}"
    );
}

#[test]
fn passwords_are_only_in_files_for_their_owner() {
    let site = Site::new();
    let ran = site.exported(&["-vv", "-o", "out"]);
    assert!(!ran.stdout.contains(PASSWORD) && !ran.stderr.contains(PASSWORD));
    let files = listed(&site.path("out"));
    let holding: Vec<_> = files
        .iter()
        .filter(|(_, (_, content))| content.contains(PASSWORD) || content.contains("ENCRYPTED"))
        .collect();
    assert!(
        holding
            .iter()
            .filter(|(_, (_, content))| content.contains(PASSWORD))
            .count()
            >= 4
    );
    for (name, (mode, _)) in holding {
        assert_eq!(*mode, 0o600, "{name}");
    }
}

#[test]
fn nothing_but_an_earlier_export_is_replaced() {
    let site = Site::new();
    fs::create_dir(site.path("out")).expect("made");
    site.exported(&["leaf", "-o", "out"]);
    let before = listed(&site.path("out"));
    let again = site.export(&["leaf", "-o", "out"]);
    assert_eq!(again.status, 2);
    assert!(
        again.stderr.contains("is not empty") && again.stderr.contains("--force"),
        "{}",
        again.stderr
    );
    assert_eq!(listed(&site.path("out")), before);
    // What a run that was killed left behind.
    fs::create_dir_all(site.path(".keytrail-export-out-Dead00/before/mort")).expect("made");
    fs::write(site.path(".keytrail-export-out-Dead00/before/mort/key"), "secret").expect("written");
    site.exported(&["mort", "-o", "out", "--force"]);
    assert!(site.path("out/mort").exists() && !site.path("out/leaf").exists());
    // Somebody's own file, in an export and elsewhere.
    for (dir, file) in [("out", "out/mort/etc/notes"), ("home", "home/letter")] {
        fs::create_dir_all(site.path(dir)).expect("made");
        fs::write(site.path(file), "mine").expect("written");
        let refused = site.export(&["leaf", "-o", dir, "--force"]);
        assert_eq!(refused.status, 2);
        assert!(refused.stderr.contains("would be lost"), "{}", refused.stderr);
        assert_eq!(fs::read_to_string(site.path(file)).expect("there"), "mine");
    }
    let left = fs::read_dir(site.dir.path()).expect("readable").flatten();
    let aside: Vec<_> = left
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".keytrail-export"))
        .collect();
    assert_eq!(aside, Vec::<String>::new());
}

#[test]
fn an_export_that_fails_leaves_nothing() {
    let dir = TempDir::with_prefix("keytrail-test-").expect("a directory");
    let file = |path: &str| Entry {
        path: path.into(),
        what: What::File {
            mode: 0o644,
            content: Secret::from("x"),
        },
    };
    // A file where a directory must be.
    let hosts = [("one".to_owned(), vec![file("a"), file("a/b")])];
    export::write(&dir.path().join("out"), &hosts, false).expect_err("cannot be");
    assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 0);
}

#[test]
fn an_unknown_host_is_named() {
    let site = Site::new();
    let ran = site.export(&["vmdi", "-o", "out"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("vmdi") && !site.path("out").exists(),
        "{}",
        ran.stderr
    );
}
