//! `keytrail history`: who applied what, when, with what result.

use crate::cli::args::{Format, VaultArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key::{open_unverified, vault_failure, vault_path};
use crate::report::{self, Screen, counted, time_format};
use crate::vault::{HostResult, Outcome, RunInfo};
use clap::Args;
use indexmap::IndexMap;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// `history`.
#[derive(Debug, Args)]
#[command(
    override_usage = "keytrail history [OPTIONS] [RUN] [INVENTORY]…",
    after_help = "Examples:
  keytrail history fleet.yaml
  keytrail history 12 fleet.yaml              what run 12 did on each host
  keytrail history --last 5 --format json

Needs no key: what was done is in the vault, but nothing of it is secret."
)]
pub struct HistoryArgs {
    /// A run's number, for its hosts; and the inventory the vault is beside
    #[arg(value_name = "RUN|INVENTORY")]
    words: Vec<String>,
    /// Only the last runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
    /// The vault
    #[command(flatten)]
    vault: VaultArgs,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Serialize)]
struct Run {
    #[serde(rename = "run")]
    number: String,
    command: String,
    operator: String,
    generation: Option<u32>,
    started: String,
    /// `null`: it still runs, or was killed.
    ended: Option<String>,
    outcome: Option<String>,
    /// How many hosts ended how.
    hosts: IndexMap<&'static str, usize>,
    #[serde(skip)]
    took: Option<i64>,
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    run: Run,
    results: Vec<Host>,
}

#[derive(Serialize)]
struct Host {
    #[serde(rename = "host")]
    name: String,
    outcome: &'static str,
    generation: Option<u32>,
    at: String,
    detail: String,
}

pub fn run(args: &HistoryArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let (runs, paths): (Vec<&String>, Vec<&String>) = args
        .words
        .iter()
        .partition(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    let cannot = |error| vault_failure("cannot read the vault's journal", &error);
    let vault = open_unverified(&vault_path(&args.vault, &paths), out).map_err(cannot)?;
    let mut all = vault.runs().map_err(cannot)?;
    if runs.len() > 1 {
        return Err(Failure::new("one run at a time can be looked at"));
    }
    if let Some(number) = runs.first() {
        let Some(info) = all.into_iter().find(|info| info.id.to_string() == **number) else {
            return Err(Failure::new(format!("the vault's journal knows no run {number}"))
                .help("`keytrail history` lists the runs"));
        };
        let results = vault.results(info.id).map_err(cannot)?;
        let one = One {
            run: described(&info, &results),
            results: results.into_iter().map(host).collect(),
        };
        match args.format {
            Format::Text => out.line(hosts(&one, out.screen()).trim_end())?,
            form => out.value(&one, form)?,
        }
        return Ok(Answer::Yes);
    }
    if let Some(last) = args.last {
        all.drain(..all.len().saturating_sub(last as usize));
    }
    let mut described_runs = Vec::with_capacity(all.len());
    for info in &all {
        described_runs.push(described(info, &vault.results(info.id).map_err(cannot)?));
    }
    match args.format {
        Format::Text if described_runs.is_empty() => out.line("Nothing was applied yet.")?,
        Format::Text => out.line(&table(&described_runs, out.screen()))?,
        form => out.value(&described_runs, form)?,
    }
    Ok(Answer::Yes)
}

fn described(info: &RunInfo, results: &[HostResult]) -> Run {
    let mut hosts = IndexMap::new();
    for outcome in Outcome::ALL {
        let count = results.iter().filter(|result| result.outcome == outcome).count();
        if count > 0 {
            hosts.insert(outcome.word(), count);
        }
    }
    Run {
        number: info.id.to_string(),
        command: info.command.clone(),
        operator: info.operator.clone(),
        generation: info.generation.map(|generation| generation.0),
        started: time_format::rfc3339(info.started),
        ended: info.ended.map(time_format::rfc3339),
        outcome: info.outcome.clone(),
        hosts,
        took: info.ended.map(|ended| ended - info.started),
    }
}

fn host(result: HostResult) -> Host {
    Host {
        name: result.host,
        outcome: result.outcome.word(),
        generation: result.generation.map(|generation| generation.0),
        at: time_format::rfc3339(result.at),
        detail: result.detail,
    }
}

fn counts(run: &Run) -> String {
    let counts: Vec<String> = run
        .hosts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    counts.join(", ")
}

/// How a run ended, in a word or two.
fn ended(run: &Run) -> String {
    match (&run.outcome, &run.ended) {
        (_, None) => "not ended".into(),
        (Some(outcome), Some(_)) => outcome.clone(),
        (None, Some(_)) => String::new(),
    }
}

fn generation(number: Option<u32>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn table(runs: &[Run], screen: Screen) -> String {
    let heading = [
        "RUN",
        "STARTED",
        "TOOK",
        "OPERATOR",
        "GENERATION",
        "HOSTS",
        "ENDED",
        "COMMAND",
    ];
    let mut table = report::table(heading, screen);
    for run in runs {
        table.add_row([
            run.number.clone(),
            time_format::spoken(&run.started),
            run.took.map_or_else(String::new, time_format::span),
            run.operator.clone(),
            generation(run.generation),
            counts(run),
            ended(run),
            run.command.clone(),
        ]);
    }
    report::table_text(table, screen)
}

fn hosts(one: &One, screen: Screen) -> String {
    let run = &one.run;
    let mut text = format!("run {}: {}\n", run.number, run.command);
    let _ = writeln!(text, "by {}, {}", run.operator, time_format::spoken(&run.started));
    match (&run.ended, run.took) {
        (Some(_), Some(took)) => {
            let _ = writeln!(text, "took {}: {}", time_format::span(took), ended(run));
        }
        _ => text.push_str("not ended: it still runs, or was killed\n"),
    }
    if let Some(number) = run.generation {
        let _ = writeln!(text, "generation {number}");
    }
    let mut table = report::table(["HOST", "OUTCOME", "GENERATION", "WHY"], screen);
    for host in &one.results {
        table.add_row([
            host.name.clone(),
            host.outcome.to_owned(),
            generation(host.generation),
            // One line a host; JSON has it all.
            host.detail.lines().next().unwrap_or_default().to_owned(),
        ]);
    }
    let _ = writeln!(text, "{}", report::table_text(table, screen));
    let _ = writeln!(text, "{}: {}", counted(one.results.len(), "host"), counts(run));
    text
}
