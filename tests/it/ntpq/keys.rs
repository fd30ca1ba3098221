//! Symmetric keys and NTS, on ntp.org, NTPsec and chrony.

use super::golden;
use keytrail::ntpq::{
    self, Association, DaemonLog, Evidence, Failure, NtsReason, ReadError, Refusal, Scheme, Server, System,
    Trouble, Verdict, chrony, judge,
};

/// States of the symmetric goldens: association N of each table is state N.
const SYMMETRIC: [&str; 8] = [
    "right-key",
    "wrong-key",
    "id-unknown-to-server",
    "id-not-trusted-by-server",
    "id-missing-in-client-keyfile",
    "id-not-trusted-by-client",
    "no-key",
    "right-key-server-down",
];

#[test]
fn symmetric_keys_on_both_ntpds() {
    for daemon in ["ntp.org-4.2.8p15", "ntpsec-1.2.2"] {
        let table = ntpq::associations(&golden(&format!("symmetric/{daemon}/as.txt"))).expect(daemon);
        assert_eq!(
            ntpq::peers(&golden(&format!("symmetric/{daemon}/pe.txt")))
                .expect(daemon)
                .len(),
            8
        );
        assert_eq!(
            ntpq::associations(&golden(&format!("symmetric/{daemon}/as-rv-together.txt"))).expect(daemon),
            table
        );
        let early =
            ntpq::associations(&golden(&format!("symmetric/{daemon}/as-1s-after-start.txt"))).expect(daemon);
        assert_eq!(early.len(), 8);
        let system = System::read(&golden(&format!("symmetric/{daemon}/rv-0.txt"))).expect(daemon);
        assert!(system.synchronised() && system.clock.is_some(), "{daemon}");
        for (index, state) in SYMMETRIC.iter().enumerate() {
            let text = golden(&format!("symmetric/{daemon}/rv-{state}.txt"));
            let association = Association::read(&text, None).expect(state);
            assert_eq!(
                association.associd,
                Some(table[index].associd),
                "{daemon} {state}"
            );
            assert_eq!(association.srcadr, format!("10.77.1.{}", index + 1));
            let down = *state == "right-key-server-down";
            let verdict = judge(&Evidence {
                association: &association,
                stats: None,
                now: system.clock,
                since: None,
                server: if down { Server::Down } else { Server::Up },
            })
            .verdict;
            let id = u32::try_from(index + 1).expect("small");
            let wanted = match *state {
                "right-key" => Verdict::Proven {
                    scheme: Scheme::Key(1),
                    complete: true,
                },
                "no-key" => Verdict::NotAuthenticated,
                "right-key-server-down" => Verdict::Unreachable,
                "id-missing-in-client-keyfile" | "id-not-trusted-by-client" => {
                    Verdict::Failed(Failure::KeyUnusable(id))
                }
                _ => Verdict::Failed(Failure::KeyRefused(id)),
            };
            assert_eq!(verdict, wanted, "{daemon} {state}");
        }
    }
    let log = DaemonLog::read(&golden("symmetric/ntpsec-1.2.2/daemon-log.txt"));
    let troubles: Vec<&Trouble> = log.troubles().collect();
    assert_eq!(troubles, [&Trouble::KeyUnknown(5), &Trouble::KeyNotTrusted(6)]);
    let log = DaemonLog::read(&golden("symmetric/chrony-4.3/daemon-log.txt"));
    assert_eq!(log.troubles().collect::<Vec<_>>(), [&Trouble::KeyUnknown(5)]);
}

fn chrony_sources(folder: &str) -> Vec<chrony::Source> {
    let read = |name: &str| golden(&format!("{folder}/chrony-4.3/{name}.csv"));
    chrony::join(
        chrony::sources(&read("sources")).expect("sources"),
        &chrony::authdata(&read("authdata")).expect("authdata"),
        &chrony::ntpdata(&read("ntpdata")).expect("ntpdata"),
    )
}

#[test]
fn symmetric_keys_on_chrony() {
    for (index, source) in chrony_sources("symmetric").iter().enumerate() {
        let state = SYMMETRIC[index];
        assert!(source.auth.is_some() && source.data.is_some(), "{state}");
        let id = u32::try_from(index + 1).expect("small");
        let wanted = match state {
            // chrony has no trust list: an id in its file is valid.
            "right-key" | "id-not-trusted-by-client" => Verdict::Proven {
                scheme: Scheme::Key(id),
                complete: true,
            },
            "no-key" => Verdict::NotAuthenticated,
            "right-key-server-down" => Verdict::Unreachable,
            "id-missing-in-client-keyfile" => Verdict::Failed(Failure::KeyUnusable(id)),
            _ => Verdict::Failed(Failure::KeyRefused(id)),
        };
        assert_eq!(
            source.verdict(state != "right-key-server-down"),
            wanted,
            "{state}"
        );
    }
    assert_eq!(
        chrony::authdata(&golden("symmetric/chrony-4.3/authdata-unprivileged.txt")),
        Err(ReadError::Refused(Refusal::NotAuthorised))
    );
    let activity = chrony::activity(&golden("symmetric/chrony-4.3/activity.csv")).expect("activity");
    assert_eq!((activity.online, activity.burst_online), (7, 1));
    let tracking = chrony::tracking(&golden("symmetric/chrony-4.3/tracking.csv")).expect("tracking");
    assert_eq!(
        (tracking.source.as_str(), tracking.stratum, tracking.leap.as_str()),
        ("10.77.1.6", 7, "Normal")
    );
}

/// States of the NTS goldens, first with an NTPsec server, then with a chrony server.
const NTS: [(&str, bool); 10] = [
    ("nts-ok", true),
    ("cert-expired", false),
    ("cert-not-yet-valid", false),
    ("cert-untrusted", false),
    ("cert-wrong-name", false),
    ("no-nts-ke-there", false),
    ("wildcard-two-labels", true),
    ("renewed", true),
    ("no-saved-cookies", true),
    ("saved-cookies", true),
];

#[test]
fn nts_on_ntpsec() {
    let table = ntpq::associations(&golden("nts/ntpsec-1.2.2/as.txt")).expect("as");
    let peers = ntpq::peers(&golden("nts/ntpsec-1.2.2/pe-n.txt")).expect("pe");
    assert_eq!((table.len(), peers.len()), (20, 20));
    for (index, row) in table.iter().enumerate() {
        let (state, works) = NTS[index % 10];
        assert_eq!(
            row.status.auth_word() == "ok" && row.status.reachable(),
            works,
            "{state}"
        );
        assert_eq!(peers[index].kind.is_ascii_digit(), works, "{state}");
        assert_eq!(peers[index].poll == 68 * 60, !works, "{state}");
    }
    for (state, works) in &NTS[..6] {
        let association =
            Association::read(&golden(&format!("nts/ntpsec-1.2.2/rv-{state}.txt")), None).expect(state);
        assert_eq!(
            association.srchost.as_deref(),
            Some(format!("{state}-ntpsec.red.lab").as_str())
        );
        let verdict = judge(&Evidence {
            association: &association,
            stats: None,
            now: None,
            since: None,
            server: Server::Up,
        })
        .verdict;
        let wanted = if *works {
            assert_eq!(association.nts_cookies, Some(8));
            Verdict::Proven {
                scheme: Scheme::Nts,
                complete: true,
            }
        } else {
            Verdict::Failed(Failure::NtsHandshake)
        };
        assert_eq!(verdict, wanted, "{state}");
    }
}

#[test]
fn nts_on_chrony() {
    // These were taken with names in two outputs and addresses in the third: line N of each is the same source.
    let rows = chrony::sources(&golden("nts/chrony-4.3/sources.csv")).expect("sources");
    let auth = chrony::authdata(&golden("nts/chrony-4.3/authdata.csv")).expect("authdata");
    let data = chrony::ntpdata(&golden("nts/chrony-4.3/ntpdata.csv")).expect("ntpdata");
    assert_eq!((rows.len(), auth.len(), data.len()), (20, 20, 20));
    for (index, ((row, auth), data)) in rows.into_iter().zip(auth).zip(data).enumerate() {
        let (state, works) = NTS[index % 10];
        assert_eq!(row.name, auth.name);
        let source = chrony::Source {
            row,
            auth: Some(auth),
            data: Some(data),
        };
        let wanted = if works {
            Verdict::Proven {
                scheme: Scheme::Nts,
                complete: true,
            }
        } else {
            Verdict::Failed(Failure::NtsHandshake)
        };
        assert_eq!(source.verdict(true), wanted, "{state}");
    }
    let server = chrony::serverstats(&golden("nts/chrony-4.3/server-serverstats.csv")).expect("serverstats");
    assert_eq!((server.nts_accepted, server.authenticated), (2, 21));
    assert_eq!(
        chrony::tracking(&golden("nts/chrony-4.3/tracking.csv"))
            .expect("tracking")
            .stratum,
        6
    );
}

#[test]
fn nts_logs_name_the_server_and_the_reason() {
    for (daemon, file) in [("ntpsec-1.2.2", "client-log"), ("chrony-4.3", "client-log")] {
        let log = DaemonLog::read(&golden(&format!("nts/{daemon}/{file}.txt")));
        for server in ["ntpsec", "chrony"] {
            for (state, reason) in [
                ("cert-expired", NtsReason::Expired),
                ("cert-not-yet-valid", NtsReason::NotYetValid),
                ("cert-untrusted", NtsReason::UnknownIssuer),
                ("cert-wrong-name", NtsReason::WrongName),
            ] {
                let name = format!("{state}-{server}.red.lab");
                let wanted = Trouble::NtsCertificate {
                    server: Some(name.clone()),
                    reason,
                };
                assert!(log.troubles().any(|t| *t == wanted), "{daemon}: {name}");
            }
            let nobody = Trouble::NtsUnreachable {
                server: Some(format!("no-nts-ke-there-{server}.red.lab")),
                reason: "Connection refused".into(),
            };
            assert!(log.troubles().any(|t| *t == nobody), "{daemon}");
        }
        assert!(
            log.troubles()
                .all(|t| matches!(t, Trouble::NtsCertificate { .. } | Trouble::NtsUnreachable { .. }))
        );
    }
    let server = DaemonLog::read(&golden("nts/ntpsec-1.2.2/server-log.txt"));
    assert_eq!(server.troubles().count(), 0);
}
