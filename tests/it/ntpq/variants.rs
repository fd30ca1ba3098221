//! States that no golden shows, made from goldens by changing one variable.

use super::{file, golden};
use keytrail::inventory::IdentityScheme;
use keytrail::ntpq::{
    Association, Cryptostats, Evidence, Failure, Judgement, Scheme, Server, Step, Timestamp, Verdict, Wait,
    chrony, judge,
};

fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the golden has no '{from}'");
    text.replace(from, to)
}

fn judged(variables: &str, stats: &str, server: Server, since: Option<Timestamp>) -> Judgement {
    let association = Association::read(variables, None).expect("variables");
    judge(&Evidence {
        association: &association,
        stats: Some(&Cryptostats::read(stats).lines),
        now: None,
        since,
        server,
    })
}

#[test]
fn silence_means_nothing_in_the_first_polls() {
    for (state, server) in [
        ("unreachable", Server::Up),
        ("sym-wrong", Server::Up),
        ("unreachable", Server::Unknown),
    ] {
        let early = changed(
            &file(state, "rv-assoc").expect("rv-assoc"),
            "unreach=5",
            "unreach=2",
        );
        assert_eq!(
            judged(&early, "", server, None).verdict,
            Verdict::InProgress(Wait::FirstAnswer),
            "{state}"
        );
    }
    let early = changed(
        &file("unreachable", "rv-assoc").expect("rv-assoc"),
        "unreach=5",
        "unreach=2",
    );
    assert_eq!(
        judged(&early, "", Server::Down, None).verdict,
        Verdict::Unreachable
    );
}

#[test]
fn a_cookie_just_received_is_not_a_lost_server() {
    let text = file("progress-vrfy", "rv-assoc").expect("rv-assoc");
    let fresh = changed(&text, "flags=0x29c5321", "flags=0x29c5f21");
    let stats = file("progress-vrfy", "cryptostats").expect("cryptostats");
    assert_eq!(
        judged(&fresh, &stats, Server::Up, None).verdict,
        Verdict::InProgress(Wait::FirstSample)
    );
    let silent = changed(&fresh, "unreach=0", "unreach=3");
    assert_eq!(
        judged(&silent, &stats, Server::Up, None).verdict,
        Verdict::Lost(Scheme::Autokey(IdentityScheme::Iff))
    );
}

#[test]
fn a_proven_server_whose_packets_fail_is_not_proven() {
    let text = changed(
        &file("ok-iff", "rv-assoc").expect("rv-assoc"),
        "status=f61a",
        "status=d61a",
    );
    assert_eq!(
        judged(&text, "", Server::Up, None).verdict,
        Verdict::Failed(Failure::PacketsRefused)
    );
    let fading = changed(
        &file("ok-iff", "rv-assoc").expect("rv-assoc"),
        "reach=017",
        "reach=074",
    );
    assert_eq!(
        judged(&fading, "", Server::Up, None).verdict,
        Verdict::Lost(Scheme::Autokey(IdentityScheme::Iff))
    );
}

#[test]
fn certificates_after_an_error_of_their_step_prove_nothing() {
    let variables = file("progress-cert", "rv-assoc").expect("rv-assoc");
    let head = "61364 60049.868 10.77.0.1 assoc 57615 57615 host th@red sha256WithRSAEncryption\n\
                61364 60050.000 10.77.0.1 82020270 57615 10d bad_or_missing_certificate\n\
                61364 60057.870 10.77.0.1 cert th@red th@red 0x5 sha256WithRSAEncryption (668) fs 1\n";
    let Verdict::Failed(Failure::Refused { line, times: 1 }) =
        judged(&variables, head, Server::Up, None).verdict
    else {
        panic!("not failed");
    };
    assert_eq!(
        (line.code.number(), line.opcode.step()),
        (113, Some(Step::Certificate))
    );
    let on = format!("{head}61364 60065.0 10.77.0.1 iff th@red fs 1\n");
    assert_eq!(
        judged(&variables, &on, Server::Up, None).verdict,
        Verdict::InProgress(Wait::Step(Step::Identity))
    );
    // What was before the restart, of another association or of a client of this host says nothing about this one.
    let since = Timestamp::from_unix_millis(
        judged(&variables, &on, Server::Up, None)
            .identity
            .expect("iff")
            .at
            .unix_millis()
            + 1,
    );
    assert_eq!(
        judged(&variables, head, Server::Up, Some(since)).verdict,
        Verdict::InProgress(Wait::Step(Step::Identity))
    );
    let others = changed(head, "57615", "57616");
    let served = changed(head, "82020270", "c2060270");
    for stats in [others, served] {
        let judgement = judged(&variables, &stats, Server::Up, None);
        assert_eq!(judgement.verdict, Verdict::InProgress(Wait::Step(Step::Identity)));
        assert_eq!(judgement.warnings, []);
    }
}

#[test]
fn an_identity_proven_by_an_association_before_is_not_this_ones() {
    let variables = changed(
        &file("ok-iff", "rv-assoc").expect("rv-assoc"),
        "associd=35635",
        "associd=1",
    );
    let stats = file("ok-iff", "cryptostats").expect("cryptostats");
    assert_eq!(judged(&variables, &stats, Server::Up, None).identity, None);
}

#[test]
fn nts_before_and_after() {
    let text = golden("nts/ntpsec-1.2.2/rv-no-nts-ke-there.txt");
    let early = changed(&text, "hpoll=12", "hpoll=6");
    assert_eq!(
        judged(&early, "", Server::Up, None).verdict,
        Verdict::InProgress(Wait::NtsKeys)
    );
    let text = golden("nts/ntpsec-1.2.2/rv-nts-ok.txt");
    let silent = changed(&text, "reach=377", "reach=370");
    assert_eq!(
        judged(&silent, "", Server::Up, None).verdict,
        Verdict::Lost(Scheme::Nts)
    );
}

#[test]
fn chrony_sources_that_are_no_longer_heard() {
    let read = |name: &str| golden(&format!("symmetric/chrony-4.3/{name}.csv"));
    let auth = chrony::authdata(&read("authdata")).expect("authdata");
    let data = chrony::ntpdata(&read("ntpdata")).expect("ntpdata");
    let silent = changed(&read("sources"), "10.77.1.1,6,4,77,", "10.77.1.1,6,4,374,");
    let sources = chrony::join(chrony::sources(&silent).expect("sources"), &auth, &data);
    assert_eq!(sources[0].verdict(false), Verdict::Lost(Scheme::Key(1)));
    assert_eq!(sources[0].verdict(true), Verdict::Failed(Failure::KeyRefused(1)));
}
