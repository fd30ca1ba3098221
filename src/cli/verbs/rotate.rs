//! `keytrail rotate`: keys made anew and brought to the hosts they concern, in an order that disturbs least.

use crate::apply::Report;
use crate::cli::args::{ChangeArgs, FleetArgs, Format};
use crate::cli::exit::{Answer, Failure};
use crate::cli::rotation;
use crate::cli::runtime;
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::cli::view::outcome;
use crate::inventory::{self, Inventory};
use crate::ops::rotation::{Change, Concerned, Staged, Step, StepKind, Unsuitable, no_renaming_under_way};
use crate::ops::{self, ApplyJob, Demand, Planned, Session, Task};
use crate::plan::order::Share;
use crate::report::time_format;
use crate::rotate::gap::REEXAMINED;
use crate::rotate::subject::{self, Scope, Subject};
use crate::trail::Analysis;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

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
    pub change: ChangeArgs,
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

/// One step, for programs.
#[derive(Serialize)]
struct Taken {
    step: usize,
    report: Report,
}

pub fn run(args: &RotateArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let change = &args.change();
    if args.what == What::Symmetric {
        keys(args)?;
    }
    two_names_fit(args)?;
    let loaded = setup::load(&args.fleet.inventory)?;
    // What is wrong with the command is said before the vault is touched. Symmetric keys are asked for by the ids in force,
    // which the vault knows.
    if args.what != What::Symmetric {
        what(args, &loaded.inventory, &loaded.analysis)?;
    }
    let mut session = rotation::session(&args.fleet, change, loaded, out)?;
    if let Some(staged) = staged(args, &session, out)? {
        return in_steps(args, change, &staged, &mut session, out);
    }
    session.mint(&Demand::missing("inventory"))?;
    by_restarts(args, change, &mut session, out)
}

/// Whether a second name can be asked for at all.
fn two_names_fit(args: &RotateArgs) -> Result<(), Failure> {
    if args.strategy != Strategy::TwoNames {
        return Ok(());
    }
    match args.what {
        // Several at once would take two servers from who is in both.
        What::Identity if args.group.len() != 1 => {
            Err(Failure::new("keys change by a new name one group at a time").help("say which: --group NAME"))
        }
        What::Identity | What::Symmetric => Ok(()),
        _ => Err(
            Failure::new("only symmetric keys and the identity keys of groups change by a second name")
                .help("leave --strategy out"),
        ),
    }
}

/// The rotation in steps that the options ask for, where it can be done. `None`: by restarts, and why has been said.
fn staged(args: &RotateArgs, session: &Session, out: &Ui) -> Result<Option<Staged>, Failure> {
    let staged = match (args.what, args.strategy, args.group.as_slice()) {
        (_, Strategy::Restart, _) => return Ok(None),
        (What::Symmetric, ..) => Staged::Ids {
            keys: args.key.clone(),
        },
        (What::Identity, _, [group]) => Staged::Name {
            group: group.clone(),
            command: command(args),
        },
        _ => return Ok(None),
    };
    let verify = args.change.rollout.options(args.fleet.limits()).verify;
    let Err(Unsuitable(why)) = staged.suits(session, verify)? else {
        return match &staged {
            Staged::Name { .. } if args.output.is_some() => Err(Failure::new("this rotation cannot be written as a single plan")
                .why("the keys change in steps without a gap, and each step is planned when the one before is everywhere")
                .help("--dry-run shows the first step; --steps 1 takes it alone")
                .help("--strategy restart: one plan, with a gap for every host")),
            _ => Ok(Some(staged)),
        };
    };
    if args.strategy == Strategy::TwoNames {
        let (what, help) = match &staged {
            Staged::Ids { .. } => (
                "these keys cannot change by a new id".to_owned(),
                "--strategy restart: the same id, refused between the restarts of server and client",
            ),
            Staged::Name { group, .. } => (
                format!("the keys of group {group} cannot change by a new name"),
                "--strategy restart: one server of each host at a time; a host with two servers keeps time meanwhile",
            ),
        };
        return Err(ops::Error::new(what).whys(why).help(help).into());
    }
    for why in why {
        out.note(&match &staged {
            Staged::Ids { .. } => format!("Not by a new id: {why}."),
            Staged::Name { .. } => format!("Not without a gap: {why}."),
        });
    }
    Ok(None)
}

/// Takes steps, as many as asked for; for a saved plan none, but plans the next one.
fn in_steps(
    args: &RotateArgs,
    change: &ChangeArgs,
    staged: &Staged,
    session: &mut Session,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let command = command(args);
    let most = match staged {
        Staged::Ids { .. } => args.steps.map_or(3, usize::from),
        Staged::Name { .. } => args.steps.map_or(usize::MAX, usize::from),
    };
    staged.begin(session)?;
    let mut taken = Vec::new();
    while taken.len() < most {
        let Some(mut step) = staged.next(session)? else {
            break;
        };
        step.task = rotation::with_options(step.task, change);
        if change.dry_run {
            out.note("The first of the steps, as it would be done now:");
            return rotation::show(session, &step.task, (&args.fleet, change), None, out);
        }
        if args.output.is_some() {
            let planned = plan(args, session, &step.task)?;
            if planned.plan.is_empty() && planned.missed.is_empty() {
                staged.arrive(session)?;
                continue;
            }
            return save_step(args, change, (session, &step, &planned), out);
        }
        let job = ApplyJob {
            task: &step.task,
            options: &change.rollout.options(args.fleet.limits()),
            command: &command,
            saved: None,
        };
        let report = runtime::run(async |cancel| session.apply(&job, &cancel).await)?;
        if change.format == Format::Text {
            out.line(&outcome::text(&report, out.screen()))?;
        }
        let good = report.is_good() && !report.cancelled;
        let (number, of) = (step.number, step.of);
        taken.push(Taken { step: number, report });
        if !good {
            steps_taken(&taken, change.format, out)?;
            out.stderr(&format!(
                "Pending: step {number} of {of} is not everywhere. {}\n  Go on: keytrail {command}",
                meanwhile(&step.kind)
            ));
            return Ok(Answer::No);
        }
        staged.arrive(session)?;
        if number < of && taken.len() == most {
            out.note(&format!(
                "Stopped after step {number} of {of}, as asked. Go on: keytrail {command}"
            ));
        }
    }
    steps_taken(&taken, change.format, out)?;
    Ok(Answer::Yes)
}

fn plan(args: &RotateArgs, session: &Session, task: &Task) -> Result<Planned, Failure> {
    let limits = args.fleet.limits();
    runtime::run(async |cancel| session.plan(task, limits, &cancel).await)
}

fn save_step(
    args: &RotateArgs,
    change: &ChangeArgs,
    (session, step, planned): (&Session, &Step, &Planned),
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let output = args.output.as_deref();
    let answer = rotation::show_planned(session, &step.task, planned, (&args.fleet, change, output), out)?;
    out.note(&format!(
        "That is step {} of {}. After it, go on: keytrail {}",
        step.number,
        step.of,
        command(args)
    ));
    Ok(answer)
}

fn steps_taken(taken: &[Taken], format: Format, out: &mut Ui) -> Result<(), Failure> {
    match format {
        Format::Text => Ok(()),
        form => out.value(&taken, form),
    }
}

/// What it means for the daemons that a step is not everywhere, a sentence or two.
fn meanwhile(kind: &StepKind) -> String {
    match kind {
        StepKind::IdAdded | StepKind::IdSwitched | StepKind::IdRemoved => {
            "Nothing is refused meanwhile.".to_owned()
        }
        StepKind::NameAdded { .. } | StepKind::NameMoved { .. } | StepKind::NameRemoved { .. } => format!(
            "Nobody is without a proven server meanwhile: a client that has not followed goes on with what it has proved of the server that changed, until {} at the latest, and has its other servers.",
            time_format::minute(ops::now() + REEXAMINED)
        ),
    }
}

/// Mints, and changes hosts one after the other with restarts.
fn by_restarts(
    args: &RotateArgs,
    change: &ChangeArgs,
    session: &mut Session,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    let subject = what(args, session.inventory(), session.analysis())?;
    if args.what == What::Identity {
        no_renaming_under_way(session, &args.group)?;
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
        repeat: args.anew,
        concerns: Concerned::Changed,
    };
    let Some(task) = session.begin(&asked)? else {
        out.line("Nothing to rotate: no host holds what would be made anew.")?;
        return Ok(Answer::Yes);
    };
    let task = rotation::with_options(task, change);
    if change.dry_run || args.output.is_some() {
        return rotation::show(session, &task, (&args.fleet, change), args.output.as_deref(), out);
    }
    rotation::carry_out(session, &task, &asked.command, (&args.fleet, change), out)
}

impl RotateArgs {
    /// How, with what the strategy means for it.
    fn change(&self) -> ChangeArgs {
        let mut change = self.change.clone();
        change.restart.restart |= self.strategy == Strategy::Restart;
        change
    }
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
        let Some(group) = inventory.group_named(name) else {
            let known: Vec<&str> = inventory.groups.iter().map(|group| &*group.name).collect();
            return Err(Failure::new(format!("there is no group '{name}'"))
                .help(format!("the inventory has {}", known.join(", "))));
        };
        groups.push(group);
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
    let hosts =
        inventory::select(inventory, &selectors, |host| analysis.depth(host)).map_err(ops::Error::from)?;
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
    rotation::command(words, &args.fleet.inventory.paths)
}
