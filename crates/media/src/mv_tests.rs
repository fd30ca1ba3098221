use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static AUTHORITY: LazyLock<MvAuthority> = LazyLock::new(|| MvAuthority::generate(256, 4).unwrap());

#[test]
fn generated_keys_prove_and_fill_their_bytes() {
    AUTHORITY.prove().unwrap();
    assert_eq!((AUTHORITY.clients(), AUTHORITY.modulus().bits()), (4, 256));
    for (bits, clients) in [(512, 0), (512, 21), (500, 2), (128, 1), (4096, 1)] {
        assert!(MvAuthority::generate(bits, clients).is_err(), "{bits} {clients}");
    }
}

#[test]
fn the_authority_file_brings_back_the_primes() {
    let protection = Protection::new("pw".into()).unwrap();
    let read = |dialect| {
        let blocks = AUTHORITY.authority_blocks(&protection, dialect).unwrap();
        assert_eq!(blocks.len(), 2 + 5);
        let keys: Vec<_> = blocks
            .iter()
            .map(|b| pkcs8::read(b, Some(&"pw".into())).unwrap().key)
            .collect();
        MvAuthority::from_containers(&keys)
    };
    assert_eq!(read(Dialect::Current).unwrap(), *AUTHORITY);
    assert!(
        read(Dialect::Documented)
            .unwrap_err()
            .to_string()
            .contains("lost in PKCS#8")
    );
}

#[test]
fn server_and_client_files_read_back_in_the_current_dialect_only() {
    let protection = Protection::new("pw".into()).unwrap();
    let server = AUTHORITY.server(&BTreeSet::from([2])).unwrap();
    let client = AUTHORITY.client(1).unwrap();
    for dialect in [Dialect::Current, Dialect::Documented] {
        let block = server.server_block(&protection, dialect).unwrap();
        let read = MvServerKey::from_container(&pkcs8::read(&block, Some(&"pw".into())).unwrap().key);
        assert_eq!(read.ok(), (dialect == Dialect::Current).then(|| server.clone()));
        let read =
            MvClientKey::from_container(&pkcs8::read(&client.client_block(dialect), None).unwrap().key);
        assert_eq!(read.ok(), (dialect == Dialect::Current).then(|| client.clone()));
    }
}

/// A weakness of the exchange that users must know of; see docs/media.md.
#[test]
fn one_exchange_overheard_is_a_server_key() {
    let server = AUTHORITY.server(&BTreeSet::from([2])).unwrap();
    let p = server.p.clone();
    let overheard = Number::random_below(&p).unwrap();
    let answer = server.respond(&overheard).unwrap();
    let e = answer.y.times_mod(&overheard.inverse_mod(&p).unwrap(), &p);
    let stolen = MvServerKey {
        e,
        gbar: answer.gbar,
        ghat: answer.ghat,
        ..server
    };
    let challenge = Number::random_below(&p).unwrap();
    let client = AUTHORITY.client(1).unwrap();
    assert!(client.verify(&challenge, &stolen.respond(&challenge).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any set of clients can be revoked, later, and let in again: those in the set fail every challenge, all others pass.
    #[test]
    fn revocation_shuts_out_exactly_the_revoked(
        revoked in proptest::collection::btree_set(1usize..=4, 0..=4),
        r in proptest::collection::vec(any::<u8>(), 32),
    ) {
        let server = AUTHORITY.server(&revoked).unwrap();
        server.prove().unwrap();
        let challenge = Number::from_bytes(&r).modulo(&server.p);
        prop_assume!(!challenge.is_zero());
        let response = server.respond(&challenge).unwrap();
        for j in 1..=4 {
            let client = AUTHORITY.client(j).unwrap();
            prop_assert_eq!(server.enables(&client), !revoked.contains(&j));
            prop_assert_eq!(client.verify(&challenge, &response), !revoked.contains(&j));
        }
    }

    #[test]
    fn unknown_clients_are_refused(j in prop_oneof![Just(0usize), 5usize..100]) {
        prop_assert!(AUTHORITY.client(j).is_err());
        prop_assert!(AUTHORITY.server(&BTreeSet::from([j])).is_err());
    }
}
