//! Everything that talks to people: verbs, output, progress, exit status.
//!
//! `command` parses a command line and calls a verb of `verbs`, one file each; `args` are the options that several verbs share;
//! `view` makes text of values.

mod args;
mod command;
mod exit;
mod passphrase;
mod progress;
mod refusal;
mod rotation;
mod runtime;
mod secret_input;
mod setup;
mod ui;
mod vault_key;
mod verbs;
mod view;

pub use command::Cli;

use exit::{Answer, Failure};
use std::process::ExitCode;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use ui::Ui;

/// Runs the verb of a command line.
pub fn run(cli: &Cli) -> ExitCode {
    start_log(cli.verbose);
    let mut out = Ui::new(cli.color, cli.quiet);
    match cli.verb.run(&mut out) {
        Ok(Answer::Yes) | Err(Failure::Enough) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Ok(Answer::Unusable) => ExitCode::from(2),
        Err(Failure::Error(error)) => refusal::say(&error, cli.verb.format(), &mut out),
    }
}

/// Log lines on standard error: warnings by default, more with `-v`.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    let filter = tracing_subscriber::filter::Targets::new().with_target("keytrail", level);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false);
    // A second start (library users, tests) keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}
