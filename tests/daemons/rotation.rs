//! A symmetric key replaced by another in three waves, with daemons that are told and never restarted on the side of
//! the server: the new id everywhere, the client's line, the old id away. Every mixture on the way must authenticate.

use crate::daemon::{Daemon, Kind};
use crate::fleet::World;
use crate::namespace::{self, CLIENT, Network, SERVER};
use crate::{serving, watch};
use keytrail::ntpq::{Failure, Scheme, Verdict};

const OLD: u32 = 4711;
const NEW: u32 = 4712;
/// What ntpq writes with: NTPsec takes orders from nobody else.
const CONTROL: u32 = 9;

/// The fleet with these ids trusted on both sides and `line` on the client's line.
fn inventory(server: Kind, client: Kind, ids: &[u32], line: u32) -> String {
    let keys = |kind: Kind| match kind {
        Kind::Chrony => format!("{{ trusted: {ids:?} }}"),
        Kind::Ntpsec => format!("{{ trusted: {ids:?}, control: {CONTROL} }}"),
    };
    let declared = ids.iter().chain(&[CONTROL]).fold(String::new(), |text, id| {
        text + &format!("  {id}: {{ type: AES-128-CMAC }}\n")
    });
    format!(
        "
version: 1
symmetric_keys:
{declared}hosts:
  clock:
    ntpd: {server}
    address: {SERVER}
    reference_clock: [{reference}]
    keys: {server_keys}
  reader:
    ntpd: {client}
    address: {CLIENT}
    keys: {client_keys}
    servers: [{{ host: clock, key: {line}, iburst: true, minpoll: 3, maxpoll: 3 }}]
",
        server = server.word(),
        client = client.word(),
        reference = server.clock(),
        server_keys = keys(server),
        client_keys = keys(client),
    )
}

/// A client's daemon started anew, until it is authenticated by the key `id`.
fn proven<'n>(kind: Kind, world: &World, network: &'n Network, id: u32) -> Daemon<'n> {
    let mut client = Daemon::start(kind, "reader", world, network);
    let proven = Verdict::Proven {
        scheme: Scheme::Key(id),
        complete: true,
    };
    watch(&mut client, |state, _| state.verdict == proven);
    client
}

fn three_waves(server_kind: Kind, client_kind: Kind) {
    let inventory = |ids: &[u32], line| inventory(server_kind, client_kind, ids, line);
    let [before, added, switched, after] = World::states([
        &inventory(&[OLD], OLD),
        &inventory(&[OLD, NEW], OLD),
        &inventory(&[OLD, NEW], NEW),
        &inventory(&[NEW], NEW),
    ]);
    let (left, right) = namespace::pair();
    let mut server = Daemon::start(server_kind, "clock", &before, &left);
    serving(&mut server);
    let client = |world, id| drop(proven(client_kind, world, &right, id));
    client(&before, OLD);

    server.reread("clock", &added);
    client(&before, OLD);
    client(&added, OLD);
    client(&switched, NEW);

    // A client that is told the new keys while it runs goes on.
    let mut told = proven(client_kind, &before, &right, OLD);
    told.reread("reader", &added);
    watch(&mut told, |state, _| {
        matches!(state.verdict, Verdict::Proven { .. })
    });
    drop(told);

    server.reread("clock", &after);
    client(&switched, NEW);
    client(&after, NEW);
    // Who was left behind is refused, by the same server that never stopped.
    let mut late = Daemon::start(client_kind, "reader", &before, &right);
    let refused = Verdict::Failed(Failure::KeyRefused(OLD));
    watch(&mut late, |state, _| state.verdict == refused);
    server.must_run();
}

#[test]
fn chrony_serves_through_a_rotation() {
    three_waves(Kind::Chrony, Kind::Ntpsec);
}

#[test]
fn ntpsec_serves_through_a_rotation() {
    three_waves(Kind::Ntpsec, Kind::Chrony);
}
