//! Options of the verbs that change hosts: how many at a time, how much trouble is borne.

use crate::apply::Limits;
use crate::apply::verify::Level;
use crate::ops::RolloutOptions;
use crate::plan::order::{Pace, Share};
use clap::{Args, ValueEnum};

/// How far hosts are looked at after their restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verify {
    /// Not at all: the restart command's word is taken
    None,
    /// The daemon runs and stays up
    Start,
    /// Every promised association is authenticated, too (minutes: a new exchange takes several polls)
    Auth,
}

/// In which steps hosts change.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rollout")]
pub struct RolloutArgs {
    /// Hosts of a wave that change at the same time: a number, or a share of all to change [default: all of it]
    #[arg(long, value_name = "N|N%", value_parser = serial)]
    pub serial: Option<Share>,
    /// Change so many hosts first, from the trusted hosts down, and the others only if they are well
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub canary: usize,
    /// Hosts, or share of all to change, that may fail before no other is begun
    #[arg(long, value_name = "N|N%", default_value = "0")]
    pub max_fail: Share,
    /// Go on without hosts that cannot be reached before anything is activated
    #[arg(long)]
    pub skip_unreachable: bool,
    /// How far each host is looked at after its restart, before the next batch [default: as the inventory says].
    /// A host that does not stand as promised goes back by itself
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub verify: Option<Verify>,
    /// In a rotation, change a host though its servers do not serve yet, or its clients are in the middle of an exchange
    /// with it and lose their association for one exchange
    #[arg(long)]
    pub ignore_unready: bool,
    /// How often a host that cannot be reached is tried again, after 1, 2, 4 … seconds
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(..=10))]
    pub retries: u32,
}

/// A share that gets on: of no hosts at a time a run would never end.
fn serial(text: &str) -> Result<Share, String> {
    match text.parse()? {
        Share::Count(0) | Share::Percent(0) => Err("at least one host changes at a time: 1".to_owned()),
        share => Ok(share),
    }
}

impl RolloutArgs {
    /// The rollout that these options ask for.
    pub fn options(&self, limits: Limits) -> RolloutOptions {
        RolloutOptions {
            limits: Limits {
                skip_unreachable: self.skip_unreachable,
                retries: self.retries,
                ..limits
            },
            pace: Pace {
                serial: self.serial,
                canary: self.canary,
            },
            max_fail: self.max_fail,
            verify: self.verify.map(Level::from),
            ignore_unready: self.ignore_unready,
        }
    }
}

impl From<Verify> for Level {
    fn from(verify: Verify) -> Self {
        match verify {
            Verify::None => Self::None,
            Verify::Start => Self::Start,
            Verify::Auth => Self::Auth,
        }
    }
}
