//! `keytrail demo`: the sample fleet on throw-away hosts of this machine, from check to a second apply.

use super::apply::{self, Applied};
use super::args::{Cli, FleetArgs, InventoryArgs, VaultArgs, Verb};
use super::out::Out;
use super::rollout::{RolloutArgs, Verify};
use super::stored::Source;
use super::{Answer, Failure, check, fleet, outcome, plan, rotate, status};
use crate::apply::Report;
use crate::demo::sshd::SshdLab;
use crate::inventory::{self, Connection, Inventory, Ssh};
use crate::plan::render;
use crate::trail;
use crate::vault::{self, KeySource, Vault};
use clap::Parser as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail demo
  keytrail demo --keep     leave the hosts' directories, to look around in them")]
pub struct DemoArgs {
    /// Leave the hosts' directories in place and say where they are
    #[arg(long)]
    pub keep: bool,
    /// Use the local connection even where sshd is there
    #[arg(long)]
    pub local: bool,
}

/// The scenario of the manual.
const SAMPLE: &str = include_str!("../../inventories/red-green-blue.yaml");

/// What stands in ntp.conf before keytrail comes.
const NTP_CONF: &str = "\
# This host's own settings: keytrail leaves them as they are.
driftfile /var/lib/ntp/ntp.drift
restrict default kod nomodify notrap nopeer
restrict 127.0.0.1
";

pub fn run(args: &DemoArgs, out: &mut Out) -> Result<Answer, Failure> {
    let dir = tempfile::Builder::new()
        .prefix("keytrail-demo-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| Failure::new("cannot make a directory for the demo").because(&error))?;
    let path = dir.path().to_owned();
    clean_up_on_signals(path.clone(), args.keep)?;
    let result = show(args, &path, out);
    if args.keep {
        let kept = dir.keep();
        out.line(&format!("\nKept: {}", kept.display()))?;
    }
    result
}

/// Ctrl-C and SIGTERM end the demo at once and leave nothing behind: there is no fleet here that must not be left
/// in the middle. The SSH servers end with this process.
fn clean_up_on_signals(dir: PathBuf, keep: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new("cannot listen for signals").because(&error);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt()).map_err(failed)?,
            signal(SignalKind::terminate()).map_err(failed)?,
        )
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        if !keep {
            // Hosts or the vault may be writing at this moment: what appears meanwhile goes with the next try, once
            // it is quiet for a moment.
            for _ in 0..50 {
                let _ = fs::remove_dir_all(&dir);
                std::thread::sleep(std::time::Duration::from_millis(5));
                if !dir.exists() {
                    break;
                }
            }
        }
        std::process::exit(130);
    });
    Ok(())
}

fn show(args: &DemoArgs, dir: &Path, out: &mut Out) -> Result<Answer, Failure> {
    title(
        out,
        "inventories/red-green-blue.yaml: RED and BLUE have clocks, GREEN follows both",
    )?;
    let file = dir.join("red-green-blue.yaml");
    fs::write(&file, SAMPLE).map_err(|error| cannot("write", &file, &error))?;
    let mut inventory = inventory::load(std::slice::from_ref(&file))
        .map_err(|_| Failure::new("the sample inventory does not load"))?;
    let lab = hosts(&mut inventory, dir, args.local, out)?;

    title(out, "keytrail check")?;
    let analysis = trail::analyse(&inventory, time::OffsetDateTime::now_utc().date());
    check::text(&inventory, &analysis, &analysis.findings, None, out)?;

    title(
        out,
        "keytrail plan: mint what is missing, look at every host, compare",
    )?;
    let vault = dir.join("red-green-blue.vault");
    let identity = dir.join("identity.agekey");
    vault::create_identity(&identity)
        .map_err(|error| fleet::vault_failure("cannot make a vault key", &error))?;
    let key = KeySource::File(identity.clone());
    let prepare = |inventory: &Inventory, out: &Out| {
        let open = || {
            let opened = if vault.exists() {
                Vault::open(&vault, &key)
            } else {
                Vault::create(&vault, &key, &[])
            };
            opened.map_err(|error| fleet::vault_failure("cannot open the vault", &error))
        };
        let given = fleet_args(&file);
        let source = Source::new(&given, std::slice::from_ref(&file), &vault)?;
        let analysis = trail::analyse(inventory, time::OffsetDateTime::now_utc().date());
        fleet::from_parts(inventory.clone(), analysis, open, source, &given, out)
    };
    let fleet = prepare(&inventory, out)?;
    let planned = plan::make(&fleet, out)?;
    out.text(&render::text(&planned.plan))?;

    title(
        out,
        "keytrail apply: stage everywhere, then activate from the trusted hosts down",
    )?;
    if !report(out, apply::apply(fleet, "demo", &without_daemons(), None, out)?)? {
        return Ok(Answer::No);
    }

    title(out, "keytrail apply, again: running it twice changes nothing")?;
    if !report(
        out,
        apply::apply(prepare(&inventory, out)?, "demo", &without_daemons(), None, out)?,
    )? {
        return Ok(Answer::No);
    }

    let words = |verb: &[&str]| -> Vec<String> {
        let more = [
            "--vault",
            &vault.to_string_lossy(),
            "--identity",
            &identity.to_string_lossy(),
        ]
        .map(str::to_owned);
        let verb = verb.iter().map(|&word| word.to_owned());
        verb.chain([as_written(dir).to_string_lossy().into_owned()])
            .chain(more)
            .collect()
    };
    write_as_text(dir, lab.as_ref())?;
    title(
        out,
        "keytrail rotate identity --group green: a new group key, from howland down",
    )?;
    if verb(&words(&["rotate", "identity", "--group", "green"]), out)? != Answer::Yes {
        return Ok(Answer::No);
    }
    title(out, "keytrail status")?;
    if verb(&words(&["status"]), out)? != Answer::Yes {
        return Ok(Answer::No);
    }

    title(
        out,
        "What is where: a trusted host, an intermediate server, a leaf that serves nobody",
    )?;
    for host in ["howland", "yellow", "leaf01"] {
        out.line(&format!("{host}:"))?;
        for line in tree(&root(dir, host).join("etc/ntp/crypto")) {
            out.line(&format!("  {line}"))?;
        }
    }
    out.line("\nleaf01 holds client parameters (gqpar) and no server key: nobody takes its time.")?;
    let conf = root(dir, "leaf01").join("etc/ntp/keytrail.conf");
    if let Ok(text) = fs::read_to_string(&conf) {
        title(
            out,
            "leaf01: /etc/ntp/keytrail.conf (mode 0600; ntp.conf includes it)",
        )?;
        out.text(&hide_password(&text))?;
    }
    drop(lab);
    Ok(Answer::Yes)
}

/// Runs a verb as from the command line.
fn verb(words: &[String], out: &mut Out) -> Result<Answer, Failure> {
    let words = std::iter::once("keytrail".to_owned()).chain(words.iter().cloned());
    let parsed = Cli::try_parse_from(words).map_err(|error| Failure::new(error.to_string()))?;
    match &parsed.verb {
        Verb::Rotate(args) => rotate::run(args, out),
        Verb::Status(args) => status::run(args, out),
        _ => Err(Failure::new("the demo has no such verb")),
    }
}

/// The sample with these hosts' connection, as a person would write it.
fn as_written(dir: &Path) -> PathBuf {
    dir.join("fleet.yaml")
}

fn write_as_text(dir: &Path, lab: Option<&SshdLab>) -> Result<(), Failure> {
    let connection = match lab {
        None => "  connection: local\n".to_owned(),
        Some(lab) => format!(
            "  ssh: {{ host: \"{{host}}\", config: {} }}\n",
            lab.config().display()
        ),
    };
    let root = format!("  root: \"{}\"\n", root(dir, "{host}").display());
    let text = SAMPLE
        .replace("  ssh: { user: root }\n", &(connection + &root))
        .replace("  restart: systemctl restart ntp\n", "  restart: \":\"\n");
    let file = as_written(dir);
    fs::write(&file, text).map_err(|error| cannot("write", &file, &error))
}

/// These hosts have no daemon to look at.
fn without_daemons() -> RolloutArgs {
    RolloutArgs {
        verify: Some(Verify::None),
        ..RolloutArgs::default()
    }
}

/// Gives every host of the sample a root directory here, and a way to reach it.
fn hosts(
    inventory: &mut Inventory,
    dir: &Path,
    local: bool,
    out: &mut Out,
) -> Result<Option<SshdLab>, Failure> {
    let ssh_dir = dir.join("ssh");
    fs::create_dir(&ssh_dir).map_err(|error| cannot("make", &ssh_dir, &error))?;
    let mut lab = if local {
        None
    } else {
        match SshdLab::new(&ssh_dir) {
            Ok(lab) => Some(lab),
            Err(error) => {
                out.note(&format!("Without SSH, on the local connection: {error}"));
                None
            }
        }
    };
    for host in &inventory.hosts {
        let etc = root(dir, &host.name).join("etc");
        fs::create_dir_all(&etc).map_err(|error| cannot("make", &etc, &error))?;
        let conf = etc.join("ntp.conf");
        fs::write(&conf, NTP_CONF).map_err(|error| cannot("write", &conf, &error))?;
        if let Some(lab) = &mut lab {
            lab.start(&host.name, &[]).map_err(|error| {
                Failure::new(format!("cannot start an SSH server for {}", host.name)).because(&error)
            })?;
        }
    }
    let connection = match &lab {
        None => Connection::Local,
        Some(lab) => Connection::Ssh(Ssh {
            host: Some("{host}".into()),
            config: Some(lab.config()),
            ..Ssh::default()
        }),
    };
    for entry in &mut inventory.entries {
        let settings = Arc::make_mut(&mut entry.settings);
        settings.connection = connection.clone();
        settings.root = Some(root(dir, "{host}").to_string_lossy().into());
        // There is no daemon in these directories; a real host restarts its own here.
        settings.restart = Some("true".into());
    }
    if let Some(lab) = &lab {
        out.line(&format!(
            "{} hosts, each an sshd of its own on loopback with its own host key.",
            lab.hosts().len()
        ))?;
    }
    Ok(lab)
}

fn root(dir: &Path, host: &str) -> PathBuf {
    dir.join("hosts").join(host)
}

fn fleet_args(file: &Path) -> FleetArgs {
    FleetArgs {
        inventory: InventoryArgs {
            paths: vec![file.into()],
        },
        vault: VaultArgs::default(),
        on: Vec::new(),
        templates: None,
        jobs: 16,
        timeout: None,
        unreached: false,
        said: false,
    }
}

fn report(out: &mut Out, applied: Applied) -> Result<bool, Failure> {
    let Applied::Done(report) = applied else {
        return Ok(false);
    };
    let report: Report = report;
    out.line(&outcome::text(&report, out.screen()))?;
    Ok(report.is_good() && !report.cancelled)
}

/// The files of a directory with their modes, links with their targets.
fn tree(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut lines: Vec<String> = entries
        .flatten()
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Ok(target) = fs::read_link(entry.path()) {
                return format!("{name} → {}", target.display());
            }
            let mode = entry
                .metadata()
                .map_or(0, |metadata| metadata.permissions().mode() & 0o7777);
            format!("{name}  {mode:04o}")
        })
        .collect();
    lines.sort();
    lines
}

/// Configuration lines without what follows `pw`.
fn hide_password(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.lines() {
        let mut hide = false;
        let words: Vec<&str> = line
            .split(' ')
            .map(|word| {
                let shown = if hide { "[redacted]" } else { word };
                hide = word == "pw";
                shown
            })
            .collect();
        shown.push_str(&words.join(" "));
        shown.push('\n');
    }
    shown
}

fn title(out: &mut Out, text: &str) -> Result<(), Failure> {
    let (on, off) = if out.color() {
        ("\u{1b}[1;36m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    out.line(&format!("\n{on}── {text}{off}"))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {what} {}", path.display())).because(error)
}
