//! `keytrail vault info`: what is in the vault.

use crate::cli::args::Format;
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key as key;
use crate::cli::verbs::vault::Look;
use crate::cli::view::operators;
use crate::report::{self, Screen, counted, time_format};
use crate::vault::{Holder, Lock, Operator, SecretKind};
use indexmap::IndexMap;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Serialize)]
struct Info {
    vault: String,
    size: u64,
    /// Which vault it says it is: fingerprint and public key.
    identity: String,
    public_key: String,
    recipients: Vec<Operator>,
    held: Option<Holder>,
    generations: Vec<Generation>,
    hosts: usize,
    files: usize,
    secrets: IndexMap<&'static str, usize>,
    states: Vec<String>,
}

#[derive(Serialize)]
struct Generation {
    #[serde(rename = "generation")]
    number: u32,
    made: String,
    why: String,
    pruned: Option<String>,
    /// How many hosts were last brought to it.
    hosts: usize,
}

pub fn run(args: &Look, out: &mut Ui) -> Result<Answer, Failure> {
    let path = args.which.path();
    let cannot = |error| key::vault_failure("cannot look into the vault", &error);
    let vault = key::open_unverified(&path, out).map_err(cannot)?;
    let mut stand: BTreeMap<u32, usize> = BTreeMap::new();
    for host in vault.applied().map_err(cannot)?.values() {
        *stand.entry(host.generation.0).or_default() += 1;
    }
    let snapshot = vault.snapshot().map_err(cannot)?;
    let generations = vault.generations().map_err(cannot)?;
    let holding: Vec<&str> = snapshot
        .hosts()
        .filter(|host| snapshot.files(host).next().is_some())
        .collect();
    let id = vault.claimed_id().map_err(cannot)?;
    let info = Info {
        vault: path.display().to_string(),
        size: std::fs::metadata(&path).map_or(0, |meta| meta.len()),
        identity: id.to_string(),
        public_key: id.hex(),
        recipients: vault.operators().map_err(cannot)?,
        held: Lock::holder(&path).map_err(cannot)?,
        generations: generations
            .into_iter()
            .map(|generation| Generation {
                number: generation.id.0,
                made: time_format::rfc3339(generation.created),
                why: generation.note,
                pruned: generation.pruned.map(time_format::rfc3339),
                hosts: stand.get(&generation.id.0).copied().unwrap_or_default(),
            })
            .collect(),
        hosts: holding.len(),
        files: holding.iter().map(|host| snapshot.files(host).count()).sum(),
        secrets: SecretKind::ALL
            .into_iter()
            .map(|kind| (kind.code(), snapshot.owners(kind).count()))
            .filter(|(_, count)| *count > 0)
            .collect(),
        states: vault.states().map_err(cannot)?,
    };
    match args.format {
        Format::Text => out.line(text(&info, out.screen()).trim_end())?,
        form => out.value(&info, form)?,
    }
    Ok(Answer::Yes)
}

fn text(info: &Info, screen: Screen) -> String {
    let mut text = format!(
        "{}: {} kB\nidentity {} (public key {})\nopened by\n{}\n",
        info.vault,
        info.size.div_ceil(1024),
        info.identity,
        info.public_key,
        operators::text(&info.recipients)
    );
    if let Some(holder) = &info.held {
        let _ = writeln!(text, "in use by {holder}");
    }
    if info.generations.is_empty() {
        let _ = writeln!(text, "nothing was minted yet");
        return text;
    }
    let mut table = report::table(["GENERATION", "MADE", "WHY", "HOSTS"], screen);
    for generation in &info.generations {
        let hosts = match (&generation.pruned, generation.hosts) {
            (Some(_), _) => "pruned".to_owned(),
            (None, 0) => String::new(),
            (None, hosts) => hosts.to_string(),
        };
        let made = time_format::spoken(&generation.made);
        table.add_row([&generation.number.to_string(), &made, &generation.why, &hosts]);
    }
    let _ = writeln!(text, "{}", report::table_text(table, screen));
    let secrets: Vec<String> = info
        .secrets
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let _ = writeln!(
        text,
        "in force: {}, {} (secrets: {})",
        counted(info.hosts, "host"),
        counted(info.files, "file"),
        secrets.join(", ")
    );
    if !info.states.is_empty() {
        let _ = writeln!(text, "kept for the next time: {}", info.states.join(", "));
    }
    text
}
