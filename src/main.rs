//! The `keytrail` command: parse the arguments, call the verb, turn its answer into an exit status.

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    keytrail::cli::run(&keytrail::cli::args::Cli::parse())
}
