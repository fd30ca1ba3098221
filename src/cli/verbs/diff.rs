//! `keytrail diff`: what differs between two generations of the vault.

use crate::cli::args::{Format, VaultArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key::{open_unverified, vault_failure, vault_path};
use crate::report::{counted, names, time_format};
use crate::vault::{self, Differences, FileChange, GenerationId, SecretChange};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Owners of changed secrets in a line of text; JSON has all.
const SHOWN: usize = 8;

/// `diff`.
#[derive(Debug, Args)]
#[command(
    override_usage = "keytrail diff [OPTIONS] [GENERATION] [GENERATION] [INVENTORY]…",
    after_help = "Examples:
  keytrail diff fleet.yaml                 the latest generation beside the one before
  keytrail diff 3 fleet.yaml               the latest beside generation 3
  keytrail diff 3 5 fleet.yaml --format json

Needs no key: names, stamps and validity are not secret, and values are never shown. What the hosts really hold is \
another question: keytrail plan."
)]
pub struct DiffArgs {
    /// Numbers of generations; and the inventory the vault is beside
    #[arg(value_name = "GENERATION|INVENTORY")]
    words: Vec<String>,
    /// The vault
    #[command(flatten)]
    vault: VaultArgs,
    /// Exit 1 when anything differs
    #[arg(long)]
    exit_code: bool,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Serialize)]
struct Compared {
    before: u32,
    after: u32,
    #[serde(flatten)]
    differences: Differences,
}

pub fn run(args: &DiffArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let (numbers, paths): (Vec<&String>, Vec<&String>) = args
        .words
        .iter()
        .partition(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    let cannot = |error| vault_failure("cannot read the vault", &error);
    let numbers = numbers
        .iter()
        .map(|number| number.parse().map(GenerationId))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Failure::new("generation number out of range"))?;
    let vault = open_unverified(&vault_path(&args.vault, &paths), out).map_err(cannot)?;
    let there: Vec<GenerationId> = vault
        .generations()
        .map_err(cannot)?
        .into_iter()
        .filter(|info| info.pruned.is_none())
        .map(|info| info.id)
        .collect();
    let (before, after) = match (&*numbers, &*there) {
        ([before, after], _) => (*before, *after),
        ([before], [.., latest]) => (*before, *latest),
        ([], [.., previous, latest]) => (*previous, *latest),
        ([], _) | ([_], []) => {
            return Err(
                Failure::new("there are not two generations in the vault to compare")
                    .help("`keytrail vault info` lists them"),
            );
        }
        _ => return Err(Failure::new("two generations at most can be compared")),
    };
    let snapshot = |generation| vault.snapshot_at(Some(generation)).map_err(cannot);
    let compared = Compared {
        before: before.0,
        after: after.0,
        differences: vault::compare(&snapshot(before)?, &snapshot(after)?),
    };
    let differs = compared.differences != Differences::default();
    match args.format {
        Format::Text => out.line(text(&compared).trim_end())?,
        form => out.value(&compared, form)?,
    }
    Ok(if args.exit_code && differs {
        Answer::No
    } else {
        Answer::Yes
    })
}

fn text(compared: &Compared) -> String {
    let mut text = format!("generation {} → {}\n", compared.before, compared.after);
    let Differences { hosts, secrets } = &compared.differences;
    if hosts.is_empty() && secrets.is_empty() {
        text.push_str("nothing differs\n");
        return text;
    }
    for (host, changes) in hosts {
        let _ = writeln!(text, "\n  {host}");
        for change in changes {
            file(&mut text, change);
        }
    }
    if !secrets.is_empty() {
        text.push_str("\n  secrets\n");
    }
    for (kind, SecretChange { new, changed, gone }) in secrets {
        for (sign, owners) in [('+', new), ('~', changed), ('-', gone)] {
            if !owners.is_empty() {
                let _ = writeln!(text, "    {sign} {kind} of {}", names(owners, SHOWN));
            }
        }
    }
    let _ = writeln!(text, "\n{} with other files", counted(hosts.len(), "host"));
    text
}

fn file(text: &mut String, change: &FileChange) {
    let _ = match (&change.before, &change.after) {
        (None, Some(after)) => writeln!(text, "    + {}{}", after.name, until(after.not_after)),
        (Some(before), None) => writeln!(text, "    - {}", before.name),
        (Some(before), Some(after)) => {
            let _ = writeln!(text, "    - {}{}", before.name, until(before.not_after));
            writeln!(text, "    + {}{}", after.name, until(after.not_after))
        }
        (None, None) => Ok(()),
    };
    // The same file under other generic names.
    if let (Some(before), Some(after)) = (&change.before, &change.after)
        && before.links != after.links
    {
        for (sign, links, others) in [
            ('-', &before.links, &after.links),
            ('+', &after.links, &before.links),
        ] {
            for link in links.iter().filter(|link| !others.contains(link)) {
                let _ = writeln!(text, "      {sign} as {link}");
            }
        }
    }
}

fn until(not_after: Option<i64>) -> String {
    not_after.map_or_else(String::new, |end| {
        format!(" valid until {}", time_format::day(end))
    })
}
