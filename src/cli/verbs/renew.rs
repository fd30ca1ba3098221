//! `keytrail renew`: certificates made anew before they end.

use crate::cli::args::FleetArgs;
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet::Fleet;
use crate::cli::rotating;
use crate::cli::rotating::{Change, ChangeArgs, Whom};
use crate::cli::ui::{Ui, counted};
use crate::cli::{shown, when};
use crate::inventory;
use crate::rotate::record::Bite;
use crate::rotate::subject::Subject;
use crate::vault::ArtifactKind;
use clap::Args;
use std::collections::{BTreeSet, HashSet};

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
    change: ChangeArgs,
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
    let mut prepared = match rotating::prepare(&args.fleet, &args.change, out)? {
        Ok(prepared) => prepared,
        Err(answer) => return Ok(answer),
    };
    let fleet = &mut prepared.fleet;
    let selected = inventory::select(&fleet.inventory, &args.fleet.on, |host| {
        fleet.analysis.depth(host)
    })
    .map_err(|error| Failure::new(error.to_string()).help(error.help))?;
    let names: BTreeSet<String> = selected
        .iter()
        .map(|&host| fleet.inventory.host(host).name.to_string())
        .collect();
    let owners: HashSet<Box<str>> = selected
        .iter()
        .map(|&host| fleet.analysis.needs(host).private_certificate_of.unwrap_or(host))
        .map(|owner| fleet.inventory.host(owner).name.clone())
        .collect();
    let subject = Subject {
        words: "certificates".into(),
        anew: HashSet::new(),
        renewing: Some(owners),
        bite: Bite::Never,
        servers_first: false,
    };
    let now = when::now();
    let change = Change {
        subject: &subject,
        renew_until: Some(if args.all { i64::MAX } else { now + args.within }),
        command: command(args),
        anew: false,
        whom: Whom::Outdated(&names),
    };
    if !rotating::begin(fleet, &change, out)? {
        out.line(&nothing_due(fleet, &names, now))?;
        return Ok(Answer::Yes);
    }
    if args.change.dry_run {
        return shown::show(fleet, &args.change, None, out);
    }
    rotating::carry_out(prepared.fleet, &change.command, &args.fleet, &args.change, out)
}

fn nothing_due(fleet: &Fleet, hosts: &BTreeSet<String>, now: i64) -> String {
    let next = hosts
        .iter()
        .flat_map(|host| {
            fleet
                .state
                .snapshot
                .files(host)
                .map(move |(_, artifact)| (host, artifact))
        })
        .filter(|(_, artifact)| artifact.kind == ArtifactKind::Certificate)
        .filter_map(|(host, artifact)| Some((artifact.not_after?, host)))
        .min();
    match next {
        Some((end, host)) => format!(
            "Nothing is due: the next certificate to end is that of {host}, in {}.",
            counted(usize::try_from((end - now) / DAY).unwrap_or(0), "day")
        ),
        None => "Nothing is due: these hosts have no certificates.".into(),
    }
}

fn command(args: &RenewArgs) -> String {
    let mut words = vec!["renew".to_owned()];
    words.extend(args.fleet.on.iter().map(|on| format!("--on '{on}'")));
    let paths = args.fleet.inventory.paths.iter();
    words.extend(paths.map(|path| path.display().to_string()));
    words.join(" ")
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
