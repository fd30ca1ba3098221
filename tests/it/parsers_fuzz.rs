//! Configuration files as they stand on hosts, and stored plans, whatever they hold: no panic, no password, nothing a terminal
//! would obey, and what is taken in comes out again. (Inventories: inventory_fuzz.rs; daemons' outputs: ntpq.)

use keytrail::digest::Digest;
use keytrail::inventory::Implementation;
use keytrail::ntpconf::{self, block, words};
use keytrail::plan::{Action, DiffLine, DiffOp, FileSpec, HostPlan, Plan, render};
use proptest::prelude::*;

fn plan() -> Plan {
    let file = FileSpec {
        digest: Digest::of(b"content"),
        size: 7,
        mode: 0o600,
        secret: true,
    };
    let path = |name: &str| format!("/etc/ntp/crypto/{name}");
    let host = |name: &str, wave| HostPlan {
        host: name.into(),
        range: (wave > 0).then(|| "leaf[1-2]".into()),
        wave,
        actions: vec![
            Action::PutFile {
                path: path("ntpkey_RSAhost_x.1"),
                file: file.clone(),
                replaces: Some(Digest::of(b"")),
            },
            Action::FixMode {
                path: path("ntpkey_cert_x.1"),
                from: 0o600,
                to: 0o644,
            },
            Action::SwitchLink {
                path: path("ntpkey_host_x"),
                from: Some("old".into()),
                to: "ntpkey_RSAhost_x.1".into(),
            },
            Action::ReplaceConf {
                path: "/etc/ntp.conf".into(),
                from: None,
                file: file.clone(),
                diff: vec![DiffLine {
                    op: DiffOp::Add,
                    text: "server mort".into(),
                }],
            },
            Action::Restart {
                command: "systemctl restart ntp".into(),
                because: Some("no control key".into()),
            },
        ],
        warnings: vec!["look at it".into()],
    };
    Plan::new(3, vec![host("mort", 0), host("leaf1", 1), host("leaf2", 1)])
}

/// A plan that was taken in can be shown, and stored again as the same.
fn taken_in(text: &str) {
    let Ok(plan) = Plan::from_json(text) else { return };
    let again = serde_json::to_string(&plan).expect("names and numbers");
    assert_eq!(Plan::from_json(&again).as_ref(), Ok(&plan));
    let shown = render::text(&plan);
    assert!(
        !shown.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')),
        "a terminal would obey: {shown:?}"
    );
}

#[test]
fn the_plan_itself_is_taken_in() {
    let text = serde_json::to_string(&plan()).expect("a plan");
    assert_eq!(Plan::from_json(&text), Ok(plan()));
    taken_in(&text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn stored_plans(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..12usize, "[\\PC\u{1b}]{0,3}|null|-1|\\\\u001b|\"\"|1e99|\\[\\]"), 1..4),
    ) {
        let mut chars: Vec<char> = serde_json::to_string(&plan()).expect("a plan").chars().collect();
        for (at, delete, insert) in edits {
            let from = at.index(chars.len() + 1);
            let to = (from + delete).min(chars.len());
            chars.splice(from..to, insert.chars());
        }
        taken_in(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn any_json(text in "[\\PC\\n]{0,100}") {
        taken_in(&text);
    }

    #[test]
    fn lines_of_others(content in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b'"'), Just(b'#')], 0..200)) {
        let lines = ntpconf::foreign_lines(&content);
        let bytes: Vec<&[u8]> = lines.iter().map(|line| line.bytes.expose()).collect();
        let whole = content.strip_suffix(b"\n").unwrap_or(&content);
        prop_assert_eq!(bytes.join(&b'\n'), whole);
        prop_assert!(lines.iter().all(|line| !line.shown.contains(|c: char| c.is_control() && c != '\t')));
        if let Ok(spliced) = block::splice(&content, b"server mort\n") {
            prop_assert!(matches!(block::find(&spliced), Ok(Some(_))));
            prop_assert_eq!(block::splice(&spliced, b"server mort\n"), Ok(spliced));
        }
        let text = String::from_utf8_lossy(&content);
        for line in text.lines() {
            for implementation in [Implementation::NtpOrg, Implementation::Ntpsec, Implementation::Chrony] {
                let words = words(implementation, line);
                prop_assert!(words.iter().map(String::len).sum::<usize>() <= line.len());
            }
        }
    }

    #[test]
    fn a_password_of_others_never_shows(
        secret in "[A-Z]{9}",
        before in "(#?\\s{0,2}crypto|[ -~]{0,9})",
        blank in "[ \\t\u{a0}]{1,3}",
        quote in "\"?",
        after in "[ -~]{0,12}",
    ) {
        prop_assume!(!before.contains(&secret) && !after.contains(&secret));
        let line = format!("{before}{blank}pw{blank}{quote}{secret}{quote}{after}\n");
        for line in ntpconf::foreign_lines(line.as_bytes()) {
            prop_assert!(!line.shown.contains(&secret), "{}", line.shown);
        }
    }
}
