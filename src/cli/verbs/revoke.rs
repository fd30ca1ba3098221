//! `keytrail revoke` and `unrevoke`: MV clients shut out of their group by the servers' keys alone, and let in again.

use crate::cli::args::FleetArgs;
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet::{Fleet, vault_failure};
use crate::cli::rotating;
use crate::cli::rotating::{Change, ChangeArgs, Whom};
use crate::cli::ui::Ui;
use crate::cli::{shown, when};
use crate::inventory::{self, HostId};
use crate::mint::{Revocations, mv_client};
use crate::rotate::gap::REEXAMINED;
use crate::rotate::record::Bite;
use crate::rotate::subject::Subject;
use clap::Args;
use std::collections::{BTreeSet, HashSet};
use std::sync::PoisonError;

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
    change: ChangeArgs,
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
    change: ChangeArgs,
}

/// A host with its client key of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Client {
    group: String,
    number: usize,
    host: String,
}

pub fn run(args: &RevokeArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let mut prepared = match rotating::prepare(&args.fleet, &args.change, out)? {
        Ok(prepared) => prepared,
        Err(answer) => return Ok(answer),
    };
    let fleet = &mut prepared.fleet;
    let mut shut_out = named(fleet, &args.hosts)?;
    let sharing: BTreeSet<Client> = held(fleet)
        .filter(|client| {
            !shut_out.contains(client)
                && shut_out
                    .iter()
                    .any(|other| (&other.group, other.number) == (&client.group, client.number))
        })
        .collect();
    for client in &shut_out {
        out.note(&format!(
            "{} holds client key {} of group {}.",
            client.host, client.number, client.group
        ));
    }
    if !sharing.is_empty() {
        let names: BTreeSet<&str> = sharing.iter().map(|client| &*client.host).collect();
        let names: Vec<&str> = names.into_iter().collect();
        out.note(&if args.shared {
            format!("Shut out with it, for they share its key: {}.", names.join(", "))
        } else {
            format!(
                "These share its key, and get another one with a restart: {} (--shared shuts them out too).",
                names.join(", ")
            )
        });
    }
    if args.shared {
        shut_out.extend(sharing);
    }
    let mut revoked = fleet.state.revoked.clone();
    for client in &shut_out {
        revoked.revoke(&client.group, client.number, &client.host);
    }
    let command = format!("revoke {}{}", args.hosts, paths(&args.fleet));
    let hosts: BTreeSet<String> = shut_out.iter().map(|client| client.host.clone()).collect();
    let enforced: Vec<String> = hosts
        .iter()
        .filter(|host| fleet.inventory.find(host).is_some())
        .cloned()
        .collect();
    let done = change(
        prepared,
        &revoked,
        &groups(&shut_out),
        &command,
        &args.fleet,
        &args.change,
        out,
    )?;
    if done != Answer::Yes || args.change.dry_run {
        return Ok(done);
    }
    if args.enforce && !enforced.is_empty() {
        return enforce(&enforced, &command, args, out);
    }
    out.note(&when(&hosts));
    Ok(done)
}

pub fn undo(args: &UnrevokeArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let mut prepared = match rotating::prepare(&args.fleet, &args.change, out)? {
        Ok(prepared) => prepared,
        Err(answer) => return Ok(answer),
    };
    let fleet = &mut prepared.fleet;
    let wanted: BTreeSet<&str> = args.hosts.split(',').map(str::trim).collect();
    let mut revoked = fleet.state.revoked.clone();
    let shut_out: BTreeSet<Client> = fleet
        .state
        .revoked
        .all()
        .filter(|(_, _, host)| wanted.contains(host))
        .map(|(group, number, host)| Client {
            group: group.to_owned(),
            number,
            host: host.to_owned(),
        })
        .collect();
    for client in &shut_out {
        revoked.restore(&client.group, &client.host);
        let others: Vec<&str> = revoked
            .all()
            .filter(|(group, number, _)| (*group, *number) == (&*client.group, client.number))
            .map(|(_, _, host)| host)
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
    if let Some(unknown) = wanted
        .iter()
        .find(|host| !shut_out.iter().any(|client| client.host == **host))
    {
        let known: BTreeSet<&str> = fleet.state.revoked.all().map(|(_, _, host)| host).collect();
        let known: Vec<&str> = known.into_iter().collect();
        return Err(
            Failure::new(format!("'{unknown}' is not shut out")).help(if known.is_empty() {
                "nobody is".to_owned()
            } else {
                format!("these are: {}", known.join(", "))
            }),
        );
    }
    let command = format!("unrevoke {}{}", args.hosts, paths(&args.fleet));
    change(
        prepared,
        &revoked,
        &groups(&shut_out),
        &command,
        &args.fleet,
        &args.change,
        out,
    )
}

/// Keeps who is shut out, and brings the servers' keys to it.
fn change(
    mut prepared: rotating::Prepared,
    revoked: &Revocations,
    groups: &str,
    command: &str,
    args: &FleetArgs,
    change: &ChangeArgs,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let fleet = &mut prepared.fleet;
    if *revoked != fleet.state.revoked {
        let vault = fleet.vault.get_mut().unwrap_or_else(PoisonError::into_inner);
        // First the set, then what follows from it: whoever mints next finishes what a crash in between leaves.
        revoked
            .write(vault)
            .map_err(|error| vault_failure("cannot keep in the vault who is shut out", &error))?;
    }
    let subject = Subject {
        words: format!("MV clients of {groups}"),
        anew: HashSet::new(),
        renewing: None,
        bite: Bite::Never,
        servers_first: false,
    };
    let wanted = Change {
        subject: &subject,
        renew_until: None,
        command: command.to_owned(),
        anew: *revoked != fleet.state.revoked,
        whom: Whom::Changed,
    };
    if !rotating::begin(fleet, &wanted, out)? {
        out.line("No server's key changes.")?;
        return Ok(Answer::Yes);
    }
    if change.dry_run {
        return shown::show(fleet, change, None, out);
    }
    rotating::carry_out(prepared.fleet, command, args, change, out)
}

/// Restarts the daemons of hosts that are shut out.
fn enforce(hosts: &[String], command: &str, args: &RevokeArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let mut prepared = match rotating::prepare(&args.fleet, &args.change, out)? {
        Ok(prepared) => prepared,
        Err(answer) => return Ok(answer),
    };
    let fleet = &mut prepared.fleet;
    let ids: Vec<HostId> = hosts
        .iter()
        .filter_map(|host| fleet.inventory.find(host))
        .collect();
    out.note(&format!(
        "Restarting {}, so that it is refused now.",
        hosts.join(", ")
    ));
    fleet.hosts.retain(|host| ids.contains(host));
    fleet.care.restart = ids.into_iter().collect();
    rotating::carry_out(prepared.fleet, command, &args.fleet, &args.change, out)
}

/// The clients that are named, each with the client keys it holds.
fn named(fleet: &Fleet, words: &str) -> Result<BTreeSet<Client>, Failure> {
    let mut found = BTreeSet::new();
    for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let hosts: Vec<String> =
            match inventory::select(&fleet.inventory, &[word], |host| fleet.analysis.depth(host)) {
                Ok(hosts) => hosts
                    .into_iter()
                    .map(|host| fleet.inventory.host(host).name.to_string())
                    .collect(),
                // Taken out of the inventory, it still holds what it was given.
                Err(_) if fleet.state.snapshot.hosts().any(|host| host == word) => vec![word.to_owned()],
                Err(error) => return Err(Failure::new(error.to_string()).help(error.help)),
            };
        for host in hosts {
            let clients = keys_of(fleet, &host);
            if clients.is_empty() {
                return Err(Failure::new(format!("{host} cannot be revoked"))
                    .why("it holds no MV client key; with IFF and GQ all members of a group hold the same")
                    .help("shut it out by a new key for the others: take it out of the inventory, then `keytrail rotate identity --group NAME`"));
            }
            found.extend(clients);
        }
    }
    if found.is_empty() {
        return Err(Failure::new("no host was named").help("for example: keytrail revoke leaf03 fleet.yaml"));
    }
    Ok(found)
}

/// The client keys a host was last given.
fn keys_of(fleet: &Fleet, host: &str) -> Vec<Client> {
    let revoked = &fleet.state.revoked;
    let mut clients: Vec<Client> = Vec::new();
    // The oldest first: later ones replace earlier ones of the same group.
    for (_, artifact) in fleet.state.snapshot.ever(host) {
        if let Some(number) = mv_client(artifact) {
            let group = group_of(fleet, &artifact.owner);
            clients.retain(|known| known.group != group);
            clients.push(Client {
                number: revoked.client_of(&group, host).unwrap_or(number),
                group,
                host: host.to_owned(),
            });
        }
    }
    clients
}

/// Everybody in the inventory who holds a client key.
fn held(fleet: &Fleet) -> impl Iterator<Item = Client> + '_ {
    fleet.inventory.hosts.iter().flat_map(|host| {
        fleet
            .state
            .snapshot
            .files(&host.name)
            .filter_map(|(_, artifact)| {
                Some(Client {
                    group: group_of(fleet, &artifact.owner),
                    number: mv_client(artifact)?,
                    host: host.name.to_string(),
                })
            })
    })
}

/// The group whose media have this name.
fn group_of(fleet: &Fleet, ident: &str) -> String {
    let group = fleet.inventory.group_of_ident(ident);
    group.map_or(ident, |group| &group.name).to_owned()
}

fn groups(clients: &BTreeSet<Client>) -> String {
    let names: BTreeSet<&str> = clients.iter().map(|client| &*client.group).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn paths(args: &FleetArgs) -> String {
    let paths = args.inventory.paths.iter();
    paths.fold(String::new(), |words, path| {
        words + " " + &path.display().to_string()
    })
}

/// When a revocation takes effect, for people.
fn when(hosts: &BTreeSet<String>) -> String {
    let now = when::now();
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    format!(
        "New exchanges of {} are refused from now on. What it has proved already it may go on with until its next exchange: by {} at the latest.\nTo end it now, restart its daemon: the same command with --enforce.",
        names.join(", "),
        when::minute(now + REEXAMINED)
    )
}
