//! What a vault keeps beside media: states of verbs, what daemons were seen to do, when certificates end.

use super::*;

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
    // The list is not what was written, and what is in it does not open.
    assert_eq!(vault.check().unwrap().len(), 2);
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
