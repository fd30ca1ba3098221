//! `verify` for people: the worst first, what to do below.

use crate::apply::PhaseError;
use crate::apply::verify::{Level, Verified};
use crate::ntpq::Standing;
use crate::ops::verify::HostVerified;
use crate::report::{self, Screen, counted};
use comfy_table::{Cell, CellAlignment, Color, Table};
use indexmap::IndexMap;
use serde::Serialize;
use std::cmp::Reverse;
use std::fmt::Write as _;

/// Rows of hosts that stand as promised; beyond it they are only counted. Hosts in trouble always have a row.
const GOOD_ROWS: usize = 40;

/// A host and what came of looking at it.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The host.
    host: String,
    /// Its secure group.
    group: Option<String>,
    /// Whether it stands as promised.
    good: bool,
    /// Whether the inventory promises that it authenticates anybody.
    promised: bool,
    /// The worst of what is wrong.
    trouble: Option<String>,
    /// Required associations as promised, and how many there should be.
    met: usize,
    required: usize,
    /// What was found; `None`: it could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Verified>,
    /// Why it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Missed>,
}

/// Why a host could not be looked at.
#[derive(Debug, Serialize)]
pub struct Missed {
    unreachable: bool,
    message: String,
    help: Option<String>,
    #[serde(skip)]
    stderr: String,
}

/// The rows of the answer, the worst first.
pub fn rows(verified: Vec<HostVerified>, level: Level) -> Vec<Row> {
    let mut rows: Vec<Row> = verified.into_iter().map(|host| row(host, level)).collect();
    rows.sort_by_key(|row| Reverse(severity(row)));
    rows
}

impl Row {
    /// Whether the host stands as promised.
    pub fn is_good(&self) -> bool {
        self.good
    }
}

fn row(verified: HostVerified, level: Level) -> Row {
    let HostVerified {
        host,
        group,
        promised,
        result,
    } = verified;
    let (found, error) = match result {
        Ok(found) => (Some(found), None),
        Err(error) => (None, Some(Missed::from(error))),
    };
    let trouble = match (&found, &error) {
        (_, Some(error)) => Some(error.message.clone()),
        (Some(found), None) => found.trouble(level),
        (None, None) => None,
    };
    let (met, required) = found.as_ref().map_or((0, 0), Verified::count);
    Row {
        host,
        group,
        good: trouble.is_none(),
        promised,
        trouble,
        met,
        required,
        found,
        error,
    }
}

impl From<PhaseError> for Missed {
    fn from(error: PhaseError) -> Self {
        let help = error.help().map(str::to_owned);
        let message = error.to_string();
        let (unreachable, stderr) = match error {
            PhaseError::Unreachable(_) | PhaseError::Unheard { .. } => (true, String::new()),
            PhaseError::Failed { stderr, .. } | PhaseError::RolledBack { stderr, .. } => (false, stderr),
        };
        Self {
            unreachable,
            message,
            help,
            stderr,
        }
    }
}

/// What comes first in the table. Sorting is stable: within the same trouble the inventory's order stays.
fn severity(row: &Row) -> u8 {
    let Some(found) = &row.found else { return 6 };
    let standing = |wanted| {
        let mut required = found.associations.iter().filter(|checked| checked.required);
        required.any(|checked| checked.outcome.standing == wanted)
    };
    match () {
        () if row.good => 0,
        () if !found.daemon.running => 5,
        () if standing(Standing::Unmet) => 4,
        () if standing(Standing::Stale) => 3,
        () if standing(Standing::Waiting) => 1,
        () => 2,
    }
}

/// The answer for people.
pub fn text(rows: &[Row], level: Level, screen: Screen) -> String {
    if rows.is_empty() {
        return "No host was looked at.\n".to_owned();
    }
    let mut text = report::table_text(table(rows, level, screen), screen) + "\n";
    // Many hosts have the same trouble: what to do about it stands below all of them, once.
    let mut advice: IndexMap<Vec<String>, Vec<String>> = IndexMap::new();
    for row in rows {
        for (sentence, help) in complaints(row, level) {
            advice
                .entry(help)
                .or_default()
                .push(format!("{}: {sentence}", row.host));
        }
    }
    for (help, sentences) in &advice {
        text.push('\n');
        for sentence in sentences {
            let _ = writeln!(text, "{sentence}");
        }
        for line in help {
            let _ = writeln!(text, "    {line}");
        }
    }
    let _ = writeln!(text, "\n{}", summary(rows));
    text
}

fn table(rows: &[Row], level: Level, screen: Screen) -> Table {
    let mut heading = vec!["HOST", "GROUP", "DAEMON"];
    if level == Level::Auth {
        heading.push("AUTHENTICATED");
    }
    heading.push("TROUBLE");
    let mut table = report::table(heading, screen);
    if level == Level::Auth
        && let Some(column) = table.column_mut(3)
    {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut good = 0;
    for row in rows {
        good += usize::from(row.good);
        if row.good && good > GOOD_ROWS {
            continue;
        }
        let (word, tint) = daemon(row);
        let word = Cell::new(word).fg(tint);
        let mut cells = vec![
            Cell::new(&row.host),
            Cell::new(row.group.as_deref().unwrap_or("-")),
            word,
        ];
        if level == Level::Auth {
            let known = row.found.as_ref().is_some_and(|found| found.daemon.answers);
            cells.push(Cell::new(if known && !row.promised {
                "nothing promised".to_owned()
            } else if known {
                format!("{} of {}", row.met, row.required)
            } else {
                "?".to_owned()
            }));
        }
        cells.push(Cell::new(row.trouble.as_deref().unwrap_or("")));
        table.add_row(cells);
    }
    table
}

fn daemon(row: &Row) -> (&'static str, Color) {
    match (&row.found, &row.error) {
        (Some(found), _) if !found.daemon.running => ("DOWN", Color::Red),
        (Some(found), _) if !found.daemon.answers => ("no answer", Color::Yellow),
        (Some(_), _) => ("runs", Color::Green),
        (None, Some(error)) if error.unreachable => ("UNREACHABLE", Color::Red),
        (None, _) => ("FAILED", Color::Red),
    }
}

/// Everything that is to be said of a host, each with what to do.
fn complaints(row: &Row, level: Level) -> Vec<(String, Vec<String>)> {
    let Some(found) = &row.found else {
        return row.error.iter().map(missed).collect();
    };
    let mut said = Vec::new();
    if !found.daemon.running || (!found.daemon.answers && level == Level::Auth) {
        said.push((found.daemon.sentence.clone(), found.daemon.help.clone()));
    }
    if level == Level::Auth {
        said.extend(associations(found));
        if row.trouble.is_some() && said.is_empty() && found.synchronised == Some(false) {
            said.extend(row.trouble.clone().map(|trouble| (trouble, Vec::new())));
        }
    }
    said.extend(
        found
            .worries
            .iter()
            .map(|worry| (worry.sentence.clone(), worry.help.clone())),
    );
    said
}

fn missed(error: &Missed) -> (String, Vec<String>) {
    let said = error.stderr.lines().map(|line| format!("│ {line}"));
    (error.message.clone(), said.chain(error.help.clone()).collect())
}

/// Those that are not as promised. What only waits has no advice but patience.
fn associations(found: &Verified) -> impl Iterator<Item = (String, Vec<String>)> + '_ {
    let wrong = found
        .associations
        .iter()
        .filter(|checked| checked.outcome.standing != Standing::Met);
    wrong.map(|checked| {
        let outcome = &checked.outcome;
        let aside = if checked.required {
            ""
        } else {
            " (nothing rests on it)"
        };
        (
            format!("{}: {}{aside}", outcome.server, outcome.sentence),
            outcome.help.clone(),
        )
    })
}

fn summary(rows: &[Row]) -> String {
    let good = rows.iter().filter(|row| row.good).count();
    let nothing = rows.iter().filter(|row| row.good && !row.promised).count();
    let unreachable = rows
        .iter()
        .filter(|row| row.error.as_ref().is_some_and(|error| error.unreachable))
        .count();
    let parts = [
        (good - nothing, "as promised"),
        (nothing, "nothing promised"),
        (rows.len() - good - unreachable, "in trouble"),
        (unreachable, "unreachable"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("{}: {}.", counted(rows.len(), "host"), parts.join(", "))
}
