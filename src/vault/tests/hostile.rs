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
fn nothing_that_is_written_without_the_key_is_acted_on() {
    let swap_contents = "CREATE TEMP TABLE t AS SELECT * FROM contents;
        UPDATE contents SET sealed = (SELECT sealed FROM t WHERE t.artifact = 3 - contents.artifact)";
    let swap_passwords = "CREATE TEMP TABLE t AS SELECT * FROM secret_values;
        UPDATE secret_values SET sealed = (SELECT sealed FROM t WHERE t.secret = 3 - secret_values.secret)
        WHERE secret < 3";
    for attack in [
        swap_contents,
        swap_passwords,
        "UPDATE artifacts SET owner = 'eve' WHERE id = 1",
        "UPDATE artifacts SET filestamp = filestamp + 1",
        "UPDATE artifacts SET not_after = 0",
        "UPDATE artifacts SET digest = randomblob(32) WHERE id = 1",
        "UPDATE artifacts SET size = size + 1",
        "UPDATE secrets SET owner = owner || 'x'",
        "UPDATE secrets SET since = 2, until = NULL",
        "UPDATE secrets SET until = 2 WHERE id = 1",
        "DELETE FROM secret_values; DELETE FROM secrets",
        "UPDATE secret_values SET sealed = zeroblob(60)",
        "DELETE FROM secret_values WHERE secret = 1",
        "DELETE FROM contents WHERE artifact = 1",
        "UPDATE hosts SET name = 'eve' WHERE name = 'mort'",
        "INSERT INTO hosts (name) VALUES ('eve')",
        "UPDATE placements SET host = 1",
        "UPDATE placements SET artifact = 2 WHERE artifact = 1",
        "UPDATE placements SET name = '../../etc/passwd' WHERE id = 1",
        "UPDATE placements SET links = 'ntpkey_iffkey_red' WHERE id = 1",
        "UPDATE placements SET until = 2",
        "DELETE FROM placements",
        "UPDATE generations SET note = 'another'",
        "UPDATE generations SET pruned = 1",
        "UPDATE generations SET last_filestamp = 4100000000",
        "INSERT INTO generations (id, created, note, inventory) VALUES (2, 0, '', x'00')",
        "DELETE FROM states",
        "UPDATE states SET name = 'x'",
        "UPDATE states SET sealed = zeroblob(60)",
        "UPDATE recipients SET recipient = 'age1eve'",
        "INSERT INTO recipients (recipient, name, added) VALUES ('age1eve', 'eve', 0)",
        "UPDATE recipients SET name = 'eve'",
        "UPDATE standing SET generation = NULL, run = NULL, at = NULL",
        "DELETE FROM standing",
        "UPDATE standing SET changed = 0",
        "UPDATE brought SET first = 0",
        "DELETE FROM brought",
        "UPDATE verified SET good = 1",
        "DELETE FROM verified",
        "UPDATE runs SET ended = 1",
        "INSERT INTO runs (command, operator, started, results, sum) VALUES ('apply', 'eve', 0, 0, zeroblob(32))",
        "UPDATE results SET outcome = 'failed'",
        "DELETE FROM results",
        "UPDATE results SET detail = 'nothing to see'",
        "DELETE FROM head",
        "UPDATE head SET sealed = zeroblob(200)",
        "UPDATE head SET signature = zeroblob(64)",
        "UPDATE head SET signature = x''",
        "DELETE FROM identity",
        "UPDATE identity SET public = zeroblob(32)",
        "UPDATE identity SET sealed = zeroblob(60)",
        "DELETE FROM data_key",
    ] {
        let fixture = Fixture::new();
        drop(busy(&fixture));
        let db = Connection::open(fixture.path()).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        let before = db.total_changes();
        db.execute_batch(attack).unwrap();
        assert!(db.total_changes() > before, "changes nothing: {attack}");
        drop(db);
        let found = condition(&fixture.path(), Some(&fixture.key)).unwrap();
        let refused = fixture.open().err().unwrap_or_else(|| panic!("opened: {attack}"));
        assert!(
            matches!(refused, Error::Tampered { .. } | Error::Corrupt { .. }),
            "{attack}: {refused}"
        );
        // In the same words.
        assert_eq!(found.wrong[0].to_string(), refused.to_string(), "{attack}");
        // What is read of it without having looked at all of it is refused, too, or was not touched.
        if let Ok(vault) = Vault::enter(&fixture.path(), &fixture.key) {
            let read = [
                vault.snapshot().map(drop),
                vault.applied().map(drop),
                vault.brought(GenerationId(1)).map(drop),
                vault.verified().map(drop),
                vault.states().map(drop),
                vault.operators().map(drop),
                vault.runs().map(drop),
                vault.results(RunId(1)).map(drop),
                vault.secrets(SecretKind::Password).map(drop),
                vault
                    .snapshot()
                    .and_then(|snapshot| vault.content(snapshot.media("mort")[0].artifact))
                    .map(drop),
                vault.state("rotation").map(drop),
            ];
            let refused = read.iter().filter(|read| read.is_err()).count();
            assert!(refused > 0, "nothing refused: {attack}");
        }
    }
}

/// A row that comes back as it was earlier has been written by keytrail, but not for now.
#[test]
fn rows_of_yesterday_are_refused() {
    let fixture = Fixture::new();
    let mut vault = busy(&fixture);
    let old = fixture.dir.path().join("old");
    fs::copy(fixture.path(), &old).unwrap();
    renew(&mut vault, 2);
    vault.set_state("rotation", None).unwrap();
    drop(vault);
    fixture.open().unwrap();
    let now = fs::read(fixture.path()).unwrap();
    for table in [
        "head",
        "secrets",
        "placements",
        "generations",
        "states",
        "data_key",
        "identity",
    ] {
        fs::write(fixture.path(), &now).unwrap();
        let db = Connection::open(fixture.path()).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        db.execute_batch(&format!(
            "ATTACH '{}' AS old; DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM old.{table}",
            old.display()
        ))
        .unwrap();
        drop(db);
        let opened = fixture.open();
        // Neither changes unless the vault gets a new key.
        let same = ["data_key", "identity"].contains(&table);
        assert_eq!(opened.is_ok(), same, "{table}: {:?}", opened.err());
    }
}

/// Whoever can write the file could make a whole vault: recipients are public.
#[test]
fn a_vault_that_another_made_for_the_same_recipients_is_another_vault() {
    let fixture = Fixture::new();
    let own = filled(&fixture);
    let id = own.id().unwrap();
    let known = Known::new([fixture.dir.path().join("config")]);
    known.remember(&fixture.path(), id).unwrap();
    let recipients = own.recipients().unwrap();
    drop(own);
    let (_, eve) = identity_of(&fixture, "eve");
    let forged = fixture.dir.path().join("forged.vault");
    drop(Vault::create(&forged, &eve, &recipients).unwrap());
    // With the name of the real one written over its own.
    let real: (Vec<u8>, Vec<u8>) = Connection::open(fixture.path())
        .unwrap()
        .query_row("SELECT public, sealed FROM identity", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    fs::copy(&forged, fixture.path()).unwrap();
    let vault = fixture.open().unwrap();
    let refused = known.is_known(&fixture.path(), vault.id().unwrap()).unwrap_err();
    assert!(matches!(refused, Error::OtherVault { .. }), "{refused}");
    drop(vault);
    for sql in [
        "UPDATE identity SET public = ?1",
        "UPDATE identity SET public = ?1, sealed = ?2",
    ] {
        let db = Connection::open(fixture.path()).unwrap();
        let count = db.prepare(sql).unwrap().parameter_count();
        let values = [&real.0, &real.1];
        db.execute(sql, rusqlite::params_from_iter(&values[..count]))
            .unwrap();
        drop(db);
        assert!(matches!(fixture.open(), Err(Error::Tampered { .. })), "{sql}");
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
    fs::remove_dir(&path).unwrap();
    // Nobody writes into it: whoever waited would wait for ever.
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert!(matches!(fixture.open(), Err(Error::Foreign { why, .. }) if why == "it is a pipe"));
    let device = Vault::open(Path::new("/dev/zero"), &fixture.key);
    assert!(matches!(device, Err(Error::Foreign { why, .. }) if why == "it is a device"));
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
    // A format that has no identity and no head.
    for number in [1, 2] {
        let alter = alter(&format!("PRAGMA user_version = {number}"));
        assert!(matches!(alter, Error::Corrupt { .. }), "{alter}");
    }
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
        // Whatever is said, what can still be read is what was written, also by who has not looked at all of it.
        let Ok(vault) = Vault::enter(&fixture.path(), &fixture.key) else {
            continue;
        };
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
