//! `inspect` on what the real generator wrote and on what the daemon accepts: every report whole, every defect named.

use crate::common::inspected::{errors, options};
use crate::common::media_files::{bytes, golden, manifest};
use keytrail::finding::Severity;
use keytrail::inventory::Implementation;
use keytrail::media::inspect::{Holds, Inspected, Options, inspect, pair};
use keytrail::secret::Secret;

fn open(path: &str, password: Option<&str>) -> Inspected {
    let password = password.map(Secret::from);
    let name = path.rsplit('/').next();
    inspect(&bytes(path), &options(name, password.as_ref())).unwrap()
}

#[test]
fn every_file_of_the_generator_has_its_report() {
    let manifest = manifest();
    let mut reports = serde_json::Map::new();
    for (set, description) in manifest["sets"].as_object().unwrap() {
        for (name, file) in description["files"].as_object().unwrap() {
            let password = file.get("password").unwrap_or(&description["password"]).as_str();
            let path = format!("{set}/{name}");
            let report = serde_json::to_value(&open(&path, password).report).unwrap();
            reports.insert(path, report);
        }
    }
    for file in manifest["accepted-by-4.2.8p15"]["files"]
        .as_object()
        .unwrap()
        .keys()
    {
        let path = format!("accepted-by-4.2.8p15/{file}");
        reports.insert(
            path.clone(),
            serde_json::to_value(&open(&path, None).report).unwrap(),
        );
    }
    let text = serde_json::to_string_pretty(&reports).unwrap();
    let expected = snapbox::Data::read_from(&golden("reports.json"), Some(snapbox::data::DataFormat::Text));
    snapbox::assert_data_eq!(text, expected.raw());
}

#[test]
fn private_numbers_are_shown_on_request_only() {
    let path = "iff/ntpkey_IFFkey_red.4004178813";
    let b = "c5730c6fd7a21eb036f7072c193e937e17b9a7d7";
    let quiet = open(path, Some("xxx"));
    assert!(!serde_json::to_string(&quiet.report).unwrap().contains(b));
    assert!(!format!("{quiet:?}").contains(b));
    let password = Secret::from("xxx");
    let options = Options {
        show_private: true,
        ..options(None, Some(&password))
    };
    let loud = inspect(&bytes(path), &options).unwrap();
    assert!(serde_json::to_string(&loud.report).unwrap().contains(b));
}

#[test]
fn what_the_generator_wrote_is_named_for_what_it_lost() {
    for (path, password, words) in [
        ("iff/ntpkey_iffpar_red.4004178813", None, "v is lost in PKCS#8"),
        (
            "mv/ntpkey_mvkey_mvg.4004178820",
            Some("srvpw"),
            "ghat is lost in PKCS#8",
        ),
        ("mv/ntpkey_mvpar_mvg.4004178820", None, "xhat is lost in PKCS#8"),
        (
            "mv/ntpkey_MVta_mvg.4004178820",
            Some("tapw"),
            "b, ghat and all xhat are lost",
        ),
        ("gq/ntpkey_gqkey_green.4004178817", Some("zzz"), "e for u"),
        ("gq/ntpkey_gqpar_green.4004178817", None, "e for u"),
    ] {
        let found = open(path, password);
        assert!(
            errors(&found).iter().any(|what| what.contains(words)),
            "{path}: {:?}",
            found.report.remarks
        );
        assert!(found.report.remarks[0].help.is_some());
    }
    // An IFF server key needs no public value.
    assert_eq!(
        errors(&open("iff/ntpkey_IFFkey_red.4004178813", Some("xxx"))),
        [""; 0]
    );
}

#[test]
fn golden_pairs_belong_together_or_say_why_not() {
    let accepted = |name: &str| open(&format!("accepted-by-4.2.8p15/{name}"), None);
    let iff = open("iff/ntpkey_IFFkey_red.4004178813", Some("xxx"));
    let mv = accepted("ntpkey_mvkey_mvg.4004178820");
    let certificate = open("gq/ntpkey_RSA-SHA256cert_howland.4004178817", None);
    let host = open("gq/ntpkey_RSAhost_howland.4004178817", Some("yyy"));
    let gq = accepted("ntpkey_gqkey_green.4004178817");
    for (one, other, belong) in [
        (&iff, &accepted("ntpkey_iffpar_red.4004178813"), true),
        (&accepted("ntpkey_iffpar_red.4004178813"), &iff, true),
        (&iff, &open("iff/ntpkey_iffpar_red.4004178813", None), false),
        (&gq, &accepted("ntpkey_gqpar_green.4004178817"), true),
        (&gq, &open("gq/ntpkey_gqpar_green.4004178817", None), true),
        (&mv, &accepted("client1_ntpkey_mvpar_mvg.4004178820"), true),
        (&mv, &accepted("client2_ntpkey_mvpar_mvg.4004178820"), true),
        (&mv, &accepted("client3_ntpkey_mvpar_mvg.4004178820"), false),
        (&certificate, &host, true),
        (&host, &certificate, true),
        (&certificate, &gq, true),
        (
            &certificate,
            &open("iff/ntpkey_RSAhost_mort.4004178813", Some("xxx")),
            false,
        ),
        (&iff, &gq, false),
    ] {
        let report = pair(one, other).unwrap();
        assert_eq!(report.belong, belong, "{report:?}");
        assert!(!report.checks.is_empty());
    }
}

#[test]
fn passwords_are_asked_for_and_wrong_ones_named() {
    let path = "tc-trusted/ntpkey_RSAhost_mort.4004178804";
    let without = open(path, None);
    assert!(without.material.is_none() && errors(&without).is_empty());
    assert_eq!(without.report.holds, Some(Holds::HostKey));
    assert!(without.report.remarks[0].what.contains("no password was given"));
    let wrong = open(path, Some("nope"));
    assert!(errors(&wrong)[0].contains("does not open"));
}

#[test]
fn key_files_of_all_daemons_are_told_from_media() {
    for (daemon, text, keys) in [
        (
            Implementation::NtpOrg,
            "1 MD5 tulip\n2 AES128CMAC 00112233445566778899aabbccddeeff 192.0.2.1\n",
            2,
        ),
        (
            Implementation::Chrony,
            "! keys\n1 AES128 HEX:00112233445566778899aabbccddeeff\n",
            1,
        ),
        (Implementation::Openvms, "4 M DonTTelL\n", 1),
    ] {
        let options = Options {
            daemon,
            ..options(None, None)
        };
        let inspected = inspect(text.as_bytes(), &options).unwrap();
        assert_eq!(inspected.report.holds, Some(Holds::SymmetricKeys));
        assert_eq!(
            inspected.report.keys.len(),
            keys,
            "{:?}",
            inspected.report.problems
        );
        assert!(
            !serde_json::to_string(&inspected.report)
                .unwrap()
                .contains("tulip")
        );
        assert!(pair(&inspected, &inspected).unwrap().belong);
    }
    let dropped = inspect(b"1 MD5 ok\n2 MD5\n", &options(Some("ntp.keys"), None)).unwrap();
    assert_eq!(
        (dropped.report.keys.len(), dropped.report.worst()),
        (0, Some(Severity::Error))
    );
    let conf = b"driftfile /var/lib/ntp/drift\nserver a\n";
    assert!(inspect(conf, &options(Some("ntp.conf"), None)).is_err());
}

/// Damage of every kind gives an error or a report, and never a panic.
#[test]
fn damaged_files_never_panic() {
    for path in [
        "accepted-by-4.2.8p15/ntpkey_mvkey_mvg.4004178820",
        "accepted-by-4.2.8p15/ntpkey_gqkey_green.4004178817",
        "accepted-by-4.2.8p15/ntpkey_iffpar_red.4004178813",
        "accepted-by-4.2.8p15/client1_ntpkey_mvpar_mvg.4004178820",
        "gq/ntpkey_RSA-SHA256cert_howland.4004178817",
        "md5/ntpkey_MD5key_hms.4004178824",
    ] {
        let original = bytes(path);
        let attempt = |bytes: &[u8]| {
            if let Err(error) = inspect(bytes, &options(None, None)) {
                assert!(error.to_string().len() > 10);
            }
        };
        for end in (0..original.len()).step_by(11) {
            attempt(&original[..end]);
        }
        for place in (0..original.len()).step_by(3) {
            let mut damaged = original.clone();
            damaged[place] ^= 1 << (place % 7);
            attempt(&damaged);
        }
    }
    for bytes in [
        vec![0; 10 << 20],
        vec![b'#'; 10 << 20],
        b"\x7fELF\x02\x01".to_vec(),
        Vec::new(),
    ] {
        assert!(inspect(&bytes, &options(None, None)).is_err());
    }
}
