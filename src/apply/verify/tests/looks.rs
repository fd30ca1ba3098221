//! From what daemons said to what that means.

use super::super::ask::{Process, read};
use super::super::judge::judge;
use super::super::{Level, Verified, clock_problem};
use super::{MINTED, golden, minted, red, seen, what};
use crate::ntpq::Standing;

const DAY: i64 = 86_400;

fn judged(scheme: &str, host: &str, state: &str) -> Verified {
    judge(&what(&red(scheme), host), &seen(state), None)
}

fn standing(verified: &Verified) -> Standing {
    verified.associations[0].outcome.standing
}

#[test]
fn proven_hosts_stand_as_promised() {
    for (scheme, host, state) in [
        ("iff", "mid", "ok-iff"),
        ("gq", "mid", "ok-gq"),
        ("mv", "mid", "ok-mv"),
        ("tc", "mid", "ok-tc"),
        ("pc", "mid", "ok-pc"),
        ("iff", "leaf", "ok-leaf"),
        ("iff", "th", "ok-th"),
    ] {
        let verified = judged(scheme, host, state);
        assert_eq!(verified.trouble(Level::Auth), None, "{state}");
        assert!(verified.stands(Level::Auth) && verified.daemon.answers, "{state}");
        assert_eq!(verified.synchronised, Some(true), "{state}");
    }
}

#[test]
fn every_other_state_is_told_by_its_trouble() {
    for (scheme, state, wanted, words) in [
        ("iff", "ok-noident", Standing::Unmet, "TC, but IFF was promised"),
        ("iff", "err-103", Standing::Unmet, "error 103"),
        ("iff", "err-114", Standing::Unmet, "error 114"),
        ("iff", "lost-server", Standing::Unmet, "nothing usable is heard"),
        ("iff", "unreachable", Standing::Unmet, "nothing was ever heard"),
        ("iff", "plain", Standing::Unmet, "works without authentication"),
        ("iff", "progress-cert", Standing::Waiting, "identity step"),
    ] {
        let verified = judged(scheme, "mid", state);
        assert_eq!(standing(&verified), wanted, "{state}");
        let trouble = verified.trouble(Level::Auth).unwrap_or_default();
        assert!(
            trouble.starts_with("th: ") && trouble.contains(words),
            "{state}: {trouble}"
        );
        assert!(verified.stands(Level::Start), "{state}: the daemon runs");
    }
}

#[test]
fn a_daemon_that_ended_says_why() {
    for (state, words) in [
        ("start-wrong-password", "the password does not open a private key"),
        ("start-no-cert", "certificate"),
        ("start-key-empty", "is empty"),
    ] {
        let verified = judged("iff", "mid", state);
        assert!(!verified.daemon.running, "{state}");
        let trouble = verified.trouble(Level::Start).expect(state);
        assert!(
            trouble.starts_with("ntpd has ended: ") && trouble.contains(words),
            "{trouble}"
        );
        assert!(
            verified.daemon.help.len() > 1,
            "{state}: {:?}",
            verified.daemon.help
        );
    }
}

#[test]
fn no_daemon_of_that_name() {
    let what = what(&red("iff"), "mid");
    let mut none = seen("nobody-home");
    let verified = judge(&what, &none, None);
    assert_eq!(verified.daemon.sentence, "no ntpd runs on the host");
    assert!(
        verified
            .daemon
            .help
            .iter()
            .any(|line| line.contains("verify: none"))
    );
    none.processes.push(Process {
        name: "chronyd".into(),
        pid: 7,
        age: None,
    });
    let other = judge(&what, &none, None);
    assert_eq!(
        other.daemon.sentence,
        "ntpd does not run on the host, but chronyd does"
    );
    assert!(!other.stands(Level::Start));
}

#[test]
fn without_ntpq_the_start_is_all_that_can_be_seen() {
    let mut seen = seen("ok-iff");
    seen.parts.clear();
    seen.absent = Some("ntpq".into());
    let verified = judge(&what(&red("iff"), "mid"), &seen, None);
    assert!(verified.stands(Level::Start) && !verified.stands(Level::Auth));
    assert!(
        verified.daemon.sentence.contains("ntpq is not installed"),
        "{:?}",
        verified.daemon
    );
}

#[test]
fn a_process_that_does_not_listen_is_no_contradiction() {
    let mut seen = seen("ok-iff");
    seen.parts.clear();
    seen.parts
        .insert("as".into(), "ntpq: read: Connection refused\n".into());
    let verified = judge(&what(&red("iff"), "mid"), &seen, None);
    assert!(verified.stands(Level::Start) && !verified.stands(Level::Auth));
    assert!(
        verified
            .daemon
            .sentence
            .contains("has a process, but nothing listens"),
        "{:?}",
        verified.daemon
    );
    seen.processes.clear();
    assert!(!judge(&what(&red("iff"), "mid"), &seen, None).stands(Level::Start));
}

#[test]
fn a_proof_older_than_the_key_shows_nothing() {
    let mut what = what(&red("iff"), "mid");
    let state = seen("ok-iff");
    what.promised[0].key_made = Some(state.clock - 3600);
    assert_eq!(standing(&judge(&what, &state, None)), Standing::Met);
    // Made after the exchange that the cryptostats show.
    what.promised[0].key_made = Some(state.clock);
    let older = judge(&what, &state, None);
    assert_eq!(standing(&older), Standing::Stale);
    assert!(
        older
            .trouble(Level::Auth)
            .unwrap()
            .contains("the association is older")
    );
    // Without cryptostats the age of the daemon decides.
    let mut unrecorded = state.clone();
    unrecorded.parts.remove("cryptostats");
    assert_eq!(standing(&judge(&what, &unrecorded, None)), Standing::Stale);
    what.promised[0].key_made = Some(state.clock - 200);
    assert_eq!(standing(&judge(&what, &unrecorded, None)), Standing::Met);
}

#[test]
fn a_server_known_to_run_makes_silence_a_refusal() {
    let mut what = what(&red("iff"), "mid");
    let state = seen("stuck-nogroup");
    assert!(
        judge(&what, &state, None)
            .trouble(Level::Auth)
            .unwrap()
            .contains("nothing was ever heard")
    );
    what.servers_up.insert("th".into());
    let told = judge(&what, &state, None).trouble(Level::Auth).unwrap();
    assert!(
        told.contains("the server is up, but does not answer this host"),
        "{told}"
    );
}

#[test]
fn chrony_is_read_by_its_own_outputs() {
    let inventory = "version: 1
symmetric_keys: { 1: { type: MD5 }, 2: { type: SHA1 }, 5: { type: SHA1 } }
hosts:
  right: { address: 10.77.1.1, reference_clock: true, keys: { trusted: [1] } }
  wrong: { address: 10.77.1.2, reference_clock: true, keys: { trusted: [2] } }
  missing: { address: 10.77.1.5, reference_clock: true, keys: { trusted: [5] } }
  gone: { address: 10.77.1.99, reference_clock: true, keys: { trusted: [1] } }
  reader: { ntpd: chrony, servers: [{ host: right, key: 1 }, { host: wrong, key: 2 }, { host: missing, key: 5 }, { host: gone, key: 1 }] }
";
    let mut seen = seen("nobody-home");
    for name in ["tracking", "sources", "authdata", "ntpdata"] {
        let text = golden(&format!("symmetric/chrony-4.3/{name}.csv")).expect(name);
        seen.parts.insert(name.into(), text);
    }
    let what = what(inventory, "reader");
    let verified = judge(&what, &seen, None);
    let told: Vec<(Standing, &str)> = verified
        .associations
        .iter()
        .map(|checked| (checked.outcome.standing, &*checked.outcome.sentence))
        .collect();
    assert_eq!(told[0].0, Standing::Met, "{told:?}");
    assert_eq!(told[1].0, Standing::Unmet, "{told:?}");
    assert!(told[2].1.contains("key 5 is not usable"), "{told:?}");
    assert!(told[3].1.contains("no such association"), "{told:?}");
    assert_eq!(verified.count(), (1, 4));
    let refused = golden("symmetric/chrony-4.3/authdata-unprivileged.txt").expect("a refusal");
    seen.parts.insert("authdata".into(), refused);
    assert!(!judge(&what, &seen, None).daemon.answers);
}

/// As ntpd leaves it where `logfile` names it: without the line that says "Starting".
#[test]
fn what_an_earlier_run_or_an_earlier_try_complained_of_is_over() {
    for (state, age, count) in [
        ("progress-cert", 90, 1),
        ("progress-cert", 30, 0),
        ("ok-iff", 90, 0),
    ] {
        let worries = worries_of_a_complaint_before_60_s(state, age);
        assert_eq!(worries, count, "{state}, running for {age} s");
    }
}

fn worries_of_a_complaint_before_60_s(state: &str, age: i64) -> usize {
    let mut seen = seen(state);
    let complaint = "ntpd[54]: crypto_iff: identity not verified";
    let at = time::OffsetDateTime::from_unix_timestamp(seen.clock - 60).unwrap();
    let (hour, minute, second) = at.to_hms();
    let day = at.date();
    let line = format!(
        "{} {} {hour:02}:{minute:02}:{second:02} {complaint}\n",
        day.day(),
        &day.month().to_string()[..3]
    );
    seen.parts.insert("log".into(), line);
    seen.processes = vec![Process {
        name: "ntpd".into(),
        pid: 54,
        age: Some(age),
    }];
    judge(&what(&red("iff"), "mid"), &seen, None).worries.len()
}

#[test]
fn a_clock_far_off_is_told() {
    let mut seen = seen("ok-iff");
    seen.clock -= 400;
    let verified = judge(&what(&red("iff"), "mid"), &seen, None);
    assert_eq!(verified.clock_offset, Some(-400));
    assert!(
        verified
            .worries
            .iter()
            .any(|worry| worry.sentence.contains("400 s behind"))
    );
}

#[test]
fn what_the_script_answers_is_read() {
    let text = "Welcome!\nkeytrail-reply 1\nclock 100\nzone -0130\nprocess ntpd 7 12\nprocess chronyd 8 -\n\
                log /var/log/ntp.log\npart log 4\na\n\u{1}b\nabsent ntpq\nend\n";
    let seen = read(text.as_bytes()).unwrap();
    assert_eq!((seen.clock, seen.zone), (100, -5400));
    assert_eq!(seen.started("ntpd"), Some(88));
    assert_eq!(seen.started("chronyd"), None);
    assert_eq!(seen.part("log"), Some("a\n\\x01b"));
    assert_eq!(seen.absent.as_deref(), Some("ntpq"));
    assert!(read(b"keytrail-reply 1\nclock 100\n").is_err(), "cut short");
    assert!(read(b"keytrail-reply 1\nnonsense\nend\n").is_err());
}

#[test]
fn a_certificate_must_be_valid_by_the_hosts_clock() {
    let media = minted(&red("tc")).snapshot.media("mid");
    let problem = |clock| clock_problem(&media, clock).map(|problem| problem.message);
    for clock in [MINTED - 60, MINTED, MINTED + 364 * DAY] {
        assert_eq!(problem(clock), None, "{clock}");
    }
    let early = problem(MINTED - 300 * DAY).unwrap();
    assert!(
        early.contains("300 days before its certificate becomes valid"),
        "{early}"
    );
    let late = problem(MINTED + 400 * DAY).unwrap();
    assert!(late.contains("days after its certificate has expired"), "{late}");
    assert_eq!(clock_problem(&[], 0), None, "only certificates have times");
}

/// The goldens' fleet with a symmetric key, and its server under a name.
fn keyed(address: &str) -> String {
    format!(
        "version: 1\nsymmetric_keys: {{ 5: {{ type: MD5 }} }}\n\
         hosts:\n  th: {{ address: {address}, reference_clock: true }}\n  \
         mid: {{ address: 10.77.0.2, keys: {{ file: /k/ntp.keys }}, servers: [{{ host: th, key: 5, minpoll: 3 }}] }}\n"
    )
}

#[test]
fn a_server_by_name_is_found_by_what_the_host_makes_of_it() {
    let what = what(&keyed("th.example.org"), "mid");
    let mut seen = seen("sym-ok");
    let at = |seen: &_| standing(&judge(&what, seen, None));
    assert_eq!(at(&seen), Standing::Unmet, "4.2.8p15 tells no name");
    seen.parts
        .insert("resolved".into(), "th.example.org 10.77.0.1\n".into());
    assert_eq!(at(&seen), Standing::Met);
    seen.parts
        .insert("resolved".into(), "th.example.org 10.77.0.9\n".into());
    assert_eq!(at(&seen), Standing::Unmet);
}

#[test]
fn a_key_file_that_the_daemon_cannot_read_is_named() {
    let what = what(&keyed("10.77.0.1"), "mid");
    let complains = |file: &str| {
        let mut seen = seen("sym-ok");
        let log = format!("20 Nov 16:41:40 ntpd[9]: authreadkeys: file '{file}': Permission denied\n");
        seen.parts.insert("log".into(), log);
        judge(&what, &seen, None).trouble(Level::Auth)
    };
    let trouble = complains("/k/ntp.keys").expect("it has not read its keys");
    assert!(
        trouble.starts_with("the key file cannot be read: file '/k/ntp.keys'"),
        "{trouble}"
    );
    assert_eq!(complains("/etc/of/somebody/else"), None);
}
