//! Which daemons restart.

use clap::Args;

/// Which daemons restart.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct RestartArgs {
    /// Restart daemons even where it would do to tell them while they run: when only symmetric keys change
    #[arg(long)]
    pub restart: bool,
}
