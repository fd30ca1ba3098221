//! Real chrony and real NTPsec against each other, with the key files and lines made for them: they synchronise with
//! the key that was minted and refuse another one.

mod asks;
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod fleet;
mod namespace;
mod ntpconf;
mod rotation;
mod told;

use daemon::{Daemon, Kind, State};
use fleet::World;
use keytrail::ntpq::{Failure, Scheme, Verdict};
use namespace::{CLIENT, SERVER};
use std::time::{Duration, Instant};

/// What no wait outlasts: an NTPsec client takes 16 s to choose a server on an idle machine, chrony 5 s.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(500);
/// How much longer than the right key took a wrong one is watched.
const MARGIN: Duration = Duration::from_secs(5);
/// The key's id; nothing else in these files is that number.
const KEY: u32 = 4711;

fn inventory(server: Kind, client: Kind, key_type: &str) -> String {
    format!(
        "
version: 1
symmetric_keys:
  {KEY}: {{ type: {key_type} }}
hosts:
  clock:
    ntpd: {server}
    address: {SERVER}
    reference_clock: [{reference}]
    keys: {{ trusted: [{KEY}] }}
  reader:
    ntpd: {client}
    address: {CLIENT}
    servers: [{{ host: clock, key: {KEY}, iburst: true, minpoll: 3, maxpoll: 3 }}]
",
        server = server.word(),
        client = client.word(),
        reference = server.clock(),
    )
}

/// Asks until `done` says so; the time it took, and the last answer.
fn watch(client: &mut Daemon<'_>, done: impl Fn(&State, Duration) -> bool) -> (Duration, State) {
    let start = Instant::now();
    loop {
        client.must_run();
        let state = client.state();
        let passed = start.elapsed();
        if done(&state, passed) {
            return (passed, state);
        }
        assert!(
            passed < LIMIT,
            "after {passed:?} still {:?}\n{}\nlog of the client:\n{}",
            state.verdict,
            state.said,
            client.log()
        );
        std::thread::sleep(POLL);
    }
}

/// Waits until a server has a time to give.
fn serving(server: &mut Daemon<'_>) {
    let start = Instant::now();
    while let Err(said) = server.serves() {
        server.must_run();
        assert!(
            start.elapsed() < LIMIT,
            "the server has no time: {said}\nits log:\n{}",
            server.log()
        );
        std::thread::sleep(POLL);
    }
}

fn judged(server_kind: Kind, client_kind: Kind, key_type: &str) {
    let inventory = inventory(server_kind, client_kind, key_type);
    let [world, other] = [World::mint(&inventory), World::mint(&inventory)];
    let (left, right) = namespace::pair();
    let mut server = Daemon::start(server_kind, "clock", &world, &left);
    serving(&mut server);

    let mut client = Daemon::start(client_kind, "reader", &world, &right);
    let proven = Verdict::Proven {
        scheme: Scheme::Key(KEY),
        complete: true,
    };
    let (took, _) = watch(&mut client, |state, _| state.verdict == proven && state.selected);
    drop(client);

    // The same files but for the value of the key.
    let mut client = Daemon::start(client_kind, "reader", &other, &right);
    let (watched, state) = watch(&mut client, |state, passed| {
        assert_ne!(state.verdict, proven, "with another key:\n{}", state.said);
        assert!(!state.selected, "with another key:\n{}", state.said);
        passed > took + MARGIN && matches!(state.verdict, Verdict::Failed(_))
    });
    assert_eq!(
        state.verdict,
        Verdict::Failed(Failure::KeyRefused(KEY)),
        "after {watched:?}:\n{}",
        state.said
    );
    drop(client);

    // And it was the key: the server still accepts the right one.
    server.must_run();
    let mut client = Daemon::start(client_kind, "reader", &world, &right);
    watch(&mut client, |state, _| state.verdict == proven);
}

#[test]
fn ntpsec_reads_the_time_of_chrony() {
    judged(Kind::Chrony, Kind::Ntpsec, "AES-128-CMAC");
}

#[test]
fn chrony_reads_the_time_of_ntpsec() {
    judged(Kind::Ntpsec, Kind::Chrony, "AES-128-CMAC");
}

/// A MAC above 20 bytes, which works with `version 4` on chrony's line only.
#[test]
fn chrony_reads_the_time_of_ntpsec_with_a_long_digest() {
    judged(Kind::Ntpsec, Kind::Chrony, "SHA256");
}
