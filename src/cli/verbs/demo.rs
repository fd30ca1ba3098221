//! `keytrail demo`: the sample fleet on throw-away hosts of this machine, from check to a second apply.

use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::demo::sshd::SshdLab;
use crate::inventory;
use crate::vault::{self, KeySource, Vault};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
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
const SAMPLE: &str = include_str!("../../../inventories/red-green-blue.yaml");

/// What stands in ntp.conf before keytrail comes.
const NTP_CONF: &str = "\
# This host's own settings: keytrail leaves them as they are.
driftfile /var/lib/ntp/ntp.drift
restrict default kod nomodify notrap nopeer
restrict 127.0.0.1
";

pub fn run(args: &DemoArgs, commands: Commands<'_>, out: &mut Ui) -> Result<Answer, Failure> {
    let dir = tempfile::Builder::new()
        .prefix("keytrail-demo-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| Failure::new("cannot make a directory for the demo").because(&error))?;
    let path = dir.path().to_owned();
    clean_up_on_signals(path.clone(), args.keep)?;
    let result = show(args, commands, &path, out);
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

/// Carries out a command line, without the program's name.
pub type Commands<'a> = &'a dyn Fn(&[String], &mut Ui) -> Result<Answer, Failure>;

fn show(args: &DemoArgs, commands: Commands<'_>, dir: &Path, out: &mut Ui) -> Result<Answer, Failure> {
    title(
        out,
        "inventories/red-green-blue.yaml: RED and BLUE have clocks, GREEN follows both",
    )?;
    let lab = hosts(dir, args.local, out)?;
    let (vault, identity) = vault(dir)?;
    let file = write_inventory(dir, lab.as_ref())?.to_string_lossy().into_owned();
    let opened = [
        "--vault",
        &vault.to_string_lossy(),
        "--identity",
        &identity.to_string_lossy(),
    ]
    .map(str::to_owned);
    // These hosts have no daemon to look at.
    let apply: &[&str] = &["apply", "--verify", "none"];
    let steps: [(&str, &[&str]); 6] = [
        ("keytrail check", &["check"]),
        (
            "keytrail plan: mint what is missing, look at every host, compare",
            &["plan"],
        ),
        (
            "keytrail apply: stage everywhere, then activate from the trusted hosts down",
            apply,
        ),
        ("keytrail apply, again: running it twice changes nothing", apply),
        (
            "keytrail rotate identity --group green: a new group key, from howland down",
            &["rotate", "identity", "--group", "green"],
        ),
        ("keytrail status", &["status"]),
    ];
    for (heading, verb) in steps {
        title(out, heading)?;
        let mut words: Vec<String> = verb.iter().map(|&word| word.to_owned()).collect();
        words.push(file.clone());
        if verb != ["check"] {
            words.extend(opened.iter().cloned());
        }
        if commands(&words, out)? != Answer::Yes {
            return Ok(Answer::No);
        }
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

/// An empty vault, and the key that opens it.
fn vault(dir: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    let (vault, identity) = (dir.join("red-green-blue.vault"), dir.join("identity.agekey"));
    vault::create_identity(&identity)
        .and_then(|_| Vault::create(&vault, &KeySource::File(identity.clone()), &[]))
        .map_err(|error| Failure::new("cannot make a vault for the demo").because(&error))?;
    Ok((vault, identity))
}

/// Writes the sample with these hosts' connection, as a person would write it.
fn write_inventory(dir: &Path, lab: Option<&SshdLab>) -> Result<PathBuf, Failure> {
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
    let file = dir.join("red-green-blue.yaml");
    fs::write(&file, text).map_err(|error| cannot("write", &file, &error))?;
    Ok(file)
}

/// Gives every host of the sample a root directory here, and an SSH server where that can be.
fn hosts(dir: &Path, local: bool, out: &mut Ui) -> Result<Option<SshdLab>, Failure> {
    let inventory =
        inventory::load_str(SAMPLE).map_err(|_| Failure::new("the sample inventory does not load"))?;
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

fn title(out: &mut Ui, text: &str) -> Result<(), Failure> {
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
