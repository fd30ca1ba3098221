//! Who can write the vault's file but has no key: nothing of what is written is acted on.

use crate::common::vaulted::{Site, parsed};
use keytrail::vault::{KeySource, Vault};
use std::fs;
use std::path::Path;

/// Every verb that opens the vault with its key, and acts on it.
const ACTING: [&str; 11] = [
    "plan fleet.yaml",
    "apply fleet.yaml",
    "rotate password --host leaf fleet.yaml",
    "renew fleet.yaml",
    "rollback --to 0 fleet.yaml",
    "export -o out fleet.yaml",
    "status fleet.yaml",
    "vault rekey fleet.yaml",
    "vault recipients add age1x fleet.yaml",
    "vault prune --keep 1 fleet.yaml",
    "vault check fleet.yaml",
];

fn sql(site: &Site, text: &str) {
    let db = rusqlite::Connection::open(site.path("fleet.vault")).expect("opened");
    db.pragma_update(None, "foreign_keys", false).expect("set");
    db.execute_batch(text).expect("written");
}

/// The files of all hosts: names and contents.
fn hosts(site: &Site) -> Vec<(String, Vec<u8>)> {
    fn walk(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(dir).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&site.path("hosts"), &mut found);
    found.sort();
    found
}

/// That every verb refuses the vault, in words that `vault check` uses too, and changes nothing.
#[track_caller]
fn every_verb_refuses(site: &Site, attack: &str, because: &str) {
    let (file, before) = (fs::read(site.path("fleet.vault")).expect("read"), hosts(site));
    for line in ACTING {
        let ran = site.run(line);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let status = if line.starts_with("vault check") {
            1..=2
        } else {
            2..=2
        };
        assert!(
            status.contains(&ran.status),
            "{attack}: {line}: {} {said}",
            ran.status
        );
        assert!(said.contains(because), "{attack}: {line}: {said}");
    }
    assert_eq!(
        fs::read(site.path("fleet.vault")).expect("read"),
        file,
        "{attack}"
    );
    assert_eq!(hosts(site), before, "{attack}");
    assert!(!site.path("out").exists());
}

#[test]
fn an_added_recipient_is_never_sealed_to() {
    let site = Site::new();
    sql(
        &site,
        "INSERT INTO recipients (recipient, name, added) VALUES ('age1evil', 'backup', 0)",
    );
    every_verb_refuses(&site, "recipients", "the list of who can open it is not what");
    // Without the key it is not called whole.
    let said = site.run("vault check --without-key fleet.yaml").good();
    assert!(
        said.contains("not verified: opened without its key") && !said.contains("whole"),
        "{said}"
    );
    for line in ["vault info", "vault recipients", "history", "status --offline"] {
        let ran = site.run(&format!("{line} fleet.yaml"));
        assert!(
            ran.stderr.contains("not verified: opened without its key"),
            "{line}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_key_that_was_rotated_out_does_not_come_back() {
    let site = Site::new();
    site.run("rotate identity --group red fleet.yaml").good();
    sql(
        &site,
        "UPDATE secrets SET until = (SELECT max(id) FROM generations) WHERE kind = 'iff' AND until IS NULL;
         UPDATE secrets SET until = NULL WHERE kind = 'iff' AND since = 1",
    );
    every_verb_refuses(&site, "until", "the list of secrets is not what");
}

#[test]
fn a_later_end_of_validity_keeps_nothing_from_renewing() {
    let site = Site::new();
    sql(
        &site,
        "UPDATE artifacts SET not_after = not_after + 315360000 WHERE kind = 'cert'",
    );
    every_verb_refuses(&site, "not_after", "the list of files is not what");
}

#[test]
fn a_missing_head_or_signature_is_a_refusal() {
    for (attack, because) in [
        ("DELETE FROM head", "the head is not what"),
        ("UPDATE head SET signature = x''", "the head is not what"),
        (
            "UPDATE identity SET sealed = x''",
            "the vault's identity is not what",
        ),
    ] {
        let site = Site::new();
        sql(&site, attack);
        every_verb_refuses(&site, attack, because);
    }
}

/// Recipients are public: anybody can make a vault that the operator's key opens.
#[test]
fn a_forged_vault_for_the_same_operator_is_refused() {
    let site = Site::new();
    let own = site.run("vault info --format json fleet.yaml").good();
    let own = parsed(&own);
    let recipient = own["recipients"][0]["recipient"]
        .as_str()
        .expect("a recipient")
        .to_owned();
    let eve = site.path("eve.agekey");
    keytrail::vault::create_identity(&eve).expect("a key");
    let forged = site.path("forged.vault");
    let vault = Vault::create(&forged, &KeySource::File(eve), &[recipient]).expect("made");
    let other = vault.id().expect("its identity").to_string();
    drop(vault);
    fs::copy(&forged, site.path("fleet.vault")).expect("put in its place");
    every_verb_refuses(&site, "forged", "is not the vault that was used here before");
    let said = site.run("plan fleet.yaml").stderr;
    assert!(
        said.contains(&other) && said.contains(own["identity"].as_str().expect("text")),
        "both are named: {said}"
    );
    assert!(
        said.contains("known-vaults line 2") && said.contains("remove that line"),
        "{said}"
    );
    // A backup from nowhere is no way around it.
    site.run("vault restore forged.vault fleet.yaml")
        .refused(&["is not the vault that was used here before"]);
}

#[test]
fn a_vault_that_is_gone_is_not_made_anew() {
    let site = Site::new();
    fs::remove_file(site.path("fleet.vault")).expect("removed");
    for line in ["plan fleet.yaml", "apply fleet.yaml", "export -o out fleet.yaml"] {
        site.run(line).refused(&["is gone", "SHA256:", "vault restore"]);
    }
    assert!(!site.path("fleet.vault").exists());
}

/// An older format has no head: it would be the way around all of it.
#[test]
fn a_vault_with_an_identity_is_never_taken_in_an_older_format() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vaults");
    let site = Site::new();
    sql(&site, "PRAGMA user_version = 2");
    site.run("plan fleet.yaml")
        .refused(&["its tables are not those of format 2"]);
    fs::copy(root.join("format2.vault"), site.path("fleet.vault")).expect("put in its place");
    for line in [
        "plan fleet.yaml",
        "vault check fleet.yaml",
        "vault upgrade --yes fleet.yaml",
    ] {
        site.run(line)
            .refused(&["is in format 2, which has no identity", "SHA256:"]);
    }
    // Where none was used before, it says how it is brought forward.
    let fresh = Site::empty();
    fresh.hosts(&["leaf"]);
    fs::copy(root.join("format2.vault"), fresh.path("fleet.vault")).expect("copied");
    for line in [
        "plan",
        "status --offline",
        "vault info",
        "vault backup -o copy",
        "history",
    ] {
        fresh
            .run(&format!("{line} fleet.yaml"))
            .refused(&["format 2", "keytrail vault upgrade"]);
    }
}

#[test]
fn an_upgrade_shows_who_can_open_it_and_asks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vaults");
    let site = Site::empty();
    site.hosts(&["leaf"]);
    for (name, to) in [("format2.vault", "fleet.vault"), ("format2.agekey", "own.agekey")] {
        fs::copy(root.join(name), site.path(to)).expect("copied");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(site.path(to), private).expect("its mode");
    }
    let old = fs::read(site.path("fleet.vault")).expect("read");
    let asked = site.run("vault upgrade --identity own.agekey fleet.yaml");
    assert_eq!(asked.status, 2);
    for part in ["format 2: 3 generations, 5 hosts", "opened by\n  age1"] {
        assert!(asked.stdout.contains(part), "{part}: {}", asked.stdout);
    }
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert_eq!(fs::read(site.path("fleet.vault")).expect("read"), old);
    let done = site
        .run("vault upgrade --yes --identity own.agekey fleet.yaml")
        .good();
    assert!(done.contains("its identity is SHA256:"), "{done}");
    let said = site.run("vault check --identity own.agekey fleet.yaml").good();
    assert!(said.contains("is whole"), "{said}");
    site.run("vault upgrade --identity own.agekey fleet.yaml")
        .refused(&["is in the present format already"]);
}

/// Copies of the whole file are whole; hosts know better.
#[test]
fn an_older_copy_of_the_vault_stops_everything() {
    let site = Site::new();
    fs::copy(site.path("fleet.vault"), site.path("old")).expect("kept");
    site.run("rotate password --host leaf fleet.yaml").good();
    fs::copy(site.path("old"), site.path("fleet.vault")).expect("put back");
    let before = hosts(&site);
    for line in [
        "plan fleet.yaml",
        "apply fleet.yaml",
        "status fleet.yaml",
        "rollback --to 0 fleet.yaml",
        "apply --skip-unreachable fleet.yaml",
    ] {
        site.run(line).refused(&["older copy", "leaf (generation 2)"]);
    }
    // A rotation mints before it looks: the copy has gone on then, and the host tells that, too.
    let ran = site.run("rotate password --host leaf fleet.yaml");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.status, 1, "{said}");
    assert!(said.contains("went on from an older copy"), "{said}");
    assert_eq!(hosts(&site), before);
}

/// Nothing that one host says stops the others.
#[test]
fn what_a_host_says_of_itself_is_its_own_affair() {
    let site = Site::new();
    let record = site.path("hosts/leaf/etc/ntp/crypto/.keytrail/vault");
    let own = fs::read_to_string(&record).unwrap_or_else(|error| panic!("{}: {error}", record.display()));
    let other = fs::read_to_string(site.path("hosts/mort/etc/ntp/crypto/.keytrail/vault")).expect("mort's");
    site.run("plan fleet.yaml").good();
    for forged in [
        own.replacen(" 1 ", " 9 ", 1),
        other,
        "1 nonsense\n".to_owned(),
        "x".repeat(9999),
    ] {
        fs::write(&record, &forged).expect("written");
        let ran = site.run("plan fleet.yaml");
        assert_eq!(ran.status, 1, "{forged}: {}", ran.stderr);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("is not what a vault wrote for this host"), "{said}");
        let skipped = site.run("apply --skip-unreachable fleet.yaml");
        assert!(
            skipped.stdout.contains("1 unchanged, 1 failed"),
            "the others go on: {}",
            skipped.stdout
        );
    }
    // As earlier builds left it: adopted by the next apply that changes it.
    fs::remove_file(&record).expect("removed");
    site.run("rotate password --host leaf fleet.yaml").good();
    let adopted = fs::read_to_string(&record).expect("adopted");
    assert!(adopted.contains(" 2 ") && adopted != own, "{adopted}");
}

#[test]
fn a_host_of_another_vault_is_left_alone() {
    let site = Site::new();
    site.run("apply --vault other.vault fleet.yaml").stderr.clear();
    let ran = site.run("apply --vault other.vault fleet.yaml");
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("belongs to another vault") && said.contains("SHA256:"),
        "{said}"
    );
    site.run("plan --exit-code fleet.yaml").good();
}

/// The first use of a vault that somebody else made.
#[test]
fn a_vault_of_a_colleague_is_named_at_its_first_use() {
    let site = Site::new();
    let ben = site.key_of("ben");
    site.run(&format!("vault recipients add {ben} fleet.yaml")).good();
    let info = parsed(&site.run("vault info --format json fleet.yaml").good());
    let (id, hex) = (&info["identity"], info["public_key"].as_str().expect("text"));
    let first = site.run_as("ben", "plan fleet.yaml");
    assert!(
        first.stderr.contains("First use of fleet.vault here")
            && first.stderr.contains(id.as_str().expect("text")),
        "{}",
        first.stderr
    );
    let again = site.run_as("ben", "plan fleet.yaml");
    assert!(!again.stderr.contains("First use"), "{}", again.stderr);
    // A machine that keeps nothing: the identity can be demanded.
    let key = fs::read_to_string(site.path("ben/keytrail/identity.agekey")).expect("the key");
    let machine = |expected: &str| {
        let command = site
            .command("ben", "plan fleet.yaml")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("HOME")
            .env("KEYTRAIL_KEY", &key)
            .env("KEYTRAIL_VAULT_ID", expected);
        crate::common::vaulted::ran(command)
    };
    let unknown = machine("");
    assert!(
        unknown.stderr.contains(&format!("KEYTRAIL_VAULT_ID={hex}")),
        "{}",
        unknown.stderr
    );
    unknown.good();
    let known = machine(hex);
    assert!(!known.stderr.contains("KEYTRAIL_VAULT_ID"), "{}", known.stderr);
    known.good();
    machine(&"0".repeat(64)).refused(&["is not the vault that was used here before"]);
}

#[test]
fn pipes_and_devices_are_no_vaults_and_open_files_are_warned_about() {
    let site = Site::new();
    let made = std::process::Command::new("mkfifo")
        .arg(site.path("pipe"))
        .status()
        .expect("run");
    assert!(made.success());
    for path in ["pipe", "/dev/zero"] {
        for line in ["plan", "status --offline", "vault check", "vault info"] {
            site.run(&format!("{line} --vault {path} fleet.yaml"))
                .refused(&["is no keytrail vault"]);
        }
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o664);
    fs::set_permissions(site.path("fleet.vault"), open).expect("its mode");
    let ran = site.run("plan fleet.yaml");
    assert!(
        ran.stderr.contains("others can write to the vault"),
        "{}",
        ran.stderr
    );
    ran.good();
}
