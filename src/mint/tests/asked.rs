//! What is asked for beyond what is missing: MV clients shut out, certificates of some hosts renewed.

use super::*;
use crate::media::GroupScheme::Mv;
use crate::media::mv::{MvClientKey, MvServerKey};
use crate::vault::ArtifactKind::{Certificate, ClientParameters, ServerKey};

const MV: &str = "groups:
  green: { identity: mv, trusted: [th], identity_key: { mv: 512 }, mv: { clients: 3 } }
hosts:
  th: { group: green, reference_clock: true }
  mid: { group: green, servers: [th] }
  'leaf[1-4]': { group: green, servers: [mid] }
";

/// The MV server key a host holds, and the client key of another: whether the exchange would end well.
fn enabled(fixture: &Fixture, server: &str, client: &str) -> bool {
    let server = fixture.numbers(server, ServerKey(Mv));
    let client = fixture.numbers(client, ClientParameters(Mv));
    let server = MvServerKey::from_container(&server).unwrap();
    let client = MvClientKey::from_container(&client).unwrap();
    server.enables(&client)
}

#[test]
fn a_revoked_mv_client_is_shut_out_by_the_servers_alone() {
    let fleet = format!("{DEFAULTS}{MV}");
    let mut fixture = Fixture::new();
    fixture.mint(&fleet);
    let client = |fixture: &Fixture, host: &str| {
        let snapshot = fixture.snapshot();
        let mut files = snapshot.files(host);
        files.find_map(|(_, file)| mv_client(file)).expect("a client key")
    };
    let hosts = ["mid", "leaf1", "leaf2", "leaf3", "leaf4"];
    // Five clients share three keys.
    let victim = "leaf1";
    let number = client(&fixture, victim);
    let sharing: Vec<&str> = hosts
        .into_iter()
        .filter(|host| *host != victim && client(&fixture, host) == number)
        .collect();
    assert!(!sharing.is_empty());
    let stamp = fixture.file("th", ServerKey(Mv)).filestamp;
    let before: HashMap<&str, PlacedFile> = hosts
        .into_iter()
        .map(|host| (host, fixture.file(host, ClientParameters(Mv))))
        .collect();

    let mut revoked = Revocations::read(&fixture.vault).unwrap();
    revoked.revoke("green", number, victim);
    revoked.write(&mut fixture.vault).unwrap();
    fixture.mint(&fleet);
    for server in ["th", "mid"] {
        let key = fixture.file(server, ServerKey(Mv));
        assert_eq!(
            key.filestamp, stamp,
            "the stamp stays, so nobody else needs a new file"
        );
        assert!(
            key.name.contains("-g2"),
            "a new content has a new name: {}",
            key.name
        );
        for host in hosts {
            assert_eq!(enabled(&fixture, server, host), host != victim, "{server} {host}");
        }
    }
    for host in hosts {
        let now = fixture.file(host, ClientParameters(Mv));
        assert_eq!(now.filestamp, stamp);
        assert_eq!(now != before[host], sharing.contains(&host), "{host}");
    }
    fixture.hold_invariants();

    // A new group key does not let it in again.
    fixture.now += 60;
    fixture.anew.insert((SecretKind::Group(Mv), "green".into()));
    fixture.mint(&fleet);
    assert!(!enabled(&fixture, "th", victim) && enabled(&fixture, "th", "leaf2"));

    revoked.restore("green", victim);
    revoked.write(&mut fixture.vault).unwrap();
    fixture.mint(&fleet);
    assert!(hosts.into_iter().all(|host| enabled(&fixture, "mid", host)));
    fixture.hold_invariants();
}

#[test]
fn only_the_certificates_asked_for_are_renewed() {
    let fleet = red_green_blue();
    let mut fixture = Fixture::new();
    fixture.mint(&fleet);
    let stamp = |fixture: &Fixture, host: &str| fixture.file(host, Certificate).filestamp;
    let hosts = ["mort", "macabre", "howland", "yellow", "leaf1"];
    let before = hosts.map(|host| stamp(&fixture, host));
    fixture.now += 300 * DAY;
    fixture.renew_until = Some(i64::MAX);
    fixture.renewing = Some(["yellow".into(), "mort".into()].into());
    fixture.mint(&fleet);
    for (host, before) in hosts.into_iter().zip(before) {
        assert_eq!(
            stamp(&fixture, host) > before,
            ["yellow", "mort"].contains(&host),
            "{host}"
        );
    }
    // What has ended is made anew whoever is asked for.
    fixture.now += 70 * DAY;
    fixture.renew_until = Some(i64::MAX);
    fixture.renewing = Some(["mort".into()].into());
    let yellow = stamp(&fixture, "yellow");
    fixture.mint(&fleet);
    assert!(stamp(&fixture, "leaf1") > before[4]);
    assert_eq!(stamp(&fixture, "yellow"), yellow, "it is still valid");
}
