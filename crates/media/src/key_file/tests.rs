use proptest::prelude::*;

use super::{
    Cost::{File, Line, Warning},
    *,
};

const DAEMONS: [Implementation; 4] = [
    Implementation::NtpOrg,
    Implementation::Ntpsec,
    Implementation::Chrony,
    Implementation::Openvms,
];

fn key(id: u16, kind: KeyType, bytes: &[u8]) -> SymmetricKey {
    SymmetricKey::new(id, kind, Secret::new(bytes)).unwrap()
}

#[test]
fn spells_the_common_key_for_each_daemon() {
    let bytes: Vec<u8> = (0..16).map(|n| n * 0x11).collect();
    let shown = |daemon| line(&key(7, KeyType::Aes128Cmac, &bytes), daemon).map(|line| line.to_string());
    assert_eq!(
        shown(Implementation::NtpOrg).unwrap(),
        "7 AES128CMAC 00112233445566778899aabbccddeeff"
    );
    assert_eq!(
        shown(Implementation::Ntpsec).unwrap(),
        "7 AES-128 00112233445566778899aabbccddeeff"
    );
    assert_eq!(
        shown(Implementation::Chrony).unwrap(),
        "7 AES128 HEX:00112233445566778899aabbccddeeff"
    );
    assert!(
        shown(Implementation::Openvms)
            .unwrap_err()
            .help()
            .unwrap()
            .contains("MD5")
    );
    let text = line(&key(4, KeyType::Md5, b"DonTTelL"), Implementation::Openvms).unwrap();
    assert_eq!(*text, "4 M DonTTelL");
}

#[test]
fn refuses_what_would_be_misread() {
    let restricted = key(1, KeyType::Md5, b"tulip").restricted_to(vec!["192.0.2.0/24".parse().unwrap()]);
    let shown = line(&restricted, Implementation::NtpOrg).unwrap();
    assert_eq!(*shown, "1 MD5 tulip 192.0.2.0/24");
    for (key, daemon, word) in [
        (&restricted, Implementation::Ntpsec, "addresses"),
        (&restricted, Implementation::Chrony, "addresses"),
        (
            &key(1, KeyType::Md5, b"a#b"),
            Implementation::NtpOrg,
            "read as text",
        ),
        (
            &key(1, KeyType::Md5, &[0; 33]),
            Implementation::Ntpsec,
            "32 bytes",
        ),
        (
            &key(1, KeyType::Sha224, b"x"),
            Implementation::Chrony,
            "does not have",
        ),
        (&key(16, KeyType::Md5, b"x"), Implementation::Openvms, "1 to 15"),
        (
            &key(1, KeyType::Md5, b"ninechars"),
            Implementation::Openvms,
            "eight",
        ),
    ] {
        let error = line(key, daemon).unwrap_err();
        assert!(
            error.to_string().contains(word) && error.help().is_some(),
            "{error}"
        );
    }
    let twice = [key(1, KeyType::Md5, b"a"), key(1, KeyType::Md5, b"b")];
    assert!(
        lines(&twice, Implementation::NtpOrg)
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
}

#[test]
fn says_what_a_bad_line_costs() {
    let text = b"1 MD5 good\n2 MD5\n3 TIGER x\n1 MD5 again\n4 MD5 more words\n5 MD5 dos\r\n";
    let costs = |daemon| {
        let read = read(text, daemon).unwrap();
        let costs: Vec<_> = read
            .problems
            .iter()
            .map(|problem| (problem.line, problem.cost))
            .collect();
        (
            read.keys
                .iter()
                .map(|(line, key)| (*line, key.id))
                .collect::<Vec<_>>(),
            costs,
        )
    };
    let (keys, problems) = costs(Implementation::NtpOrg);
    assert_eq!(keys, []);
    assert_eq!(
        problems,
        [(2, File), (3, Line), (4, Line), (5, File), (6, Warning)]
    );
    let (keys, problems) = costs(Implementation::Ntpsec);
    assert_eq!(keys, [(4, 1), (5, 4), (6, 5)]);
    assert_eq!(
        problems,
        [(2, Line), (3, Line), (4, Line), (5, Warning), (6, Warning)]
    );
    let (keys, _) = costs(Implementation::Chrony);
    assert_eq!(keys, [(4, 1), (2, 2), (6, 5)]);
}

#[test]
fn problems_never_show_the_key() {
    let text = b"1 MD5 sup3rsecret-not-hexadecimal\n2 AES128 sup3rsecret\n3 SHA1 HEX:sup3rsecret\n";
    for daemon in DAEMONS {
        let shown = format!("{:?}", read(text, daemon).unwrap());
        assert!(!shown.contains("sup3r"), "{shown}");
    }
}

proptest! {
    /// What is written for a daemon, that daemon reads as the same key, without a complaint.
    #[test]
    fn every_key_that_is_written_is_read_as_meant(
        id in 1u16..,
        kind in proptest::sample::select(&KeyType::ALL[..]),
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 1..48),
            "[!-~]{1,40}".prop_map(String::into_bytes),
        ],
        which in 0usize..4,
    ) {
        let daemon = DAEMONS[which];
        let mut bytes = bytes;
        if let Some(length) = kind.exact_length() {
            bytes.resize(length, b'x');
        }
        let key = key(id, kind, &bytes);
        if let Ok(text) = lines([&key], daemon) {
            let read = read(text.expose(), daemon).unwrap();
            prop_assert_eq!(&read.keys[..], &[(1, key)][..]);
            let short = "too short";
            prop_assert!(read.problems.iter().all(|problem| problem.what.contains(short)), "{:?}", read.problems);
        }
    }

    #[test]
    fn reading_never_panics(text in "([0-9a-zA-Z#:!,./ \t\r\n]|é){0,120}", which in 0usize..4) {
        let _ = read(text.as_bytes(), DAEMONS[which]);
    }
}
