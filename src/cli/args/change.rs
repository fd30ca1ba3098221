//! Options of the verbs that rotate, renew or revoke.

use crate::cli::args::restart::RestartArgs;
use crate::cli::args::rollout::RolloutArgs;
use crate::cli::args::value::Format;
use clap::Args;

/// Options of the verbs that rotate, renew or revoke.
#[derive(Debug, Clone, Args)]
pub struct ChangeArgs {
    /// Show what would change and what each daemon would do meanwhile; keeps nothing, changes no host
    #[arg(long)]
    pub dry_run: bool,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Which daemons restart
    #[command(flatten)]
    pub restart: RestartArgs,
    /// In which steps
    #[command(flatten)]
    pub rollout: RolloutArgs,
}
