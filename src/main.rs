//! The `keytrail` command: parse the arguments, call the verb, turn its answer into an exit status.

use clap::Parser as _;
use std::process::ExitCode;

/// An inventory is millions of small allocations; the system's allocator takes a good part of a large
/// `check` for them (docs/performance.md). Only the program chooses: the library leaves it to whoever uses it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keytrail::cli::run(&keytrail::cli::Cli::parse())
}
