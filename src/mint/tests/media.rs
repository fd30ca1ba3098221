//! What each host gets.

use super::*;
use crate::media::GroupScheme::{Gq, Iff, Mv};
use crate::media::certificate::Role;
use crate::media::gq::{GqKey, GqParameters};
use crate::media::host_key::SignKey;
use crate::media::iff::{IffKey, IffParameters};
use crate::media::mv::{MvClientKey, MvServerKey};
use crate::vault::ArtifactKind::{Certificate, ClientParameters, HostKey, ServerKey};

#[test]
fn every_host_holds_its_minimal_set_and_no_more() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.mint(&red_green_blue()), Some(GenerationId(1)));
    fixture.hold_invariants();
    assert_eq!(
        links(&fixture, "mort"),
        [
            "ntpkey_cert_mort",
            "ntpkey_gqpar_blue",
            "ntpkey_host_mort",
            "ntpkey_iffkey_mort",
            "ntpkey_iffkey_red"
        ]
    );
    assert_eq!(
        links(&fixture, "howland"),
        [
            "ntpkey_cert_howland",
            "ntpkey_gqkey_green",
            "ntpkey_gqkey_howland",
            "ntpkey_gqpar_blue",
            "ntpkey_host_howland",
            "ntpkey_iffpar_red"
        ]
    );
    assert_eq!(
        links(&fixture, "yellow"),
        [
            "ntpkey_cert_yellow",
            "ntpkey_gqkey_green",
            "ntpkey_gqkey_yellow",
            "ntpkey_gqpar_green",
            "ntpkey_host_yellow"
        ]
    );
    // Client-only hosts never hold a server key.
    for leaf in ["leaf1", "leaf2", "leaf3"] {
        assert_eq!(
            links(&fixture, leaf),
            [
                format!("ntpkey_cert_{leaf}"),
                "ntpkey_gqpar_green".into(),
                format!("ntpkey_host_{leaf}")
            ]
        );
    }
    let stamp = fixture.file("mort", HostKey).filestamp;
    assert_eq!(stamp.unix(), NOW);
    let names: Vec<_> = fixture
        .snapshot()
        .media("yellow")
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(
        names,
        [
            format!("ntpkey_gqpar_green.{stamp}"),
            format!("ntpkey_RSAhost_yellow.{stamp}"),
            format!("ntpkey_RSA-SHA256cert_yellow.{stamp}"),
            format!("ntpkey_gqkey_green.{stamp}"),
        ]
    );
}

#[test]
fn certificates_say_who_and_what_and_belong_to_the_key() {
    let mut fixture = Fixture::new();
    fixture.mint(&red_green_blue());
    for (host, group, role) in [
        ("mort", "red", Role::Trusted),
        ("macabre", "blue", Role::Trusted),
        ("howland", "green", Role::Trusted),
        ("yellow", "green", Role::Plain),
        ("leaf2", "green", Role::Plain),
    ] {
        let certificate = fixture.certificate(host);
        assert_eq!(certificate.subject(), Some(&*format!("{host}@{group}")));
        assert_eq!(certificate.issuer(), certificate.subject());
        assert_eq!(certificate.role(), role, "{host}");
        assert!(certificate.is_self_signed().unwrap());
        assert_eq!(certificate.not_before(), NOW);
        assert_eq!(certificate.not_after(), NOW + 365 * DAY);
        let file = fixture.file(host, Certificate);
        assert!(certificate.suits(file.filestamp), "filestamp ≤ notBefore");
        assert_eq!(file.not_after, Some(certificate.not_after()));
        let key = SignKey::from_container(&fixture.numbers(host, HostKey)).unwrap();
        assert!(certificate.belongs_to(&key));
        // GQ: the trusted host's certificate carries v of its own group.
        let v = certificate.gq_public();
        if role == Role::Trusted && group != "red" {
            let (key, _) = GqKey::from_container(&fixture.numbers(host, ServerKey(Gq))).unwrap();
            assert_eq!(v.as_ref(), Some(key.public_value()));
        } else {
            assert!(v.is_none(), "{host}");
        }
    }
}

#[test]
fn copies_of_a_group_key_are_one_key_with_one_stamp_and_many_passwords() {
    let mut fixture = Fixture::new();
    fixture.mint(&red_green_blue());
    let (howland, _) = GqKey::from_container(&fixture.numbers("howland", ServerKey(Gq))).unwrap();
    let (yellow, _) = GqKey::from_container(&fixture.numbers("yellow", ServerKey(Gq))).unwrap();
    assert_eq!(howland, yellow);
    let (one, two) = (
        fixture.file("howland", ServerKey(Gq)),
        fixture.file("yellow", ServerKey(Gq)),
    );
    assert_ne!(one.digest, two.digest);
    assert_ne!(
        fixture.vault.password("howland").unwrap(),
        fixture.vault.password("yellow").unwrap()
    );
    let (leaf, _) = GqParameters::from_container(&fixture.numbers("leaf1", ClientParameters(Gq))).unwrap();
    assert_eq!(&leaf, howland.parameters());
    let parameters = fixture.file("leaf1", ClientParameters(Gq));
    assert_eq!(
        parameters.artifact,
        fixture.file("yellow", ClientParameters(Gq)).artifact
    );
    assert_eq!(parameters.filestamp, one.filestamp);

    let iff = IffKey::from_container(&fixture.numbers("mort", ServerKey(Iff))).unwrap();
    let client = IffParameters::from_container(&fixture.numbers("howland", ClientParameters(Iff))).unwrap();
    assert_eq!(&client, iff.parameters());
    assert_eq!(
        fixture.file("howland", ClientParameters(Iff)).filestamp,
        fixture.file("mort", ServerKey(Iff)).filestamp
    );
}

#[test]
fn tc_needs_no_group_key_and_hosts_without_autokey_get_nothing() {
    let mut fixture = Fixture::new();
    fixture.mint(&format!(
        "{DEFAULTS}
groups: {{ lab: {{ trusted: [th] }} }}
hosts:
  th: {{ group: lab, reference_clock: true }}
  mid: {{ group: lab, servers: [th] }}
  alone: {{ servers: [{{ address: 192.0.2.1, auth: none }}] }}
"
    ));
    assert_eq!(links(&fixture, "th"), ["ntpkey_cert_th", "ntpkey_host_th"]);
    assert_eq!(links(&fixture, "mid"), ["ntpkey_cert_mid", "ntpkey_host_mid"]);
    assert!(fixture.snapshot().media("alone").is_empty());
    assert_eq!(fixture.vault.password("alone").unwrap(), None);
}

#[test]
fn pc_members_hold_byte_copies_under_the_trusted_hosts_names() {
    let mut fixture = Fixture::new();
    let inventory = format!(
        "{DEFAULTS}
groups: {{ lab: {{ identity: pc, trusted: [th] }} }}
hosts:
  early: {{ group: lab, servers: [th] }}
  th: {{ group: lab, reference_clock: true }}
  late: {{ group: lab, servers: [early] }}
"
    );
    fixture.mint(&inventory);
    fixture.hold_invariants();
    let snapshot = fixture.snapshot();
    assert_eq!(links(&fixture, "th"), ["ntpkey_cert_th", "ntpkey_host_th"]);
    assert_eq!(snapshot.media("early"), snapshot.media("th"));
    assert_eq!(snapshot.media("late"), snapshot.media("th"));
    assert_eq!(fixture.certificate("late").role(), Role::Private);
    assert_eq!(fixture.certificate("late").subject(), Some("th@lab"));
    assert_eq!(
        fixture.vault.password("early").unwrap(),
        None,
        "the trusted host's is used"
    );
    // A later member gets copies of the same files, without anything being made.
    let more = format!("{inventory}  later: {{ group: lab, servers: [th] }}\n");
    assert_eq!(fixture.wanted(&more).unwrap().tasks().count(), 0);
    assert_eq!(fixture.mint(&more), Some(GenerationId(2)));
    assert_eq!(fixture.snapshot().media("later"), snapshot.media("th"));
}

fn mv(hosts: &str, clients: &str) -> String {
    format!(
        "{DEFAULTS}
groups: {{ lab: {{ identity: mv, trusted: [th], {SMALL}{clients} }} }}
hosts:
  th: {{ group: lab, reference_clock: true }}
{hosts}"
    )
}

#[test]
fn mv_clients_keep_their_number_and_every_number_is_enabled() {
    let mut fixture = Fixture::new();
    let host = |name: &str| format!("  {name}: {{ group: lab, servers: [th] }}\n");
    fixture.mint(&mv(&[host("a"), host("b")].concat(), ""));
    fixture.hold_invariants();
    let server = MvServerKey::from_container(&fixture.numbers("th", ServerKey(Mv))).unwrap();
    let client = |fixture: &Fixture, name: &str| {
        let client = MvClientKey::from_container(&fixture.numbers(name, ClientParameters(Mv))).unwrap();
        assert!(server.enables(&client), "{name}");
        client
    };
    let (a, b) = (client(&fixture, "a"), client(&fixture, "b"));
    assert_ne!(a, b);
    let before = fixture.snapshot().media("b");

    // Others come, before and behind, and one goes: who stays keeps what it has.
    let hosts = [host("aa"), host("b"), host("c"), host("d"), host("e"), host("f")].concat();
    fixture.mint(&mv(&hosts, ""));
    assert_eq!(fixture.snapshot().media("b"), before);
    assert!(fixture.snapshot().media("a").is_empty());
    let keys: Vec<_> = ["aa", "b", "c", "d", "e", "f"]
        .map(|name| client(&fixture, name))
        .into();
    assert_eq!(keys[1], b);
    let alike = |key| keys.iter().filter(|other| *other == key).count();
    assert!(
        keys.iter().all(|key| alike(key) <= 2),
        "four keys for six hosts, shared evenly"
    );
    let th = fixture.file("th", ServerKey(Mv));
    assert_eq!(th.filestamp, fixture.file("f", ClientParameters(Mv)).filestamp);

    // Another number of clients is another group key for everybody.
    fixture.now += 10;
    fixture.mint(&mv(&hosts, ", mv: { clients: 6 }"));
    fixture.hold_invariants();
    assert!(fixture.file("th", ServerKey(Mv)).filestamp > th.filestamp);
    assert_eq!(
        fixture.file("th", ServerKey(Mv)).filestamp,
        fixture.file("b", ClientParameters(Mv)).filestamp
    );
}

#[test]
fn external_parameters_are_placed_as_they_are() {
    let mut source = Fixture::new();
    source.mint(&red_green_blue());
    let handed = source.file("howland", ClientParameters(Iff));
    let bytes = source.vault.content(handed.artifact).unwrap();

    let inventory = format!(
        "{DEFAULTS}
groups:
  nation:
    identity: iff
    external: {{ servers: {{ time1: time1.example }}, parameters: [x] }}
  lab: {{ trusted: [client] }}
hosts:
  client: {{ group: lab, servers: [time1] }}
"
    );
    let mut fixture = Fixture::new();
    let Err(Error::Impossible(problems)) = fixture.wanted(&inventory) else {
        panic!("nothing was given")
    };
    assert_eq!(problems[0].subject, "nation");
    fixture.given.parameters.insert((GroupId(0), Iff), bytes.clone());
    // Its operator's clock is not ours: a stamp far ahead does not matter.
    fixture.now = NOW - 400 * DAY;
    fixture.mint(&inventory);
    fixture.now += 10;
    fixture.anew.insert((SecretKind::HostKey, "client".into()));
    fixture.mint(&inventory);
    let placed = fixture.file("client", ClientParameters(Iff));
    assert_eq!(fixture.vault.content(placed.artifact).unwrap(), bytes);
    assert_eq!(placed.filestamp, handed.filestamp);
    assert_eq!(placed.links, ["ntpkey_iffpar_nation"]);
}

#[test]
fn symmetric_keys_are_generated_or_given_once_for_all_who_share_them() {
    let mut fixture = Fixture::new();
    let inventory = format!(
        "{DEFAULTS}
symmetric_keys:
  7: {{ type: AES-128-CMAC }}
  8: {{ type: MD5, value: {{ env: X }} }}
  9: {{ type: SHA1 }}
hosts:
  server: {{ reference_clock: true }}
  a: {{ servers: [{{ host: server, key: 7 }}] }}
  b: {{ servers: [{{ host: server, key: 8 }}] }}
"
    );
    assert!(
        matches!(fixture.wanted(&inventory), Err(Error::Impossible(_))),
        "8 was not given"
    );
    let inventory_8 = inventory
        .replace("type: MD5", "type: AES-128-CMAC")
        .replace("key: 7", "key: 8");
    fixture.given.keys.insert(1, "short".into());
    let Err(Error::Impossible(problems)) = fixture.wanted(&inventory_8) else {
        panic!("5 bytes are no key of AES-128")
    };
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "once for three hosts: {said:?}");
    assert!(
        said[0].starts_with("symmetric key 8: AES-128-CMAC takes 16 bytes"),
        "{said:?}"
    );
    fixture.given.keys.insert(1, "open sesame".into());
    fixture.mint(&inventory);
    let keys = fixture.vault.secrets(SecretKind::Symmetric).unwrap();
    assert_eq!(keys.len(), 2, "nobody uses 9");
    assert_eq!(keys["7"].len(), 16);
    assert_eq!(keys["8"].expose(), b"open sesame");
    fixture.given.keys.insert(1, "another one".into());
    assert_eq!(fixture.mint(&inventory), Some(GenerationId(2)));
    let now = fixture.vault.secrets(SecretKind::Symmetric).unwrap();
    assert_eq!(now["8"].expose(), b"another one");
    assert_eq!(now["7"], keys["7"]);
}

#[test]
fn text_keys_are_as_long_as_every_holder_reads() {
    let mut fixture = Fixture::new();
    let inventory = format!(
        "{DEFAULTS}
symmetric_keys:
  7: {{ type: MD5 }}
  8: {{ type: MD5 }}
  9: {{ type: SHA1 }}
  10: {{ type: AES-128-CMAC }}
  11: {{ type: SHA1 }}
hosts:
  server: {{ reference_clock: true, keys: {{ control: 9 }} }}
  other: {{ ntpd: ntpsec, servers: [{{ host: server, key: 7 }}], keys: {{ control: 11 }} }}
  unix: {{ servers: [{{ host: server, key: 7 }}], keys: {{ control: 10 }} }}
  vms: {{ ntpd: openvms, connection: export, servers: [{{ host: server, key: 8 }}] }}
"
    );
    fixture.mint(&inventory);
    let keys = fixture.vault.secrets(SecretKind::Symmetric).unwrap();
    assert_eq!(keys["7"].len(), 20);
    assert_eq!(keys["8"].len(), 8, "OpenVMS reads eight characters");
    let is_text = |id: &str| keys[id].expose().iter().all(u8::is_ascii_graphic);
    assert_eq!((keys["9"].len(), keys["10"].len()), (20, 16));
    assert!(
        is_text("9") && is_text("10"),
        "ntpq takes a control key as a word"
    );
    assert!(!is_text("11"), "NTPsec's ntpq reads the key file");
}
