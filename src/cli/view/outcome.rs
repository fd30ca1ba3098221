//! How an apply ended, for people: a table of the hosts that are worth a line, what failed and why, a summary.

use crate::apply::{Outcome, PhaseError, Report, restarted_because};
use crate::ntpconf::printable;
use crate::report::counted;
use crate::report::{self, Screen};
use comfy_table::{Cell, CellAlignment, Color, Table};
use indexmap::IndexSet;
use std::fmt::Write as _;

/// Rows of hosts that changed as planned; beyond it they are only counted. Hosts in trouble always have a row.
const CHANGED_ROWS: usize = 40;

/// The whole report.
pub fn text(report: &Report, screen: Screen) -> String {
    let mut text = String::new();
    if report.is_unchanged() && !report.cancelled {
        return match report.hosts.len() {
            0 => "No changes: there is no host to change.".to_owned(),
            1 => "No changes: the host is as the inventory says.".to_owned(),
            hosts => format!("No changes: all {hosts} hosts are as the inventory says."),
        };
    }
    let table = table(report, screen);
    if table.row_count() > 0 {
        let _ = writeln!(text, "{}", report::table_text(table, screen));
    }
    // Where a network is down, hundreds of hosts say the same: the advice is given once.
    let mut advised = IndexSet::new();
    for (host, outcome) in &report.hosts {
        match outcome {
            Outcome::Unreachable { phase, message, help } if !advised.insert(help) => {
                let _ = writeln!(text, "{host}: {phase} failed: {message}");
            }
            _ => text.push_str(&trouble(host, outcome)),
        }
    }
    text.push_str(&summary(report));
    text
}

fn table(report: &Report, screen: Screen) -> Table {
    let mut table = report::table(["HOST", "OUTCOME", "CHANGES", "RESTARTED"], screen);
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut shown = 0;
    for (host, outcome) in &report.hosts {
        let (word, tint, count, restarted) = match outcome {
            Outcome::Unchanged => continue,
            Outcome::Changed { changes, restart, .. } => {
                shown += 1;
                if shown > CHANGED_ROWS {
                    continue;
                }
                (
                    "changed",
                    Color::Green,
                    changes.to_string(),
                    if restart.is_some() { "yes" } else { "no" },
                )
            }
            Outcome::Failed { .. } => ("FAILED", Color::Red, String::new(), ""),
            Outcome::RolledBack { .. } => ("ROLLED BACK", Color::Red, String::new(), ""),
            Outcome::Unreachable { .. } => ("UNREACHABLE", Color::Red, String::new(), ""),
            Outcome::NotReady { .. } => ("NOT READY", Color::Red, String::new(), ""),
            Outcome::NotReached { .. } => ("not reached", Color::Yellow, String::new(), ""),
        };
        let word = Cell::new(word).fg(tint);
        table.add_row([Cell::new(host), word, Cell::new(count), Cell::new(restarted)]);
    }
    table
}

/// What went wrong on a host: phase, message, advice, and what its tools said.
pub fn trouble(host: &str, outcome: &Outcome) -> String {
    let mut text = String::new();
    let (phase, message, help, stderr) = match outcome {
        Outcome::Changed {
            untold: Some(why), ..
        } => {
            let _ = writeln!(text, "\n{host}: {}", restarted_because(why));
            return text;
        }
        Outcome::Unchanged | Outcome::Changed { .. } | Outcome::NotReached { .. } => return text,
        Outcome::Failed {
            phase,
            message,
            help,
            stderr,
        }
        | Outcome::RolledBack {
            phase,
            message,
            help,
            stderr,
        } => (phase, message, help.as_deref(), stderr.as_str()),
        Outcome::Unreachable { phase, message, help } => (phase, message, Some(help.as_str()), ""),
        Outcome::NotReady { message, help } => {
            let _ = writeln!(text, "\n{host}: not begun: {message}\n    help: {help}");
            return text;
        }
    };
    let _ = writeln!(text, "\n{host}: {phase} failed: {message}");
    for line in stderr.lines() {
        let _ = writeln!(text, "    │ {}", printable(line));
    }
    if let Some(help) = help.filter(|help| !help.is_empty()) {
        let _ = writeln!(text, "    help: {help}");
    }
    text
}

/// Hosts that could not be looked at, for a plan. The same advice is given once.
pub fn missed(missed: &[(String, PhaseError)]) -> String {
    let mut text = String::new();
    let mut advice: IndexSet<&str> = IndexSet::new();
    for (host, error) in missed {
        let what = match error {
            PhaseError::Unreachable(_) | PhaseError::Unheard { .. } => "could not be looked at",
            _ => "cannot be changed",
        };
        let _ = writeln!(text, "{host}: {what}: {error}");
        if let PhaseError::Failed { stderr, .. } = error {
            for line in stderr.lines() {
                let _ = writeln!(text, "    │ {}", printable(line));
            }
        }
        advice.extend(error.help());
    }
    for help in advice {
        let _ = writeln!(text, "  help: {help}");
    }
    let are = if missed.len() == 1 { " is" } else { "s are" };
    let _ = write!(text, "{} host{are} not in this plan.", missed.len());
    text
}

fn summary(report: &Report) -> String {
    let mut text = format!("\n{}: {}", counted(report.hosts.len(), "host"), report.counts());
    if report.cancelled {
        text.push_str(". Interrupted: run the same command again to finish");
    } else if !report.is_good() {
        text.push_str(". Run the same command again when that is mended: what is done stays done");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::Phase;

    #[test]
    fn the_same_advice_is_given_once() {
        let mut report = Report::default();
        for host in ["leaf1", "leaf2", "leaf3"] {
            let outcome = Outcome::Unreachable {
                phase: Phase::Stage,
                message: "no route".into(),
                help: "look at the network".into(),
            };
            report.hosts.insert(host.into(), outcome);
        }
        let said = text(&report, Screen::default());
        assert_eq!(said.matches("look at the network").count(), 1, "{said}");
        assert!(
            said.contains(
                "\nleaf1: stage failed: no route\n    help: look at the network\nleaf2: stage failed: no route\nleaf3: stage"
            ),
            "{said}"
        );
    }

    #[test]
    fn what_a_host_says_steers_no_terminal() {
        let outcome = Outcome::Failed {
            phase: Phase::Stage,
            message: "no".into(),
            help: None,
            stderr: "\u{1b}[8mhidden\r\u{1b}[2J\nnext".into(),
        };
        let said = trouble("evil", &outcome);
        assert!(
            said.contains("│ \\x1b[8mhidden\\x0d\\x1b[2J\n    │ next"),
            "{said}"
        );
    }
}
