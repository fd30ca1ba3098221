//! What a change brings about, and what it leaves alone.

use super::*;
use crate::media::GroupScheme::{Gq, Iff};
use crate::media::certificate::Role;
use crate::media::gq::GqKey;
use crate::vault::ArtifactKind::{Certificate, ClientParameters, HostKey, ServerKey, SignKey};

fn lab(defaults: &str, group: &str, th: &str) -> String {
    format!(
        "version: 1
defaults: {{ connection: export, {defaults} }}
groups: {{ lab: {{ {group}, {SMALL}, trusted: [th] }} }}
hosts:
  th: {{ group: lab, reference_clock: true{th} }}
  mid: {{ group: lab, servers: [th] }}
  leaf: {{ group: lab, servers: [mid] }}
"
    )
}

const BITS: &str = "host_key: { bits: 512 }";

/// Kinds of files of a host whose content is another one.
fn changed(before: &Snapshot, after: &Snapshot, host: &str) -> Vec<ArtifactKind> {
    let (before, after) = (before.media(host), after.media(host));
    let mut kinds: Vec<_> = after
        .iter()
        .filter(|file| !before.iter().any(|old| old.digest == file.digest))
        .map(|file| file.kind)
        .collect();
    kinds.sort();
    kinds
}

#[test]
fn each_change_makes_what_depends_on_it_and_nothing_else() {
    let plain = lab(BITS, "identity: iff", "");
    for (name, next, th, mid, leaf) in [
        (
            "scheme",
            lab(
                &format!("{BITS}, certificate: {{ scheme: RSA-SHA1 }}"),
                "identity: iff",
                "",
            ),
            vec![Certificate],
            vec![Certificate],
            vec![Certificate],
        ),
        (
            "lifetime of one host",
            lab(BITS, "identity: iff", ", certificate: { lifetime: 90d }"),
            vec![Certificate],
            vec![],
            vec![],
        ),
        (
            "last day of one host",
            lab(BITS, "identity: iff", ", certificate: { lifetime: 2027-06-30 }"),
            vec![Certificate],
            vec![],
            vec![],
        ),
        (
            "host key size of one host",
            lab(BITS, "identity: iff", ", host_key: { bits: 640 }"),
            vec![HostKey, Certificate],
            vec![],
            vec![],
        ),
        (
            "sign key",
            lab(BITS, "identity: iff", ", sign_key: { type: RSA, bits: 512 }"),
            vec![SignKey, Certificate],
            vec![],
            vec![],
        ),
        (
            "cipher",
            lab(BITS, "identity: iff", ", cipher: aes-128-cbc"),
            vec![HostKey, ServerKey(Iff)],
            vec![],
            vec![],
        ),
        (
            "scheme of the group",
            lab(BITS, "identity: gq", ""),
            vec![Certificate, ServerKey(Gq)],
            vec![ServerKey(Gq), ClientParameters(Gq)],
            vec![ClientParameters(Gq)],
        ),
        (
            "dialect",
            lab(&format!("{BITS}, dialect: documented"), "identity: iff", ""),
            vec![ServerKey(Iff)],
            vec![ServerKey(Iff), ClientParameters(Iff)],
            vec![ClientParameters(Iff)],
        ),
    ] {
        let mut fixture = Fixture::new();
        fixture.mint(&plain);
        let before = fixture.snapshot();
        fixture.now += 100;
        assert_eq!(fixture.mint(&next), Some(GenerationId(2)), "{name}");
        fixture.hold_invariants();
        let after = fixture.snapshot();
        assert_eq!(changed(&before, &after, "th"), th, "{name}: th");
        assert_eq!(changed(&before, &after, "mid"), mid, "{name}: mid");
        assert_eq!(changed(&before, &after, "leaf"), leaf, "{name}: leaf");
        // A new certificate has a later stamp; the one of the old stamp would be thrown away.
        for host in ["th", "mid", "leaf"] {
            if changed(&before, &after, host).contains(&Certificate) {
                let old = before
                    .media(host)
                    .into_iter()
                    .find(|file| file.kind == Certificate);
                assert!(
                    fixture.file(host, Certificate).filestamp > old.unwrap().filestamp,
                    "{name}"
                );
                let certificate = fixture.certificate(host);
                assert!(certificate.suits(fixture.file(host, Certificate).filestamp));
                assert_eq!(certificate.not_before(), fixture.now);
            }
        }
    }
}

#[test]
fn reasons_name_what_changed() {
    let mut fixture = Fixture::new();
    fixture.mint(&lab(BITS, "identity: iff", ""));
    let work = fixture
        .wanted(&lab(
            BITS,
            "identity: iff",
            ", certificate: { scheme: RSA-SHA1, lifetime: 90d }",
        ))
        .unwrap();
    let tasks: Vec<_> = work.tasks().collect();
    assert_eq!(tasks.len(), 1);
    assert_eq!((tasks[0].owner, tasks[0].what), ("th", What::File(Certificate)));
    assert_eq!(
        tasks[0].why.to_string(),
        "scheme RSA-SHA256 → RSA-SHA1, days 365 → 90"
    );
}

#[test]
fn a_new_password_encrypts_the_same_numbers_again_under_the_same_stamp() {
    let mut fixture = Fixture::new();
    let inventory = lab(BITS, "identity: iff", "");
    fixture.mint(&inventory);
    let before = fixture.snapshot();
    let numbers = (
        fixture.numbers("th", HostKey),
        fixture.numbers("th", ServerKey(Iff)),
    );
    let generated = fixture.vault.password("th").unwrap().unwrap();

    let own = lab(BITS, "identity: iff", ", password: { env: TH_PW }");
    let Err(Error::Impossible(problems)) = fixture.wanted(&own) else {
        panic!("it was not given")
    };
    assert_eq!(problems.len(), 1, "{problems:?}");
    fixture.given.passwords.insert(HostId(0), generated);
    assert!(
        fixture.wanted(&own).unwrap().is_empty(),
        "the same word as before"
    );
    fixture.given.passwords.insert(HostId(0), "hunter2".into());
    fixture.now += 100;
    fixture.mint(&own);
    fixture.hold_invariants();
    let after = fixture.snapshot();
    assert_eq!(changed(&before, &after, "th"), [HostKey, ServerKey(Iff)]);
    assert!(changed(&before, &after, "mid").is_empty());
    assert_eq!(fixture.vault.password("th").unwrap(), Some("hunter2".into()));
    assert_eq!(
        (
            fixture.numbers("th", HostKey),
            fixture.numbers("th", ServerKey(Iff))
        ),
        numbers
    );
    for kind in [HostKey, ServerKey(Iff)] {
        let file = fixture.file("th", kind);
        assert_eq!(file.filestamp.unix(), NOW);
        assert!(file.name.ends_with("-g2"), "{}", file.name);
    }
    // And back: the vault never gives the first files' names to other contents.
    fixture.given.passwords.clear();
    fixture.mint(&inventory);
    fixture.hold_invariants();
    assert!(fixture.file("th", HostKey).name.ends_with("-g3"));
    // The former generation can still be read, password and all.
    let old = fixture.vault.snapshot_at(Some(GenerationId(2))).unwrap();
    assert_eq!(old.media("th"), after.media("th"));
    let version = old.secret(SecretKind::Password, "th").unwrap();
    assert_eq!(fixture.vault.secret(version.id).unwrap(), "hunter2".into());
}

#[test]
fn rotating_a_group_key_changes_every_copy_and_what_carries_it() {
    for (identity, scheme, certificate) in [("iff", Iff, false), ("gq", Gq, true)] {
        let mut fixture = Fixture::new();
        let inventory = lab(BITS, &format!("identity: {identity}"), "");
        fixture.mint(&inventory);
        let before = fixture.snapshot();
        fixture.now += 100;
        fixture.anew.insert((SecretKind::Group(scheme), "lab".into()));
        let work = fixture.wanted(&inventory).unwrap();
        assert!(work.tasks().any(|task| *task.why == Why::Asked));
        fixture.mint(&inventory);
        fixture.hold_invariants();
        let after = fixture.snapshot();
        let mut th = vec![ServerKey(scheme)];
        if certificate {
            th.insert(0, Certificate);
        }
        assert_eq!(changed(&before, &after, "th"), th);
        assert_eq!(
            changed(&before, &after, "mid"),
            [ServerKey(scheme), ClientParameters(scheme)]
        );
        assert_eq!(changed(&before, &after, "leaf"), [ClientParameters(scheme)]);
        let stamps: HashSet<_> = [
            ("th", ServerKey(scheme)),
            ("mid", ServerKey(scheme)),
            ("leaf", ClientParameters(scheme)),
        ]
        .map(|(host, kind)| fixture.file(host, kind).filestamp.unix())
        .into();
        assert_eq!(stamps, HashSet::from([NOW + 100]));
        if certificate {
            let (key, _) = GqKey::from_container(&fixture.numbers("mid", ServerKey(Gq))).unwrap();
            assert_eq!(
                fixture.certificate("th").gq_public().as_ref(),
                Some(key.public_value())
            );
        }
    }
}

#[test]
fn certificates_are_renewed_when_asked_and_when_they_have_ended() {
    let mut fixture = Fixture::new();
    let inventory = lab(BITS, "identity: iff", ", certificate: { lifetime: 90d }");
    fixture.mint(&inventory);
    fixture.now += 70 * DAY;
    assert!(fixture.wanted(&inventory).unwrap().is_empty());
    fixture.renew_until = Some(fixture.now + 30 * DAY);
    let work = fixture.wanted(&inventory).unwrap();
    let tasks: Vec<_> = work.tasks().map(|task| (task.owner, task.what)).collect();
    assert_eq!(tasks, [("th", What::File(Certificate))], "only what is due");
    assert!(matches!(work.tasks().next().unwrap().why, Why::Expires(_)));

    fixture.renew_until = None;
    fixture.now = NOW + 365 * DAY;
    fixture.mint(&inventory);
    fixture.hold_invariants();
    for host in ["th", "mid", "leaf"] {
        assert_eq!(fixture.certificate(host).not_before(), fixture.now);
    }
    assert_eq!(fixture.file("th", HostKey).filestamp.unix(), NOW, "keys stay");
}

#[test]
fn stamps_always_move_on_and_never_into_the_future() {
    let mut fixture = Fixture::new();
    let mut last = None;
    for bits in [512, 520, 528, 536] {
        // All within one second.
        fixture.mint(&lab(
            &format!("host_key: {{ bits: {bits} }}"),
            "identity: iff",
            "",
        ));
        let stamp = fixture.file("th", Certificate).filestamp;
        assert!(Some(stamp) > last);
        last = Some(stamp);
        assert!(fixture.certificate("th").suits(stamp));
    }
    fixture.now -= 3600;
    let inventory = lab(BITS, "identity: iff", "");
    let Err(Error::Impossible(problems)) = fixture.wanted(&inventory) else {
        panic!("the clock went back an hour")
    };
    assert_eq!(problems[0].subject, "this machine's clock");
    assert!(problems[0].what.contains("2026-"), "{}", problems[0]);
    fixture.now = i64::MAX;
    assert!(matches!(fixture.wanted(&inventory), Err(Error::Impossible(_))));
}

#[test]
fn roles_come_and_go_with_the_graph() {
    let mut fixture = Fixture::new();
    let with = |leaf_serves: &str| format!("{}{leaf_serves}", lab(BITS, "identity: iff", ""));
    fixture.mint(&with(""));
    let leaf = fixture.snapshot().media("leaf");
    fixture.now += 100;
    fixture.mint(&with("  below: { group: lab, servers: [leaf] }\n"));
    fixture.hold_invariants();
    let key = fixture.file("leaf", ServerKey(Iff));
    assert_eq!(key.filestamp.unix(), NOW, "the group key's stamp, not today's");
    assert_eq!(
        fixture.file("below", ClientParameters(Iff)).artifact,
        fixture.file("leaf", ClientParameters(Iff)).artifact
    );
    // Nobody points at it any more: the server key goes, and so does everything of the host that left.
    fixture.mint(&with(""));
    assert_eq!(fixture.snapshot().media("leaf"), leaf);
    assert!(fixture.snapshot().media("below").is_empty());
    assert_eq!(fixture.vault.password("below").unwrap(), None);
    let snapshot = fixture.snapshot();
    assert!(snapshot.secret(SecretKind::HostKey, "below").is_none());
    // It comes back: as a new host, and a server again under a name of its own.
    fixture.mint(&with("  below: { group: lab, servers: [leaf] }\n"));
    fixture.hold_invariants();
    assert!(fixture.file("leaf", ServerKey(Iff)).name.ends_with("-g4"));
}

#[test]
fn a_renamed_machine_gets_no_file_under_a_name_that_stands_there() {
    let mut fixture = Fixture::new();
    let before = lab(BITS, "identity: iff", "");
    fixture.mint(&before);
    let old = fixture.file("mid", ServerKey(Iff));
    fixture.now += 100;
    let renamed = before.replace("mid:", "middle:").replace("[mid]", "[middle]");
    fixture.mint(&renamed);
    fixture.hold_invariants();
    let key = fixture.file("middle", ServerKey(Iff));
    assert_ne!(key.digest, old.digest, "by its own password");
    assert_eq!(key.name, format!("{}-g2", old.name));
    assert_eq!(key.filestamp, old.filestamp);
    assert!(fixture.wanted(&renamed).unwrap().is_empty());
}

#[test]
fn losing_trust_makes_another_certificate() {
    let mut fixture = Fixture::new();
    let trusted =
        |names: &str| lab(BITS, "identity: iff", "").replace("trusted: [th]", &format!("trusted: [{names}]"));
    fixture.mint(&trusted("th, mid"));
    assert_eq!(fixture.certificate("mid").role(), Role::Trusted);
    fixture.mint(&trusted("th"));
    assert_eq!(fixture.certificate("mid").role(), Role::Plain);
}

#[test]
fn all_that_stands_in_the_way_is_said_at_once() {
    let fixture = Fixture::new();
    let inventory = "version: 1
defaults: { connection: export, host_key: { bits: 512 } }
groups: { lab: { trusted: [a] } }
hosts:
  a: { group: lab, reference_clock: true, password: { env: A } }
  b: { group: lab, servers: [a], certificate: { lifetime: 2020-01-01 } }
  c: { group: lab, servers: [a] }
";
    let mut loaded = load_str(inventory).unwrap();
    // What the loader refuses today may still come from elsewhere.
    let entry = &mut loaded.entries[2];
    let settings = std::sync::Arc::make_mut(&mut entry.settings);
    settings.cipher = crate::vocabulary::Written::new("rot13");
    let analysis = analyse(&loaded, time::macros::date!(2026 - 11 - 20));
    let Err(Error::Impossible(problems)) = fixture.wanted_for(&loaded, &analysis) else {
        panic!("three things are wrong")
    };
    let subjects: Vec<_> = problems.iter().map(|problem| &*problem.subject).collect();
    assert_eq!(subjects, ["a", "b", "c"], "{problems:?}");
    assert!(problems.iter().all(|problem| problem.help.is_some()));
}

/// Counts, and stops after so many steps.
struct Stop {
    after: usize,
    done: std::sync::atomic::AtomicUsize,
    steps: std::sync::atomic::AtomicUsize,
}

impl Progress for Stop {
    fn start(&self, steps: usize) {
        self.steps.store(steps, std::sync::atomic::Ordering::SeqCst);
    }

    fn done(&self, _owner: &str) {
        self.done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    fn cancelled(&self) -> bool {
        self.done.load(std::sync::atomic::Ordering::SeqCst) >= self.after
    }
}

#[test]
fn stopped_or_failed_halfway_nothing_is_kept() {
    let mut fixture = Fixture::new();
    let many = format!(
        "{}  \"x[1-300]\": {{ group: lab, servers: [mid] }}\n",
        lab(BITS, "identity: iff", "")
    );
    let work = fixture.wanted(&many).unwrap();
    let stop = |after| Stop {
        after,
        done: 0.into(),
        steps: 0.into(),
    };
    let digest = Digest::of(b"");
    let refused = mint(&mut fixture.vault, &work, "", digest, &stop(5));
    assert!(matches!(refused, Err(Error::Cancelled)));
    assert_eq!(fixture.snapshot().generation, None);
    assert!(fixture.snapshot().media("th").is_empty());

    // A digest too big for its key is only noticed when the certificate is signed.
    let impossible = lab(BITS, "identity: iff", ", certificate: { scheme: RSA-SHA512 }");
    let work = fixture.wanted(&impossible).unwrap();
    let Err(Error::Impossible(problems)) = mint(&mut fixture.vault, &work, "", digest, &()) else {
        panic!("RSA-SHA512 does not fit into 512 bits")
    };
    assert_eq!(problems[0].subject, "th");
    assert_eq!(fixture.snapshot().generation, None);

    let work = fixture.wanted(&many).unwrap();
    let count = stop(usize::MAX);
    mint(&mut fixture.vault, &work, "", digest, &count).unwrap();
    assert_eq!(count.steps.into_inner(), 304, "a group key and 303 hosts");
    assert_eq!(count.done.into_inner(), 304);
}

#[test]
fn work_decided_on_an_older_state_is_refused() {
    let mut fixture = Fixture::new();
    let inventory = lab(BITS, "identity: iff", "");
    let work = fixture.wanted(&inventory).unwrap();
    fixture.mint(&inventory);
    let refused = mint(&mut fixture.vault, &work, "", Digest::of(b""), &());
    assert!(matches!(refused, Err(Error::Vault(vault::Error::Moved { .. }))));
}
