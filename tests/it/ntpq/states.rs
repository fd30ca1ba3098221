//! Every state of the Autokey goldens gets the verdict its manifest asks for.

use super::{file, judged, judged_with, manifest, read, words};
use keytrail::inventory::IdentityScheme;
use keytrail::ntpq::{
    self, Association, Clock, Cryptostats, DaemonLog, DaemonState, Entry, Evidence, Failure, ReadError,
    Refusal, Scheme, Server, Step, System, Trouble, Verdict, Wait, judge,
};
use serde_json::Value;

#[test]
fn every_association_of_the_manifest_gets_its_verdict() {
    let mut seen = 0;
    for state in manifest() {
        let name = state["state"].as_str().expect("state");
        if state["assid"].is_null() {
            continue;
        }
        seen += 1;
        let verdict = judged(name).verdict;
        let (auth, scheme, complete) = words(&verdict);
        let wanted = &state["verdict"];
        assert_eq!(Some(auth), wanted["auth"].as_str(), "{name}: {verdict:?}");
        assert_eq!(scheme, wanted["scheme"].as_str(), "{name}: {verdict:?}");
        if let Some(wanted) = wanted["complete"].as_bool() {
            assert_eq!(complete, Some(wanted), "{name}: {verdict:?}");
        }
    }
    assert_eq!(seen, 32, "states with an association");
}

#[test]
fn every_file_of_the_manifest_is_read_as_it_was_counted() {
    for state in manifest() {
        let name = state["state"].as_str().expect("state");
        if let Some(text) = file(name, "as") {
            let rows = ntpq::associations(&text).expect(name);
            if let Some(assid) = state["assid"].as_u64() {
                let row = rows.iter().find(|r| u64::from(r.associd) == assid).expect(name);
                assert_eq!(
                    Some(row.status.to_string().as_str()),
                    state["status_word"].as_str(),
                    "{name}"
                );
                assert_eq!(Some(row.status.auth_word()), state["auth"].as_str(), "{name}");
                assert_eq!(row.status.reachable(), state["reach"] == "yes", "{name}");
            }
            let peers = ntpq::peers(&file(name, "peers").expect("peers")).expect(name);
            assert_eq!(peers.len(), rows.len(), "{name}");
        }
        if !state["assid"].is_null() {
            let association = read(name).association;
            assert_eq!(
                association.associd.map(u64::from),
                state["assid"].as_u64(),
                "{name}"
            );
            assert_eq!(
                Some(format!("{:02x}", association.flash.0).as_str()),
                state["flash"].as_str(),
                "{name}"
            );
            assert_eq!(
                association.flags.map(|f| f.to_string()).as_deref(),
                state["flags"].as_str(),
                "{name}"
            );
            let bits: Vec<&str> = association
                .flags
                .map(ntpq::CryptoFlags::names)
                .unwrap_or_default();
            let wanted: Vec<&str> = state["flag_bits"]
                .as_array()
                .expect("bits")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(bits, wanted, "{name}");
            assert_eq!(
                association.flags.map(|f| u64::from(f.signature_nid())),
                state["sig_nid"].as_u64(),
                "{name}"
            );
            let peer = &ntpq::peers(&file(name, "peers").expect("peers")).expect(name)[0];
            assert_eq!(
                (peer.reach, &peer.remote),
                (association.reach, &association.srcadr),
                "{name}"
            );
        }
    }
}

#[test]
fn every_certificate_and_every_line_of_cryptostats_is_understood() {
    for state in manifest() {
        let name = state["state"].as_str().expect("state");
        for kind in ["rv", "rv-crypto"] {
            if let Some(text) = file(name, kind) {
                let system = System::read(&text).expect(name);
                let printed = text.matches("cert=").count();
                assert_eq!(system.certificates.len(), printed, "{name}.{kind}");
                assert!(
                    system.certificates.iter().all(|c| c.until.is_some()),
                    "{name}.{kind}"
                );
            }
        }
        if let Some(text) = file(name, "cv") {
            let clock = Clock::read(&text).expect(name);
            assert_eq!(
                (clock.device.as_deref(), clock.noreply),
                (Some("Undisciplined local clock"), 0)
            );
        }
        if let Some(text) = file(name, "cryptostats") {
            let stats = Cryptostats::read(&text);
            assert_eq!(stats.unreadable, [], "{name}");
            assert!(
                !stats.lines.iter().any(|l| matches!(l.entry, Entry::Other(_))),
                "{name}: a line was not understood"
            );
            let mut codes = serde_json::Map::new();
            for line in &stats.lines {
                if let Entry::Error(error) = &line.entry {
                    let count = codes.entry(error.code.number().to_string()).or_insert(0.into());
                    *count = (count.as_u64().expect("a count") + 1).into();
                }
            }
            assert_eq!(Value::Object(codes), state["errors"], "{name}");
            let mut schemes: Vec<&str> = stats
                .lines
                .iter()
                .filter_map(|l| match &l.entry {
                    Entry::Identity {
                        scheme: IdentityScheme::Iff,
                        ..
                    } => Some("iff"),
                    Entry::Identity {
                        scheme: IdentityScheme::Gq,
                        ..
                    } => Some("gq"),
                    Entry::Identity {
                        scheme: IdentityScheme::Mv,
                        ..
                    } => Some("mv"),
                    _ => None,
                })
                .collect();
            schemes.dedup();
            let wanted: Vec<&str> = state["identity_lines"]
                .as_array()
                .expect("lines")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(schemes, wanted, "{name}");
        }
    }
}

#[test]
fn a_daemon_that_ended_is_told_with_its_reason() {
    for state in manifest() {
        let name = state["state"].as_str().expect("state");
        let log = DaemonLog::read(&file(name, "log").expect("log"));
        let table = file(name, "as").map(|text| ntpq::associations(&text));
        let daemon = ntpq::daemon_state(&log, table.as_ref());
        match state["verdict"]["daemon"].as_str() {
            Some("exited 255") => {
                let DaemonState::Ended(trouble) = &daemon else {
                    panic!("{name}: {daemon:?}");
                };
                let wanted = match name {
                    "start-wrong-password" | "start-no-password" => Trouble::WrongPassword,
                    "start-no-host-key" | "start-no-keysdir" => {
                        Trouble::HostKeyMissing("ntpkey_host_mid".into())
                    }
                    "start-no-cert" => Trouble::CertificateMissing("ntpkey_cert_mid".into()),
                    "start-no-header" | "start-no-stamp" => {
                        Trouble::NoFilestamp("/mnt/keys/ntpkey_host_mid".into())
                    }
                    "start-cert-no-header" => Trouble::NoFilestamp("/mnt/keys/ntpkey_cert_mid".into()),
                    "start-cert-stamp-late" => Trouble::CertificateTimes {
                        subject: "mid@red".into(),
                        stamp_late: true,
                    },
                    "start-cert-garbage" => {
                        Trouble::CertificateDamaged("04800064:PEM routines::bad base64 decode".into())
                    }
                    "start-key-empty" => Trouble::FileEmpty("/mnt/keys/ntpkey_host_mid".into()),
                    "start-host-key-dsa" => Trouble::HostKeyNotRsa,
                    "start-serverkey-damaged" => {
                        Trouble::KeyDamaged("1E08010C:DECODER routines::unsupported".into())
                    }
                    _ => panic!("{name}: a state without a reason"),
                };
                assert_eq!(*trouble, wanted, "{name}");
                let told = trouble.explanation();
                assert!(!told.causes.is_empty() && !told.remedies.is_empty(), "{name}");
                // The daemon answers nothing, whichever way it is asked.
                let refused = Err(ReadError::Refused(Refusal::ConnectionRefused));
                assert_eq!(ntpq::daemon_state(&log, Some(&refused)), daemon, "{name}");
            }
            Some("running, no association") => assert_eq!(
                daemon,
                DaemonState::Idle(Some(Trouble::Syntax {
                    file: "/mnt/ntp.conf".into(),
                    line: 3
                })),
                "{name}"
            ),
            None => assert_eq!(daemon, DaemonState::Running { associations: 1 }, "{name}"),
            Some(other) => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn failures_name_the_code_the_step_and_how_often() {
    for (state, code, step, times) in [
        ("err-103", 103, Step::Identity, 5),
        ("err-106", 106, Step::Association, 7),
        ("err-108", 108, Step::Cookie, 5),
        ("err-114", 114, Step::Identity, 5),
        ("err-115", 115, Step::Identity, 2),
        ("err-th-expired", 115, Step::Sign, 1),
    ] {
        let Verdict::Failed(Failure::Refused { line, times: shown }) = judged(state).verdict else {
            panic!("{state}: {:?}", judged(state).verdict);
        };
        assert_eq!(
            (line.code.number(), line.opcode.step(), shown),
            (code, Some(step), times),
            "{state}"
        );
    }
    // The same number means different things at different steps.
    let meaning = |state: &str| match judged(state).verdict {
        Verdict::Failed(failure) => failure.explanation().meaning,
        other => panic!("{other:?}"),
    };
    assert!(meaning("err-115").contains("no identity parameters"));
    assert!(meaning("err-th-expired").contains("refused to sign"));
    assert_eq!(
        judged("stuck-nottrusted").verdict,
        Verdict::Failed(Failure::Stalled(Step::Certificate))
    );
    assert_eq!(judged("stuck-nogroup").verdict, Verdict::Failed(Failure::Silent));
    assert_eq!(
        judged("progress-cert").verdict,
        Verdict::InProgress(Wait::Step(Step::Identity))
    );
    assert_eq!(
        judged("progress-vrfy").verdict,
        Verdict::InProgress(Wait::Step(Step::Cookie))
    );
    assert_eq!(
        judged("server-unsynced").verdict,
        Verdict::InProgress(Wait::ServerClock)
    );
    assert_eq!(
        judged("sym-missing").verdict,
        Verdict::Failed(Failure::KeyUnusable(5))
    );
    assert_eq!(
        judged("sym-wrong").verdict,
        Verdict::Failed(Failure::KeyRefused(5))
    );
    assert_eq!(
        judged("sym-changed").verdict,
        Verdict::Failed(Failure::KeyRefused(5))
    );
}

#[test]
fn what_only_the_server_can_tell_is_not_guessed() {
    for state in ["stuck-nogroup", "stuck-digest", "sym-wrong", "unreachable"] {
        assert_eq!(
            judged_with(state, Server::Unknown, None).verdict,
            Verdict::Unreachable,
            "{state}"
        );
    }
    assert_eq!(
        judged_with("sym-changed", Server::Unknown, None).verdict,
        Verdict::Lost(Scheme::Key(5))
    );
}

#[test]
fn errors_that_stopped_nothing_are_warnings() {
    for (state, code, times) in [
        ("warn-109", 109, 1),
        ("warn-110", 110, 1),
        ("err-own-expired", 110, 4),
    ] {
        let warnings = judged(state).warnings;
        let shown: Vec<(u16, u32)> = warnings.iter().map(|(e, n)| (e.code.number(), *n)).collect();
        assert_eq!(shown, [(code, times)], "{state}");
    }
    assert_eq!(judged("ok-iff").warnings, []);
}

#[test]
fn a_servers_own_certificate_and_refusals_are_seen_on_the_server() {
    let expired = System::read(&file("err-th-expired-server", "rv").expect("rv")).expect("system");
    assert_eq!(expired.certificate_expired(None), Some(true));
    let stats = Cryptostats::read(&file("err-th-expired-server", "cryptostats").expect("cryptostats"));
    let served: Vec<u16> = stats
        .lines
        .iter()
        .filter_map(|l| match &l.entry {
            Entry::Error(error) if error.while_serving() => Some(error.code.number()),
            _ => None,
        })
        .collect();
    assert_eq!(served, [110]);
    for (state, wanted) in [("ok-th", false), ("ok-iff", false), ("err-own-expired", true)] {
        let system = System::read(&file(state, "rv").expect("rv")).expect(state);
        assert_eq!(system.certificate_expired(None), Some(wanted), "{state}");
        assert!(system.synchronised(), "{state}");
    }
    for state in ["ok-th", "err-th-expired-server"] {
        let clock = Association::read(&file(state, "rv-clock").expect("rv-clock"), None).expect(state);
        let evidence = Evidence {
            association: &clock,
            stats: None,
            now: None,
            since: None,
            server: Server::Unknown,
        };
        assert_eq!(judge(&evidence).verdict, Verdict::ReferenceClock, "{state}");
    }
    let unset = System::read(&file("start-unreadable-conf", "rv").expect("rv")).expect("system");
    assert!(!unset.synchronised());
}
