//! Whatever a daemon, a disk or an attacker prints: the readers give a value or an error, and never a proof that
//! the bits do not bear out.

use keytrail::ntpq::{
    self, Association, Clock, CryptoFlags, Cryptostats, DaemonLog, Evidence, Expected, Keying, Promise,
    Scheme, Server, Standing, System, Timestamp, Variables, Verdict, chrony, judge,
};
use proptest::prelude::*;
use proptest::sample::Index;
use std::path::Path;
use std::sync::LazyLock;

/// All golden outputs, to be damaged.
static GOLDENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut texts = Vec::new();
    for folder in [
        "ntpq",
        "symmetric/ntp.org-4.2.8p15",
        "symmetric/ntpsec-1.2.2",
        "symmetric/chrony-4.3",
        "nts/ntpsec-1.2.2",
        "nts/chrony-4.3",
    ] {
        for entry in std::fs::read_dir(root.join(folder)).expect(folder) {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "txt" || e == "csv") {
                texts.push(std::fs::read_to_string(&path).expect("a golden"));
            }
        }
    }
    assert!(texts.len() > 250, "only {} goldens were found", texts.len());
    texts.sort();
    texts
});

/// Reads a text as everything it could be, and judges what comes out.
fn read_all(text: &str) {
    let _ = ntpq::associations(text);
    let _ = ntpq::peers(text);
    let _ = Variables::read(text);
    let _ = System::read(text).map(|s| (s.synchronised(), s.certificate_expired(s.clock)));
    let _ = Clock::read(text);
    let _ = chrony::tracking(text);
    let _ = chrony::activity(text);
    let _ = chrony::serverstats(text);
    let stats = Cryptostats::read(text);
    assert!(stats.since_start().len() <= stats.lines.len());
    let log = DaemonLog::read(text);
    for trouble in log.troubles() {
        assert!(!trouble.to_string().is_empty() && !trouble.explanation().meaning.is_empty());
    }
    let _ = log.end();
    let auth = chrony::authdata(text).unwrap_or_default();
    let data = chrony::ntpdata(text).unwrap_or_default();
    for source in chrony::join(chrony::sources(text).unwrap_or_default(), &auth, &data) {
        let _ = source.verdict(true);
    }
    if let Ok(association) = Association::read(text, Some(ntpq::PeerStatus(0xf61a))) {
        check(&association, &stats);
    }
}

fn check(association: &Association, stats: &Cryptostats) {
    for server in [Server::Unknown, Server::Up, Server::Down] {
        let judgement = judge(&Evidence {
            association,
            stats: Some(&stats.lines),
            now: None,
            since: Some(Timestamp::from_unix(1_795_192_000)),
            server,
        });
        if let Verdict::Proven { scheme, .. } = &judgement.verdict {
            assert!(association.heard_lately() && association.status.authentic());
            match scheme {
                Scheme::Autokey(_) => {
                    assert!(association.flags.is_some_and(|f| f.has(CryptoFlags::PROV)));
                }
                Scheme::Key(id) => assert_eq!(association.keying(), Keying::Key(*id)),
                Scheme::Nts => assert_eq!(association.keying(), Keying::Nts),
            }
        }
        for promise in [Promise::Key(5), Promise::Nts, Promise::Plain] {
            let expected = Expected {
                server: "th".into(),
                addresses: Vec::new(),
                certificate: None,
                promise,
            };
            let outcome = expected.compare(Some(&judgement));
            assert!(!outcome.sentence.is_empty());
            if outcome.standing == Standing::Met {
                assert!(matches!(
                    judgement.verdict,
                    Verdict::Proven { .. } | Verdict::NotAuthenticated
                ));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        read_all(&text);
    }

    #[test]
    fn text_made_of_the_outputs_words_never_panics(
        words in prop::collection::vec(
            prop_oneof![
                Just("=".to_owned()), Just("\"".to_owned()), Just(",".to_owned()), Just("\n".to_owned()),
                Just(" ".to_owned()), Just("associd=1 status=f61a".to_owned()), Just("srcadr=".to_owned()),
                Just("reach=".to_owned()), Just("keyid=0x".to_owned()), Just("flags=0x".to_owned()),
                Just("cert=\"a b 0x1\"".to_owned()), Just("until=".to_owned()),
                Just("ind assid status\n".to_owned()), Just("61364 60043.64 10.0.0.1 ".to_owned()),
                Just("iff a fs 1".to_owned()), Just("820700c4 1 10e x".to_owned()), Just("crypto_key: ".to_owned()),
                Just("cert_parse: invalid times a first b last c fstamp d".to_owned()),
                Just("TLS handshake with (".to_owned()), Just("ntpd[1]: ".to_owned()),
                "[0-9a-fx.]{1,12}", "\\PC{0,6}",
            ],
            0..60,
        )
    ) {
        read_all(&words.concat());
    }

    #[test]
    fn damaged_outputs_never_panic(
        which in any::<Index>(),
        other in any::<Index>(),
        cut in any::<Index>(),
        at in any::<Index>(),
        insert in "\\PC{0,3}|\n|\t|\"|,|=|99999999999|é",
    ) {
        let mut chars: Vec<char> = which.get(&GOLDENS[..]).chars().collect();
        // Golden files are never empty.
        let position = at.index(chars.len());
        chars.splice(position..(position + insert.len() % 3).min(chars.len()), insert.chars());
        let tail = other.get(&GOLDENS[..]);
        let mut text: String = chars.into_iter().collect();
        text.push_str(tail);
        let end = cut.index(text.chars().count());
        read_all(&text.chars().take(end).collect::<String>());
    }
}

#[test]
fn every_golden_is_read_without_a_panic() {
    for text in GOLDENS.iter() {
        read_all(text);
    }
}
