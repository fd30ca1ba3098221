//! The command line: the verbs, and the options that several of them share. A verb's own stand beside what it does.

use crate::inventory::parse_days;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Provision NTP secure groups: prove every certificate trail, mint the key media, push them over SSH.
#[derive(Debug, Parser)]
#[command(name = "keytrail", version, max_term_width = 100, propagate_version = false)]
#[command(after_help = "Start here:
  keytrail demo                      see the whole way on throw-away hosts of this machine
  keytrail init > fleet.yaml         a commented inventory to start from
  keytrail check fleet.yaml          prove the trails; touches nothing
  keytrail plan fleet.yaml           mint what is missing and show what would change on which host
  keytrail apply fleet.yaml          do it

Exit status: 0 done, nothing wrong; 1 the answer is no (findings, failed hosts, changes with \
--exit-code); 2 could not run (usage, unreadable or malformed input, no vault).")]
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
    /// What JSON has, as YAML
    Yaml,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write a commented inventory to start from
    Init(super::init::InitArgs),
    /// Prove that every certificate trail is acyclic and ends at a trusted host; find every mistake
    Check(super::check::CheckArgs),
    /// Mint what is missing and show what would change on every host; changes no host
    Plan(super::plan::PlanArgs),
    /// Bring the fleet to the state of the inventory
    Apply(super::apply::ApplyArgs),
    /// Take hosts back to an earlier state, from the records they keep
    Rollback(super::rollback::RollbackArgs),
    /// Take away locks that dead runs have left on hosts
    Unlock(super::unlock::UnlockArgs),
    /// Make certificates anew before they end
    Renew(super::renew::RenewArgs),
    /// Make keys anew and bring them to the hosts, with the least disturbance
    Rotate(super::rotate::RotateArgs),
    /// Shut MV clients out of their group
    Revoke(super::revoke::RevokeArgs),
    /// Let MV clients in again
    Unrevoke(super::revoke::UnrevokeArgs),
    /// Tell where every host stands: generation, certificate, drift, authentication; changes no host
    Status(super::status::StatusArgs),
    /// Ask the running daemons whether the fleet authenticates as promised; changes no host
    Verify(super::verify::VerifyArgs),
    /// Write hosts' files into a directory, for hosts that are not reached over SSH
    Export(super::export::ExportArgs),
    /// Show the SSH host keys of the fleet and compare them with known_hosts; remember those of new hosts
    Hostkeys(super::hostkeys::HostkeysArgs),
    /// Provision the sample fleet on throw-away hosts of this machine, and clean up
    Demo(super::demo::DemoArgs),
    /// Print the JSON Schema of inventories, for editors and CI
    #[command(after_help = "Example:\n  keytrail schema > docs/inventory.schema.json")]
    Schema,
    /// Say what files of key media hold, and prove their numbers
    Inspect(super::inspect::InspectArgs),
    /// Tell what a finding or an error number of the daemon means, and what to do about it
    Explain(super::explain::ExplainArgs),
    /// Draw the certificate trails
    Graph(super::graph::GraphArgs),
    /// Explain one host: where its trails lead, what each hop proves, what it must hold and why
    Trail(super::trail::TrailArgs),
    /// Care for the vault: who can open it, backups, new keys, old generations, damage
    Vault(super::vault::VaultVerb),
    /// Who applied what, when, with what result
    History(super::history::HistoryArgs),
    /// What differs between two generations of the vault, host by host; never a value
    Diff(super::diff::DiffArgs),
    /// Make key media in a directory, with the options of ntp-keygen
    Keygen(Box<super::keygen::KeygenArgs>),
    /// Write the manual pages, for packagers
    #[command(hide = true)]
    Man(super::man::ManArgs),
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

/// `30d`, `30`.
pub fn days(text: &str) -> Result<i64, String> {
    parse_days(text)
        .map(i64::from)
        .ok_or_else(|| format!("'{text}' is no number of days (30d)"))
}

/// Which vault, and what opens it.
#[derive(Debug, Args, Clone, Default)]
pub struct VaultArgs {
    /// The vault [default: the inventory's name with .vault, beside it]
    #[arg(long, value_name = "FILE")]
    pub vault: Option<PathBuf>,
    /// File with the age identity that opens the vault [env: KEYTRAIL_IDENTITY] [default:
    /// keytrail/identity.agekey below the user's configuration]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passphrase_file", "key_command"])]
    pub identity: Option<PathBuf>,
    /// File with the passphrase that opens the vault, '-' for standard input [env: KEYTRAIL_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE", conflicts_with = "key_command")]
    pub passphrase_file: Option<PathBuf>,
    /// Command that prints the age identity or the passphrase; words separated by blanks, no shell
    /// [env: KEYTRAIL_KEY_COMMAND]
    #[arg(long, value_name = "COMMAND")]
    pub key_command: Option<String>,
    /// Wait so long for another keytrail that holds the vault
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u32,
    /// It is a copy that is thrown away: nothing of what is minted into it is kept; no option, but what a dry run is.
    #[arg(skip)]
    pub copy: bool,
}

/// Which hosts, and how to reach and render them.
#[derive(Debug, Args, Clone)]
pub struct FleetArgs {
    /// Which inventory
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// Which vault
    #[command(flatten)]
    pub vault: VaultArgs,
    /// Only these hosts: NAME, a glob, group:NAME, tag:NAME or depth:N (hops from the trusted hosts); may be repeated
    #[arg(long, value_name = "SELECTION")]
    pub on: Vec<String>,
    /// Templates of your own, in place of the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// How many hosts at a time
    #[arg(short, long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub jobs: u16,
    /// Longest time each phase may take on a host [default: looking 1m, staging 2m, activating 5m]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub timeout: Option<Duration>,
    /// Also the hosts that keytrail does not reach; no option, but what `export` is for.
    #[arg(skip)]
    pub unreached: bool,
    /// What is wrong with the inventory has been said, by an earlier step of the same verb; no option.
    #[arg(skip)]
    pub said: bool,
}

/// Which daemons restart.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct RestartArgs {
    /// Restart daemons even where it would do to tell them while they run: when only symmetric keys change
    #[arg(long)]
    pub restart: bool,
}

/// A length of time on the command line.
fn span(text: &str) -> Result<Duration, String> {
    crate::inventory::parse_span(text)
        .ok_or_else(|| "expected a time from one second to a day: 30s, 5m, 1h, or seconds".into())
}
