//! Key media written by the real ntp-keygen 4.2.8p15, decoded to the numbers of the manifest, and written again.

#![allow(clippy::many_single_char_names)] // numbers bear the schemes' own names

use crate::common::media_files::*;
use keytrail::{
    digest::Digest,
    inventory::Implementation,
    media::{
        Body, KeyAlgorithm, MediaFile, MediaKind, MediaName, ReadFile, SignatureScheme,
        certificate::{Certificate, CertificateSpec, PublicKey, Role},
        file,
        host_key::SignKey,
        key_file,
        number::Number,
        pkcs8,
        private_key::PrivateKey,
        symmetric::KeyType,
    },
};
use serde_json::Value;
use std::str::FromStr;

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
