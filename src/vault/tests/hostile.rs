//! Thieves, vandals and bad disks.

use super::*;

#[test]
fn a_copy_of_the_file_gives_nothing_secret_away() {
    let fixture = Fixture::new();
    drop(filled(&fixture));
    let bytes = fs::read(fixture.path()).unwrap();
    let find = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(find(b"ntpkey_RSAhost_mort"), "the search itself works");
    assert!(!find(b"MARKER"));

    let locked = Vault::open_locked(&fixture.path()).unwrap();
    let snapshot = locked.snapshot().unwrap();
    assert_eq!(snapshot.media("mort").len(), 1);
    let artifact = snapshot.media("mort")[0].artifact;
    assert!(matches!(locked.content(artifact), Err(Error::Locked { .. })));
    assert!(matches!(locked.password("mort"), Err(Error::Locked { .. })));

    create_identity(&fixture.dir.path().join("other")).unwrap();
    let other = KeySource::File(fixture.dir.path().join("other"));
    assert!(matches!(
        Vault::open(&fixture.path(), &other),
        Err(Error::WrongKey { .. })
    ));
    fs::remove_file(fixture.dir.path().join("identity.agekey")).unwrap();
    let lost = fixture.open().err().unwrap();
    assert!(matches!(&lost, Error::KeyMissing { recipients, .. } if recipients.len() == 1));
    assert!(lost.to_string().contains("age1"), "{lost}");
    assert_eq!(fs::read(fixture.path()).unwrap(), bytes, "nothing was changed");
}

/// What somebody who can write to the file, but has no key, could try.
#[test]
fn rows_cannot_be_swapped_or_changed() {
    let swap_contents = "CREATE TEMP TABLE t AS SELECT * FROM contents;
        UPDATE contents SET sealed = (SELECT sealed FROM t WHERE t.artifact = 3 - contents.artifact)";
    let swap_passwords = "CREATE TEMP TABLE t AS SELECT * FROM secret_values;
        UPDATE secret_values SET sealed = (SELECT sealed FROM t WHERE t.secret = 3 - secret_values.secret)
        WHERE secret < 3";
    for (attack, placements_hold) in [
        (swap_contents, true),
        ("UPDATE artifacts SET owner = 'eve' WHERE id = 1", true),
        ("UPDATE artifacts SET filestamp = filestamp + 1", true),
        ("UPDATE artifacts SET not_after = 0", true),
        ("UPDATE artifacts SET digest = randomblob(32) WHERE id = 1", false),
        (swap_passwords, true),
        ("UPDATE secrets SET owner = owner || 'x'", true),
        ("UPDATE secrets SET since = 2, until = NULL", true),
        ("UPDATE secret_values SET sealed = zeroblob(60)", true),
        ("UPDATE hosts SET name = 'eve' WHERE name = 'mort'", false),
        ("UPDATE placements SET host = 1", false),
        ("UPDATE placements SET artifact = 2 WHERE artifact = 1", false),
        (
            "UPDATE placements SET name = '../../etc/passwd' WHERE id = 1",
            false,
        ),
        (
            "UPDATE placements SET links = 'ntpkey_iffkey_red' WHERE id = 1",
            false,
        ),
        ("UPDATE placements SET until = 2", false),
    ] {
        let fixture = Fixture::new();
        drop(filled(&fixture));
        let db = Connection::open(fixture.path()).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        db.execute_batch(attack).unwrap();
        drop(db);
        let vault = fixture.open().unwrap();
        let found = vault.check().unwrap();
        assert!(
            found.iter().any(|error| matches!(error, Error::Tampered { .. })),
            "not noticed: {attack}"
        );
        assert_eq!(
            vault.snapshot().is_ok(),
            placements_hold,
            "{attack}: {:?}",
            vault.snapshot().err()
        );
    }
}

#[test]
fn what_is_no_vault_is_recognised_and_left_alone() {
    let fixture = Fixture::new();
    let path = fixture.path();
    let opened = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = fixture.open().err().expect("refused");
        assert_eq!(fs::read(&path).unwrap(), bytes, "left alone");
        assert_eq!(
            fs::read_dir(fixture.dir.path()).unwrap().count(),
            2,
            "nothing beside it"
        );
        error
    };
    assert!(matches!(fixture.open(), Err(Error::NotFound { .. })));
    assert!(matches!(opened(b""), Error::Foreign { .. }));
    assert!(matches!(
        opened(b"version: 1\nhosts: {}\n"),
        Error::Foreign { .. }
    ));
    assert!(matches!(
        opened(b"SQLite format 3\0 and no more"),
        Error::Corrupt { .. }
    ));
    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (url)").unwrap();
    drop(other);
    let bytes = fs::read(&path).unwrap();
    assert!(matches!(opened(&bytes), Error::Foreign { .. }));
    assert!(matches!(
        Vault::create(&path, &fixture.key, &[]),
        Err(Error::Exists { .. })
    ));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(fixture.open(), Err(Error::Foreign { .. })));
}

#[test]
fn truncated_at_any_length_is_recognised() {
    let fixture = Fixture::new();
    drop(filled(&fixture));
    let whole = fs::read(fixture.path()).unwrap();
    let mut lengths: Vec<usize> = (1..whole.len()).step_by(1021).collect();
    lengths.extend([16, 72, 99, 100, 512, 4096, whole.len() - 4096, whole.len() - 1]);
    for length in lengths {
        fs::write(fixture.path(), &whole[..length]).unwrap();
        let error = fixture
            .open()
            .err()
            .unwrap_or_else(|| panic!("{length} bytes opened"));
        assert!(
            matches!(error, Error::Corrupt { .. } | Error::Foreign { .. }),
            "{length} bytes: {error}"
        );
        assert_eq!(fs::read(fixture.path()).unwrap(), &whole[..length]);
    }
}

#[test]
fn a_newer_or_altered_format_is_recognised() {
    let alter = |sql: &str| {
        let fixture = Fixture::new();
        drop(filled(&fixture));
        Connection::open(fixture.path())
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        fixture.open().err().expect("refused")
    };
    assert!(matches!(
        alter("PRAGMA user_version = 99"),
        Error::Newer { found: 99, .. }
    ));
    assert!(matches!(alter("PRAGMA user_version = 0"), Error::Corrupt { .. }));
    assert!(matches!(alter("DROP TABLE results"), Error::Corrupt { .. }));
    assert!(matches!(
        alter("CREATE TRIGGER t AFTER INSERT ON secrets BEGIN DELETE FROM hosts; END"),
        Error::Corrupt { .. }
    ));
    assert!(matches!(alter("DELETE FROM data_key"), Error::Corrupt { .. }));
}

#[test]
fn flipped_bits_never_pass_for_the_real_thing() {
    let fixture = Fixture::new();
    drop(filled(&fixture));
    let whole = fs::read(fixture.path()).unwrap();
    for at in (100..whole.len()).step_by(509) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        fs::write(fixture.path(), &bytes).unwrap();
        // Whatever is said, what can still be read is what was written.
        let Ok(vault) = fixture.open() else { continue };
        let Ok(snapshot) = vault.snapshot() else { continue };
        for file in snapshot.media("mort") {
            assert!(
                file.name.starts_with("ntpkey_RSAhost_mort.4004178813"),
                "byte {at}"
            );
            if let Ok(value) = vault.content(file.artifact) {
                assert_eq!(value, content("MARKER-KEY-OF-MORT"), "byte {at}");
            }
        }
        if let Ok(Some(value)) = vault.password("mort") {
            assert_eq!(value, content("MARKER-PW-OF-MORT"), "byte {at}");
        }
    }
}
