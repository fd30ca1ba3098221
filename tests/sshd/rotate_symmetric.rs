//! Symmetric keys changed by a new id, step by step.

use crate::common::rotation::*;
use crate::common::{ended, keytrail};
use std::fs;

/// Ids in the key file of a host, and on its `trustedkey` and `server` lines.
fn key_ids(site: &Site, host: &str) -> (Vec<String>, Vec<String>) {
    let etc = site.lab.root(host).join("etc");
    let file = ["ntp/ntp.keys", "ntpsec/ntp.keys", "chrony/chrony.keys"]
        .iter()
        .find_map(|path| fs::read_to_string(etc.join(path)).ok())
        .unwrap_or_else(|| panic!("{host} has no key file"));
    let ids = file.lines().filter(|line| !line.starts_with('#'));
    let ids = ids.filter_map(|line| line.split_ascii_whitespace().next());
    let mut lines = Vec::new();
    let mut confs = Vec::new();
    for dir in ["", "ntp", "ntpsec", "chrony", "chrony/conf.d"] {
        for name in ["keytrail.conf", "ntp.conf", "chrony.conf"] {
            confs.extend(fs::read_to_string(etc.join(dir).join(name)));
        }
    }
    for line in confs.iter().flat_map(|text| text.lines()) {
        if line.starts_with("server ") && line.contains(" key ") {
            let key = line.split(" key ").nth(1).expect("an id");
            lines.push(key.split(' ').next().expect("an id").to_owned());
        }
    }
    (ids.map(str::to_owned).collect(), lines)
}

#[test]
fn a_symmetric_key_changes_by_a_new_id_in_three_steps() {
    let site = Site::with(
        "symmetric_keys:\n  7: { type: AES-128-CMAC }\n  8: { type: AES-128-CMAC }",
        [
            "reference_clock: true",
            "reference_clock: true",
            "servers: [{ host: th1, key: 7 }, { host: th2, key: 8 }]",
            "servers: [{ host: th1, key: 7 }]",
            "servers: [{ host: mid1, key: 7 }, { host: mid2, key: 7 }]",
            "servers: [{ host: mid1, key: 7 }]",
            "servers: [{ host: th2, key: 8 }]",
        ],
    );
    let ids = |host: &str| key_ids(&site, host);
    assert_eq!(ids("leaf1"), (vec!["7".into()], vec!["7".into(), "7".into()]));
    let rotate = ["rotate", "symmetric", "--key", "7"];
    let vault = site.vault();
    let said = site.good(&[&rotate[..], &["--dry-run"]].concat());
    assert!(
        said.contains("from id 7 to id 9") && said.contains("Step 1 of 3"),
        "{said}"
    );
    let why = "it has no control key, with which a running ntpd is told (keys: { control: ID })";
    assert!(
        said.contains(&format!("      not told while it runs: {why}\n"))
            && said.contains(&format!("; not told: {why}\n")),
        "{said}"
    );
    assert_eq!(site.vault(), vault);

    // One step for now: only servers change, and everybody goes on with the old id.
    let said = site.good(&[&rotate[..], &["--steps", "1"]].concat());
    assert!(said.contains("Stopped after step 1 of 3"), "{said}");
    in_order(&site.restarts(), &[&["th1"], &["mid1"], &["mid2"]]);
    assert_eq!(ids("mid1").0, ["7", "8", "9"]);
    assert_eq!(ids("mid1").1, ["7", "8"]);
    assert_eq!(ids("leaf1").0, ["7"]);
    // What is in force is also what an ordinary plan sees.
    let said = site.good(&["plan", "--exit-code"]);
    assert!(said.contains("nothing to change"), "{said}");

    // Then a host fails in the middle of the second.
    site.forget_restarts();
    site.break_host("mid2", true);
    let (status, said) = site.keytrail(&rotate);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("Step 2 of 3") && said.contains("Pending: step 2 of 3"),
        "{said}"
    );
    in_order(&site.restarts(), &[&["mid1"]]);
    assert_eq!(
        ids("leaf1").1,
        ["7", "7"],
        "a client does not go before its servers"
    );

    site.break_host("mid2", false);
    site.forget_restarts();
    let said = site.good(&rotate);
    assert!(!said.contains("Step 1 of 3"), "{said}");
    assert!(said.contains("Symmetric key 7 is in use as id 9 now."), "{said}");
    // The second step to its end, and the third on those who still held the old one.
    in_order(
        &site.restarts(),
        &[&["mid2"], &["leaf1", "leaf2"], &["th1"], &["mid1"], &["mid2"]],
    );
    assert_eq!(ids("th1").0, ["9"]);
    assert_eq!(
        ids("mid1"),
        (vec!["8".into(), "9".into()], vec!["9".into(), "8".into()])
    );
    assert_eq!(ids("leaf1"), (vec!["9".into()], vec!["9".into(), "9".into()]));
    assert_eq!(
        ids("leaf3"),
        (vec!["8".into()], vec!["8".into()]),
        "not concerned"
    );
    let said = site.good(&["apply"]);
    assert!(said.contains("No changes"), "{said}");
}

#[test]
fn steps_of_a_symmetric_key_can_be_stored_as_plans() {
    let nobody = "reference_clock: true";
    let client = "servers: [{ host: th1, key: 7 }]";
    let site = Site::with(
        "symmetric_keys:\n  7: { type: AES-128-CMAC }",
        [nobody, nobody, client, nobody, nobody, nobody, nobody],
    );
    let plan = site.dir().join("step.json");
    let path = plan.to_str().expect("text");
    let store = || site.good(&["rotate", "symmetric", "--key", "7", "-o", path]);
    let apply = || {
        let (status, said) = ended(keytrail(site.dir()).args(["apply", path]));
        assert_eq!(status, 0, "{said}");
    };
    let hosts = ["th1", "mid1"];
    let ids = || hosts.map(|host| key_ids(&site, host).0);
    for (step, after) in [
        (1, [vec!["7", "8"], vec!["7"]]),
        (2, [vec!["7", "8"], vec!["8"]]),
        (3, [vec!["8"], vec!["8"]]),
    ] {
        site.forget_restarts();
        let before = ids();
        let said = store();
        assert!(
            said.contains(&format!("That is step {step} of 3."))
                && said.contains("carry it out with `keytrail apply"),
            "{said}"
        );
        // As long as it is not carried out it is the next one.
        assert!(store().contains(&format!("That is step {step} of 3.")));
        assert_eq!(ids(), before);
        assert!(site.restarts().is_empty());
        apply();
        assert_eq!(ids(), after, "{said}");
    }
    fs::remove_file(&plan).expect("the plan");
    let said = store();
    assert!(said.contains("Symmetric key 7 is in use as id 8 now."), "{said}");
    assert!(!plan.exists(), "nothing is left to plan: {said}");
}
