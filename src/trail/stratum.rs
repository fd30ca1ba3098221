//! Strata: how many servers lie between a host and a clock, as far as the inventory says.

use super::graph::{Node, TrailGraph};
use crate::inventory::{HostEntry, Inventory};
use std::collections::VecDeque;

/// The stratum that means not synchronised (RFC 5905).
pub const UNSYNCHRONISED: u32 = 16;

/// By node: its stratum when everything works; `None` where no clock is known above it. Lines to addresses
/// outside the inventory have no known stratum.
pub fn strata(inventory: &Inventory, graph: &TrailGraph) -> Vec<Option<u32>> {
    let mut strata: Vec<Option<u32>> = vec![None; graph.graph().node_count()];
    // Clocks differ in stratum; hosts are visited in the order of theirs.
    let mut waiting: Vec<Vec<Node>> = vec![Vec::new(); UNSYNCHRONISED as usize + 1];
    for node in graph.nodes() {
        if let Some(entry) = graph.entry(inventory, node)
            && graph.member(node).clock
        {
            let stratum = (clock_stratum(entry) + 1).min(UNSYNCHRONISED);
            waiting[stratum as usize].push(node);
        }
    }
    let mut queue: VecDeque<(Node, u32)> = VecDeque::new();
    let mut stratum = 0;
    loop {
        let due = waiting
            .get_mut(stratum as usize)
            .map(std::mem::take)
            .unwrap_or_default();
        queue.extend(due.into_iter().map(|node| (node, stratum)));
        while let Some(&(node, at)) = queue.front()
            && at == stratum
        {
            queue.pop_front();
            if strata[node.index()].is_some() {
                continue;
            }
            strata[node.index()] = Some(at);
            for (_, client, edge) in graph.clients(node) {
                if edge.follows() && strata[client.index()].is_none() {
                    queue.push_back((client, at + 1));
                }
            }
        }
        stratum += 1;
        if queue.is_empty() && stratum > UNSYNCHRONISED {
            return strata;
        }
    }
}

/// The stratum of a host's own clock: 0, 5 for the local clock, or what a `fudge` line says; the least of
/// several.
fn clock_stratum(entry: &HostEntry) -> u32 {
    let own = entry.reference_clock.iter().flatten().map(String::as_str);
    let lines: Vec<&str> = own
        .chain(entry.settings.extra.iter().map(|line| &**line))
        .collect();
    let fudged = |address: &str| {
        lines.iter().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let is_it = words.next() == Some("fudge") && words.next() == Some(address);
            is_it
                .then(|| words.skip_while(|word| *word != "stratum").nth(1)?.parse().ok())
                .flatten()
        })
    };
    let stratum = |line: &&str| {
        let mut words = line.split_ascii_whitespace();
        match (words.next()?, words.next()?) {
            ("server", address) if address.starts_with("127.127.") => {
                let usual = if address.starts_with("127.127.1.") { 5 } else { 0 };
                Some(fudged(address).unwrap_or(usual))
            }
            ("tos", word) => {
                let mut rest = std::iter::once(word).chain(words);
                rest.find(|word| *word == "orphan")?;
                rest.next()?.parse().ok()
            }
            _ => None,
        }
    };
    lines.iter().filter_map(stratum).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{UNSYNCHRONISED, strata};
    use crate::inventory::load_str;
    use crate::trail::graph::TrailGraph;

    #[test]
    fn counted_from_the_nearest_clock() {
        let inventory = load_str(
            "version: 1
groups: { red: { trusted: [a, b] } }
hosts:
  a: { group: red, reference_clock: [server 127.127.20.0 prefer, fudge 127.127.20.0 flag1 1] }
  b: { group: red, reference_clock: [server 127.127.1.0, fudge 127.127.1.0 stratum 9] }
  c: { group: red, servers: [b] }
  d: { group: red, servers: [c, a] }
  e: { group: red, servers: [{ address: 192.0.2.1 }] }
",
        )
        .expect("valid");
        let graph = TrailGraph::new(&inventory);
        assert_eq!(
            strata(&inventory, &graph),
            [Some(1), Some(10), Some(11), Some(2), None]
        );
        assert_eq!(UNSYNCHRONISED, 16);
    }
}
