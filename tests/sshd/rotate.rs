//! `renew`, `rotate` and `revoke` with the whole program over real SSH servers: who changes, in which order, and what is left when
//! a host fails in the middle.

use crate::common::keytrail;
use crate::common::rotation::*;
use std::fs;

#[test]
fn identity_rotates_from_the_trusted_hosts_down_and_resumes() {
    let site = Site::new("identity: gq, identity_key: { gq: 512 }");
    let before = site.target("th1", "ntpkey_gqkey_green");
    let certificate = site.target("th1", "ntpkey_cert_th1");
    let mids_own = site.target("mid1", "ntpkey_cert_mid1");

    let vault = site.vault();
    let said = site.good(&["rotate", "identity", "--group", "green", "--dry-run"]);
    assert!(
        said.contains("Would mint generation 2: ") && !said.contains("Minted"),
        "{said}"
    );
    assert!(
        said.contains("leaf1") && said.contains("without a proven server for 4 polls (258 s)"),
        "{said}"
    );
    assert_eq!(site.vault(), vault, "a dry run keeps nothing");
    assert!(site.restarts().is_empty());

    site.break_host("mid2", true);
    let (status, said) = site.keytrail(&["rotate", "identity", "--group", "green"]);
    assert_eq!(status, 1, "{said}");
    // One server of every host after the other, and no leaf before both of its servers.
    in_order(&site.restarts(), &[&["th1"], &["th2"], &["mid1"]]);
    assert!(said.contains("mid2: activate failed"), "{said}");
    assert!(said.contains("Pending: identity of group green, generation 2: 3 of 7 hosts have it, not yet leaf1, leaf2, leaf3, mid2."), "{said}");
    assert!(
        said.contains("fail then") && said.contains("Finish it: keytrail rotate identity --group green"),
        "{said}"
    );
    let after = site.target("th1", "ntpkey_gqkey_green");
    assert_ne!(after, before);
    assert_ne!(
        site.target("th1", "ntpkey_cert_th1"),
        certificate,
        "it carries a value of the GQ key"
    );
    assert_eq!(
        site.target("mid1", "ntpkey_cert_mid1"),
        mids_own,
        "it carries none"
    );
    // Staged everywhere, switched nowhere before its turn.
    let parameters = site.target("mid1", "ntpkey_gqpar_green");
    assert!(site.keys("leaf1").join(&parameters).exists());
    assert_ne!(site.target("leaf1", "ntpkey_gqpar_green"), parameters);

    site.break_host("mid2", false);
    site.forget_restarts();
    let said = site.good(&["rotate", "identity", "--group", "green"]);
    assert!(
        said.contains("Generation 2 of the identity of group green was minted before; 4 hosts still to do."),
        "{said}"
    );
    assert!(!said.contains("Minted"), "{said}");
    in_order(&site.restarts(), &[&["mid2"], &["leaf1", "leaf2", "leaf3"]]);
    assert_eq!(
        site.targets("ntpkey_gqkey_green", &["th1", "th2", "mid1", "mid2"])
            .len(),
        1
    );
    assert_eq!(
        site.targets("ntpkey_gqpar_green", &["mid1", "mid2", "leaf1", "leaf2", "leaf3"])
            .len(),
        1
    );
    assert!(!said.contains("Pending"), "{said}");

    // Done, the same command begins the next one.
    let said = site.good(&["rotate", "identity", "--group", "green"]);
    assert!(said.contains("Minted generation 3"), "{said}");
    assert_ne!(site.target("th1", "ntpkey_gqkey_green"), after);
}

#[test]
fn what_cannot_be_rotated_is_said_before_the_vault_is_touched() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    // Something to mint, which must not happen on the way.
    site.edit("iff: 512", "iff: 768");
    let vault = site.vault();
    for (words, expected) in [
        (["identity", "--group", "blue"], "there is no group 'blue'"),
        (
            ["pc", "--group", "green"],
            "group green has no private certificate",
        ),
        (["certificate", "--host", "nobody"], "nobody"),
    ] {
        let (status, said) = site.keytrail(&[&["rotate"], &words[..]].concat());
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(expected) && !said.contains("Minted"), "{said}");
        assert_eq!(site.vault(), vault, "{words:?}");
    }
}

#[test]
fn nobody_goes_before_a_server_that_is_out_of_reach() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    // The first value that ssh meets is the one it takes.
    let config = site.lab.servers.config();
    let text = fs::read_to_string(&config).expect("ssh_config");
    fs::write(&config, format!("Host mid1\n  Port 1\n{text}")).expect("ssh_config");
    let (status, said) = site.keytrail(&[
        "rotate",
        "identity",
        "--group",
        "green",
        "--skip-unreachable",
        "--retries",
        "0",
    ]);
    assert_eq!(status, 1, "{said}");
    in_order(&site.restarts(), &[&["th1"], &["th2"], &["mid2"]]);
    assert!(said.contains("not yet leaf1, leaf2, leaf3, mid1"), "{said}");
    let (status, said) = site.keytrail(&["rotate", "identity", "--group", "green", "--max-fail", "1"]);
    assert_eq!(status, 2, "{said}");
}

#[test]
fn certificates_are_renewed_where_they_are_due_or_asked_for() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let said = site.good(&["renew"]);
    assert!(
        said.contains("Nothing is due: the next certificate to end is that of"),
        "{said}"
    );
    assert!(site.restarts().is_empty());

    site.break_host("leaf2", true);
    let before: Vec<String> = HOSTS
        .iter()
        .map(|host| site.target(host, &format!("ntpkey_cert_{host}")))
        .collect();
    let (status, said) = site.keytrail(&["renew", "--all", "--on", "mid1,leaf2"]);
    assert_eq!(status, 1, "{said}");
    in_order(&site.restarts(), &[&["mid1"]]);
    site.break_host("leaf2", false);
    site.forget_restarts();
    // The next run of the timer finishes it, and renews nothing else.
    let said = site.good(&["renew"]);
    in_order(&site.restarts(), &[&["leaf2"]]);
    assert!(!said.contains("Minted"), "{said}");
    for (host, before) in HOSTS.iter().zip(before) {
        let now = site.target(host, &format!("ntpkey_cert_{host}"));
        assert_eq!(now != before, ["mid1", "leaf2"].contains(host), "{host}");
    }
    site.forget_restarts();
    site.good(&["renew", "--within", "366d"]);
    in_order(
        &site.restarts(),
        &[
            &["th1"],
            &["th2"],
            &["mid1"],
            &["mid2"],
            &["leaf1", "leaf2", "leaf3"],
        ],
    );
}

#[test]
fn a_password_changes_in_one_step_with_its_files() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let conf = site.dir().join("hosts/mid1/etc/ntp/keytrail.conf");
    let read = || fs::read_to_string(&conf).expect("the include file");
    let password = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with("crypto"))
            .expect("crypto");
        line.split(' ')
            .nth(2)
            .expect("a password")
            .trim_matches('"')
            .to_owned()
    };
    let before = password(&read());
    let stamp = |host: &str, link: &str| {
        let path = site.keys(host).join(link);
        let text = fs::read_to_string(path).expect("a key file");
        text.lines().next().expect("a first line").to_owned()
    };
    let stamps = ["ntpkey_host_mid1", "ntpkey_iffkey_green"].map(|link| stamp("mid1", link));
    let certificate = site.target("mid1", "ntpkey_cert_mid1");

    site.good(&["rotate", "password", "--host", "mid1"]);
    in_order(&site.restarts(), &[&["mid1"]]);
    let after = password(&read());
    assert_ne!(before, after);
    // The same numbers under the same stamps, which the new password opens and the old one does not.
    assert_eq!(
        stamps,
        ["ntpkey_host_mid1", "ntpkey_iffkey_green"].map(|link| stamp("mid1", link))
    );
    assert_eq!(site.target("mid1", "ntpkey_cert_mid1"), certificate);
    for link in ["ntpkey_host_mid1", "ntpkey_iffkey_green"] {
        let pem = fs::read(site.keys("mid1").join(link)).expect("a key file");
        let opens = |password: &str| {
            openssl::pkey::PKey::private_key_from_pem_passphrase(&pem, password.as_bytes()).is_ok()
        };
        assert!(opens(&after) && !opens(&before), "{link}");
    }
}

#[test]
fn an_mv_client_is_shut_out_by_its_servers() {
    let site = Site::new("identity: mv, identity_key: { mv: 512 }, mv: { clients: 12 }");
    let stamp = site.target("leaf2", "ntpkey_mvpar_green");
    let said = site.good(&["revoke", "leaf1"]);
    in_order(&site.restarts(), &[&["th1"], &["th2"], &["mid1"], &["mid2"]]);
    assert!(said.contains("leaf1 holds client key"), "{said}");
    assert!(
        said.contains("New exchanges of leaf1 are refused from now on"),
        "{said}"
    );
    assert_eq!(site.target("leaf2", "ntpkey_mvpar_green"), stamp);
    let lets_in = "a server that goes back behind that lets them in again";
    let (_, said) = site.keytrail(&["rollback", "--dry-run"]);
    assert!(said.contains(lets_in), "{said}");

    // Again, it is only enforced: the client's own restart makes it ask.
    site.forget_restarts();
    site.good(&["revoke", "leaf1", "--enforce"]);
    in_order(&site.restarts(), &[&["leaf1"]]);

    site.forget_restarts();
    site.good(&["unrevoke", "leaf1"]);
    in_order(&site.restarts(), &[&["th1"], &["th2"], &["mid1"], &["mid2"]]);
    let (_, said) = site.keytrail(&["rollback", "--dry-run"]);
    assert!(!said.contains(lets_in), "{said}");
    let (status, said) = site.keytrail(&["unrevoke", "leaf1"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("'leaf1' is not shut out"), "{said}");
}

#[test]
fn a_host_taken_out_of_the_inventory_is_told_with_what_it_knows() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let text = fs::read_to_string(&site.inventory).expect("the inventory");
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("  mid2:")).collect();
    let text = kept.join("\n").replace("[mid1, mid2]", "[mid1]");
    fs::write(&site.inventory, text).expect("the inventory");
    let said = site.good(&["plan"]);
    assert!(
        said.contains("warning: mid2 left, and still has the IFF server key of group green")
            && said.contains("keytrail rotate identity --group green"),
        "{said}"
    );
    assert!(!site.good(&["plan"]).contains("mid2 left"), "it is said once");
}

#[test]
fn a_stored_rotation_is_carried_out_by_apply_in_its_order() {
    let site = Site::new("identity: iff, identity_key: { iff: 512 }");
    let plan = site.dir().join("plan.json");
    let path = plan.to_str().expect("text");
    site.good(&["rotate", "identity", "--group", "green", "-o", path]);
    assert!(site.restarts().is_empty());
    let output = keytrail(site.dir())
        .args(["apply", path])
        .output()
        .expect("keytrail runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    in_order(
        &site.restarts(),
        &[
            &["th1"],
            &["th2"],
            &["mid1"],
            &["mid2"],
            &["leaf1", "leaf2", "leaf3"],
        ],
    );
    // Nothing is pending: the next one is a new one.
    let said = site.good(&["rotate", "identity", "--group", "green"]);
    assert!(said.contains("Minted generation 3"), "{said}");
}
