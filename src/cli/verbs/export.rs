//! `keytrail export`: hosts' files as a directory. Mints what is missing; reaches no host.

use crate::cli::args::{FleetArgs, InventoryArgs, VaultArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::export::PROCEDURE;
use crate::ops::export::{Destination, Form};
use crate::ops::{Reach, Session};
use clap::Args;
use std::path::{Path, PathBuf};

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
    let fleet = fleet_args(args);
    let environment = setup::environment(out);
    let loaded = setup::load(&fleet.inventory)?;
    loaded.proven(&*environment.observer)?;
    let hosts = loaded.select(&fleet.on, Reach::All, &*environment.observer)?;
    let session = setup::session(&fleet, loaded, environment)?;
    let Some(output) = &args.output else {
        let &[host] = &*hosts else {
            return Err(
                Failure::new(format!("{} hosts are meant, and a mail is for one", hosts.len()))
                    .help("name one: each host gets what is for that host alone"),
            );
        };
        out.bytes(session.mail(host)?.as_bytes())?;
        return Ok(Answer::Yes);
    };
    let to = Destination {
        directory: output,
        force: args.force,
    };
    if let Some(group) = &args.parameters {
        return parameters(&session, group, &fleet, to, out);
    }
    let form = if args.tar {
        Form::Archives
    } else {
        Form::Directories
    };
    let trees = session.trees(&hosts)?;
    for (host, warning) in &trees.warnings {
        out.stderr(&format!("warning: {host}: {warning}"));
    }
    let exported = trees.write(form, to)?;
    for (host, files) in &exported.hosts {
        let name = if args.tar {
            format!("{host}.tar")
        } else {
            host.clone()
        };
        out.line(&format!(
            "{}: {files} files and links",
            output.join(name).display()
        ))?;
    }
    out.note(SECRET);
    if exported.openvms && form == Form::Directories {
        out.note(&format!(
            "On OpenVMS: copy a host's directory there as text files, into a directory of its own, and run @{PROCEDURE} in it from a privileged account."
        ));
    }
    Ok(Answer::Yes)
}

fn parameters(
    session: &Session,
    group: &str,
    fleet: &FleetArgs,
    to: Destination<'_>,
    out: &mut Ui,
) -> Result<Answer, Failure> {
    if let Some(host) = fleet.on.first() {
        return Err(Failure::new(format!(
            "{host}: the parameters of a group are the same for every host"
        ))
        .help("leave the hosts out, or say --mail HOST for one of them"));
    }
    for path in session.export_parameters(group, to)? {
        out.line(&to.directory.join(path).display().to_string())?;
    }
    out.note("With IFF and GQ, who has client parameters can pose as a server to the group's clients: publish them where only those come.\nThe directory is for you alone so far (mode 0700).");
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
    }
}
