//! The command line: verbs, options, and the help that teaches by example.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Provision NTP secure groups: prove every certificate trail, mint the key media, push them over SSH.
#[derive(Debug, Parser)]
#[command(name = "keytrail", version, max_term_width = 100, propagate_version = false)]
#[command(after_help = "Start here:
  keytrail demo                      see the whole way on throw-away hosts of this machine
  keytrail init > fleet.yaml         a commented inventory to start from
  keytrail check fleet.yaml          prove the trails; touches nothing
  keytrail plan fleet.yaml           mint what is missing and show what would change on which host
  keytrail apply fleet.yaml          do it

Exit status: 0 done, nothing wrong; 1 the answer is no (findings, failed hosts, changes with --exit-code);
2 could not run (usage, unreadable or malformed input, no vault).")]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Say more about what goes on (-vv: traces of every step); never anything secret
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say less: no progress, only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What a verb prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs; documented and versioned
    Json,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Prove that every certificate trail is acyclic and ends at a trusted host; find every mistake
    #[command(after_help = "Examples:
  keytrail check fleet.yaml
  keytrail check sites/                 every .yaml file of a directory, as one inventory
  keytrail check --format json fleet.yaml")]
    Check(Check),
    /// Make key media in a directory, with the options of ntp-keygen
    Keygen(Box<super::keygen::KeygenArgs>),
    /// Print a shell's completion script
    #[command(after_help = "Example:\n  keytrail completions bash > /etc/bash_completion.d/keytrail")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Which inventory.
#[derive(Debug, Args, Clone)]
pub struct InventoryArgs {
    /// Inventory files, or directories of them, read as one [default: keytrail.yaml]
    #[arg(value_name = "INVENTORY")]
    pub paths: Vec<PathBuf>,
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The inventory
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
