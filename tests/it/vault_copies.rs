//! Copies of the vault from the command line, and what damage leaves of it, as an operator sees it.

use crate::common::vaulted::{Site, parsed, ran};
use std::fs;
use std::path::Path;

#[test]
fn a_backup_taken_while_another_process_mints_is_whole() {
    let site = Site::new();
    let leaves: Vec<String> = (0..24).map(|n| format!("late{n}")).collect();
    site.hosts(&leaves.iter().map(String::as_str).collect::<Vec<_>>());
    let writer = site.command("ann", "plan fleet.yaml");
    let writer = std::thread::spawn(move || ran(writer));
    let mut copies = 0;
    let mut during = 0;
    while copies < 2 || !writer.is_finished() {
        let running = !writer.is_finished();
        site.run(&format!("vault backup -o copy{copies}.vault fleet.yaml"))
            .good();
        during += usize::from(running);
        copies += 1;
    }
    writer.join().expect("no panic").good();
    assert!(during > 0, "no backup began while the other process ran");
    site.run("vault backup -o copy0.vault fleet.yaml")
        .refused(&["copy0.vault exists already"]);
    for copy in [0, copies - 1] {
        let checked = site
            .run(&format!("vault check --vault copy{copy}.vault --format json"))
            .good();
        let generations = &parsed(&checked)["generations"];
        // Either generation whole, never a part of one.
        let files = parsed(&checked)["readable"]["files"]["good"].as_u64();
        let expected = if generations.as_array().expect("a list").len() == 1 {
            6
        } else {
            6 + 24 * 2
        };
        assert_eq!(files, Some(expected), "{checked}");
    }
}

#[test]
fn restore_takes_a_whole_backup_and_refuses_a_truncated_one() {
    let site = Site::new();
    fs::create_dir(site.path("copies")).expect("made");
    let said = site.run("vault backup -o copies fleet.yaml").good();
    let copy = said.split(": ").next().expect("a name").to_owned();
    assert!(copy.starts_with("copies/fleet-2"), "{said}");
    site.hosts(&["leaf", "late"]);
    site.run("plan fleet.yaml").good();
    let vault = site.path("fleet.vault");
    let before = fs::read(&vault).expect("read");
    let whole = fs::read(site.path(&copy)).expect("read");
    for (name, length) in [
        ("half", whole.len() / 2),
        ("page", whole.len() - 4096),
        ("header", 60),
        ("empty", 0),
    ] {
        fs::write(site.path(name), &whole[..length]).expect("written");
        site.run(&format!("vault restore {name} fleet.yaml"))
            .refused(&["nothing was restored", name]);
        assert_eq!(fs::read(&vault).expect("read"), before, "{name}");
    }
    assert_eq!(leftovers(site.dir.path()), Vec::<String>::new());
    let restored = site.run(&format!("vault restore {copy} fleet.yaml"));
    for part in [
        "The vault from before is fleet.vault.before-",
        "It had generation 2",
    ] {
        assert!(restored.stderr.contains(part), "{}", restored.stderr);
    }
    assert!(restored.good().contains("fleet.vault: generation 1"));
    site.run("vault check fleet.yaml").good();
    let kept = fs::read_dir(site.dir.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .find(|name| name.contains(".before-"))
        .expect("kept");
    assert_eq!(fs::read(site.path(&kept)).expect("read"), before);
}

/// Files built aside that nobody removed.
fn leftovers(dir: &Path) -> Vec<String> {
    fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .filter(|name| name.starts_with(".keytrail"))
        .collect()
}

#[test]
fn check_says_what_a_damaged_vault_still_holds() {
    let site = Site::new();
    let whole = site.run("vault check fleet.yaml").good();
    assert!(
        whole.starts_with("fleet.vault is whole: 6 files, 5 secrets"),
        "{whole}"
    );
    // A medium in which bits have turned: the file is well formed, and one value does not open.
    fs::copy(site.path("fleet.vault"), site.path("bits.vault")).expect("copied");
    let db = rusqlite::Connection::open(site.path("bits.vault")).expect("opened");
    db.execute(
        "UPDATE contents SET sealed = zeroblob(length(sealed))
         WHERE artifact = (SELECT max(artifact) FROM contents)",
        [],
    )
    .expect("damaged");
    drop(db);
    let damaged = site.run("vault check --vault bits.vault --format json");
    assert_eq!(damaged.status, 1, "{}", damaged.stderr);
    let said = parsed(&damaged.stdout);
    assert_eq!(said["whole"], false);
    assert_eq!(said["readable"]["files"]["good"], 5, "{said}");
    assert_eq!(said["readable"]["files"]["damaged"], 1, "{said}");
    assert_eq!(said["readable"]["secrets"]["good"], 5, "{said}");
    // Truncated: recognised before anything is done with it.
    let bytes = fs::read(site.path("fleet.vault")).expect("read");
    fs::write(site.path("cut.vault"), &bytes[..bytes.len() - 8192]).expect("written");
    let cut = site.run("vault check --vault cut.vault");
    assert_eq!(cut.status, 1, "{}", cut.stderr);
    for part in ["cut.vault is damaged", "can still be read: ", "on record"] {
        assert!(cut.stdout.contains(part), "{part}: {}", cut.stdout);
    }
    site.run("plan --vault cut.vault fleet.yaml")
        .refused(&["cut.vault is damaged", "vault check"]);
    fs::write(site.path("text.vault"), "not a vault\n").expect("written");
    site.run("vault check --vault text.vault")
        .refused(&["text.vault"]);
}
