//! Backups, damage, and vaults of an older format.

use super::*;
use crate::vault::Owners;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

#[test]
fn a_backup_is_put_back_and_what_was_there_stays_beside() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let backup = fixture.dir.path().join("b.vault");
    Vault::open_locked(&fixture.path())
        .unwrap()
        .backup(&backup)
        .unwrap();
    assert_eq!(fs::metadata(&backup).unwrap().mode() & 0o7777, 0o600);
    assert!(matches!(vault.backup(&backup), Err(Error::Exists { .. })));
    holds(&backup, &fixture.key);
    let copied = fs::read(&backup).unwrap();

    renew(&mut vault, 2);
    drop(vault);
    let lock = Lock::take(&fixture.path(), "restore", Duration::ZERO).unwrap();
    let put = |from: &Path, key: &KeySource| restore(from, &fixture.path(), key, &lock, NOW);
    let restored = put(&backup, &fixture.key).unwrap();
    assert_eq!(restored.generation, Some(GenerationId(1)));
    holds(&fixture.path(), &fixture.key);
    let before = Vault::open(&restored.before.unwrap(), &fixture.key).unwrap();
    assert_eq!(before.password("mort").unwrap(), Some(content("MARKER-PW-2")));
    assert_eq!(
        fs::read(&backup).unwrap(),
        copied,
        "the backup itself is left alone"
    );
    // Again in the same second: what was set aside first stays, and a mode from elsewhere is not taken over.
    fs::set_permissions(&backup, fs::Permissions::from_mode(0o644)).unwrap();
    let again = put(&backup, &fixture.key).unwrap().before.unwrap();
    assert_ne!(again, *before.path());
    holds(&again, &fixture.key);
    assert_eq!(before.password("mort").unwrap(), Some(content("MARKER-PW-2")));
    assert_eq!(fs::metadata(fixture.path()).unwrap().mode() & 0o7777, 0o600);

    // What is not whole, or another's, replaces nothing.
    let now = fs::read(fixture.path()).unwrap();
    let count = fs::read_dir(fixture.dir.path()).unwrap().count();
    let bad = fixture.dir.path().join("bad");
    fs::write(&bad, &copied[..copied.len() - 4096]).unwrap();
    let refused = put(&bad, &fixture.key).unwrap_err();
    assert!(
        matches!(&refused, Error::Corrupt { path, .. } if *path == bad),
        "{refused}"
    );
    fs::write(&bad, "hello").unwrap();
    assert!(matches!(put(&bad, &fixture.key), Err(Error::Foreign { .. })));
    fs::write(&bad, &copied).unwrap();
    Connection::open(&bad)
        .unwrap()
        .execute(
            "UPDATE secret_values SET sealed = zeroblob(60) WHERE secret = 1",
            [],
        )
        .unwrap();
    let refused = put(&bad, &fixture.key).unwrap_err();
    assert!(
        matches!(&refused, Error::Tampered { path, .. } if *path == bad),
        "{refused}"
    );
    let (_, eve) = identity_of(&fixture, "eve");
    assert!(matches!(put(&backup, &eve), Err(Error::WrongKey { .. })));
    assert_eq!(fs::read(fixture.path()).unwrap(), now);
    assert_eq!(
        fs::read_dir(fixture.dir.path()).unwrap().count(),
        count + 2,
        "bad and eve"
    );
}

#[test]
fn a_vault_that_is_a_link_stays_one() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let backup = fixture.dir.path().join("b.vault");
    vault.backup(&backup).unwrap();
    renew(&mut vault, 2);
    drop(vault);
    let real = fixture.dir.path().join("elsewhere.vault");
    fs::rename(fixture.path(), &real).unwrap();
    std::os::unix::fs::symlink("elsewhere.vault", fixture.path()).unwrap();
    let lock = Lock::take(&fixture.path(), "restore", Duration::ZERO).unwrap();
    let restored = restore(&backup, &fixture.path(), &fixture.key, &lock, NOW).unwrap();
    assert!(fixture.path().symlink_metadata().unwrap().is_symlink());
    holds(&real, &fixture.key);
    holds(&fixture.path(), &fixture.key);
    let before = Vault::open(&restored.before.unwrap(), &fixture.key).unwrap();
    assert_eq!(before.password("mort").unwrap(), Some(content("MARKER-PW-2")));
}

/// A vault whose writer was killed in the middle of a commit, replaced by a backup: its journal must not be played
/// into the backup.
#[test]
fn an_unfinished_commit_does_not_get_into_what_is_put_back() {
    let fixture = Fixture::new();
    let vault = filled(&fixture);
    let backup = fixture.dir.path().join("b.vault");
    vault.backup(&backup).unwrap();
    drop(vault);
    // A damaged vault, which nobody can complete, with some journal.
    fs::write(fixture.path(), b"SQLite format 3\0 and no more").unwrap();
    let journal = fixture.dir.path().join("campus.vault-journal");
    fs::write(&journal, b"a journal").unwrap();
    let lock = Lock::take(&fixture.path(), "restore", Duration::ZERO).unwrap();
    let restored = restore(&backup, &fixture.path(), &fixture.key, &lock, NOW).unwrap();
    holds(&fixture.path(), &fixture.key);
    assert!(!journal.exists());
    let before = restored.before.unwrap();
    assert_eq!(fs::read(&before).unwrap(), b"SQLite format 3\0 and no more");
    let kept = before.with_file_name(format!(
        "{}-journal",
        before.file_name().unwrap().to_str().unwrap()
    ));
    assert_eq!(fs::read(kept).unwrap(), b"a journal");
    // Into an empty place too.
    fs::remove_file(fixture.path()).unwrap();
    assert_eq!(
        restore(&backup, &fixture.path(), &fixture.key, &lock, NOW)
            .unwrap()
            .before,
        None
    );
    holds(&fixture.path(), &fixture.key);
}

#[test]
fn of_a_damaged_vault_it_is_said_what_can_still_be_read() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    for number in 2..=40 {
        renew(&mut vault, number);
    }
    drop(vault);
    let whole = condition(&fixture.path(), Some(&fixture.key)).unwrap();
    assert!(whole.wrong.is_empty());
    assert_eq!(
        (whole.files.good, whole.secrets.good, whole.placements.good),
        (41, 42, 41)
    );
    assert_eq!(whole.generations.len(), 40);

    let bytes = fs::read(fixture.path()).unwrap();
    let mut partly = 0;
    for pages in 1..bytes.len() / 4096 {
        fs::write(fixture.path(), &bytes[..bytes.len() - pages * 4096]).unwrap();
        let found = condition(&fixture.path(), Some(&fixture.key)).unwrap();
        assert!(
            matches!(found.wrong[0], Error::Corrupt { .. }),
            "{pages} pages: {}",
            found.wrong[0]
        );
        assert!(found.files.good <= 41 && found.secrets.good <= 42);
        partly += usize::from(found.secrets.good > 0 || found.files.good > 0);
        assert_eq!(
            fs::read(fixture.path()).unwrap(),
            bytes[..bytes.len() - pages * 4096]
        );
    }
    assert!(partly > 0, "something was always readable");
    // One page overwritten: nearly all is there.
    let mut best = 0;
    for page in 1..bytes.len() / 4096 {
        let mut bytes = bytes.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(fixture.path(), &bytes).unwrap();
        let found = condition(&fixture.path(), Some(&fixture.key)).unwrap();
        assert!(!found.wrong.is_empty(), "page {page}");
        best = best.max(found.files.good);
    }
    assert!(best > 30, "{best} of 41");
    assert!(matches!(
        condition(&fixture.dir.path().join("none"), None),
        Err(Error::NotFound { .. })
    ));
}

/// The vault of the first release, as it was written then.
#[test]
fn a_vault_of_format_1_is_taken_over_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vaults");
    let fixture = Fixture::new();
    fs::copy(root.join("format1.vault"), fixture.path()).unwrap();
    let key = KeySource::Bytes(Secret::new(fs::read(root.join("format1.agekey")).unwrap()));
    let old = fs::read(fixture.path()).unwrap();
    assert_eq!(old[63], 1, "user_version in the header");
    let mut vault = Vault::open(&fixture.path(), &key).unwrap();
    assert_eq!(fs::read(fixture.path()).unwrap()[63], 2);
    let found = vault.condition().unwrap();
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert_eq!(found.generations.len(), 2);
    let snapshot = vault.snapshot().unwrap();
    assert_eq!(snapshot.generation, Some(GenerationId(2)));
    assert_eq!(snapshot.hosts().count(), 3);
    assert_eq!(vault.secrets(SecretKind::Password).unwrap().len(), 3);
    assert_eq!(vault.runs().unwrap().len(), 2);
    assert_eq!(vault.applied().unwrap()["leaf"].generation, GenerationId(1));
    vault.set_state("rotation", Some(&content("x"))).unwrap();
    renew(&mut vault, 3);
    let (_, bob) = identity_of(&fixture, "bob");
    let names = bob.recipients().unwrap();
    vault.rekey(&Owners::Recipients(names)).unwrap();
    drop(vault);
    let vault = Vault::open(&fixture.path(), &bob).unwrap();
    assert!(vault.check().unwrap().is_empty());
    assert_eq!(
        vault.snapshot_at(Some(GenerationId(2))).unwrap().media("bud"),
        snapshot.media("bud")
    );
}
