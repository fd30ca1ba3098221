//! Care for the vault from the command line: what it tells of what was done, and which generations it keeps.

use crate::common::vaulted::{Site, parsed};
use std::fs;

#[test]
fn no_vault_is_said_by_every_verb() {
    let site = Site::empty();
    for line in [
        "vault info",
        "vault check",
        "vault backup -o copy",
        "vault recipients",
        "vault rekey",
        "vault prune --keep 3",
        "vault upgrade",
        "history",
        "diff",
    ] {
        site.run(&format!("{line} fleet.yaml"))
            .refused(&["no vault at fleet.vault", "--vault"]);
    }
    assert_eq!(fs::read_dir(site.dir.path()).expect("listed").count(), 0);
}

#[test]
fn info_history_and_diff_tell_what_was_done_without_a_key() {
    let site = Site::new();
    site.run("diff fleet.yaml").refused(&["not two generations"]);
    site.hosts(&["leaf", "late"]);
    site.run("apply fleet.yaml").good();
    // A stranger: no key is needed, and none is made.
    let info = site
        .run_as("nobody", "vault info --format json fleet.yaml")
        .good();
    let info = parsed(&info);
    assert_eq!(info["hosts"], 3);
    assert_eq!(info["secrets"]["host-key"], 3);
    assert_eq!(info["generations"].as_array().expect("a list").len(), 2);
    let told = site.run_as("nobody", "history fleet.yaml").good();
    assert_eq!(told.lines().count(), 3, "{told}");
    let second = parsed(&site.run_as("nobody", "history 2 fleet.yaml --format json").good());
    assert_eq!(second["hosts"]["applied"], 1, "{second}");
    assert_eq!(second["hosts"]["unchanged"], 2, "{second}");
    site.run("history 7 fleet.yaml").refused(&["no run 7"]);
    let differs = site.run_as("nobody", "diff --exit-code fleet.yaml");
    assert_eq!(differs.status, 1, "{}", differs.stderr);
    for part in [
        "generation 1 → 2",
        "  late\n",
        "+ ntpkey_RSAhost_late.",
        "+ password of late",
        "1 host with other files",
    ] {
        assert!(differs.stdout.contains(part), "{part}: {}", differs.stdout);
    }
    assert!(site.run("diff 2 2 fleet.yaml").good().contains("nothing differs"));
    site.run("diff 1 9 fleet.yaml").refused(&["no generation 9"]);
    assert!(!site.path("nobody").exists());
}

#[test]
fn prune_removes_what_no_host_can_need() {
    let site = Site::new();
    for planned in ["b", "c", "d"] {
        site.hosts(&["leaf", planned]);
        site.run("plan fleet.yaml").good();
    }
    // Every host still stands in the first generation, the latest is in force, and the one before is the way back.
    let between = site.run("vault prune --keep 1 --dry-run fleet.yaml").good();
    assert_eq!(between, "Would remove generation 2\n");
    site.run("apply fleet.yaml").good();
    let would = site.run("vault prune --keep 1 --dry-run fleet.yaml").good();
    assert!(would.starts_with("Would remove generation"), "{would}");
    assert_eq!(
        site.run("vault prune --keep 1 --dry-run fleet.yaml").good(),
        would,
        "a dry run changes nothing"
    );
    let recent = site
        .run("vault prune --keep 1 --older-than 30d fleet.yaml")
        .good();
    assert!(recent.starts_with("Nothing to remove"), "{recent}");
    let done = site.run("vault prune --keep 1 fleet.yaml").good();
    let which = would.trim().strip_prefix("Would remove ").expect("checked");
    assert!(done.starts_with(&format!("Removed {which}: ")), "{done}");
    assert!(site.run("vault info fleet.yaml").good().contains("pruned"));
    site.run("vault check fleet.yaml").good();
    // Hosts stand as they did: nothing is made anew for them.
    assert_eq!(site.run("plan --exit-code fleet.yaml").status, 0);
}

#[test]
fn what_was_done_on_hosts_is_said_though_the_journal_is_lost() {
    let site = Site::new();
    let text = fs::read_to_string(site.path("fleet.yaml")).expect("the inventory");
    // Somebody empties the vault while hosts are restarted.
    let text = text
        .replace(
            "restart: false",
            &format!("restart: ': > {}'", site.path("fleet.vault").display()),
        )
        .replace("{ bits: 1024 }", "{ bits: 1024 }, certificate: { lifetime: 50d }");
    fs::write(site.path("fleet.yaml"), text).expect("written");
    let ran = site.run("apply fleet.yaml");
    assert!(ran.stderr.contains("2 hosts: 2 changed"), "{}", ran.stderr);
    ran.refused(&["could not be written into the vault's journal", "mort  changed"]);
}
