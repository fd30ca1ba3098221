//! Which hosts, and how to reach and render them.

use crate::apply::Limits;
use crate::cli::args::inventory::InventoryArgs;
use crate::cli::args::value::span;
use crate::cli::args::vault::VaultArgs;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

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
}

impl FleetArgs {
    /// How many hosts at once, and how long each phase may take.
    pub fn limits(&self) -> Limits {
        Limits {
            jobs: self.jobs.into(),
            ..Limits::default()
        }
        .within(self.timeout)
    }
}
