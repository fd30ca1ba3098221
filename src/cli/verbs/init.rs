//! `keytrail init`: a commented inventory to start from.

use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::inventory::STARTER;
use std::io::Write as _;
use std::path::PathBuf;

/// `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keytrail init fleet.yaml")]
pub struct InitArgs {
    /// Where to write it; standard output without
    pub file: Option<PathBuf>,
}

pub fn run(args: &InitArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let Some(path) = &args.file else {
        out.bytes(STARTER.as_bytes())?;
        return Ok(Answer::Yes);
    };
    let shown = path.display();
    let mut file = std::fs::File::create_new(path).map_err(|error| {
        let failure = Failure::new(format!("cannot write {shown}")).because(&error);
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => failure.help("name another file; this one is left as it is"),
            _ => failure,
        }
    })?;
    file.write_all(STARTER.as_bytes())
        .map_err(|error| Failure::new(format!("cannot write {shown}")).because(&error))?;
    out.note(&format!("Wrote {shown}. Edit it, then: keytrail check {shown}"));
    Ok(Answer::Yes)
}
