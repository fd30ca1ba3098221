//! Verdicts held against what an inventory promises.

use super::{judged, judged_with, read, words};
use keytrail::inventory::IdentityScheme;
use keytrail::ntpq::{self, Evidence, Expected, Promise, Server, Standing, Timestamp, judge};

const STAMP: u32 = 4_003_922_443;

fn expected(scheme: IdentityScheme, serves: bool) -> Expected {
    Expected {
        server: "th".into(),
        addresses: vec!["10.77.0.1".into(), "th".into()],
        certificate: Some("th@red".into()),
        promise: Promise::Autokey {
            scheme,
            group: matches!(
                scheme,
                IdentityScheme::Iff | IdentityScheme::Gq | IdentityScheme::Mv
            )
            .then(|| "red".into()),
            stamp: matches!(
                scheme,
                IdentityScheme::Iff | IdentityScheme::Gq | IdentityScheme::Mv
            )
            .then_some(STAMP),
            serves,
        },
    }
}

#[test]
fn what_was_promised_is_held_against_what_is_shown() {
    use IdentityScheme::{Gq, Iff, Mv, Pc, Tc};
    use Standing::{Met, Unmet, Waiting};
    for (state, scheme, serves, standing, says) in [
        (
            "ok-iff",
            Iff,
            true,
            Met,
            "authenticated by IFF, group key of generation 4003922443",
        ),
        ("ok-gq", Gq, true, Met, "authenticated by GQ"),
        ("ok-mv", Mv, true, Met, "authenticated by MV"),
        ("ok-tc", Tc, true, Met, "authenticated by TC"),
        ("ok-pc", Pc, true, Met, "authenticated by PC"),
        (
            "ok-noident",
            Iff,
            false,
            Unmet,
            "authenticated by TC, but IFF was promised",
        ),
        (
            "ok-iff",
            Gq,
            false,
            Unmet,
            "authenticated by IFF, but GQ was promised",
        ),
        ("ok-tc", Iff, false, Unmet, "but IFF was promised"),
        ("err-own-expired", Iff, false, Met, "authenticated by IFF"),
        (
            "err-own-expired",
            Iff,
            true,
            Unmet,
            "cannot serve others: error 110",
        ),
        ("ok-noident", Tc, true, Waiting, "not signed yet"),
        ("progress-vrfy", Iff, false, Waiting, "cookie step"),
        ("server-unsynced", Iff, false, Waiting, "server's clock"),
        (
            "err-103",
            Iff,
            false,
            Unmet,
            "error 103 (bad filestamp) at the identity step, 5 times; the daemon has \
                                        parameters of generation 4003922448 in memory, 4003922443 was promised",
        ),
        ("err-th-expired", Iff, false, Waiting, "error 115"),
        ("err-115", Iff, false, Unmet, "error 115"),
        ("plain", Iff, false, Unmet, "works without authentication"),
        (
            "sym-ok",
            Iff,
            false,
            Unmet,
            "authenticated by symmetric key 5, but IFF was promised",
        ),
        (
            "lost-server",
            Iff,
            false,
            Unmet,
            "nothing usable is heard any more",
        ),
        ("unreachable", Iff, false, Unmet, "nothing was ever heard"),
    ] {
        let outcome = expected(scheme, serves).compare(Some(&judged(state)));
        assert_eq!(outcome.standing, standing, "{state}: {outcome:?}");
        assert!(outcome.sentence.contains(says), "{state}: {}", outcome.sentence);
        assert_eq!(
            outcome.help.is_empty(),
            standing == Met || (standing == Waiting && !says.contains("error")),
            "{state}: {outcome:?}"
        );
    }
    let missing = expected(Iff, false).compare(None);
    assert_eq!(missing.standing, Unmet);
    let association = read("ok-iff").association;
    assert!(expected(Iff, false).matches(&association));
    assert!(
        !Expected {
            addresses: vec!["10.77.0.9".into()],
            certificate: None,
            ..expected(Iff, false)
        }
        .matches(&association)
    );
}

#[test]
fn a_proof_older_than_the_change_is_stale_and_another_generation_is_wrong() {
    use IdentityScheme::{Iff, Tc};
    let at = |state: &str| judged(state).identity.expect("an identity line").at;
    // The server was restarted with a new key after this exchange; the association goes on regardless.
    let proof = at("ok-stale");
    let later = Timestamp::from_unix_millis(proof.unix_millis() + 60_000);
    let stale = judged_with("ok-stale", Server::Up, Some(later));
    assert_eq!(words(&stale.verdict).0, "ok");
    let outcome = expected(Iff, false).compare(Some(&stale));
    assert_eq!(outcome.standing, Standing::Stale, "{outcome:?}");
    let fresh = judged_with("ok-stale", Server::Up, Some(proof));
    assert_eq!(expected(Iff, false).compare(Some(&fresh)).standing, Standing::Met);
    // Trusted certificates leave no stamp, but the exchange itself is recorded.
    let tc = judged_with("ok-tc", Server::Up, Some(later));
    assert_eq!(expected(Tc, false).compare(Some(&tc)).standing, Standing::Stale);
    let tc = judged_with("ok-tc", Server::Up, judged("ok-tc").last_exchange());
    assert_eq!(expected(Tc, false).compare(Some(&tc)).standing, Standing::Met);
    // Without cryptostats nobody can tell.
    let unrecorded = judge(&Evidence {
        association: &read("ok-iff").association,
        stats: None,
        now: None,
        since: Some(later),
        server: Server::Up,
    });
    let outcome = expected(Iff, false).compare(Some(&unrecorded));
    assert!(
        outcome.standing == Standing::Stale && outcome.sentence.contains("no cryptostats"),
        "{outcome:?}"
    );
    // Another generation than the promised one.
    let mut other = expected(Iff, false);
    if let Promise::Autokey { stamp, .. } = &mut other.promise {
        *stamp = Some(STAMP + 5);
    }
    let outcome = other.compare(Some(&judged("ok-iff")));
    assert!(
        outcome.standing == Standing::Unmet
            && outcome.sentence.contains("generation 4003922443, not 4003922448"),
        "{outcome:?}"
    );
    // The proof is the second association's own, not the one before it with the same server.
    assert!(judged("warn-109").identity.expect("identity").at > at("ok-leaf"));
}

#[test]
fn time_limits_follow_the_steps() {
    let promise = |scheme, serves| Promise::Autokey {
        scheme,
        group: None,
        stamp: None,
        serves,
    };
    for (promise, certificates, minpoll, seconds) in [
        (promise(IdentityScheme::Iff, false), 1, 6, 7 * 64),
        (promise(IdentityScheme::Iff, false), 2, 6, 8 * 64),
        (promise(IdentityScheme::Tc, false), 1, 3, 6 * 8),
        (promise(IdentityScheme::Gq, true), 1, 4, 9 * 16),
        (promise(IdentityScheme::Pc, false), 1, 3, 5 * 8),
        (Promise::Key(5), 1, 3, 3 * 8),
    ] {
        assert_eq!(
            ntpq::limit(&promise, certificates, minpoll).as_secs(),
            seconds,
            "{promise:?}"
        );
    }
}
