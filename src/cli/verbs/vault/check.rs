//! `keytrail vault check`: everything opened, and what of a damaged vault can still be read.

use crate::cli::args::Format;
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key as key;
use crate::cli::verbs::vault::Which;
use crate::report::counted;
use crate::vault::{self, Condition, Readable};
use clap::Args;
use indexmap::IndexMap;
use serde::Serialize;
use std::fmt::Write as _;

/// Lines of what is wrong in text; JSON has all.
const SHOWN: usize = 20;

/// `vault check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which vault
    #[command(flatten)]
    which: Which,
    /// Look at the file alone and open nothing
    #[arg(long)]
    without_key: bool,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Serialize)]
struct Checked {
    vault: String,
    /// Absent where it was opened without its key: nothing shows it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<bool>,
    /// Whether values were opened, or only looked for.
    opened: bool,
    wrong: Vec<String>,
    readable: IndexMap<&'static str, Readable>,
    generations: Vec<u32>,
}

pub fn run(args: &CheckArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let path = args.which.path();
    let source = if args.without_key {
        None
    } else {
        Some(key::key(&args.which.vault, &path)?)
    };
    if let Some(source) = &source {
        key::known(source)?
            .before(&path)
            .map_err(|error| key::vault_failure("cannot look into the vault", &error))?;
    }
    let condition = vault::condition(&path, source.as_ref())
        .map_err(|error| key::vault_failure("cannot look into the vault", &error))?;
    if let (Some(source), Some(id), true) = (&source, condition.id, condition.wrong.is_empty()) {
        key::known(source)?
            .is_known(&path, id)
            .map_err(|error| key::vault_failure("cannot look into the vault", &error))?;
    }
    let Condition {
        id: _,
        wrong,
        generations,
        files,
        secrets,
        placements,
        states,
    } = condition;
    let checked = Checked {
        vault: path.display().to_string(),
        whole: (source.is_some() || !wrong.is_empty()).then_some(wrong.is_empty()),
        opened: source.is_some(),
        wrong: wrong.iter().map(said).collect(),
        readable: IndexMap::from([
            ("files", files),
            ("secrets", secrets),
            ("placements", placements),
            ("states", states),
        ]),
        generations: generations.iter().map(|generation| generation.id.0).collect(),
    };
    match args.format {
        Format::Text => {
            out.line(text(&checked).trim_end())?;
            if !checked.wrong.is_empty() {
                out.note("  help: put a backup in its place with 'keytrail vault restore'; the hosts go on with what they have");
            }
        }
        form => out.value(&checked, form)?,
    }
    Ok(if checked.wrong.is_empty() {
        Answer::Yes
    } else {
        Answer::No
    })
}

/// What is wrong, without the vault's name each time.
fn said(error: &vault::Error) -> String {
    match error {
        vault::Error::Corrupt { why, .. } => why.clone(),
        vault::Error::Tampered { what, .. } => format!("{what} is not what was written there"),
        other => other.to_string(),
    }
}

fn text(checked: &Checked) -> String {
    let count = |of: fn(&Readable) -> usize| {
        let parts = checked.readable.iter().map(|(what, readable)| {
            let many = of(readable);
            let what = if many == 1 {
                what.trim_end_matches('s')
            } else {
                what
            };
            format!("{many} {what}")
        });
        parts.collect::<Vec<_>>().join(", ")
    };
    let good = count(|readable| readable.good);
    let how = if checked.opened {
        "every value opens"
    } else {
        "not verified: opened without its key"
    };
    if checked.wrong.is_empty() {
        return if checked.opened {
            format!("{} is whole: {good}; {how}", checked.vault)
        } else {
            format!("{}: {how}; as a file it can be read: {good}", checked.vault)
        };
    }
    let mut text = format!("{} is damaged:\n", checked.vault);
    for wrong in checked.wrong.iter().take(SHOWN) {
        let _ = writeln!(text, "  {wrong}");
    }
    if checked.wrong.len() > SHOWN {
        let _ = writeln!(
            text,
            "  and {} more (--format json has them all)",
            checked.wrong.len() - SHOWN
        );
    }
    let _ = writeln!(
        text,
        "can still be read: {good}; {} on record",
        counted(checked.generations.len(), "generation")
    );
    let _ = writeln!(text, "found damaged: {}", count(|readable| readable.damaged));
    text
}
