//! `keytrail export`: hosts' files as a directory. Mints what is missing; reaches no host.

use crate::cli::args::{FleetArgs, Format, InventoryArgs, VaultArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::fleet;
use crate::cli::fleet::Fleet;
use crate::cli::planning;
use crate::cli::ui::Ui;
use crate::cli::{handover, when};
use crate::digest::Digest;
use crate::export::{self, Entry, WriteError};
use crate::inventory::{HostId, Implementation};
use crate::ntpconf;
use crate::plan::Observed;
use crate::secret::Secret;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// What to mind.
const SECRET: &str =
    "These files hold private keys and passwords: bring them to their hosts by a safe way, then delete them.";

/// `export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  keytrail export vms1 -o vms1.bundle fleet.yaml
  keytrail export --on group:red -o red fleet.yaml
  keytrail export -o all --force fleet.yaml          again, in place of an earlier export
  keytrail export leaf01 --tar -o leaf01 fleet.yaml   leaf01/leaf01.tar
  keytrail export --parameters red -o www fleet.yaml  what clients of red need, with an index
  keytrail export --mail partner1 fleet.yaml > mail   a host's group media as text

DIR/HOST holds what an apply would leave on a host that had no NTP configuration before. For hosts \
with `ntpd: openvms` it is a bundle with the names of that system and INSTALL_NTPKEYS.COM, which \
installs it. The files hold private keys and passwords: bring them to the host by a safe way, then \
delete them.")]
pub struct ExportArgs {
    /// Hosts (as with --on) and inventory: what ends in .yaml, .yml or .json, or holds a slash, is inventory
    #[arg(value_name = "HOST|INVENTORY")]
    what: Vec<String>,
    /// Directory to write; must be new or empty
    #[arg(short, long, value_name = "DIR", required_unless_present = "mail")]
    output: Option<PathBuf>,
    /// Each host as a tar file, DIR/HOST.tar
    #[arg(long, conflicts_with_all = ["parameters", "mail"])]
    tar: bool,
    /// The client parameters of a group, for a web page or an archive: files, index page, digests, stamps
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["mail", "on"])]
    parameters: Option<String>,
    /// Group media of a host as text for a mail, on standard output: client parameters in clear, server keys encrypted
    /// with the host's password
    #[arg(long, value_name = "HOST", conflicts_with_all = ["output", "force", "on"])]
    mail: Option<String>,
    /// Replace what keytrail exported there before, and nothing else
    #[arg(long)]
    force: bool,
    /// Only these hosts: NAME, a glob, group:NAME, tag:NAME or depth:N (hops from the trusted hosts); may be repeated
    #[arg(long, value_name = "SELECTION")]
    on: Vec<String>,
    /// Which vault
    #[command(flatten)]
    vault: VaultArgs,
    /// Templates of your own, in place of the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
}

pub fn run(args: &ExportArgs, out: &mut Ui) -> Result<Answer, Failure> {
    if args.output.as_deref() == Some(Path::new("-")) {
        return Err(
            Failure::new("an export is a directory: it does not go to standard output")
                .help("name a directory: -o DIR; for one called '-': -o ./-"),
        );
    }
    let fleet = match fleet::prepare(&fleet_args(args), Format::Text, out)? {
        Ok(fleet) => fleet,
        Err(answer) => return Ok(answer),
    };
    let Some(output) = &args.output else {
        return handover::mail(&fleet, out).map(|()| Answer::Yes);
    };
    if let Some(group) = &args.parameters {
        if let Some(host) = fleet.source.on.first() {
            return Err(Failure::new(format!(
                "{host}: the parameters of a group are the same for every host"
            ))
            .help("leave the hosts out, or say --mail HOST for one of them"));
        }
        let entries = handover::parameters(&fleet, group)?;
        let files = [(String::new(), entries)];
        export::write(output, &files, args.force).map_err(|error| failure(&error, output))?;
        for entry in &files[0].1 {
            out.line(&output.join(&entry.path).display().to_string())?;
        }
        out.note("With IFF and GQ, who has client parameters can pose as a server to the group's clients: publish them where only those come.\nThe directory is for you alone so far (mode 0700).");
        return Ok(Answer::Yes);
    }
    let hosts = with_contents(&fleet, |content| entries(&fleet, content, out))?;
    if args.tar {
        return tars(output, args.force, &hosts, out);
    }
    export::write(output, &hosts, args.force).map_err(|error| failure(&error, output))?;
    let mut openvms = false;
    for ((name, entries), &host) in hosts.iter().zip(&fleet.hosts) {
        openvms |= is_openvms(&fleet, host);
        let place = output.join(name);
        out.line(&format!("{}: {} files and links", place.display(), entries.len()))?;
    }
    out.note(SECRET);
    if openvms {
        out.note(&format!(
            "On OpenVMS: copy a host's directory there as text files, into a directory of its own, and run @{} in it from a privileged account.",
            export::PROCEDURE
        ));
    }
    Ok(Answer::Yes)
}

/// The hosts' trees, each packed.
fn tars(output: &Path, force: bool, hosts: &[(String, Vec<Entry>)], out: &mut Ui) -> Result<Answer, Failure> {
    let now = when::now();
    let packed = hosts.iter().map(|(host, entries)| {
        let content = export::archive(entries, now)
            .map_err(|error| Failure::new(format!("the files of {host} cannot be packed")).because(&error))?;
        Ok(Entry {
            path: format!("{host}.tar"),
            what: export::What::File { mode: 0o600, content },
        })
    });
    let files = [(String::new(), packed.collect::<Result<Vec<_>, Failure>>()?)];
    export::write(output, &files, force).map_err(|error| failure(&error, output))?;
    for (entry, (_, entries)) in files[0].1.iter().zip(hosts) {
        let place = output.join(&entry.path);
        out.line(&format!("{}: {} files and links", place.display(), entries.len()))?;
    }
    out.note(SECRET);
    Ok(Answer::Yes)
}

fn fleet_args(args: &ExportArgs) -> FleetArgs {
    let ending = |word: &str| {
        Path::new(word)
            .extension()
            .and_then(|ending| ending.to_str().map(str::to_owned))
    };
    let (paths, hosts): (Vec<&String>, Vec<&String>) = args.what.iter().partition(|word| {
        word.contains('/') || ending(word).is_some_and(|ending| ["yaml", "yml", "json"].contains(&&*ending))
    });
    FleetArgs {
        inventory: InventoryArgs {
            paths: paths.into_iter().map(PathBuf::from).collect(),
        },
        vault: args.vault.clone(),
        on: hosts
            .into_iter()
            .chain(&args.on)
            .chain(&args.mail)
            .cloned()
            .collect(),
        templates: args.templates.clone(),
        // Nobody is connected to.
        jobs: 1,
        timeout: None,
        unreached: true,
        said: false,
    }
}

fn is_openvms(fleet: &Fleet, host: HostId) -> bool {
    fleet.inventory.entry(host).settings.ntpd == Implementation::Openvms
}

/// Does something with a way to the vault's contents.
pub fn with_contents<T>(fleet: &Fleet, job: impl FnOnce(export::Contents<'_>) -> T) -> T {
    let artifacts = planning::artifacts(fleet);
    // A panic elsewhere cannot have left a read-only connection half changed.
    let vault = fleet.vault.lock().unwrap_or_else(PoisonError::into_inner);
    job(&|digest: &Digest| -> Result<Secret, String> {
        let id = artifacts.get(digest).ok_or("it is not in the vault")?;
        vault.content(*id).map_err(|error| error.to_string())
    })
}

/// What belongs on every host, or everything that stands against it.
fn entries(
    fleet: &Fleet,
    content: export::Contents<'_>,
    out: &Ui,
) -> Result<Vec<(String, Vec<Entry>)>, Failure> {
    let shared = ntpconf::Fleet::new(&fleet.inventory);
    let trusted = |group: &str| -> Vec<String> {
        let groups = fleet.inventory.groups.iter().filter(|of| &*of.name == group);
        groups
            .flat_map(|of| &of.trusted)
            .map(|&host| fleet.inventory.host(host).name.to_string())
            .collect()
    };
    let mut hosts = Vec::with_capacity(fleet.hosts.len());
    let mut problems: Vec<String> = Vec::new();
    for &host in &fleet.hosts {
        let made = match planning::desired(fleet, &shared, host, &Observed::default()) {
            Ok(made) => made,
            Err(whys) => {
                problems.extend(whys);
                continue;
            }
        };
        for warning in &made.warnings {
            out.stderr(&format!("warning: {}: {warning}", made.desired.host));
        }
        let entries = if is_openvms(fleet, host) {
            export::openvms(&made, &trusted, content)
        } else {
            export::tree(&made, content)
        };
        match entries {
            Ok(entries) => hosts.push((made.desired.host, entries)),
            Err(errors) => problems.extend(errors.iter().map(ToString::to_string)),
        }
    }
    if problems.is_empty() {
        return Ok(hosts);
    }
    problems.dedup();
    Err(problems.into_iter().fold(
        Failure::new("these hosts cannot be exported; nothing was written"),
        Failure::why,
    ))
}

fn failure(error: &WriteError, target: &Path) -> Failure {
    let failure = Failure::new(format!("nothing was exported to {}", target.display())).because(error);
    match error {
        WriteError::NotEmpty(_) => failure
            .help("name a new directory")
            .help("or replace an earlier export: --force"),
        WriteError::Foreign(_) => {
            failure.help("name a new directory: --force replaces only what keytrail itself exported")
        }
        WriteError::Io { .. } => failure,
    }
}
