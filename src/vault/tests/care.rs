//! The years after day one: other operators, new keys, backups, old generations, old formats, damage.

use super::*;
use crate::vault::Owners;
use std::time::Duration;

fn identity_of(fixture: &Fixture, name: &str) -> (String, KeySource) {
    let path = fixture.dir.path().join(name);
    (create_identity(&path).unwrap(), KeySource::File(path))
}

/// The next generation: another key and password for mort.
fn renew(vault: &mut Vault, number: u32) {
    let snapshot = vault.snapshot().unwrap();
    let old: Vec<_> = snapshot
        .files("mort")
        .map(|(placement, _)| placement.id)
        .collect();
    let mut generation = begin(vault);
    for id in old {
        generation.end_placement(id).unwrap();
    }
    let key = leak(&format!("MARKER-KEY-{number}"));
    let artifact = generation.artifact(&host_key("mort", key)).unwrap();
    generation
        .place(
            "mort",
            artifact,
            &format!("ntpkey_RSAhost_mort.4004178813-g{number}"),
            &[],
        )
        .unwrap();
    generation
        .secret(&password("mort", leak(&format!("MARKER-PW-{number}"))))
        .unwrap();
    assert_eq!(generation.commit().unwrap(), Some(GenerationId(number)));
}

fn holds(path: &Path, key: &KeySource) {
    let vault = Vault::open(path, key).unwrap();
    assert!(vault.check().unwrap().is_empty());
    assert_eq!(
        vault.password("mort").unwrap(),
        Some(content("MARKER-PW-OF-MORT"))
    );
    let file = &vault.snapshot().unwrap().media("macabre")[0];
    assert_eq!(
        vault.content(file.artifact).unwrap(),
        content("MARKER-KEY-OF-MACABRE")
    );
}

#[test]
fn states_are_kept_sealed_and_where_they_belong() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    assert_eq!(vault.state("rotation").unwrap(), None);
    vault
        .set_state("rotation", Some(&content("MARKER half way")))
        .unwrap();
    vault
        .set_state("rotation", Some(&content("MARKER nearly there")))
        .unwrap();
    vault.set_state("other", Some(&content("x"))).unwrap();
    vault.set_state("other", None).unwrap();
    drop(vault);
    let vault = fixture.open().unwrap();
    assert_eq!(
        vault.state("rotation").unwrap(),
        Some(content("MARKER nearly there"))
    );
    assert_eq!(vault.states().unwrap(), ["rotation"]);
    let bytes = fs::read(fixture.path()).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"MARKER"));
    vault
        .db
        .execute("UPDATE states SET name = 'elsewhere'", [])
        .unwrap();
    assert!(matches!(vault.state("elsewhere"), Err(Error::Tampered { .. })));
    assert_eq!(vault.check().unwrap().len(), 1);
    let mut locked = Vault::open_locked(&fixture.path()).unwrap();
    assert!(matches!(locked.state("elsewhere"), Err(Error::Locked { .. })));
    assert!(matches!(
        locked.set_state("x", Some(&content(""))),
        Err(Error::Locked { .. })
    ));
}

#[test]
fn what_daemons_were_seen_to_do_is_remembered() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let seen = |good, detail: &str| Verified {
        at: NOW,
        level: "auth".into(),
        good,
        detail: detail.into(),
    };
    let (bad, good) = (seen(false, "error 114"), seen(true, ""));
    vault.set_verified([("mort", &bad), ("new", &good)]).unwrap();
    vault.set_verified([("mort", &good)]).unwrap();
    let verified = vault.verified().unwrap();
    assert_eq!(
        (verified.len(), &verified["mort"], &verified["new"]),
        (2, &good, &good)
    );
}

#[test]
fn operators_come_and_go() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let ann = vault.recipients().unwrap().pop().unwrap();
    let (bob_name, bob) = identity_of(&fixture, "bob");
    vault
        .set_owners(&Owners::Recipients(vec![
            ann.clone(),
            bob_name.clone(),
            ann.clone(),
        ]))
        .unwrap();
    assert_eq!(vault.recipients().unwrap(), [ann, bob_name.clone()]);
    holds(&fixture.path(), &bob);
    holds(&fixture.path(), &fixture.key);
    vault.set_owners(&Owners::Recipients(vec![bob_name])).unwrap();
    holds(&fixture.path(), &bob);
    assert!(matches!(fixture.open(), Err(Error::WrongKey { .. })));
    let nobody = Owners::Recipients(vec![]);
    assert!(matches!(vault.set_owners(&nobody), Err(Error::LockedOut { .. })));
    assert!(matches!(vault.rekey(&nobody), Err(Error::LockedOut { .. })));
    let wrong = Owners::Recipients(vec!["age1nonsense".into()]);
    assert!(matches!(
        vault.set_owners(&wrong),
        Err(Error::RecipientMalformed { .. })
    ));
    holds(&fixture.path(), &bob);
}

#[test]
fn a_new_key_opens_everything_and_the_old_one_nothing() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    renew(&mut vault, 2);
    vault.set_state("rotation", Some(&content("half way"))).unwrap();
    let backup = fixture.dir.path().join("backup.vault");
    vault.backup(&backup).unwrap();
    let mut other = fixture.open().unwrap();
    let before = fs::read(fixture.path()).unwrap();

    let passphrase = KeySource::Passphrase("correct horse".into());
    let sealed = vault.rekey(&Owners::Passphrase("correct horse".into())).unwrap();
    assert_eq!(sealed, 3 + 4 + 1, "files, secrets, states");
    assert_eq!(vault.password("mort").unwrap(), Some(content("MARKER-PW-2")));
    drop(vault);
    let vault = Vault::open(&fixture.path(), &passphrase).unwrap();
    assert!(vault.check().unwrap().is_empty());
    assert_eq!(vault.state("rotation").unwrap(), Some(content("half way")));
    let old = vault.snapshot_at(Some(GenerationId(1))).unwrap();
    let version = old.secret(SecretKind::Password, "mort").unwrap();
    assert_eq!(vault.secret(version.id).unwrap(), content("MARKER-PW-OF-MORT"));
    assert_eq!(vault.recipients().unwrap(), ["a passphrase"]);
    assert!(matches!(fixture.open(), Err(Error::WrongKey { .. })));

    // Who has it open under the old key is told, and cannot write what nobody could read.
    assert!(matches!(other.password("mort"), Err(Error::Rekeyed { .. })));
    assert!(matches!(other.snapshot(), Err(Error::Rekeyed { .. })));
    let refused = other
        .begin(Some(GenerationId(2)), "", Digest::of(b""), NOW)
        .err()
        .unwrap();
    assert!(matches!(refused, Error::Rekeyed { .. }));
    assert!(matches!(
        other.set_state("x", Some(&content(""))),
        Err(Error::Rekeyed { .. })
    ));

    // The old key opens the old copy; nothing of it opens anything here, not even what was deleted.
    let copy = Vault::open(&backup, &fixture.key).unwrap();
    assert_eq!(copy.password("mort").unwrap(), Some(content("MARKER-PW-2")));
    let after = fs::read(fixture.path()).unwrap();
    let sealed: Vec<u8> = copy
        .db
        .query_row("SELECT sealed FROM contents", [], |row| row.get(0))
        .unwrap();
    let find = |bytes: &[u8]| bytes.windows(sealed.len()).any(|window| window == sealed);
    assert!(find(&before) && !find(&after));
}

#[test]
fn a_value_that_does_not_open_stops_a_rekey() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    vault
        .db
        .execute(
            "UPDATE secret_values SET sealed = zeroblob(60) WHERE secret = 3",
            [],
        )
        .unwrap();
    let ann = vault.recipients().unwrap();
    assert!(matches!(
        vault.rekey(&Owners::Recipients(ann)),
        Err(Error::Tampered { .. })
    ));
    assert_eq!(
        vault.password("mort").unwrap(),
        Some(content("MARKER-PW-OF-MORT"))
    );
    drop(vault);
    assert_eq!(fixture.open().unwrap().check().unwrap().len(), 1);
}

#[test]
fn pruning_removes_what_only_old_generations_had() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    for number in 2..=5 {
        renew(&mut vault, number);
    }
    let stamp = vault.snapshot().unwrap().last_filestamp;
    let gone = vault.prunable(1, None, &|_| true).unwrap();
    assert_eq!(gone, [1, 2, 3].map(GenerationId));
    let four = vault.snapshot_at(Some(GenerationId(4))).unwrap();
    let removed = vault.prune(&gone, NOW).unwrap();
    // Keys of generations 1 to 3; the password of each; macabre's things are in force.
    assert_eq!((removed.files, removed.secrets), (3, 3));
    assert!(vault.check().unwrap().is_empty());
    let snapshot = vault.snapshot().unwrap();
    assert_eq!(snapshot.last_filestamp, stamp);
    assert_eq!(vault.password("mort").unwrap(), Some(content("MARKER-PW-5")));
    assert_eq!(snapshot.media("macabre").len(), 1);
    assert_eq!(
        vault.snapshot_at(Some(GenerationId(4))).unwrap().media("mort"),
        four.media("mort")
    );
    for (wanted, pruned) in [(3, true), (9, false)] {
        let refused = vault.snapshot_at(Some(GenerationId(wanted))).err().unwrap();
        assert!(
            matches!(&refused, Error::NoGeneration { pruned: was, .. } if *was == pruned),
            "{refused}"
        );
        assert!(refused.to_string().ends_with("; it has 4, 5"), "{refused}");
    }
    assert_eq!(vault.generations().unwrap().len(), 5);
    assert_eq!(vault.prunable(1, None, &|_| true).unwrap(), []);
    renew(&mut vault, 6);
    assert!(vault.check().unwrap().is_empty());
}

#[test]
fn the_latest_filestamp_outlives_what_had_it() {
    let fixture = Fixture::new();
    let mut vault = fixture.create();
    for number in 1..=3u32 {
        let mut generation = begin(&mut vault);
        if number == 1 {
            let group = NewSecret {
                kind: SecretKind::Group(GroupScheme::Gq),
                filestamp: Some(Filestamp(4_000_000_000)),
                ..password("red", leak("numbers"))
            };
            generation.secret(&group).unwrap();
        } else {
            generation
                .end_secret(SecretKind::Group(GroupScheme::Gq), "red")
                .unwrap();
            generation.secret(&password("mort", leak("pw"))).unwrap();
        }
        generation.commit().unwrap();
    }
    let gone = vault.prunable(0, None, &|_| true).unwrap();
    assert_eq!(gone, [GenerationId(1)]);
    assert_eq!(vault.prune(&gone, NOW).unwrap().secrets, 1);
    assert_eq!(
        vault.snapshot().unwrap().last_filestamp,
        Some(Filestamp(4_000_000_000))
    );
}

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

#[test]
fn certificates_are_told_as_they_stand_on_the_hosts() {
    let fixture = Fixture::new();
    let mut vault = fixture.create();
    let certificate = |vault: &mut Vault, ends: i64| {
        let text = leak(&format!("certificate until {ends}"));
        let old = vault.snapshot().unwrap();
        let mut generation = begin(vault);
        for host in ["mort", "leaf"] {
            let made = NewArtifact {
                kind: ArtifactKind::Certificate,
                not_after: Some(ends),
                ..host_key(host, text)
            };
            let artifact = generation.artifact(&made).unwrap();
            let name = format!("ntpkey_RSA-SHA256cert_{host}.{ends}");
            for (placement, _) in old.files(host) {
                generation.end_placement(placement.id).unwrap();
            }
            generation.place(host, artifact, &name, &[]).unwrap();
        }
        generation.commit().unwrap()
    };
    let first = certificate(&mut vault, NOW + 10);
    let run = vault
        .start_run(&Run {
            command: "apply",
            operator: "ann",
            generation: first,
            started: NOW,
        })
        .unwrap();
    let applied = HostResult {
        host: "mort".into(),
        outcome: Outcome::Applied,
        generation: first,
        detail: String::new(),
        at: NOW,
    };
    vault.record(run, &[applied]).unwrap();
    certificate(&mut vault, NOW + 99);
    drop(vault);
    let ends = Vault::open_locked(&fixture.path())
        .unwrap()
        .certificates()
        .unwrap();
    let of = |standing, latest| CertificateEnds {
        standing: NOW + standing,
        latest: NOW + latest,
    };
    assert_eq!((ends["mort"], ends["leaf"]), (of(10, 99), of(99, 99)));
    assert_eq!(ends.len(), 2);
}

#[test]
fn a_host_that_left_keeps_no_generation_and_old_runs_lose_their_results() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let run = |vault: &mut Vault, host: &str, generation: u32| {
        let run = vault
            .start_run(&Run {
                command: "apply",
                operator: "ann",
                generation: Some(GenerationId(generation)),
                started: NOW,
            })
            .unwrap();
        let result = HostResult {
            host: host.into(),
            outcome: Outcome::Applied,
            generation: Some(GenerationId(generation)),
            detail: String::new(),
            at: NOW,
        };
        vault.record(run, &[result]).unwrap();
        vault.end_run(run, "done", NOW).unwrap();
    };
    run(&mut vault, "gone", 1);
    for number in 2..=5 {
        renew(&mut vault, number);
        run(&mut vault, "mort", number);
    }
    assert_eq!(
        vault.prunable(1, None, &|_| true).unwrap(),
        [2, 3].map(GenerationId)
    );
    assert_eq!(
        vault.prunable(1, None, &|host| host != "gone").unwrap(),
        [1, 2, 3].map(GenerationId)
    );
    assert_eq!(vault.prunable_results(5).unwrap(), (Vec::new(), 0));
    let (old, results) = vault.prunable_results(2).unwrap();
    assert_eq!((old.len(), results), (3, 3));
    vault.prune_results(&old).unwrap();
    assert_eq!(vault.prunable_results(2).unwrap(), (Vec::new(), 0));
    let runs = vault.runs().unwrap();
    assert_eq!(runs.len(), 5, "that they were stays");
    let left: Vec<usize> = runs
        .iter()
        .map(|run| vault.results(run.id).unwrap().len())
        .collect();
    assert_eq!(left, [0, 0, 0, 1, 1]);
    assert_eq!(vault.applied().unwrap()["gone"].generation, GenerationId(1));
    assert!(vault.check().unwrap().is_empty());
}
