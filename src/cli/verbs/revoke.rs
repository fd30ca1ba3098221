//! `keytrail revoke` and `unrevoke`: MV clients shut out of their group by the servers' keys alone, and let in again.

use crate::cli::args::{ChangeArgs, FleetArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::rotation;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::ops::rotation::{MvClient, Revocation, enforce};
use crate::ops::{Demand, Session, now};
use crate::report::time_format;
use crate::rotate::gap::REEXAMINED;
use clap::Args;
use std::collections::BTreeSet;

/// `revoke`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  keytrail revoke leaf03 fleet.yaml --dry-run      who shares its key, and which servers change
  keytrail revoke leaf03 fleet.yaml
  keytrail revoke leaf03,leaf04 --enforce fleet.yaml

The servers of the group get keys that leave the client's number out, with the same filestamp: \
nobody else needs a new file. Hosts that share its client key get another one, or are shut out too \
with --shared. A host that was taken out of the inventory can be revoked by its former name.

A running association is only refused at its next exchange: after the client's own restart \
(--enforce does that), or at the latest 6 days 1 h 38 min after the last one. Restarting servers \
does not hasten it.")]
pub struct RevokeArgs {
    /// The hosts: names, globs, group:NAME or tag:NAME, with commas between them
    #[arg(value_name = "HOST")]
    hosts: String,
    /// Which fleet
    #[command(flatten)]
    fleet: FleetArgs,
    /// Shut out the hosts that share a client key with them too
    #[arg(long)]
    shared: bool,
    /// Restart the clients' daemons afterwards, so that they are refused now
    #[arg(long)]
    enforce: bool,
    /// How
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `unrevoke`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  keytrail unrevoke leaf03 fleet.yaml

Only the servers change. The client asks again at every poll and is let in when they have.")]
pub struct UnrevokeArgs {
    /// The hosts: names with commas between them
    #[arg(value_name = "HOST")]
    hosts: String,
    /// Which fleet
    #[command(flatten)]
    fleet: FleetArgs,
    /// How
    #[command(flatten)]
    pub change: ChangeArgs,
}

pub fn run(args: &RevokeArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let mut session = session(&args.fleet, &args.change, out)?;
    let revocation = Revocation::of(&session, &args.hosts, args.shared)?;
    for client in &revocation.named {
        out.note(&format!(
            "{} holds client key {} of group {}.",
            client.host, client.number, client.group
        ));
    }
    if !revocation.sharing.is_empty() {
        out.note(&sharing(&revocation.sharing, args.shared));
    }
    let fleet = (&args.fleet, &args.change);
    let command = command("revoke", &args.hosts, &args.fleet);
    let done = change(&mut session, &revocation, &command, fleet, out)?;
    if done != Answer::Yes || args.change.dry_run {
        return Ok(done);
    }
    let hosts = revocation.hosts();
    let task = if args.enforce {
        enforce(&session, &hosts)
    } else {
        None
    };
    let Some(task) = task else {
        out.note(&when(&hosts));
        return Ok(done);
    };
    let known: Vec<&str> = hosts
        .iter()
        .filter(|host| session.inventory().find(host).is_some())
        .map(String::as_str)
        .collect();
    out.note(&format!(
        "Restarting {}, so that it is refused now.",
        known.join(", ")
    ));
    let task = rotation::with_options(task, &args.change);
    rotation::carry_out(&session, &task, &command, fleet, out)
}

pub fn undo(args: &UnrevokeArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let mut session = session(&args.fleet, &args.change, out)?;
    let end = Revocation::end_of(&session, &args.hosts)?;
    for client in &end.named {
        let same = |other: &&MvClient| (&other.group, other.number) == (&client.group, client.number);
        let others: Vec<&str> = end
            .sharing
            .iter()
            .filter(same)
            .map(|other| &*other.host)
            .collect();
        if !others.is_empty() {
            out.note(&format!(
                "{} stays shut out with client key {} of group {}: so are {}.",
                client.host,
                client.number,
                client.group,
                others.join(", ")
            ));
        }
    }
    let command = command("unrevoke", &args.hosts, &args.fleet);
    change(&mut session, &end, &command, (&args.fleet, &args.change), out)
}

fn session(fleet: &FleetArgs, change: &ChangeArgs, out: &Ui) -> Result<Session, Failure> {
    let mut session = rotation::session(fleet, change, setup::load(&fleet.inventory)?, out)?;
    session.mint(&Demand::missing("inventory"))?;
    Ok(session)
}

/// Keeps who is shut out, and brings the servers' keys to it.
fn change(
    session: &mut Session,
    revocation: &Revocation,
    command: &str,
    (fleet, change): (&FleetArgs, &ChangeArgs),
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let Some(task) = revocation.begin(session, command)? else {
        out.line("No server's key changes.")?;
        return Ok(Answer::Yes);
    };
    let task = rotation::with_options(task, change);
    if change.dry_run {
        return rotation::show(session, &task, (fleet, change), None, out);
    }
    rotation::carry_out(session, &task, command, (fleet, change), out)
}

/// What becomes of the hosts that share a key with those that are shut out.
fn sharing(clients: &BTreeSet<MvClient>, shared: bool) -> String {
    let names: BTreeSet<&str> = clients.iter().map(|client| &*client.host).collect();
    let names: Vec<&str> = names.into_iter().collect();
    if shared {
        format!("Shut out with it, for they share its key: {}.", names.join(", "))
    } else {
        format!(
            "These share its key, and get another one with a restart: {} (--shared shuts them out too).",
            names.join(", ")
        )
    }
}

fn command(verb: &str, hosts: &str, fleet: &FleetArgs) -> String {
    rotation::command([verb.to_owned(), hosts.to_owned()], &fleet.inventory.paths)
}

/// When a revocation takes effect, for people.
fn when(hosts: &BTreeSet<String>) -> String {
    let now = now();
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    format!(
        "New exchanges of {} are refused from now on. What it has proved already it may go on with until its next exchange: by {} at the latest.\nTo end it now, restart its daemon: the same command with --enforce.",
        names.join(", "),
        time_format::minute(now + REEXAMINED)
    )
}
