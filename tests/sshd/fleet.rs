//! The whole program against eight real SSH servers: the sample scenario provisioned, provisioned again, and
//! searched for secrets.

use crate::common::site::{HOSTS, MARKER, NTP_CONF, Site, files};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn eight_hosts_are_provisioned_and_stay_as_they_are() {
    let site = Site::new();

    let (status, said) = site.keytrail("plan", &["--exit-code"]);
    assert_eq!(status, 1, "there is something to do: {said}");
    assert!(said.contains("8 hosts: 8 to change"), "{said}");
    assert!(!site.etc("mort").join("ntp").exists(), "a plan changes no host");

    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("8 hosts: 8 changed"), "{said}");
    assert!(!said.contains("Minted"), "the plan has minted everything: {said}");

    // The minimal sets of a trusted host, an intermediate server and a leaf (measured on 4.2.8p15).
    assert_eq!(
        site.media("mort"),
        set(&[
            "ntpkey_RSAhost_mort.FS",
            "ntpkey_host_mort",
            "ntpkey_RSA-SHA256cert_mort.FS",
            "ntpkey_cert_mort",
            "ntpkey_iffkey_red.FS",
            "ntpkey_iffkey_red",
            "ntpkey_iffkey_mort",
            "ntpkey_gqpar_blue.FS",
            "ntpkey_gqpar_blue",
        ])
    );
    assert_eq!(
        site.media("yellow"),
        set(&[
            "ntpkey_RSAhost_yellow.FS",
            "ntpkey_host_yellow",
            "ntpkey_RSA-SHA256cert_yellow.FS",
            "ntpkey_cert_yellow",
            "ntpkey_gqkey_green.FS",
            "ntpkey_gqkey_green",
            "ntpkey_gqkey_yellow",
            "ntpkey_gqpar_green.FS",
            "ntpkey_gqpar_green",
        ])
    );
    assert_eq!(
        site.media("leaf03"),
        set(&[
            "ntpkey_RSAhost_leaf03.FS",
            "ntpkey_host_leaf03",
            "ntpkey_RSA-SHA256cert_leaf03.FS",
            "ntpkey_cert_leaf03",
            "ntpkey_gqpar_green.FS",
            "ntpkey_gqpar_green",
        ])
    );
    for host in HOSTS {
        let etc = site.etc(host);
        let conf = fs::read_to_string(etc.join("ntp.conf")).expect("ntp.conf");
        assert!(
            conf.starts_with(NTP_CONF),
            "what stood there before is untouched: {conf:?}"
        );
        assert!(conf.contains("includefile /etc/ntp/keytrail.conf"), "{conf}");
        let mode = |path: &Path| path.metadata().expect("metadata").permissions().mode() & 0o7777;
        assert_eq!(mode(&etc.join("ntp/keytrail.conf")), 0o600);
        for entry in fs::read_dir(etc.join("ntp/crypto")).expect("the keys directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_file() && !path.is_symlink() {
                let private = ["RSAhost_", "iffkey_", "gqkey_"]
                    .iter()
                    .any(|word| name.contains(word));
                assert_eq!(mode(&path), if private { 0o600 } else { 0o644 }, "{name}");
            }
        }
    }
    let restarts = fs::read_to_string(site.dir().join("restarts")).expect("restarts");
    assert_eq!(restarts.lines().count(), 8, "every daemon was restarted once");

    let before: Vec<_> = inodes(&site);
    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("No changes: all 8 hosts are as the inventory says."),
        "{said}"
    );
    assert_eq!(inodes(&site), before, "nothing was written");
    let restarts = fs::read_to_string(site.dir().join("restarts")).expect("restarts");
    assert_eq!(restarts.lines().count(), 8, "nothing was restarted");
    let (status, said) = site.keytrail("plan", &["--exit-code"]);
    assert_eq!(status, 0, "{said}");
}

/// Every file of every host with its inode and time of change.
fn inodes(site: &Site) -> Vec<(PathBuf, u64, i64)> {
    let mut found = Vec::new();
    files(&site.dir().join("hosts"), &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let metadata = path.metadata().expect("metadata");
            (path, metadata.ino(), metadata.ctime_nsec())
        })
        .collect()
}

#[test]
fn a_stored_plan_is_applied_only_while_it_is_the_plan() {
    let site = Site::new();
    let plan = site.dir().join("plan.json");
    let (status, said) = site.keytrail("plan", &["--on", "group:red", "-o", plan.to_str().expect("text")]);
    assert_eq!(status, 0, "{said}");

    // Somebody else edits a host meanwhile.
    let conf = site.etc("mort").join("ntp.conf");
    fs::write(&conf, "driftfile /elsewhere\n").expect("ntp.conf");
    let (status, said) = site.keytrail_on("apply", &plan, &[]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("The stored plan is not what would be done now"),
        "{said}"
    );
    assert!(said.contains("mort: "), "{said}");
    assert!(!site.etc("mort").join("ntp").exists(), "nothing was changed");

    fs::write(&conf, NTP_CONF).expect("ntp.conf");
    let (status, said) = site.keytrail_on("apply", &plan, &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("1 host: 1 changed"), "only RED was planned: {said}");
    assert!(!site.etc("macabre").join("ntp").exists());
}

#[test]
fn one_host_in_trouble_is_named_with_phase_and_reason() {
    let site = Site::new();
    // yellow's restart fails: its wave is the last one, leaves are not touched.
    let text = fs::read_to_string(&site.inventory).expect("the inventory");
    let text = text.replace(
        "    address: yellow.green.example\n",
        "    address: yellow.green.example\n    restart: \"echo ntpd: no such unit >&2; exit 5\"\n",
    );
    fs::write(&site.inventory, text).expect("the inventory");
    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("yellow: activate failed"), "{said}");
    assert!(said.contains("ntpd: no such unit"), "its own words: {said}");
    assert!(said.contains("3 changed, 1 failed, 4 not reached"), "{said}");

    let text = fs::read_to_string(&site.inventory).expect("the inventory");
    fs::write(&site.inventory, text.replace("exit 5", "exit 0")).expect("the inventory");
    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 0, "mended, the same command finishes: {said}");
    assert!(said.contains("5 changed, 3 unchanged"), "{said}");
}

#[test]
fn no_secret_is_seen_anywhere_it_should_not_be() {
    let site = Site::new();
    let plan = site.dir().join("plan.json");
    let mut said = String::new();
    for (verb, more) in [
        ("plan", vec!["-vvv", "-o", plan.to_str().expect("text")]),
        ("plan", vec!["--format", "json"]),
        ("apply", vec!["-vvv"]),
        ("apply", vec!["--format", "json"]),
    ] {
        let (status, text) = site.keytrail(verb, &more);
        assert_eq!(status, 0, "{text}");
        said.push_str(&text);
    }
    // Every password there is, read from where it belongs.
    let mut passwords = vec![MARKER.to_owned()];
    for host in HOSTS {
        let conf = fs::read_to_string(site.etc(host).join("ntp/keytrail.conf")).expect("the include file");
        let line = conf
            .lines()
            .find(|line| line.starts_with("crypto "))
            .expect("a crypto line");
        let password = line
            .split(' ')
            .skip_while(|word| *word != "pw")
            .nth(1)
            .expect("a password");
        passwords.push(password.trim_matches('"').to_owned());
    }
    assert_eq!(passwords[1], MARKER, "mort has the password of the inventory");
    assert_eq!(
        passwords.iter().collect::<BTreeSet<_>>().len(),
        8,
        "every host has its own"
    );

    let mut found = Vec::new();
    files(site.dir(), &mut found);
    for path in found {
        let content = fs::read(&path).expect("a readable file");
        let open_to_others = path
            .metadata()
            .expect("metadata")
            .permissions()
            .mode()
            .trailing_zeros()
            < 6;
        for password in &passwords {
            let there = content
                .windows(password.len())
                .any(|window| window == password.as_bytes());
            let belongs = path.ends_with("etc/ntp/keytrail.conf");
            assert!(
                !there || (belongs && !open_to_others),
                "a password is in {}",
                path.display()
            );
        }
        let private = content.windows(11).any(|window| window == b"PRIVATE KEY");
        let public = path.to_string_lossy().contains("par_") || path.to_string_lossy().ends_with(".pub");
        assert!(
            !private || public || !open_to_others,
            "a private key others can read: {}",
            path.display()
        );
    }
    for password in &passwords {
        assert!(!said.contains(password.as_str()), "a password was printed");
    }
    assert!(!said.contains("PRIVATE KEY"), "a key was printed");
    let vault = fs::read(site.dir().join("fleet.vault")).expect("the vault");
    assert!(
        !vault.windows(11).any(|window| window == b"PRIVATE KEY"),
        "the vault is sealed"
    );
}

#[test]
fn a_lost_vault_key_is_said_and_harms_nothing() {
    let site = Site::new();
    let (status, said) = site.keytrail("plan", &[]);
    assert_eq!(status, 0, "{said}");
    let vault = fs::read(site.dir().join("fleet.vault")).expect("the vault");
    fs::remove_dir_all(site.dir().join("config")).expect("the key goes");
    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 2, "{said}");
    assert!(
        said.contains("error: cannot open the vault") && said.contains("help:"),
        "{said}"
    );
    assert_eq!(
        fs::read(site.dir().join("fleet.vault")).expect("the vault"),
        vault,
        "it is as it was"
    );
    assert!(!site.etc("mort").join("ntp").exists(), "no host was touched");
}
