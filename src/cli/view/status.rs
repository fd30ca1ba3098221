//! `status` for people: the worst first.

use crate::ops::status::{HostStatus, Status};
use crate::report::{self, Screen, counted, time_format};
use comfy_table::{Cell, CellAlignment, Color, Table};
use std::fmt::Write as _;

/// Seconds.
const DAY: i64 = 86_400;

/// Rows of hosts in order; beyond it they are only counted. Hosts in trouble always have a row.
const GOOD_ROWS: usize = 40;

pub fn text(status: &Status, screen: Screen) -> String {
    let mut text = String::new();
    for pending in &status.pending {
        let _ = writeln!(
            text,
            "PENDING: {}: {} of {} have it.{}\n  finish it: {}\n",
            pending.subject,
            pending.done,
            counted(pending.done + pending.hosts.len(), "host"),
            pending.fails_by.map_or(String::new(), |by| format!(
                " The others fail at some moment until {}.",
                time_format::minute(by)
            )),
            pending.command
        );
    }
    if !status.hosts.is_empty() {
        let _ = writeln!(text, "{}", report::table_text(table(status, screen), screen));
    }
    for row in status.hosts.iter().filter(|row| row.trouble.len() > 1) {
        text.push('\n');
        for trouble in &row.trouble {
            let _ = writeln!(text, "{}: {trouble}", row.host);
        }
    }
    let bad = status.hosts.iter().filter(|row| !row.trouble.is_empty()).count();
    let groups = status.groups();
    let looked = if status.offline {
        ", from the vault alone"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "\n{} in {}, generation {}{looked}: {}.",
        counted(status.hosts.len(), "host"),
        counted(groups, "group"),
        status.generation,
        if bad == 0 {
            order(status)
        } else {
            format!("{bad} in trouble")
        }
    );
    text
}

/// That nothing is wrong, as far as is known: files in their places prove no authentication.
fn order(status: &Status) -> String {
    let never = status.hosts.iter().filter(|row| row.verified.is_none()).count();
    let before = status.hosts.iter().filter(|row| !row.asked()).count() - never;
    if status.hosts.is_empty() {
        return "there is nothing to look at".to_owned();
    }
    if never == status.hosts.len() {
        return "nothing wrong is known, but no daemon was ever asked (keytrail verify)".to_owned();
    }
    let of = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("the daemon of 1 host was {what}")),
        _ => Some(format!("the daemons of {count} hosts were {what}")),
    };
    let parts = [
        of(never, "never asked"),
        of(before, "not asked since its last change"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let nothing = status.hosts.iter().filter(|row| !row.promised).count();
    if nothing == status.hosts.len() {
        return "nothing wrong is known, and nothing promised".to_owned();
    }
    if parts.is_empty() && nothing == 0 {
        "all in order".to_owned()
    } else if parts.is_empty() {
        format!(
            "{} in order, {nothing} with nothing promised",
            status.hosts.len() - nothing
        )
    } else {
        format!(
            "nothing wrong is known, but {} (keytrail verify)",
            parts.join(", and ")
        )
    }
}

fn table(status: &Status, screen: Screen) -> Table {
    let mut heading = vec!["HOST", "ROLE", "GROUP", "GEN", "CERT DAYS"];
    if !status.offline {
        heading.push("FILES");
    }
    heading.extend(["LAST VERIFIED", "TROUBLE"]);
    let mut table = report::table(heading, screen);
    for column in [3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut good = 0;
    for row in &status.hosts {
        good += usize::from(row.trouble.is_empty());
        if row.trouble.is_empty() && good > GOOD_ROWS {
            continue;
        }
        table.add_row(cells(row, status));
    }
    table
}

fn cells(row: &HostStatus, status: &Status) -> Vec<Cell> {
    let number = |number: Option<String>| Cell::new(number.unwrap_or_else(|| "-".to_owned()));
    let mut cells = vec![
        Cell::new(&row.host),
        Cell::new(row.role),
        Cell::new(row.group.as_deref().unwrap_or("-")),
        number(row.generation.map(|number| number.to_string())),
        number(row.certificate_days.map(|days| days.to_string())),
    ];
    if !status.offline {
        cells.push(Cell::new(match &row.drift {
            Some(drift) if drift.is_empty() => "as planned",
            Some(_) => "DRIFT",
            None => "?",
        }));
    }
    cells.push(Cell::new(match &row.verified {
        None => "never".to_owned(),
        Some(seen) => format!(
            "{}, {}{}",
            ago(status.at - seen.at),
            match (seen.good, row.promised) {
                (true, true) => "well",
                (true, false) => "nothing promised",
                (false, _) => "BAD",
            },
            if seen.before_last_change {
                ", before the last change"
            } else {
                ""
            }
        ),
    }));
    let trouble = row.trouble.first().map_or("", String::as_str);
    let tint = if row.severity > 2 {
        Color::Red
    } else {
        Color::Yellow
    };
    cells.push(if trouble.is_empty() {
        Cell::new(trouble)
    } else {
        Cell::new(trouble).fg(tint)
    });
    cells
}

/// How long ago, in the largest unit that says something.
fn ago(seconds: i64) -> String {
    match seconds {
        i64::MIN..120 => "just now".to_owned(),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / DAY),
    }
}
