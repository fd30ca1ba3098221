//! What a vault promises, tried on real files.

use super::*;
use crate::digest::Digest;
use crate::media::{Filestamp, GroupScheme};
use crate::secret::Secret;
use std::fs;
use std::os::unix::fs::MetadataExt;
use tempfile::TempDir;

const NOW: i64 = 1_795_219_200;

struct Fixture {
    dir: TempDir,
    key: KeySource,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let identity = dir.path().join("identity.agekey");
        create_identity(&identity).unwrap();
        Self {
            dir,
            key: KeySource::File(identity),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("campus.vault")
    }

    fn create(&self) -> Vault {
        Vault::create(&self.path(), &self.key, &[]).unwrap()
    }

    fn open(&self) -> Result<Vault> {
        Vault::open(&self.path(), &self.key)
    }
}

fn begin(vault: &mut Vault) -> Generation<'_> {
    let read = vault.snapshot().unwrap().generation;
    vault.begin(read, "test", Digest::of(b"inventory"), NOW).unwrap()
}

fn content(text: &str) -> Secret {
    Secret::from(text)
}

fn host_key(owner: &'static str, content: &'static Secret) -> NewArtifact<'static> {
    NewArtifact {
        kind: ArtifactKind::HostKey,
        owner,
        filestamp: Filestamp(4_004_178_813),
        not_after: None,
        spec: "bits=2048",
        content,
    }
}

fn password(owner: &'static str, value: &'static Secret) -> NewSecret<'static> {
    NewSecret {
        kind: SecretKind::Password,
        owner,
        filestamp: None,
        spec: "generated",
        value,
    }
}

fn leak(text: &str) -> &'static Secret {
    Box::leak(Box::new(content(text)))
}

/// A vault with two hosts, each with a key and a password.
fn filled(fixture: &Fixture) -> Vault {
    let mut vault = fixture.create();
    let mut generation = begin(&mut vault);
    for (host, key, pw) in [
        ("mort", "MARKER-KEY-OF-MORT", "MARKER-PW-OF-MORT"),
        ("macabre", "MARKER-KEY-OF-MACABRE", "MARKER-PW-OF-MACABRE"),
    ] {
        generation.secret(&password(host, leak(pw))).unwrap();
        let artifact = generation.artifact(&host_key(host, leak(key))).unwrap();
        let links = [format!("ntpkey_host_{host}"), "ntpkey_host_alias".to_owned()];
        generation
            .place(
                host,
                artifact,
                &format!("ntpkey_RSAhost_{host}.4004178813"),
                &links,
            )
            .unwrap();
    }
    assert_eq!(generation.commit().unwrap(), Some(GenerationId(1)));
    vault
}

#[test]
fn gives_back_what_was_put_in_after_reopening() {
    let fixture = Fixture::new();
    drop(filled(&fixture));
    assert_eq!(fs::metadata(fixture.path()).unwrap().mode() & 0o7777, 0o600);
    let vault = fixture.open().unwrap();
    let snapshot = vault.snapshot().unwrap();
    assert_eq!(snapshot.generation, Some(GenerationId(1)));
    assert_eq!(snapshot.last_filestamp, Some(Filestamp(4_004_178_813)));
    let files = snapshot.media("mort");
    assert_eq!(files.len(), 1);
    let file = &files[0];
    assert_eq!(file.name, "ntpkey_RSAhost_mort.4004178813");
    assert_eq!(file.links, ["ntpkey_host_mort", "ntpkey_host_alias"]);
    assert_eq!((file.mode, file.secret, file.size), (0o600, true, 18));
    assert_eq!(file.digest, Digest::of(b"MARKER-KEY-OF-MORT"));
    assert_eq!(
        vault.content(file.artifact).unwrap(),
        content("MARKER-KEY-OF-MORT")
    );
    assert_eq!(
        vault.password("macabre").unwrap(),
        Some(content("MARKER-PW-OF-MACABRE"))
    );
    assert_eq!(vault.password("nobody").unwrap(), None);
    assert_eq!(vault.secrets(SecretKind::Password).unwrap().len(), 2);
    assert!(vault.check().unwrap().is_empty());
    let generations = vault.generations().unwrap();
    assert_eq!(generations[0].note, "test");
    assert_eq!(generations[0].created, NOW);
}

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

#[test]
fn generations_keep_what_was_and_share_what_stays() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let first = vault.snapshot().unwrap();
    let old = first.files("mort").next().unwrap().0.id;
    let mut generation = begin(&mut vault);
    generation.end_placement(old).unwrap();
    generation.secret(&password("mort", leak("NEW-PW"))).unwrap();
    let artifact = generation.artifact(&host_key("mort", leak("NEW-KEY"))).unwrap();
    generation
        .place("mort", artifact, "ntpkey_RSAhost_mort.4004178813-g2", &[])
        .unwrap();
    assert_eq!(generation.commit().unwrap(), Some(GenerationId(2)));

    let second = vault.snapshot().unwrap();
    assert_eq!(second.media("mort")[0].name, "ntpkey_RSAhost_mort.4004178813-g2");
    assert_eq!(second.media("macabre"), first.media("macabre"));
    assert_eq!(second.ever("mort").count(), 2);
    assert_eq!(vault.password("mort").unwrap(), Some(content("NEW-PW")));

    let back = vault.snapshot_at(Some(GenerationId(1))).unwrap();
    assert_eq!(back.media("mort"), first.media("mort"));
    let version = back.secret(SecretKind::Password, "mort").unwrap();
    assert_eq!(vault.secret(version.id).unwrap(), content("MARKER-PW-OF-MORT"));
    assert!(vault.check().unwrap().is_empty());
}

#[test]
fn the_same_content_is_kept_once_unless_made_from_something_else() {
    let fixture = Fixture::new();
    let mut vault = fixture.create();
    let mut generation = begin(&mut vault);
    let key = host_key("mort", leak("K"));
    let first = generation.artifact(&key).unwrap();
    assert_eq!(generation.artifact(&key).unwrap(), first);
    let other = NewArtifact {
        spec: "bits=4096",
        ..key
    };
    assert_ne!(generation.artifact(&other).unwrap(), first);
}

#[test]
fn nothing_changed_means_no_generation() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    assert_eq!(begin(&mut vault).commit().unwrap(), None);
    let mut dropped = begin(&mut vault);
    dropped.secret(&password("mort", leak("x"))).unwrap();
    drop(dropped);
    assert_eq!(vault.generations().unwrap().len(), 1);
    assert_eq!(
        vault.password("mort").unwrap(),
        Some(content("MARKER-PW-OF-MORT"))
    );
}

#[test]
fn two_writers_do_not_overwrite_each_other() {
    let fixture = Fixture::new();
    let mut one = filled(&fixture);
    let mut two = fixture.open().unwrap();
    let read = two.snapshot().unwrap().generation;
    let mut generation = begin(&mut one);
    generation.end_secret(SecretKind::Password, "mort").unwrap();
    // While one writes, the other can still read, but not write.
    two.db.busy_timeout(std::time::Duration::from_millis(50)).unwrap();
    assert_eq!(two.snapshot().unwrap().generation, read);
    let refused = two.begin(read, "", Digest::of(b""), NOW).err().unwrap();
    assert!(matches!(refused, Error::Busy { .. }), "{refused}");
    generation.commit().unwrap();
    let refused = two.begin(read, "", Digest::of(b""), NOW).err().unwrap();
    assert!(
        matches!(
            refused,
            Error::Moved {
                latest: Some(GenerationId(2)),
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    let fixture = Fixture::new();
    let mut vault = fixture.create();
    let mut generation = begin(&mut vault);
    let artifact = generation.artifact(&host_key("mort", leak("K"))).unwrap();
    for (name, link) in [("../etc/passwd", "ok"), ("ok", "/etc/passwd"), ("a b", "ok")] {
        let refused = generation.place("mort", artifact, name, &[link.to_owned()]);
        assert!(matches!(refused, Err(Error::BadName { .. })), "{name} {link}");
    }
}

/// What somebody who can write to the file, but has no key, could try.
#[test]
fn rows_cannot_be_swapped_or_changed() {
    let swap_contents = "CREATE TEMP TABLE t AS SELECT * FROM contents;
        UPDATE contents SET sealed = (SELECT sealed FROM t WHERE t.artifact = 3 - contents.artifact)";
    let swap_passwords = "CREATE TEMP TABLE t AS SELECT * FROM secret_values;
        UPDATE secret_values SET sealed = (SELECT sealed FROM t WHERE t.secret = 3 - secret_values.secret)";
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

#[test]
fn records_runs_and_where_hosts_stand() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let run = vault
        .start_run(&Run {
            command: "apply",
            operator: "ann@controller",
            generation: Some(GenerationId(1)),
            started: NOW,
        })
        .unwrap();
    let result = |host: &str, outcome, generation: Option<u32>| HostResult {
        host: host.into(),
        outcome,
        generation: generation.map(GenerationId),
        detail: String::new(),
        at: NOW + 1,
    };
    vault
        .record(
            run,
            &[
                result("mort", Outcome::Staged, Some(1)),
                result("macabre", Outcome::Unreachable, Some(1)),
                result("new", Outcome::Failed, None),
            ],
        )
        .unwrap();
    assert!(vault.applied().unwrap().is_empty());
    vault
        .record(run, &[result("mort", Outcome::Applied, Some(1))])
        .unwrap();
    assert_eq!(vault.runs().unwrap()[0].ended, None);
    vault.end_run(run, "1 of 3 hosts", NOW + 2).unwrap();

    let results = vault.results(run).unwrap();
    let seen: Vec<_> = results
        .iter()
        .map(|result| (&*result.host, result.outcome))
        .collect();
    assert_eq!(
        seen,
        [
            ("macabre", Outcome::Unreachable),
            ("mort", Outcome::Applied),
            ("new", Outcome::Failed)
        ]
    );
    let applied = vault.applied().unwrap();
    assert_eq!(applied.len(), 1);
    assert_eq!(
        (applied["mort"].generation, applied["mort"].run),
        (GenerationId(1), run)
    );
    let info = &vault.runs().unwrap()[0];
    assert_eq!(info.outcome.as_deref(), Some("1 of 3 hosts"));
    assert_eq!(
        (info.operator.as_str(), info.ended),
        ("ann@controller", Some(NOW + 2))
    );
}

#[test]
fn lies_beside_the_inventory() {
    for (inventory, vault) in [
        ("inventories/campus.yaml", "inventories/campus.vault"),
        ("inventories/campus", "inventories/campus.vault"),
        ("inventories/campus/", "inventories/campus.vault"),
        ("campus.yaml", "campus.vault"),
        ("..", "../inventory.vault"),
    ] {
        assert_eq!(Vault::beside(Path::new(inventory)), Path::new(vault));
    }
}

#[test]
fn a_group_key_and_a_password_of_the_same_owner_are_two_things() {
    let fixture = Fixture::new();
    let mut vault = fixture.create();
    let mut generation = begin(&mut vault);
    generation.secret(&password("red", leak("pw"))).unwrap();
    let key = NewSecret {
        kind: SecretKind::Group(GroupScheme::Iff),
        filestamp: Some(Filestamp(7)),
        ..password("red", leak("iff"))
    };
    generation.secret(&key).unwrap();
    generation.commit().unwrap();
    let snapshot = vault.snapshot().unwrap();
    let iff = snapshot
        .secret(SecretKind::Group(GroupScheme::Iff), "red")
        .unwrap();
    assert_eq!(iff.filestamp, Some(Filestamp(7)));
    assert_eq!(vault.secret(iff.id).unwrap(), content("iff"));
    assert!(
        snapshot
            .secret(SecretKind::Group(GroupScheme::Mv), "red")
            .is_none()
    );
}
