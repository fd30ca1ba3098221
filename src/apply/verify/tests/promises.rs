//! From inventories to what hosts should show.

use super::super::{Level, Promised};
use super::{MINTED, minted, red, what, what_of};
use crate::inventory::IdentityScheme;
use crate::ntpq::Promise;
use std::time::Duration;

fn only(promised: &[Promised]) -> &Promised {
    let [promised] = promised else {
        panic!("{promised:?}")
    };
    promised
}

#[test]
fn a_trusted_host_waits_for_nobody_and_must_have_the_time() {
    let th = what(&red("iff"), "th");
    assert!(th.promised.is_empty() && th.serves && th.autokey);
    assert_eq!(th.limit, Duration::from_secs(3 * 64));
    assert_eq!(th.level, Level::Start);
}

#[test]
fn an_intermediate_must_be_signed_and_a_leaf_needs_one_step_more() {
    let mid = what(&red("iff"), "mid");
    let promised = only(&mid.promised);
    assert!(promised.required && mid.serves);
    assert_eq!(promised.expected.server, "th");
    assert_eq!(promised.expected.certificate.as_deref(), Some("th@red"));
    assert!(promised.expected.is_named("10.77.0.1") && promised.expected.is_named("th"));
    let of = |serves| Promise::Autokey {
        scheme: IdentityScheme::Iff,
        group: Some("red".into()),
        // Nothing was minted.
        stamp: None,
        serves,
    };
    assert_eq!(promised.expected.promise, of(true));
    // ASSOC, one CERT, IFF, COOK, SIGN, LEAP and three.
    assert_eq!(mid.limit, Duration::from_secs((6 + 3) * 8));
    assert_eq!(mid.poll, Duration::from_secs(8));

    let leaf = what(&red("iff"), "leaf");
    assert_eq!(only(&leaf.promised).expected.promise, of(false));
    assert!(!leaf.serves);
    // ASSOC, two CERT, IFF, COOK and three.
    assert_eq!(leaf.limit, Duration::from_secs((5 + 3) * 8));
}

#[test]
fn members_of_a_pc_group_show_the_trusted_hosts_certificate() {
    let mid = what(&red("pc"), "mid");
    let expected = &only(&mid.promised).expected;
    assert_eq!(expected.certificate, None);
    assert!(matches!(
        &expected.promise,
        Promise::Autokey {
            scheme: IdentityScheme::Pc,
            group: None,
            ..
        }
    ));
}

#[test]
fn lines_of_a_trusted_host_with_a_clock_hold_nothing_up() {
    let inventory = "version: 1
groups:
  red: { identity: iff, trusted: [th] }
  green: { identity: gq, trusted: [gt] }
hosts:
  th: { group: red, reference_clock: true, servers: [gt, { address: 192.0.2.9, auth: none }] }
  gt: { group: green, reference_clock: true }
  mid: { group: red, servers: [th, { address: 192.0.2.9, auth: none }] }
";
    let th = what(inventory, "th");
    assert_eq!(th.promised.len(), 2);
    assert!(th.promised.iter().all(|promised| !promised.required));
    assert!(matches!(
        &th.promised[0].expected.promise,
        Promise::Autokey { scheme: IdentityScheme::Gq, group: Some(group), .. } if group == "green"
    ));
    let mid = what(inventory, "mid");
    let required: Vec<bool> = mid.promised.iter().map(|promised| promised.required).collect();
    assert_eq!(required, [true, false]);
    assert_eq!(mid.promised[1].expected.promise, Promise::Plain);
}

#[test]
fn symmetric_keys_and_chrony() {
    let inventory = "version: 1
symmetric_keys: { 7: { type: AES-128-CMAC } }
hosts:
  clock: { ntpd: ntpsec, address: \"2001:DB8:0::1\", reference_clock: true, keys: { trusted: [7] } }
  reader: { ntpd: chrony, servers: [{ host: clock, key: 7, minpoll: 4 }], verify: auth, log: /var/log/chrony.log }
  quiet: { ntpd: chrony, servers: [{ host: clock, key: 7 }], restart: false }
";
    let reader = what(inventory, "reader");
    let promised = only(&reader.promised);
    assert_eq!(promised.expected.promise, Promise::Key(7));
    assert!(promised.required && promised.expected.certificate.is_none());
    // As the inventory spells it, and as daemons do.
    assert!(promised.expected.is_named("2001:db8::1"));
    assert!(!reader.autokey && reader.level == Level::Auth);
    assert_eq!(reader.log.as_deref(), Some("/var/log/chrony.log"));
    assert_eq!(reader.limit, Duration::from_secs(3 * 16));
    assert_eq!(what(inventory, "quiet").level, Level::None);
    assert_eq!(what(inventory, "clock").level, Level::Start);
}

#[test]
fn a_broadcast_client_expects_any_of_the_senders() {
    let inventory = "version: 1
symmetric_keys: { 7: { type: MD5 } }
hosts:
  one: { address: 192.0.2.1, reference_clock: true, broadcast: [{ address: 192.0.2.255, key: 7 }] }
  two: { address: 192.0.2.2, reference_clock: true, broadcast: [{ address: 192.0.2.255, key: 7 }] }
  hears: { address: 192.0.2.30, broadcastclient: true }
  hears-too: { address: 192.0.2.31, broadcastclient: true, servers: [{ host: one, key: 7 }] }
";
    assert!(
        what(inventory, "one").promised.is_empty(),
        "nothing is proven to a sender"
    );
    let hears = what(inventory, "hears");
    let promised = only(&hears.promised);
    assert!(promised.required);
    assert_eq!(promised.expected.promise, Promise::Key(7));
    assert!(promised.expected.is_named("192.0.2.1") && promised.expected.is_named("192.0.2.2"));
    let too = what(inventory, "hears-too");
    let required: Vec<bool> = too.promised.iter().map(|promised| promised.required).collect();
    assert_eq!(required, [true, false]);
}

#[test]
fn the_stamp_of_a_minted_group_key_is_promised() {
    let text = red("iff").replace("identity: iff", "identity: iff, identity_key: { iff: 512 }");
    let leaf = what_of(&text, "leaf", &minted(&text));
    let promised = only(&leaf.promised);
    assert_eq!(promised.key_made, Some(MINTED));
    let Promise::Autokey { stamp, .. } = promised.expected.promise else {
        panic!("{promised:?}")
    };
    assert_eq!(stamp.map(i64::from), Some(MINTED + 2_208_988_800));
}
