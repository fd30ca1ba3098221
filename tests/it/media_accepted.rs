//! Key media of the real ntp-keygen 4.2.8p15 become what the daemon authenticates with.

#![allow(clippy::many_single_char_names)] // numbers bear the schemes' own names

use crate::common::media_files::*;
use keytrail::media::{
    Dialect, GroupKey, GroupScheme, ReadFile,
    cipher::Protection,
    gq::{GqKey, GqParameters},
    iff::{IffKey, IffParameters},
    mv::{MvAuthority, MvClientKey, MvServerKey},
    number::Number,
    pem::PemBlock,
    pkcs8,
    private_key::{DsaNumbers, PrivateKey},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The unencrypted block of an accepted file.
fn accepted(name: &str) -> PemBlock {
    ReadFile::parse(&bytes(&format!("accepted-by-4.2.8p15/{name}")))
        .unwrap()
        .blocks
        .remove(0)
        .1
}

fn protection() -> Protection {
    Protection::new("pw".into()).unwrap().with_iterations(1)
}

/// An encrypted block, opened and written without encryption in the same container.
fn opened(block: &PemBlock) -> PemBlock {
    let read = pkcs8::read(block, Some(&"pw".into())).unwrap();
    match read.container {
        pkcs8::Container::Pkcs8 => pkcs8::pkcs8_block(&read.key),
        pkcs8::Container::Traditional => pkcs8::traditional_block(&read.key),
    }
}

#[test]
fn iff_media_become_what_the_daemon_accepts() {
    let sets = manifest();
    let memory = &sets["sets"]["iff"]["in_memory"];
    for (file, password) in [("IFFkey", "xxx"), ("iffkey", "zzz")] {
        let server =
            IffKey::from_container(&key(&format!("iff/ntpkey_{file}_red.4004178813"), Some(password)))
                .unwrap();
        assert_eq!(
            (&server.parameters().v, server.b()),
            (&number(&memory["v"]), &number(&memory["b"]))
        );
        let client = server.parameters().client_block(Dialect::Current);
        assert!(client == accepted("ntpkey_iffpar_red.4004178813"));
        let documented = ReadFile::parse(&bytes("iff/ntpkey_iffpar_red.4004178813"))
            .unwrap()
            .blocks
            .remove(0)
            .1;
        assert!(server.parameters().client_block(Dialect::Documented) == documented);
    }
    let lost = IffParameters::from_container(&key("iff/ntpkey_iffpar_red.4004178813", None)).unwrap_err();
    assert!(lost.to_string().contains("lost in PKCS#8"), "{lost}");
}

#[test]
fn gq_media_become_what_the_daemon_accepts() {
    for (file, password) in [("GQkey", "yyy"), ("gqkey", "zzz")] {
        let container = key(&format!("gq/ntpkey_{file}_green.4004178817"), Some(password));
        let (server, dialect) = GqKey::from_container(&container).unwrap();
        assert_eq!(dialect, Dialect::Documented);
        let block = server.server_block(&protection(), Dialect::Current).unwrap();
        assert!(opened(&block) == accepted("ntpkey_gqkey_green.4004178817"));
        assert!(
            server.parameters().client_block(Dialect::Current) == accepted("ntpkey_gqpar_green.4004178817")
        );
        let documented = server.server_block(&protection(), Dialect::Documented).unwrap();
        assert!(opened(&documented) == pkcs8::pkcs8_block(&container));
        let certificate = certificate("gq/ntpkey_RSA-SHA256cert_howland.4004178817");
        assert_eq!(certificate.gq_public().as_ref(), Some(server.public_value()));
    }
    let (client, dialect) =
        GqParameters::from_container(&key("gq/ntpkey_gqpar_green.4004178817", None)).unwrap();
    assert_eq!((client.n.bits(), dialect), (512, Dialect::Documented));
}

/// The authority of the golden set with the values its files lost.
fn mv_containers() -> Vec<PrivateKey> {
    let sets = manifest();
    let memory = &sets["sets"]["mv"]["in_memory"];
    let (p, q) = (number(&memory["p"]), number(&memory["q"]));
    let dsa = |q: &Number, g: &Number, private: &Value, public: &Value| {
        let (private, public) = (number(private), Some(number(public)));
        PrivateKey::Dsa(DsaNumbers {
            p: p.clone(),
            q: q.clone(),
            g: g.clone(),
            public,
            private,
        })
    };
    let server = &memory["server"];
    let one = Number::one();
    let clients = memory["clients"].as_array().unwrap().iter();
    let clients = clients.map(|client| dsa(&one, &one, &client["xbar"], &client["xhat"]));
    [
        dsa(&q, &number(&memory["g"]), &memory["A"], &memory["b"]),
        dsa(&q, &number(&server["E"]), &server["gbar"], &server["ghat"]),
    ]
    .into_iter()
    .chain(clients)
    .collect()
}

#[test]
fn mv_media_become_what_the_daemon_accepts() {
    let authority = MvAuthority::from_containers(&mv_containers()).unwrap();
    // Three clients, of which the generator always revokes the last: keytrail counts it as the spare.
    assert_eq!(authority.clients(), 2);
    let server = authority.server(&BTreeSet::new()).unwrap();
    let block = server.server_block(&protection(), Dialect::Current).unwrap();
    assert!(opened(&block) == accepted("ntpkey_mvkey_mvg.4004178820"));
    for j in [1, 2] {
        let client = authority.client(j).unwrap();
        let name = format!("client{j}_ntpkey_mvpar_mvg.4004178820");
        assert!(client.client_block(Dialect::Current) == accepted(&name));
        assert!(server.enables(&client));
    }
    let read =
        |name: &str| MvClientKey::from_container(&pkcs8::read(&accepted(name), None).unwrap().key).unwrap();
    assert!(!server.enables(&read("client3_ntpkey_mvpar_mvg.4004178820")));
    let only_two = authority.server(&BTreeSet::from([1])).unwrap();
    assert!(
        !only_two.enables(&authority.client(1).unwrap()) && only_two.enables(&authority.client(2).unwrap())
    );
    // What the generator wrote is the same in its own dialect.
    let blocks = authority
        .authority_blocks(&protection(), Dialect::Documented)
        .unwrap();
    let containers: Vec<PrivateKey> = blocks
        .iter()
        .map(|block| pkcs8::read(block, Some(&"pw".into())).unwrap().key)
        .collect();
    assert_eq!(containers, keys("mv/ntpkey_MVta_mvg.4004178820", Some("tapw")));
}

#[test]
fn mv_media_as_written_are_lost() {
    let ta = MvAuthority::from_containers(&keys("mv/ntpkey_MVta_mvg.4004178820", Some("tapw"))).unwrap_err();
    let server =
        MvServerKey::from_container(&key("mv/ntpkey_mvkey_mvg.4004178820", Some("srvpw"))).unwrap_err();
    let client = MvClientKey::from_container(&key("mv/ntpkey_mvpar_mvg.4004178820", None)).unwrap_err();
    for (error, value) in [(ta, "values b"), (server, "ghat"), (client, "xhat")] {
        assert!(
            error.to_string().contains(value) && error.help().is_some(),
            "{error}"
        );
    }
}

#[test]
fn group_keys_of_the_generator_survive_the_vault() {
    for (scheme, keys) in [
        (
            GroupScheme::Iff,
            keys("iff/ntpkey_IFFkey_red.4004178813", Some("xxx")),
        ),
        (
            GroupScheme::Gq,
            keys("gq/ntpkey_GQkey_green.4004178817", Some("yyy")),
        ),
        (GroupScheme::Mv, mv_containers()),
    ] {
        let key = GroupKey::from_containers(scheme, &keys).unwrap();
        assert_eq!(GroupKey::from_vault_bytes(&key.to_vault_bytes()).unwrap(), key);
    }
}
