//! Writing and reading back.

use super::*;

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
