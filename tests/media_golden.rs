//! Key media written by the real ntp-keygen 4.2.8p15, decoded to the numbers of the manifest, and written again.

#![allow(clippy::many_single_char_names)] // numbers bear the schemes' own names

use std::{collections::BTreeSet, fs, path::PathBuf, str::FromStr};

use keytrail::{
    digest::Digest,
    inventory::Implementation,
    media::{
        Body, Dialect, GroupKey, GroupScheme, MediaFile, MediaKind, MediaName, ReadFile, SignatureScheme,
        certificate::{Certificate, CertificateSpec, PublicKey, Role},
        cipher::Protection,
        file,
        gq::{GqKey, GqParameters},
        host_key::SignKey,
        iff::{IffKey, IffParameters},
        key_file,
        mv::{MvAuthority, MvClientKey, MvServerKey},
        number::Number,
        pem::PemBlock,
        pkcs8,
        private_key::{DsaNumbers, PrivateKey},
        scheme::KeyAlgorithm,
        symmetric::KeyType,
    },
    secret::Secret,
};
use serde_json::Value;

fn golden(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/media")
        .join(path)
}

fn bytes(path: &str) -> Vec<u8> {
    fs::read(golden(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn manifest() -> Value {
    serde_json::from_slice(&bytes("manifest.json")).unwrap()
}

fn number(value: &Value) -> Number {
    let text = value
        .as_str()
        .map_or_else(|| format!("{:x}", value.as_u64().unwrap()), str::to_owned);
    Number::from_hex(&text).unwrap()
}

/// Every file of the generator: set, its description, file name, its description.
fn files() -> Vec<(String, Value, String, Value)> {
    let mut all = Vec::new();
    for (set, description) in manifest()["sets"].as_object().unwrap() {
        for (name, file) in description["files"].as_object().unwrap() {
            all.push((set.clone(), description.clone(), name.clone(), file.clone()));
        }
    }
    assert!(all.len() > 25, "the manifest lost its files");
    all
}

fn password(set: &Value, file: &Value) -> Option<Secret> {
    let password = file.get("password").unwrap_or(&set["password"]);
    password.as_str().map(Secret::from)
}

fn keys(path: &str, password: Option<&str>) -> Vec<PrivateKey> {
    let read = ReadFile::parse(&bytes(path)).unwrap();
    let password = password.map(Secret::from);
    read.blocks
        .iter()
        .map(|(_, block)| pkcs8::read(block, password.as_ref()).unwrap().key)
        .collect()
}

fn key(path: &str, password: Option<&str>) -> PrivateKey {
    keys(path, password).remove(0)
}

fn certificate(path: &str) -> Certificate {
    Certificate::from_block(&ReadFile::parse(&bytes(path)).unwrap().blocks[0].1).unwrap()
}

#[test]
fn every_header_and_every_block_is_written_again_byte_for_byte() {
    for (set, _, name, description) in files() {
        let original = bytes(&format!("{set}/{name}"));
        assert_eq!(
            Digest::of(&original).to_string(),
            description["sha256"].as_str().unwrap(),
            "{set}/{name}"
        );
        let parsed: MediaName = name.parse().unwrap();
        assert_eq!(parsed.to_string(), name);
        assert_eq!(file::filestamp(&original).unwrap(), parsed.stamp);
        if parsed.kind == MediaKind::SymmetricKeys {
            continue;
        }
        let read = ReadFile::parse(&original).unwrap();
        assert_eq!(read.name().unwrap(), parsed);
        let header = [
            format!("# {}", read.title),
            format!("# {}", read.date.clone().unwrap()),
        ];
        let expected: Vec<String> = serde_json::from_value(description["header"].clone()).unwrap();
        assert_eq!(header.as_slice(), expected.as_slice());
        let labels: Vec<String> = serde_json::from_value(description["pem"].clone()).unwrap();
        assert_eq!(
            read.blocks
                .iter()
                .map(|(_, block)| block.label.clone())
                .collect::<Vec<_>>(),
            labels
        );
        // The date is that of the run, some seconds after the stamp where an old key was exported.
        let made = (parsed.stamp.unix()..parsed.stamp.unix() + 10)
            .find(|made| Some(file::ctime(*made, time::UtcOffset::UTC)) == read.date)
            .unwrap();
        let blocks = read.blocks.into_iter().map(|(_, block)| block).collect();
        let again = MediaFile::pem(parsed, made, blocks).render();
        assert!(
            again.expose() == original,
            "{set}/{name} is not written again as it was"
        );
    }
}

#[test]
fn every_private_key_has_the_manifests_numbers() {
    let mut seen = 0;
    for (set, description, name, file) in files() {
        let Some(expected) = file.get("keys").and_then(Value::as_array) else {
            continue;
        };
        let read = ReadFile::parse(&bytes(&format!("{set}/{name}"))).unwrap();
        let password = password(&description, &file);
        assert_eq!(read.blocks.len(), expected.len());
        for ((_, block), expected) in read.blocks.iter().zip(expected) {
            let read = pkcs8::read(block, password.as_ref()).unwrap();
            match &read.key {
                PrivateKey::Rsa(k) => {
                    let fields = [&k.n, &k.e, &k.d, &k.p, &k.q, &k.dmp1, &k.dmq1, &k.iqmp];
                    for (field, name) in fields
                        .iter()
                        .zip(["n", "e", "d", "p", "q", "dmp1", "dmq1", "iqmp"])
                    {
                        assert_eq!(**field, number(&expected[name]), "{set} {name}");
                    }
                }
                PrivateKey::Dsa(k) => {
                    for (field, name) in [&k.p, &k.q, &k.g, &k.private].iter().zip(["p", "q", "g", "priv"]) {
                        assert_eq!(**field, number(&expected[name]), "{set} {name}");
                    }
                    assert_eq!(k.public, None);
                }
            }
            match (&read.encryption, expected.get("encryption")) {
                (None, None) => assert!(
                    pkcs8::pkcs8_block(&read.key) == *block,
                    "{name} re-encoded differs"
                ),
                (Some(read_encryption), Some(expected)) => {
                    let shown = serde_json::to_value(read_encryption).unwrap();
                    assert_eq!(shown["cipher"], expected["pbes2"]);
                    assert_eq!(shown["prf"], expected["prf"]);
                    assert_eq!(shown["iterations"], expected["iter"]);
                    assert!(pkcs8::read(block, Some(&"wrong".into())).is_err());
                }
                other => panic!("{name}: {other:?}"),
            }
            assert_eq!(
                pkcs8::pkcs8_der(&read.key).len() as u64,
                expected["der_len"],
                "{name}"
            );
            seen += 1;
        }
    }
    assert!(seen > 20);
}

#[test]
fn every_certificate_has_the_manifests_fields_and_is_made_again() {
    let mut made_again = 0;
    for (set, description, name, file) in files() {
        let Some(expected) = file.get("certificate") else {
            continue;
        };
        let read = certificate(&format!("{set}/{name}"));
        assert_eq!(u64::from(read.version()), expected["version"]);
        let serial = u32::try_from(expected["serial"].as_u64().unwrap()).unwrap();
        assert_eq!(*read.serial(), Number::from(serial));
        for (found, field) in [(read.subject(), "subject"), (read.issuer(), "issuer")] {
            assert_eq!(
                format!("CN={}", found.unwrap()),
                expected[field].as_str().unwrap()
            );
        }
        for (found, field) in [(read.not_before(), "not_before"), (read.not_after(), "not_after")] {
            let rfc3339 = &time::format_description::well_known::Rfc3339;
            let date = time::OffsetDateTime::parse(expected[field].as_str().unwrap(), rfc3339).unwrap();
            assert_eq!(found, date.unix_timestamp());
        }
        assert_eq!(read.signature_oid(), expected["signature_oid"].as_str().unwrap());
        let extensions: Vec<Value> = read
            .extensions()
            .map(|(oid, critical, der)| {
                let hex = hex(der);
                serde_json::json!({"oid": oid, "critical": critical, "value_der_hex": hex})
            })
            .collect();
        assert_eq!(Value::from(extensions), expected["extensions"]);
        let key = &expected["public_key"];
        match read.public_key() {
            PublicKey::Rsa { n, e } => {
                assert_eq!((n, e), (&number(&key["n"]), &Number::from(65537)));
            }
            PublicKey::Dsa { p, q, g, y } => {
                let expected = ["p", "q", "g", "y"].map(|name| number(&key[name]));
                assert_eq!([p, q, g, y], expected.each_ref());
            }
        }
        assert!(read.is_self_signed().unwrap());
        let parsed: MediaName = name.parse().unwrap();
        assert!(read.suits(parsed.stamp));
        let scheme = read.scheme().unwrap();
        assert_eq!(
            parsed.kind,
            MediaKind::Certificate(SignatureScheme {
                key: KeyAlgorithm::Rsa,
                ..scheme
            })
        );

        // The same certificate from the same key.
        let host = sign_key(&set, &description);
        assert!(read.belongs_to(&host));
        let spec = CertificateSpec {
            subject: read.subject().unwrap().into(),
            serial,
            not_before: read.not_before(),
            not_after: read.not_after(),
            scheme,
            role: read.role(),
            gq_public: read.gq_public(),
        };
        let again = spec.sign(&host).unwrap();
        if host.algorithm() == KeyAlgorithm::Rsa {
            assert!(
                again.der() == read.der(),
                "{set}: the certificate made again differs"
            );
            made_again += 1;
        } else {
            // A DSA signature is different each time; everything before it is not.
            let body = read.der().len() - 60;
            assert!(again.der()[8..body] == read.der()[8..body], "{set}");
        }
    }
    assert!(made_again >= 8);
}

fn sign_key(set: &str, description: &Value) -> SignKey {
    let names: Vec<&String> = description["files"].as_object().unwrap().keys().collect();
    let name = names
        .iter()
        .find(|name| name.contains("sign_"))
        .or(names.iter().find(|name| name.contains("host_")));
    let container = key(
        &format!("{set}/{}", name.unwrap()),
        description["password"].as_str(),
    );
    SignKey::from_container(&container).unwrap()
}

#[test]
fn roles_are_told_apart() {
    assert_eq!(
        certificate("pc/ntpkey_RSA-SHA256cert_grp.4004178808").role(),
        Role::Private
    );
    assert_eq!(
        certificate("tc-trusted/ntpkey_RSA-SHA256cert_mort.4004178804").role(),
        Role::Trusted
    );
    assert_eq!(
        certificate("tc-untrusted/ntpkey_RSA-MD5cert_alice.4004178805").role(),
        Role::Plain
    );
    assert_eq!(
        certificate("tc-group/ntpkey_RSA-SHA1cert_mort.4004178806").group(),
        Some("red")
    );
}

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

/// Every way of damaging a file gives an error that says something, or the same numbers, and never a panic.
#[test]
fn damaged_files_are_refused_with_words() {
    for (set, description, name, file) in files() {
        let original = bytes(&format!("{set}/{name}"));
        let password = password(&description, &file);
        let attempt = |bytes: &[u8]| -> Result<usize, String> {
            let read = ReadFile::parse(bytes).map_err(|error| error.to_string())?;
            for (_, block) in &read.blocks {
                if block.label == "CERTIFICATE" {
                    Certificate::from_block(block).map_err(|error| error.to_string())?;
                } else {
                    // One round instead of thousands keeps this test quick where damage raised the number.
                    pkcs8::encryption(block).map_err(|error| error.to_string())?;
                    if password.is_none() {
                        pkcs8::read(block, None).map_err(|error| error.to_string())?;
                    }
                }
            }
            Ok(read.blocks.len())
        };
        for end in (0..original.len()).step_by(7) {
            if let Err(words) = attempt(&original[..end]) {
                assert!(words.len() > 10, "{set}/{name} cut at {end}: {words:?}");
            }
        }
        for place in 0..original.len() {
            let mut damaged = original.clone();
            damaged[place] ^= 1 << (place % 8);
            if let Err(words) = attempt(&damaged) {
                assert!(words.len() > 10, "{set}/{name} damaged at {place}: {words:?}");
            }
        }
    }
}

#[test]
fn names_of_the_generator_are_ours() {
    for (_, _, name, _) in files() {
        assert_eq!(MediaName::from_str(&name).unwrap().to_string(), name);
    }
}

/// Lines that were put to the running daemons, with what each took them for.
#[test]
fn key_lines_mean_what_they_meant_to_the_daemons() {
    let table: Value = serde_json::from_slice(&bytes("key-lines.json")).unwrap();
    let table = table["lines"].as_array().unwrap();
    assert!(table.len() > 250);
    for row in table {
        let daemon = match row["daemon"].as_str().unwrap() {
            "ntporg" => Implementation::NtpOrg,
            "ntpsec" => Implementation::Ntpsec,
            "chrony" => Implementation::Chrony,
            other => panic!("{other}"),
        };
        let kind: Option<KeyType> = match row["mac"].as_str().unwrap() {
            "cmac128" => Some(KeyType::Aes128Cmac),
            "cmac256" => Some(KeyType::Aes256Cmac),
            "blake2s" => Some(KeyType::Blake2s256),
            other => other.to_uppercase().replace('_', "-").parse().ok(),
        };
        let line = format!("5 {}\n", row["line"].as_str().unwrap());
        let read = key_file::read(line.as_bytes(), daemon).unwrap();
        let meant = read.keys.first().is_some_and(|(_, key)| {
            let digits = hex(key.secret.expose());
            Some(key.kind) == kind && digits == row["key_hex"].as_str().unwrap()
        });
        assert_eq!(
            Value::from(meant),
            row["means_that"],
            "{daemon:?} {row} {:?}",
            read.problems
        );
    }
}

#[test]
fn the_twenty_keys_are_written_again_byte_for_byte() {
    let original = bytes("md5/ntpkey_MD5key_hms.4004178824");
    let read = key_file::read(&original, Implementation::NtpOrg).unwrap();
    assert_eq!((read.keys.len(), read.problems.len()), (20, 0));
    let keys: Vec<_> = read.keys.into_iter().map(|(_, key)| key).collect();
    let name: MediaName = "ntpkey_MD5key_hms.4004178824".parse().unwrap();
    let body = Body::Text(key_file::lines_of_the_generator(&keys).unwrap());
    let again = MediaFile {
        made: name.stamp.unix(),
        name,
        body,
    }
    .render();
    assert!(again.expose() == original);
}
