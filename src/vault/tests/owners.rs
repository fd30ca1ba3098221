//! Who can open a vault: other operators, new keys.

use super::*;
use crate::vault::Owners;

#[test]
fn operators_come_and_go() {
    let fixture = Fixture::new();
    let mut vault = filled(&fixture);
    let ann = vault.recipients().unwrap().pop().unwrap();
    let (bob_name, bob) = identity_of(&fixture, "bob");
    vault
        .set_owners(
            &Owners::Recipients(vec![ann.clone(), bob_name.clone(), ann.clone()]),
            "bob",
            NOW,
        )
        .unwrap();
    let listed = vault.operators().unwrap();
    assert_eq!((&*listed[0].name, &*listed[1].name), (&*operator(), "bob"));
    assert_eq!(vault.recipients().unwrap(), [ann, bob_name.clone()]);
    holds(&fixture.path(), &bob);
    holds(&fixture.path(), &fixture.key);
    vault
        .set_owners(&Owners::Recipients(vec![bob_name]), "", NOW)
        .unwrap();
    assert_eq!(vault.operators().unwrap()[0].name, "bob", "the name stays");
    holds(&fixture.path(), &bob);
    assert!(matches!(fixture.open(), Err(Error::WrongKey { .. })));
    let nobody = Owners::Recipients(vec![]);
    assert!(matches!(
        vault.set_owners(&nobody, "", NOW),
        Err(Error::LockedOut { .. })
    ));
    assert!(matches!(
        vault.rekey(&nobody, "", NOW),
        Err(Error::LockedOut { .. })
    ));
    let wrong = Owners::Recipients(vec!["age1nonsense".into()]);
    assert!(matches!(
        vault.set_owners(&wrong, "", NOW),
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
    let sealed = vault
        .rekey(&Owners::Passphrase("correct horse".into()), "", NOW)
        .unwrap();
    assert_eq!(sealed, 3 + 4 + 1, "files, secrets, states");
    vault.compact().unwrap();
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
        vault.rekey(&Owners::Recipients(ann), "", NOW),
        Err(Error::Tampered { .. })
    ));
    assert_eq!(
        vault.password("mort").unwrap(),
        Some(content("MARKER-PW-OF-MORT"))
    );
    drop(vault);
    let found = condition(&fixture.path(), Some(&fixture.key)).unwrap();
    assert_eq!(found.wrong.len(), 1);
    assert_eq!(
        fixture.open().err().unwrap().to_string(),
        found.wrong[0].to_string()
    );
}
