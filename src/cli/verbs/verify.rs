//! `keytrail verify`: do the daemons of the fleet authenticate as promised? Changes no host.

use crate::apply::verify::Level;
use crate::cli::args::{FleetArgs, Format};
use crate::cli::exit::{Answer, Failure};
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::cli::view::verify::{self as view, Row};
use crate::ops::verify::{Question, Verify};
use clap::ValueEnum;
use serde::Serialize;
use std::time::Duration;

/// Version of the JSON (docs/verify.md).
const VERSION: u32 = 1;

/// `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail verify fleet.yaml
  keytrail verify fleet.yaml --on group:green --wait-for 300   until all is well, 5 minutes at most
  keytrail verify fleet.yaml --level start --format json   only whether the daemons run

One look at every host: whether its daemon runs, and whether each association is authenticated by the scheme, the \
group and the generation that inventory and vault say. ntpq or chronyc on the host is asked, log and cryptostats are \
read; nothing is changed there. The table has the worst first; what to do stands below it. Hosts with `verify: none` \
(all without a restart command, unless they say otherwise) are left out unless --level is given.

What was seen is remembered in the vault, for `keytrail status`. Exit status 1: something is not as promised, or no host was \
looked at.")]
pub struct VerifyArgs {
    /// Which hosts
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// How far to look [default: auth]
    #[arg(long, value_enum)]
    pub level: Option<Depth>,
    /// Look again until all is well, so long at most; 0: one look
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait_for: u32,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How far to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Depth {
    /// Whether the daemon runs
    Start,
    /// Whether every promised association is authenticated, too
    Auth,
}

impl Depth {
    /// The level of that name.
    pub fn level(self) -> Level {
        match self {
            Self::Start => Level::Start,
            Self::Auth => Level::Auth,
        }
    }
}

/// Everything `verify` answers.
#[derive(Debug, Serialize)]
struct Answered {
    version: u32,
    level: Level,
    generation: u64,
    hosts: Vec<Row>,
}

pub fn run(args: &VerifyArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let loaded = setup::load(&args.fleet.inventory)?;
    let access = setup::vault(&args.fleet.vault, &loaded.paths);
    let all = args.level.is_some();
    let verify = Verify::prepare(loaded, &args.fleet.on, all, &access, setup::environment(out))?;
    let generation = verify.generation();
    let level = args.level.map_or(Level::Auth, Depth::level);
    let question = Question {
        level,
        wait: Duration::from_secs(args.wait_for.into()),
        limits: args.fleet.limits(),
    };
    let verified = runtime::run(async |cancel| verify.run(&question, &cancel).await)?;
    let rows = view::rows(verified, level);
    // Nothing is proven of nobody.
    let good = !rows.is_empty() && rows.iter().all(Row::is_good);
    match args.format {
        Format::Text => out.text(&view::text(&rows, level, out.screen()))?,
        form => out.value(
            &Answered {
                version: VERSION,
                level,
                generation,
                hosts: rows,
            },
            form,
        )?,
    }
    Ok(Answer::from(good))
}
