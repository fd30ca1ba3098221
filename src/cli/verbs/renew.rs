//! `keytrail renew`: certificates made anew before they end.

use crate::cli::args::{ChangeArgs, FleetArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::rotation;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::ops::rotation::{Renewal, next_end};
use crate::ops::{Demand, Reach, now};
use crate::report::counted;
use clap::Args;

const DAY: i64 = 86_400;

/// `renew`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  keytrail renew fleet.yaml                      what ends within 30 days
  keytrail renew fleet.yaml --within 2w --dry-run
  keytrail renew fleet.yaml --all --on group:red

Made for a timer (examples/systemd, examples/cron): where nothing is due no host is contacted. \
What an earlier run did not finish is finished first. Renewing a trusted host with a clock of its \
own disturbs nobody; every other host is without a proven server for its own exchange after its \
restart. Hosts are brought to the state of the inventory, so do not let a timer read an inventory \
that you are still working on.

Exit status: 0 nothing was due, or all is done; 1 some hosts have not got their certificate; 2 \
could not run.")]
pub struct RenewArgs {
    /// Which hosts
    #[command(flatten)]
    fleet: FleetArgs,
    /// Renew what ends within this time: days (30d), weeks (4w) or hours (48h)
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = within)]
    within: i64,
    /// Renew all, due or not
    #[arg(long, conflicts_with = "within")]
    all: bool,
    /// How
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Seconds.
fn within(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no time: write 30d, 4w or 48h");
    let unit = match text.chars().last() {
        Some('d') => DAY,
        Some('w') => 7 * DAY,
        Some('h') => 3600,
        _ => return Err(wrong()),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    i64::from(count).checked_mul(unit).ok_or_else(wrong)
}

pub fn run(args: &RenewArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let (fleet, change) = (&args.fleet, &args.change);
    let mut session = rotation::session(fleet, change, setup::load(&fleet.inventory)?, out)?;
    session.mint(&Demand::missing("inventory"))?;
    let now = now();
    let on = fleet.on.iter().map(|on| format!("--on '{on}'"));
    let renewal = Renewal {
        hosts: session.select(&fleet.on, Reach::All)?,
        until: if args.all { i64::MAX } else { now + args.within },
        command: rotation::command(
            std::iter::once("renew".to_owned()).chain(on),
            &fleet.inventory.paths,
        ),
    };
    let Some(task) = session.renew(&renewal)? else {
        out.line(&nothing_due(next_end(&session, &renewal.hosts), now))?;
        return Ok(Answer::Yes);
    };
    let task = rotation::with_options(task, change);
    if change.dry_run {
        return rotation::show(&session, &task, (fleet, change), None, out);
    }
    rotation::carry_out(&session, &task, &renewal.command, (fleet, change), out)
}

fn nothing_due(next: Option<(String, i64)>, now: i64) -> String {
    match next {
        Some((host, end)) => format!(
            "Nothing is due: the next certificate to end is that of {host}, in {}.",
            counted(usize::try_from((end - now) / DAY).unwrap_or(0), "day")
        ),
        None => "Nothing is due: these hosts have no certificates.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn times_are_read() {
        assert_eq!(within("30d"), Ok(30 * 86_400));
        assert_eq!(within("2w"), Ok(14 * 86_400));
        assert_eq!(within("48h"), Ok(2 * 86_400));
        for wrong in ["", "30", "d", "-1d", "1y", "30 d", "ä"] {
            assert!(within(wrong).is_err(), "{wrong}");
        }
    }
}
