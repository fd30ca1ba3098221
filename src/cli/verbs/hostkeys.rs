//! `keytrail hostkeys`: the SSH host keys of the fleet, and how they compare with known_hosts.

use crate::cli::args::{Format, InventoryArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::inventory::{self, Connection, HostId};
use crate::ops::hostkeys::presented;
use crate::ops::{InForce, Loaded};
use crate::remote::{HostKeys, Unreachable, Verdict, known_hosts};
use crate::report::{self, Screen, counted};
use clap::Args;
use comfy_table::{Cell, Color};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// `hostkeys`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  keytrail hostkeys fleet.yaml
  keytrail hostkeys fleet.yaml --on 'leaf*' --add    remember the keys of hosts nobody knows yet

  known       the key stands in known_hosts, or its authority does (@cert-authority)
  unknown     nothing is known of the host: --add remembers its keys
  CHANGED     another key is known, or this one is revoked: somebody may be in between

Asked over the network, a key is only as true as the network. Compare the fingerprints with what \
each host says on its console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) before or right \
after --add.

Exit status 1 if a host is unknown, CHANGED or not reached.")]
pub struct HostkeysArgs {
    /// Which inventory
    #[command(flatten)]
    inventory: InventoryArgs,
    /// Only these hosts: NAME, a glob, group:NAME, tag:NAME or depth:N; may be repeated
    #[arg(long, value_name = "SELECTION")]
    on: Vec<String>,
    /// Add the keys of unknown hosts to the known_hosts file that ssh uses for them
    #[arg(long)]
    add: bool,
    /// How many hosts at a time
    #[arg(short, long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    jobs: u16,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// A host's answer, for people and programs.
#[derive(Debug, Serialize)]
struct Row {
    state: State,
    /// The name known_hosts has it under.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    keys: Vec<Key>,
    /// Where the known key stands, or what stands against the presented one.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// To which file its keys were added.
    #[serde(skip_serializing_if = "Option::is_none")]
    added_to: Option<PathBuf>,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// What to do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip)]
    lines: Vec<String>,
    #[serde(skip)]
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Known,
    Added,
    Unknown,
    Changed,
    Revoked,
    Unreachable,
}

#[derive(Debug, Serialize)]
struct Key {
    kind: String,
    fingerprint: String,
}

pub fn run(args: &HostkeysArgs, out: &mut Ui) -> Result<Answer, Failure> {
    // Whether its trails are sound does not matter for who its hosts are.
    let loaded = setup::load(&args.inventory)?;
    let hosts = over_ssh(&loaded, &args.on, out)?;
    let mut rows = ask(&loaded.into(), hosts, args.jobs.into(), out)?;
    if args.add {
        add(&mut rows)?;
    }
    match args.format {
        Format::Text => out.text(&text(&rows, out.screen()))?,
        form => out.value(&BTreeMap::from([("hosts", &rows)]), form)?,
    }
    let fine = |row: &Row| matches!(row.state, State::Known | State::Added);
    Ok(if rows.values().all(fine) {
        Answer::Yes
    } else {
        Answer::No
    })
}

/// The selected hosts that are reached over SSH.
fn over_ssh(loaded: &Loaded, on: &[String], out: &Ui) -> Result<Vec<HostId>, Failure> {
    let (inventory, analysis) = (&loaded.inventory, &loaded.analysis);
    let selected = inventory::select(inventory, on, |host| analysis.depth(host))
        .map_err(|error| Failure::from(crate::ops::Error::from(error)))?;
    let (over_ssh, others): (Vec<_>, Vec<_>) = selected
        .into_iter()
        .partition(|&host| matches!(inventory.entry(host).settings.connection, Connection::Ssh(_)));
    if !others.is_empty() {
        let are = if others.len() == 1 { "is" } else { "are" };
        out.note(&format!(
            "{} {are} not reached over SSH and left out here.",
            counted(others.len(), "host")
        ));
    }
    Ok(over_ssh)
}

fn ask(fleet: &InForce, hosts: Vec<HostId>, jobs: usize, out: &Ui) -> Result<BTreeMap<String, Row>, Failure> {
    let environment = setup::environment(out);
    let answers = runtime::run(async |cancel| presented(fleet, hosts, jobs, &environment, &cancel).await)?;
    Ok(answers
        .into_iter()
        .map(|(name, keys)| (name, row(keys)))
        .collect())
}

fn row(answer: Result<HostKeys, Unreachable>) -> Row {
    let nothing = Row {
        state: State::Unreachable,
        name: None,
        keys: Vec::new(),
        place: None,
        added_to: None,
        message: None,
        help: None,
        lines: Vec::new(),
        file: PathBuf::new(),
    };
    let keys = match answer {
        Ok(keys) => keys,
        Err(why) => {
            return Row {
                message: Some(why.to_string()),
                help: Some(why.help().to_owned()),
                ..nothing
            };
        }
    };
    let (state, place) = match keys.verdict {
        Verdict::Known { place } => (State::Known, place),
        Verdict::Unknown => (State::Unknown, None),
        Verdict::Changed {
            place,
            revoked: false,
        } => (State::Changed, Some(place)),
        Verdict::Changed { place, revoked: true } => (State::Revoked, Some(place)),
    };
    Row {
        state,
        name: Some(keys.name),
        place,
        lines: keys.keys.iter().filter_map(|key| key.line.clone()).collect(),
        keys: keys
            .keys
            .into_iter()
            .map(|key| Key {
                kind: key.kind,
                fingerprint: key.fingerprint,
            })
            .collect(),
        file: keys.file,
        ..nothing
    }
}

/// Adds the keys of unknown hosts, each file written once. Two names of one host bring the same line once.
fn add(rows: &mut BTreeMap<String, Row>) -> Result<(), Failure> {
    let mut files: BTreeMap<&Path, BTreeSet<&str>> = BTreeMap::new();
    for row in rows.values().filter(|row| row.state == State::Unknown) {
        let lines = files.entry(&row.file).or_default();
        lines.extend(row.lines.iter().map(String::as_str));
    }
    for (file, lines) in files {
        let lines: Vec<&str> = lines.into_iter().collect();
        known_hosts::append(file, &lines).map_err(|error| {
            Failure::new(format!("cannot add host keys to {}", file.display())).because(&error)
        })?;
    }
    for row in rows.values_mut().filter(|row| row.state == State::Unknown) {
        row.state = State::Added;
        row.added_to = Some(row.file.clone());
    }
    Ok(())
}

fn text(rows: &BTreeMap<String, Row>, screen: Screen) -> String {
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    let mut table = report::table(["HOST", "STATE", "KEY", "FINGERPRINT"], screen);
    for (host, row) in rows {
        let (word, tint) = match row.state {
            State::Known => ("known", Color::Green),
            State::Added => ("added", Color::Yellow),
            State::Unknown => ("unknown", Color::Yellow),
            State::Changed => ("CHANGED", Color::Red),
            State::Revoked => ("REVOKED", Color::Red),
            State::Unreachable => ("UNREACHABLE", Color::Red),
        };
        let state = Cell::new(word).fg(tint);
        let mut first = Some((Cell::new(host), state));
        let mut keys: Vec<(&str, &str)> = row
            .keys
            .iter()
            .map(|key| (&*key.kind, &*key.fingerprint))
            .collect();
        if keys.is_empty() {
            keys.push(("", ""));
        }
        for (kind, fingerprint) in keys {
            let (host, state) = first.take().unwrap_or((Cell::new(""), Cell::new("")));
            table.add_row([host, state, Cell::new(kind), Cell::new(fingerprint)]);
        }
    }
    let _ = writeln!(text, "{}", report::table_text(table, screen));
    for (host, row) in rows {
        trouble(&mut text, host, row);
    }
    advice(&mut text, rows);
    text
}

/// What is wrong with a host, in words.
fn trouble(text: &mut String, host: &str, row: &Row) {
    let name = row.name.as_deref().unwrap_or_default();
    let place = row.place.as_deref().unwrap_or_default();
    let _ = match row.state {
        State::Known | State::Added | State::Unknown => return,
        State::Unreachable => writeln!(
            text,
            "\n{host}: {}\n    help: {}",
            row.message.as_deref().unwrap_or_default(),
            row.help.as_deref().unwrap_or_default()
        ),
        State::Changed => writeln!(
            text,
            "\n{host}: THE HOST KEY HAS CHANGED: {place} has another one for {name}. Somebody may be in between, or the host \
             was installed anew.\n    help: compare the key on the host's console; only if it is the one above, take the old \
             one away with `{}` and run this again with --add",
            known_hosts::forget(name, place)
        ),
        State::Revoked => writeln!(
            text,
            "\n{host}: THE HOST KEY IS REVOKED ({place}). Whoever answers holds a key that must not be trusted any more.\n    \
             help: give the host new keys (`ssh-keygen -A` after removing the old ones), on its console"
        ),
    };
}

fn advice(text: &mut String, rows: &BTreeMap<String, Row>) {
    let count = |state: State| rows.values().filter(|row| row.state == state).count();
    let (unknown, added) = (count(State::Unknown), count(State::Added));
    if unknown + added > 0 {
        text.push_str(
            "\nCompare with what each host says on its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n",
        );
    }
    if unknown > 0 {
        text.push_str("Then remember these keys: run this again with --add.\n");
    }
    if added > 0 {
        let files: BTreeSet<String> = rows
            .values()
            .filter_map(|row| row.added_to.as_ref())
            .map(|file| file.display().to_string())
            .collect();
        let files: Vec<String> = files.into_iter().collect();
        let _ = writeln!(
            text,
            "Added the keys of {} to {}.",
            counted(added, "host"),
            files.join(", ")
        );
    }
    let words = [
        (State::Known, "known"),
        (State::Added, "added"),
        (State::Unknown, "unknown"),
        (State::Changed, "CHANGED"),
        (State::Revoked, "REVOKED"),
        (State::Unreachable, "unreachable"),
    ];
    let parts: Vec<String> = words
        .into_iter()
        .map(|(state, word)| (count(state), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let _ = writeln!(text, "\n{}: {}", counted(rows.len(), "host"), parts.join(", "));
}
