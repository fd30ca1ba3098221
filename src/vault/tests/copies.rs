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
    // Pages at the end that are no table's first.
    let mut generation = begin(&mut vault);
    let large = generation
        .artifact(&host_key("macabre", leak(&"x".repeat(60_000))))
        .unwrap();
    generation.place("macabre", large, "ntpkey_large", &[]).unwrap();
    generation.commit().unwrap();
    drop(vault);
    let whole = condition(&fixture.path(), Some(&fixture.key)).unwrap();
    assert!(whole.wrong.is_empty());
    assert_eq!(
        (whole.files.good, whole.secrets.good, whole.placements.good),
        (42, 42, 42)
    );
    assert_eq!(whole.generations.len(), 41);

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
        assert!(found.files.good <= 42 && found.secrets.good <= 42);
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
    assert!(best > 30, "{best} of 42");
    assert!(matches!(
        condition(&fixture.dir.path().join("none"), None),
        Err(Error::NotFound { .. })
    ));
}

/// Vaults as earlier builds wrote them.
#[test]
fn vaults_of_earlier_formats_are_brought_forward_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vaults");
    for (number, name) in [(1, "format1"), (2, "format2")] {
        let fixture = Fixture::new();
        fs::copy(root.join(format!("{name}.vault")), fixture.path()).unwrap();
        let agekey = fs::read(root.join(format!("{name}.agekey"))).unwrap();
        let key = KeySource::Bytes(Secret::new(agekey));
        let old = fs::read(fixture.path()).unwrap();
        assert_eq!(old[63], number, "user_version in the header");
        for refused in [
            Vault::open(&fixture.path(), &key).err().unwrap(),
            Vault::open_locked(&fixture.path()).err().unwrap(),
            condition(&fixture.path(), Some(&key)).unwrap_err(),
        ] {
            assert!(matches!(refused, Error::Outdated { .. }), "{refused}");
            assert!(refused.help().unwrap().contains("vault upgrade"));
        }
        let former = Former::look(&fixture.path(), &key).unwrap();
        assert_eq!(former.format, i32::from(number));
        let lock = Lock::take(&fixture.path(), "upgrade", Duration::ZERO).unwrap();
        let other = Former {
            hosts: former.hosts + 1,
            ..former.clone()
        };
        assert!(upgrade(&fixture.path(), &key, &other, &lock, NOW).is_err());
        assert_eq!(fs::read(fixture.path()).unwrap(), old, "left alone");
        let (id, before) = upgrade(&fixture.path(), &key, &former, &lock, NOW).unwrap();
        assert_eq!(fs::read(before).unwrap(), old);
        let again = Former::look(&fixture.path(), &key);
        assert!(matches!(again, Err(Error::Current { .. })));

        let mut vault = Vault::open(&fixture.path(), &key).unwrap();
        assert_eq!(vault.id().unwrap(), id);
        assert_eq!(vault.operators().unwrap()[0].name, operator());
        let found = vault.condition().unwrap();
        assert!(found.wrong.is_empty(), "{:?}", found.wrong);
        let counts = [former.files, former.secrets, former.states, former.generations];
        let good = [
            found.files.good,
            found.secrets.good,
            found.states.good,
            found.generations.len(),
        ];
        assert_eq!(good.map(|good| good as u64), counts);
        assert_eq!(vault.runs().unwrap().len() as u64, former.runs);
        let snapshot = vault.snapshot().unwrap();
        if number == 1 {
            assert_eq!(snapshot.generation, Some(GenerationId(2)));
            assert_eq!(snapshot.hosts().count(), 3);
            assert_eq!(vault.secrets(SecretKind::Password).unwrap().len(), 3);
            assert_eq!(vault.applied().unwrap()["leaf"].generation, GenerationId(1));
        } else {
            assert_eq!(
                vault.states().unwrap(),
                ["mv-revocations", "symmetric-key-numbers"]
            );
            assert_eq!(vault.applied().unwrap().len(), 5);
            assert_eq!(vault.changed().unwrap().len(), 5);
            assert_eq!(vault.brought(GenerationId(3)).unwrap().len(), 1);
        }
        vault.set_state("more", Some(&content("x"))).unwrap();
        renew(&mut vault, snapshot.generation.unwrap().0 + 1);
        let (_, bob) = identity_of(&fixture, "bob");
        let names = bob.recipients().unwrap();
        vault.rekey(&Owners::Recipients(names), "bob", NOW).unwrap();
        drop(vault);
        let vault = Vault::open(&fixture.path(), &bob).unwrap();
        assert!(vault.check().unwrap().is_empty());
        assert_eq!(vault.id().unwrap(), id, "the identity stays");
        for host in snapshot.hosts() {
            assert_eq!(
                vault.snapshot_at(snapshot.generation).unwrap().media(host),
                snapshot.media(host)
            );
        }
    }
}

/// Who can write an old vault could have added to its list: what is written there is compared with whom it is sealed to.
#[test]
fn a_list_of_recipients_that_is_longer_than_the_seal_is_refused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vaults");
    let fixture = Fixture::new();
    fs::copy(root.join("format2.vault"), fixture.path()).unwrap();
    let key = KeySource::Bytes(Secret::new(fs::read(root.join("format2.agekey")).unwrap()));
    let alter = |sql: &str| {
        Connection::open(fixture.path())
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        Former::look(&fixture.path(), &key)
    };
    let refused = alter("UPDATE data_key SET recipients = recipients || char(10) || 'age1eve'").unwrap_err();
    assert!(refused.to_string().contains("2 recipients"), "{refused}");
    // Where one with an identity was used, it is not even looked at.
    let known = Known::new([fixture.dir.path().join("config")]);
    known.before(&fixture.path()).unwrap();
    known
        .remember(&fixture.path(), Signer::generate().unwrap().id())
        .unwrap();
    assert!(matches!(
        known.before(&fixture.path()),
        Err(Error::Downgraded { found: 2, .. })
    ));
}
