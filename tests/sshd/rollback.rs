//! The verbs that take back and unlock, and what the journal makes of runs, on eight real SSH servers.

use crate::common::site::{HOSTS, NTP_CONF, Site};
use std::collections::BTreeMap;
use std::fs;

/// Links and configuration of every host.
fn in_use(site: &Site) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for host in HOSTS {
        let etc = site.etc(host);
        for file in ["ntp.conf", "ntp/keytrail.conf"] {
            if let Ok(text) = fs::read_to_string(etc.join(file)) {
                found.insert(format!("{host}:{file}"), text);
            }
        }
        for entry in fs::read_dir(etc.join("ntp/crypto")).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if let Ok(target) = fs::read_link(&path) {
                found.insert(
                    format!("{host}:{}", path.file_name().expect("a name").to_string_lossy()),
                    target.to_string_lossy().into_owned(),
                );
            }
        }
    }
    found
}

#[test]
fn the_last_run_is_taken_back_and_can_be_done_again() {
    let site = Site::new();
    let (status, said) = site.keytrail("rollback", &[]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("no vault at"), "{said}");

    assert_eq!(site.keytrail("apply", &[]).0, 0);
    let first = in_use(&site);
    // Every certificate is made anew, and the leaves get another line.
    site.edit("lifetime: 365d", "lifetime: 200d");
    let (status, said) = site.keytrail("apply", &["--canary", "1", "--serial", "50%"]);
    assert_eq!(status, 0, "{said}");
    let second = in_use(&site);
    assert_ne!(first, second);

    let (status, said) = site.keytrail("rollback", &["--dry-run"]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("2 → 1") && said.contains("8 hosts would go back, 0 hosts would stay."),
        "{said}"
    );
    assert_eq!(in_use(&site), second, "a dry run changes nothing");

    let (status, said) = site.keytrail("rollback", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("8 hosts: 8 changed"), "{said}");
    assert_eq!(in_use(&site), first);
    let restarts = fs::read_to_string(site.dir().join("restarts")).expect("restarts");
    assert_eq!(restarts.lines().count(), 24);

    // Once more takes nothing back: that run is undone already.
    let (status, said) = site.keytrail("rollback", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("No changes") || said.contains("8 unchanged"),
        "{said}"
    );
    assert_eq!(in_use(&site), first);

    // The inventory still asks for the second state.
    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(in_use(&site), second);

    // Some hosts only, and all the way back.
    let (status, said) = site.keytrail("rollback", &["--to", "0", "--on", "leaf0[12]"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("2 hosts: 2 changed"), "{said}");
    assert_eq!(
        fs::read_to_string(site.etc("leaf01").join("ntp.conf")).expect("ntp.conf"),
        NTP_CONF
    );
    // A typo must not look like a fleet that needs nothing.
    for wanted in ["99", "99999999999"] {
        let (status, said) = site.keytrail("rollback", &["--to", wanted]);
        assert_eq!(status, 2, "{said}");
        assert!(!said.contains("No changes"), "{said}");
    }
    let (_, said) = site.keytrail("rollback", &["--to", "99"]);
    assert!(said.contains("has no generation 99; it has 1, 2"), "{said}");
    let (status, said) = site.keytrail("rollback", &["--run", "99"]);
    assert_eq!(status, 2, "{said}");
    assert!(
        said.contains("knows no run 99") && said.contains("keytrail history"),
        "{said}"
    );
}

#[test]
fn a_host_that_fails_goes_back_and_says_so() {
    let site = Site::new();
    assert_eq!(site.keytrail("apply", &[]).0, 0);
    let first = in_use(&site);
    site.edit("lifetime: 365d", "lifetime: 200d");
    // A daemon that dislikes its new certificate, and is content with the old one.
    let cert = site.etc("yellow").join("ntp/crypto/ntpkey_cert_yellow");
    let old = fs::read_link(&cert)
        .expect("a link")
        .to_string_lossy()
        .into_owned();
    site.edit(
        "    address: yellow.green.example\n",
        &format!(
            "    address: yellow.green.example\n    restart: \"readlink {} | grep -q {old} || {{ echo 'ntpd: certificate refused' >&2; exit 1; }}\"\n",
            cert.display()
        ),
    );
    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 1, "rolled back is not done: {said}");
    assert!(said.contains("3 changed, 1 rolled back, 4 not reached"), "{said}");
    assert!(
        said.contains("yellow: activate failed") && said.contains("everything is as it was before"),
        "{said}"
    );
    assert!(said.contains("ntpd: certificate refused"), "{said}");
    let now = in_use(&site);
    for (name, was) in &first {
        let stays = name.starts_with("yellow:") || name.starts_with("leaf");
        if stays {
            assert_eq!(&now[name], was, "{name}");
        }
    }
    let (status, said) = site.keytrail("apply", &["--format", "json"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("\"outcome\": \"rolled-back\""), "{said}");
}

#[test]
fn locks_of_others_are_met_and_taken_away() {
    let site = Site::new();
    assert_eq!(site.keytrail("apply", &[]).0, 0);
    site.edit("lifetime: 365d", "lifetime: 200d");
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let lock = site.etc("leaf03").join("ntp/crypto/.keytrail/lock");
    fs::write(
        &lock,
        format!(
            "0123456789abcdef {} bob@elsewhere since noon for 'apply'\n",
            now + 900
        ),
    )
    .expect("a lock");
    let before = in_use(&site);
    let (status, said) = site.keytrail("apply", &[]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("leaf03: stage failed: locked by bob@elsewhere since noon for 'apply'")
            && said.contains("keytrail unlock"),
        "{said}"
    );
    assert_eq!(in_use(&site), before, "nothing is activated unless all is staged");
    for host in HOSTS.iter().filter(|host| **host != "leaf03") {
        assert!(
            !site.etc(host).join("ntp/crypto/.keytrail/lock").exists(),
            "{host} was given back"
        );
    }
    let (status, said) = site.keytrail("unlock", &["--on", "leaf*"]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("leaf03: was locked by bob@elsewhere")
            && said.contains("1 host unlocked, 3 had no lock."),
        "{said}"
    );
    assert_eq!(site.keytrail("apply", &[]).0, 0);
}
