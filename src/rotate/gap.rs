//! How long a daemon is without an authenticated server after its restart, and until when it may go on with what it proved
//! before. Numbers: measured on 4.2.8p15, in polls of 8, 16 and 64 s.

use crate::inventory::{IdentityScheme, Inventory};
use crate::trail::graph::{Edge, Line, Node, TrailGraph};
use crate::trail::{cryptotype::scheme_in_use, proof::is_trail};
use serde::Serialize;
use std::collections::VecDeque;

/// The daemon's poll interval where none is given, log2 seconds.
pub const DEFAULT_MINPOLL: u8 = 6;

/// Longest time (seconds) after which an association is examined anew: 6 days 1 h 38 min. Until then a daemon that was not
/// restarted may go on with what it proved before (read in the source of 4.2.8p15; the interval is 2^19 s).
pub const REEXAMINED: i64 = 1 << 19;

/// From the first packet after a restart to a proven association.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Gap {
    /// Polls that pass.
    pub polls: u32,
    /// The same in seconds, with the two seconds the first packet takes.
    pub seconds: u64,
}

/// The exchange of one association: one packet each for the association, every certificate up to the trusted host, the identity
/// and the cookie, the first of them at once. `certificates`: those on the way, 1 for a trusted host; `minpoll`: log2 seconds,
/// which counts even where the association had come to a longer poll before.
///
/// Measured: IFF, GQ and MV first hop 3 polls + 2 s, TC 2 polls + 2 s, one poll more for each certificate more. PC, where no
/// certificate is fetched, follows from the count of packets (11 s measured at 8 s).
pub fn exchange(scheme: Option<IdentityScheme>, certificates: u32, minpoll: u8) -> Gap {
    let certificates = certificates.max(1);
    let polls = match scheme {
        Some(IdentityScheme::Pc) => 1,
        None | Some(IdentityScheme::Tc) => 1 + certificates,
        Some(IdentityScheme::Iff | IdentityScheme::Gq | IdentityScheme::Mv) => 2 + certificates,
    };
    Gap {
        polls,
        seconds: (u64::from(polls) << minpoll.min(17)) + 2,
    }
}

/// A symmetric key needs no exchange: the next packet is authenticated.
pub const NONE: Gap = Gap { polls: 0, seconds: 0 };

/// Seconds after its restart until a server without a clock of its own can take part in new exchanges of its clients: its
/// clock must be set and signed first. With `iburst`, which sets the clock at once (measured: 35 s at 8 s polls, 58 s at 16 s).
pub fn ready_to_serve(own: Gap) -> u64 {
    own.seconds + 10
}

/// By node: the certificates on the shortest way from it to its trusted host, 1 for that itself.
pub fn certificates(graph: &TrailGraph) -> Vec<u32> {
    let mut length = vec![u32::MAX; graph.graph().node_count()];
    let mut queue = VecDeque::new();
    for node in graph.nodes() {
        let member = graph.member(node);
        if member.root || member.trusted {
            length[node.index()] = 1;
            queue.push_back(node);
        }
    }
    while let Some(server) = queue.pop_front() {
        for (_, client, edge) in graph.clients(server) {
            if is_trail(edge) && length[client.index()] == u32::MAX {
                length[client.index()] = length[server.index()] + 1;
                queue.push_back(client);
            }
        }
    }
    length
}

/// The gaps of a host at its restart: until the first of its servers is proven, and until all are. `None`: it has no
/// authenticated server.
pub fn of_node(
    inventory: &Inventory,
    graph: &TrailGraph,
    certificates: &[u32],
    node: Node,
) -> Option<(Gap, Gap)> {
    let gaps = || {
        graph
            .lines(node)
            .filter_map(|line| of_line(inventory, graph, certificates, line))
    };
    Some((gaps().min()?, gaps().max()?))
}

fn of_line(
    inventory: &Inventory,
    graph: &TrailGraph,
    certificates: &[u32],
    (line, server, edge): (Line, Node, Edge),
) -> Option<Gap> {
    let (_, association) = graph.association(inventory, line);
    if !edge.role.is_autokey() {
        return (edge.role == crate::trail::graph::Role::Keyed).then_some(NONE);
    }
    let group = graph.group(inventory, server).map(|group| inventory.group(group));
    let scheme = group.and_then(|group| {
        scheme_in_use(group).or_else(|| {
            group
                .identity
                .contains(&IdentityScheme::Pc)
                .then_some(IdentityScheme::Pc)
        })
    });
    let certificates = match certificates[server.index()] {
        // No trail: a finding of its own.
        u32::MAX => 1,
        length => length,
    };
    let minpoll = association.minpoll.unwrap_or(DEFAULT_MINPOLL);
    Some(exchange(scheme, certificates, minpoll))
}

#[cfg(test)]
mod tests {
    use super::*;
    use IdentityScheme::{Gq, Iff, Mv, Pc, Tc};

    fn seconds(scheme: IdentityScheme, certificates: u32, minpoll: u8) -> u64 {
        exchange(Some(scheme), certificates, minpoll).seconds
    }

    #[test]
    fn gaps_are_those_measured() {
        for scheme in [Iff, Gq, Mv] {
            assert!((25..=28).contains(&seconds(scheme, 1, 3)), "first hop, 8 s");
            assert!((34..=35).contains(&seconds(scheme, 2, 3)), "second hop, 8 s");
            assert_eq!(seconds(scheme, 1, 4), 50, "first hop, 16 s");
            assert_eq!(seconds(scheme, 2, 4), 66, "second hop, 16 s");
            assert!((190..=200).contains(&seconds(scheme, 1, 6)), "first hop, 64 s");
        }
        assert!((17..=20).contains(&seconds(Tc, 1, 3)), "TC, 8 s");
        assert!((9..=11).contains(&seconds(Pc, 1, 3)), "PC, 8 s");
        assert_eq!(exchange(None, 1, 3), exchange(Some(Tc), 1, 3));
        assert_eq!(exchange(Some(Gq), 2, 6).polls, 4);
    }

    #[test]
    fn a_server_is_ready_when_that_was_measured() {
        for (minpoll, measured) in [(3, 34..=36), (4, 58..=60), (6, 203..=207)] {
            let ready = ready_to_serve(exchange(Some(Iff), 1, minpoll));
            assert!(measured.contains(&ready), "{minpoll}: {ready}");
        }
    }

    #[test]
    fn the_daemon_looks_again_after_six_days() {
        assert_eq!(REEXAMINED, 6 * 86_400 + 3600 + 38 * 60 + 8);
    }
}
