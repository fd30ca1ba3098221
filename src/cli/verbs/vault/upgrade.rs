//! `keytrail vault upgrade`: bring a vault of an earlier format to the present one.

use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key as key;
use crate::cli::verbs::vault::Which;
use crate::ops::now;
use crate::report::counted;
use crate::vault::{self, Former};
use clap::Args;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// `vault upgrade`.
#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// Which vault
    #[command(flatten)]
    which: Which,
    /// Do not ask whether what is shown is right
    #[arg(long)]
    yes: bool,
}

pub fn run(args: &UpgradeArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let path = args.which.path();
    let failed = |error: vault::Error| key::vault_failure("nothing was upgraded", &error);
    let source = key::key(&args.which.vault, &path)?;
    let known = key::known(&source)?;
    // Where a vault with an identity was used, an older format is somebody's work.
    known.before(&path).map_err(failed)?;
    let lock = key::lock_vault(&path, &args.which.vault)?;
    let former = Former::look(&path, &source).map_err(failed)?;
    out.line(&format!("{}:\n{}", path.display(), text(&former)))?;
    if !args.yes && !confirmed()? {
        out.note("Nothing was changed.");
        return Ok(Answer::No);
    }
    let (id, before) = vault::upgrade(&path, &source, &former, &lock, now()).map_err(failed)?;
    // Known from here on: `before` has made sure that nothing was.
    known.remember(&path, id).map_err(failed)?;
    let vault = key::open_with(&path, &source, out)?;
    drop(vault);
    out.line(&format!(
        "{}: upgraded, under a new data key; its identity is {id}",
        path.display()
    ))?;
    out.note(&format!(
        "The old file is {}. It still opens with the keys above: remove it once the new one is backed up.",
        before.display()
    ));
    Ok(Answer::Yes)
}

fn text(former: &Former) -> String {
    let count = |count: u64, what: &str| counted(usize::try_from(count).unwrap_or(usize::MAX), what);
    format!(
        "format {}: {}, {}, {}, {}, {}, {}\nopened by\n  {}\n\
         An earlier format does not protect these lists. Go on only if you know everybody in them, and the counts are right.",
        former.format,
        count(former.generations, "generation"),
        count(former.hosts, "host"),
        count(former.files, "file"),
        count(former.secrets, "secret"),
        count(former.runs, "run"),
        count(former.states, "state"),
        former.recipients.join("\n  ")
    )
}

fn confirmed() -> Result<bool, Failure> {
    let (mut terminal, input) = (std::io::stderr(), std::io::stdin());
    if !input.is_terminal() {
        return Err(
            Failure::new("there is no terminal to ask on; nothing was changed")
                .help("look at what is shown, then: --yes"),
        );
    }
    let failed = |error: std::io::Error| Failure::new("cannot ask").because(&error);
    write!(terminal, "Upgrade it? [y/N] ")
        .and_then(|()| terminal.flush())
        .map_err(failed)?;
    let mut typed = String::new();
    input.lock().read_line(&mut typed).map_err(failed)?;
    Ok(matches!(typed.trim(), "y" | "Y" | "yes"))
}
