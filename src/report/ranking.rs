//! What breaks if something fails, the worst first: beside the findings of `check --what-if`.

use super::table::{Screen, table, table_text};
use crate::inventory::Inventory;
use crate::trail::failure::{Failure, Part, WhatIf};
use crate::trail::graph::{Node, TrailGraph};
use crate::vocabulary::counted;
use comfy_table::CellAlignment;
use serde::Serialize;
use std::fmt::{self, Write};

/// The answer to `--what-if`, with names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ranking<'i> {
    /// Hosts that have a trail while everything works.
    hosts: u64,
    /// What fails, the worst first.
    failures: Vec<Ranked<'i>>,
    /// Trails that turn cyclic when a clock fails.
    cycles: Vec<Cycle<'i>>,
    /// Servers that were not looked at in pairs because there are too many.
    servers_left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Ranked<'i> {
    fails: Vec<Failing<'i>>,
    loses: u64,
    examples: Vec<&'i str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Failing<'i> {
    kind: Kind,
    name: &'i str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Host,
    Clock,
    Group,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Cycle<'i> {
    clocks: Vec<&'i str>,
    trail: Vec<&'i str>,
}

impl fmt::Display for Failing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Host => f.write_str(self.name),
            Kind::Clock => write!(f, "the clock of {}", self.name),
            Kind::Group => write!(f, "all trusted hosts of {}", self.name),
        }
    }
}

impl<'i> Ranking<'i> {
    /// Names the parts of an answer.
    pub fn new(inventory: &'i Inventory, graph: &TrailGraph, what_if: &WhatIf) -> Self {
        let name = |&node: &Node| graph.name(inventory, node);
        let failing = |&part: &Part| match part {
            Part::Host(node) => Failing {
                kind: Kind::Host,
                name: name(&node),
            },
            Part::Clock(node) => Failing {
                kind: Kind::Clock,
                name: name(&node),
            },
            Part::Group(group) => Failing {
                kind: Kind::Group,
                name: &inventory.group(group).name,
            },
        };
        let ranked = |failure: &Failure| Ranked {
            fails: failure.parts.iter().map(failing).collect(),
            loses: failure.loses,
            examples: failure.examples.iter().map(name).collect(),
        };
        let cycles = what_if.cycles.iter().map(|cycle| Cycle {
            clocks: cycle.clocks.iter().map(name).collect(),
            trail: cycle
                .lines
                .iter()
                .map(|&line| name(&graph.ends(line).0))
                .collect(),
        });
        Self {
            hosts: what_if.hosts,
            failures: what_if.failures.iter().map(ranked).collect(),
            cycles: cycles.collect(),
            servers_left_out: what_if.left_out,
        }
    }

    /// As a table of at most so many rows.
    pub fn text(&self, limit: usize, screen: Screen) -> String {
        if self.failures.is_empty() {
            return format!(
                "Whatever fails, none of {} loses its last certificate trail.\n",
                counted(self.hosts, "host")
            );
        }
        let heading = [
            "IF THIS FAILS".to_owned(),
            format!(
                "OF {} LOSE THEIR TRAIL",
                counted(self.hosts, "host").to_uppercase()
            ),
            "SUCH AS".to_owned(),
        ];
        let mut table = table(heading, screen);
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for ranked in self.failures.iter().take(limit) {
            let fails: Vec<String> = ranked.fails.iter().map(Failing::to_string).collect();
            let more = ranked.loses > ranked.examples.len() as u64;
            let examples = ranked.examples.join(", ") + if more { " …" } else { "" };
            table.add_row([fails.join(" and "), ranked.loses.to_string(), examples]);
        }
        let mut text = table_text(table, screen) + "\n";
        // Writing into a String cannot fail.
        if self.failures.len() > limit {
            let more = self.failures.len() - limit;
            let _ = writeln!(text, "… and {more} more; --format json has all of them");
        }
        if self.servers_left_out > 0 {
            let _ = writeln!(
                text,
                "Pairs were looked at among the servers with most clients; {} others were left out.",
                self.servers_left_out
            );
        }
        text
    }
}
