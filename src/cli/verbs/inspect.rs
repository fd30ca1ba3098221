//! `keytrail inspect`: what files of key media hold, and whether a daemon can use them.

use crate::cli::args::Format;
use crate::cli::exit::{Answer, Failure};
use crate::cli::secret_input;
use crate::cli::ui::Ui;
use crate::cli::view::inspect as view;
use crate::inventory::Implementation;
use crate::media::inspect::{PairReport, Report};
use crate::ops::inspection::{self, Dangling, Eyes, Gathered, Item, Pair, Unreadable, Verdict};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Say what files of key media hold, and prove their numbers
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  keytrail inspect /etc/ntp/crypto                    all files there, and which belong together
  keytrail inspect --password-file pw ntpkey_iffkey_red
  keytrail inspect --password-file pw --pair ntpkey_iffkey_red ntpkey_iffpar_red

Exit status: 0 nothing wrong; 1 a file that a daemon cannot use, or two that do not belong \
together; 2 a file that cannot be read.")]
pub struct InspectArgs {
    /// Files, or directories of them
    #[arg(value_name = "FILE|DIR", required_unless_present = "pair")]
    paths: Vec<PathBuf>,
    /// Take the password of private files from the first line of a file, or of standard input (-). May be repeated:
    /// every password is tried
    #[arg(long, value_name = "FILE")]
    password_file: Vec<PathBuf>,
    /// Prove that a server's file and a client's belong together, or a certificate and its key
    #[arg(long, num_args = 2, value_names = ["SERVER", "CLIENT"], conflicts_with = "paths")]
    pair: Vec<PathBuf>,
    /// Print private numbers and symmetric keys as well
    #[arg(long)]
    show_private: bool,
    /// The daemon by whose rules files of symmetric keys are read
    #[arg(long, value_enum, default_value_t = Daemon::NtpOrg, value_name = "DAEMON")]
    ntpd: Daemon,
    /// Output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Daemon {
    /// The NTP project's ntpd
    #[value(name = "ntp.org")]
    NtpOrg,
    /// NTPsec's ntpd
    Ntpsec,
    /// chronyd
    Chrony,
    /// TCP/IP Services for OpenVMS
    Openvms,
}

impl From<Daemon> for Implementation {
    fn from(daemon: Daemon) -> Self {
        match daemon {
            Daemon::NtpOrg => Self::NtpOrg,
            Daemon::Ntpsec => Self::Ntpsec,
            Daemon::Chrony => Self::Chrony,
            Daemon::Openvms => Self::Openvms,
        }
    }
}

/// The answer as JSON, version 1: fields may be added, none is removed.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    files: Vec<Entry<'a>>,
    pairs: &'a [Pair],
    dangling_links: &'a [Dangling],
}

#[derive(Serialize)]
struct Entry<'a> {
    path: &'a Path,
    verdict: Verdict,
    linked_as: &'a [String],
    unreadable: Option<&'a Unreadable>,
    report: Option<&'a Report>,
}

/// Runs the verb.
pub fn run(args: &InspectArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let stdin = args
        .password_file
        .iter()
        .filter(|path| path.as_path() == Path::new("-"));
    if stdin.count() > 1 {
        return Err(Failure::new("standard input holds one password only").help("name - once"));
    }
    let passwords = args
        .password_file
        .iter()
        .map(|path| secret_input::from_file("password", path));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let eyes = Eyes {
        passwords: passwords.collect::<Result<_, _>>()?,
        daemon: args.ntpd.into(),
        now: i64::try_from(now).unwrap_or(i64::MAX),
        show_private: args.show_private,
    };
    match args.pair.as_slice() {
        [one, other] => pair(&eyes, one, other, args.format, out),
        _ => files(&eyes, &args.paths, args.format, out),
    }
}

fn files(eyes: &Eyes, paths: &[PathBuf], format: Format, out: &mut Ui) -> Result<Answer, Failure> {
    let gathered = eyes.gather(paths)?;
    match format {
        Format::Text => out.text(&view::files(&gathered, out.color()))?,
        form => document(&gathered, form, out)?,
    }
    Ok(answer(&gathered))
}

fn pair(eyes: &Eyes, one: &Path, other: &Path, format: Format, out: &mut Ui) -> Result<Answer, Failure> {
    let look = |path: &Path| {
        eyes.look(path).map_err(|unreadable| {
            let failure = Failure::new(format!("{}: {}", path.display(), unreadable.what));
            unreadable.help.into_iter().fold(failure, Failure::help)
        })
    };
    let report: PairReport = inspection::tested(&look(one)?, &look(other)?)?;
    let answer = if report.belong { Answer::Yes } else { Answer::No };
    let files = [one.to_owned(), other.to_owned()];
    let gathered = Gathered {
        pairs: vec![Pair { files, report }],
        ..Gathered::default()
    };
    match format {
        Format::Text => out.text(&view::files(&gathered, out.color()))?,
        form => document(&gathered, form, out)?,
    }
    Ok(answer)
}

fn answer(gathered: &Gathered) -> Answer {
    let worst = gathered.items.iter().map(Item::verdict).max();
    let apart = gathered.pairs.iter().any(|pair| !pair.report.belong);
    match worst {
        Some(Verdict::Unreadable) => Answer::Unusable,
        Some(Verdict::Bad) => Answer::No,
        _ if apart || !gathered.dangling.is_empty() => Answer::No,
        _ => Answer::Yes,
    }
}

fn document(gathered: &Gathered, form: Format, out: &mut Ui) -> Result<(), Failure> {
    let files = gathered.items.iter().map(|item| Entry {
        path: &item.path,
        verdict: item.verdict(),
        linked_as: &item.links,
        unreadable: item.found.as_ref().err(),
        report: item.found.as_ref().ok().map(|found| &found.report),
    });
    let document = Document {
        version: 1,
        files: files.collect(),
        pairs: &gathered.pairs,
        dangling_links: &gathered.dangling,
    };
    out.value(&document, form)
}
