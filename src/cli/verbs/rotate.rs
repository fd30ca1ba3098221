//! `keytrail rotate`: keys made anew and brought to the hosts they concern, in an order that disturbs least.

use crate::cli::args::FleetArgs;
use crate::cli::exit::{Answer, Failure};
use crate::cli::load;
use crate::cli::load::Read;
use crate::cli::rotating;
use crate::cli::rotating::{Change, ChangeArgs, Whom};
use crate::cli::ui::Ui;
use crate::cli::{reident, rekey, shown};
use crate::inventory::{self, GroupId, Inventory};
use crate::plan::order::Share;
use crate::rotate::subject::{self, Scope, Subject};
use crate::trail::Analysis;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::sync::PoisonError;

/// `rotate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  keytrail rotate identity --group green fleet.yaml --dry-run    what would happen, host by host
  keytrail rotate identity --group green fleet.yaml              IFF, GQ or MV keys of a group
  keytrail rotate host-key --on tag:leaf fleet.yaml              host keys with their certificates
  keytrail rotate password --host mort fleet.yaml                the same keys, encrypted anew
  keytrail rotate symmetric --key 7 fleet.yaml                   by a new id, daemons run on
  keytrail rotate symmetric --key 7 --restart fleet.yaml         by a new id, with restarts

New media are staged everywhere first. Then hosts change from the trusted hosts down, never two \
servers of one host at the same time; a host's links are switched directly before its own restart. \
Run the same command again to finish a rotation that stopped half way: it makes no further keys \
(--anew does).

Exit status: 0 all hosts have it; 1 some have not; 2 could not run.")]
pub struct RotateArgs {
    /// What to make anew
    #[arg(value_enum)]
    what: What,
    /// Which hosts
    #[command(flatten)]
    fleet: FleetArgs,
    /// Of this group, or of its members; may be repeated
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Of this host; may be repeated
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Of the hosts with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// This symmetric key: its id, with its group where it has one (7@green); may be repeated
    #[arg(long, value_name = "ID")]
    key: Vec<String>,
    /// How running daemons get there
    #[arg(long, value_enum, default_value_t = Strategy::Auto)]
    strategy: Strategy,
    /// By a new id or name: stop after so many steps; the same command goes on later
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    steps: Option<u8>,
    /// Make keys anew even where an earlier rotation of the same is not finished
    #[arg(long)]
    anew: bool,
    /// Make the keys and write the plan to a file that `apply` takes; changes no host
    #[arg(short, long, value_name = "FILE", conflicts_with = "dry_run")]
    output: Option<PathBuf>,
    /// How
    #[command(flatten)]
    change: ChangeArgs,
}

/// What is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// IFF, GQ and MV keys of groups; with GQ the trusted hosts' certificates, which carry a value of them
    Identity,
    /// Host keys, with the certificates made of them
    HostKey,
    /// Sign keys, with the certificates made of them
    SignKey,
    /// Certificates alone, due or not
    Certificate,
    /// Passwords of the private files
    Password,
    /// Symmetric keys
    Symmetric,
    /// The key and private certificate that a PC group shares
    Pc,
}

impl From<What> for subject::What {
    fn from(what: What) -> Self {
        match what {
            What::Identity => Self::Identity,
            What::HostKey => Self::HostKey,
            What::SignKey => Self::SignKey,
            What::Certificate => Self::Certificate,
            What::Password => Self::Password,
            What::Symmetric => Self::Symmetric,
            What::Pc => Self::Pc,
        }
    }
}

/// How running daemons get to the new keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// The way with the least gap that the fleet allows; says which and why
    Auto,
    /// By restarts alone: each host is without a proven server for its own exchange; symmetric keys keep their id, and
    /// are refused between the restarts of server and client
    Restart,
    /// By a second name, without any gap: for symmetric keys a new id, for identity keys a new `ident`
    TwoNames,
}

pub fn run(args: &RotateArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let change = &args.change();
    if args.what == What::Symmetric && args.strategy != Strategy::Restart {
        keys(args)?;
        let forced = args.strategy == Strategy::TwoNames;
        let keys = rekey::Keys {
            names: &args.key,
            steps: args.steps.map_or(3, usize::from),
            output: args.output.as_deref(),
        };
        if let Some(answer) = rekey::run(&keys, forced, &command(args), &args.fleet, change, out)? {
            return Ok(answer);
        }
    }
    if args.strategy == Strategy::TwoNames {
        match args.what {
            // Several at once would take two servers from who is in both.
            What::Identity if args.group.len() != 1 => {
                return Err(Failure::new("keys change by a new name one group at a time")
                    .help("say which: --group NAME"));
            }
            What::Identity | What::Symmetric => {}
            _ => {
                return Err(Failure::new(
                    "only symmetric keys and the identity keys of groups change by a second name",
                )
                .help("leave --strategy out"));
            }
        }
    }
    // What is wrong with the command is said before the vault is touched. Symmetric keys are asked for by the ids in force,
    // which the vault knows.
    if args.what != What::Symmetric
        && let Read::Good(written, analysis) = load::read(&load::paths(&args.fleet.inventory)?)?
    {
        what(args, &written, &analysis)?;
        if args.what == What::Identity
            && args.strategy != Strategy::Restart
            && let [group] = args.group.as_slice()
            && let Some(answer) = by_name(args, group, &written, &analysis, out)?
        {
            return Ok(answer);
        }
    }
    let mut prepared = match rotating::prepare(&args.fleet, change, out)? {
        Ok(prepared) => prepared,
        Err(answer) => return Ok(answer),
    };
    let fleet = &mut prepared.fleet;
    let subject = what(args, &fleet.inventory, &fleet.analysis)?;
    if args.what == What::Identity {
        let vault = fleet.vault.get_mut().unwrap_or_else(PoisonError::into_inner);
        reident::none_under_way(vault, &args.group)?;
    }
    if subject.servers_first && args.change.rollout.max_fail != Share::Count(0) {
        return Err(Failure::new("--max-fail cannot be used here")
            .why("where a server failed, its clients must not go on to keys that it does not have")
            .help(
                "leave it out; with --skip-unreachable, hosts below one that is out of reach wait with it",
            ));
    }
    let asked = Change {
        subject: &subject,
        renew_until: subject.renewing.as_ref().map(|_| i64::MAX),
        command: command(args),
        anew: args.anew,
        whom: Whom::Changed,
    };
    if !rotating::begin(fleet, &asked, out)? {
        out.line("Nothing to rotate: no host holds what would be made anew.")?;
        return Ok(Answer::Yes);
    }
    if args.change.dry_run || args.output.is_some() {
        return shown::show(fleet, change, args.output.as_deref(), out);
    }
    rotating::carry_out(prepared.fleet, &asked.command, &args.fleet, change, out)
}

impl RotateArgs {
    /// How, with what the strategy means for it.
    fn change(&self) -> ChangeArgs {
        let mut change = self.change.clone();
        change.restart.restart |= self.strategy == Strategy::Restart;
        change
    }
}

/// Identity keys without a gap, where that can be. `None`: it cannot, and why has been said.
fn by_name(
    args: &RotateArgs,
    group: &str,
    written: &Inventory,
    analysis: &Analysis,
    out: &mut Ui,
) -> Result<Option<Answer>, Failure> {
    let command = command(args);
    let asked = reident::Asked {
        group,
        forced: args.strategy == Strategy::TwoNames,
        most: args.steps.map_or(usize::MAX, usize::from),
        stored: args.output.is_some(),
        command: &command,
    };
    reident::run(&asked, written, analysis, &args.fleet, &args.change, out)
}

fn what(args: &RotateArgs, inventory: &Inventory, analysis: &Analysis) -> Result<Subject, Failure> {
    let needs = |host| analysis.needs(host);
    let scope = match args.what {
        What::Identity | What::Pc => groups(args, inventory)?,
        What::Symmetric => keys(args)?,
        _ => hosts(args, inventory, analysis)?,
    };
    subject::subject(args.what.into(), &scope, inventory, &needs).map_err(|refused| {
        let mut failure = Failure::new("nothing was made anew");
        for refusal in refused {
            failure = failure.why(refusal.what).help(refusal.help);
        }
        failure
    })
}

fn groups(args: &RotateArgs, inventory: &Inventory) -> Result<Scope, Failure> {
    if args.group.is_empty() || !args.fleet.on.is_empty() || !args.host.is_empty() || !args.tag.is_empty() {
        return Err(Failure::new("identity keys belong to groups")
            .help("say which: --group NAME; all hosts that hold its keys change"));
    }
    let mut groups = Vec::new();
    for name in &args.group {
        let found = inventory.groups.iter().position(|group| *group.name == **name);
        let Some(at) = found.and_then(|at| u32::try_from(at).ok()) else {
            let known: Vec<&str> = inventory.groups.iter().map(|group| &*group.name).collect();
            return Err(Failure::new(format!("there is no group '{name}'"))
                .help(format!("the inventory has {}", known.join(", "))));
        };
        groups.push(GroupId(at));
    }
    Ok(Scope {
        groups,
        ..Scope::default()
    })
}

fn keys(args: &RotateArgs) -> Result<Scope, Failure> {
    if args.key.is_empty() {
        return Err(Failure::new("which symmetric key?").help("say which: --key 7, or --key 7@green"));
    }
    Ok(Scope {
        keys: args.key.clone(),
        ..Scope::default()
    })
}

fn hosts(args: &RotateArgs, inventory: &Inventory, analysis: &Analysis) -> Result<Scope, Failure> {
    let selectors: Vec<String> = selectors(args);
    if selectors.is_empty() {
        return Err(Failure::new("whose?").help(
            "say which hosts: --host NAME, --group NAME, --tag WORD or --on SELECTION; all of them: --on '*'",
        ));
    }
    let hosts = inventory::select(inventory, &selectors, |host| analysis.depth(host))
        .map_err(|error| Failure::new(error.to_string()).help(error.help))?;
    Ok(Scope {
        hosts,
        ..Scope::default()
    })
}

fn selectors(args: &RotateArgs) -> Vec<String> {
    let groups = args.group.iter().map(|name| format!("group:{name}"));
    let tags = args.tag.iter().map(|name| format!("tag:{name}"));
    let given = args.fleet.on.iter().chain(&args.host).cloned();
    given.chain(groups).chain(tags).collect()
}

/// The words of the command that finishes it.
fn command(args: &RotateArgs) -> String {
    let what = args.what.to_possible_value();
    let mut words = vec![
        "rotate".to_owned(),
        what.map(|what| what.get_name().to_owned()).unwrap_or_default(),
    ];
    let mut add = |option: &str, values: &[String]| {
        for value in values {
            let quote = if value.contains(['*', '[', ' ']) { "'" } else { "" };
            words.push(format!("{option} {quote}{value}{quote}"));
        }
    };
    add("--group", &args.group);
    add("--host", &args.host);
    add("--tag", &args.tag);
    add("--on", &args.fleet.on);
    add("--key", &args.key);
    let paths = args.fleet.inventory.paths.iter();
    words.extend(paths.map(|path| path.display().to_string()));
    words.join(" ")
}
