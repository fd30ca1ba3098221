//! `keytrail check`: prove the trails, show every finding on its line, ask what breaks if something fails.

use crate::cli::args::{InventoryArgs, days};
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::cli::vault_key::open_unverified;
use crate::cli::view;
use crate::finding::{Finding, Severity};
use crate::inventory::{Inventory, Source};
use crate::ops::{self, Kind, Loaded};
use crate::report::{self, Answers, Checked, Counts, Ranking, Roots};
use crate::trail::failure;
use crate::trail::rules::expiring::{Ends, soon};
use crate::trail::{self, Analysis};
use crate::vault::Vault;
use clap::ValueEnum;
use std::path::PathBuf;

/// `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail check fleet.yaml
  keytrail check sites/                 every .yaml file of a directory, as one inventory
  keytrail check --what-if single fleet.yaml        who loses the trail if a host or clock fails
  keytrail check --format github --fail-on warning fleet.yaml    in a CI job

An inventory that cannot be read is reported in the same format, with exit status 2. \
keytrail explain CODE tells what a finding means.")]
pub struct CheckArgs {
    /// Which inventory
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// Output
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
    /// The least severity that makes the answer no (exit status 1)
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// Also ask who loses the trail if something fails
    #[arg(long, value_enum, value_name = "FAILURES")]
    pub what_if: Option<WhatIf>,
    /// With --what-if: hosts that must depend on one point before it is a finding
    #[arg(long, value_name = "HOSTS", default_value_t = 2, requires = "what_if")]
    pub threshold: u64,
    /// Also say which certificates of this vault end soon; needs no key [default: the one beside the inventory, if
    /// there is one]
    #[arg(long, value_name = "FILE")]
    pub vault: Option<PathBuf>,
    /// Certificates that end within so many days are a finding [default: the inventory's policy, else 30d]
    #[arg(long, value_name = "DAYS", value_parser = days)]
    pub expiring: Option<i64>,
}

/// What `check` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people
    Text,
    /// For programs; docs/check-json.md
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// For the test tab of a CI system
    Junit,
    /// Annotations on the lines of a pull request
    Github,
}

/// Which findings make the answer no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Only errors
    Error,
    /// Warnings too
    Warning,
    /// Anything
    Note,
}

/// How much fails at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhatIf {
    /// Any one host, clock or group
    Single,
    /// Also any two servers at once
    Double,
}

/// Rows of the what-if table shown before the rest is only counted.
const ROWS: usize = 20;

pub fn run(args: &CheckArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let loaded = match Loaded::read(&args.inventory.files()?) {
        Ok(loaded) => loaded,
        Err(error) => return malformed(args, error, out),
    };
    let today = time::OffsetDateTime::now_utc().date();
    let (inventory, analysis) = (&loaded.inventory, &loaded.analysis);
    let mut findings = analysis.findings.clone();
    let ranking = args.what_if.map(|failures| {
        let what_if = what_if(inventory, analysis, failures);
        let weak = trail::what_if_findings(inventory, analysis, &what_if, args.threshold, today);
        findings.extend(weak);
        Ranking::new(inventory, &analysis.graph, &what_if)
    });
    findings.extend(expiring(args, &loaded, today, out)?);
    let fails = findings
        .iter()
        .any(|finding| finding.severity >= severity(args.fail_on));
    if args.format == CheckFormat::Text {
        text(inventory, analysis, &findings, ranking.as_ref(), out)?;
    } else {
        let answers = Answers {
            ranking: ranking.as_ref(),
            tally: Some(&analysis.tally),
        };
        machine(args, true, (&inventory.sources, &findings), answers, out)?;
    }
    if !fails {
        return Ok(Answer::Yes);
    }
    if Counts::of(&findings).errors == 0 {
        out.note("This fails because of --fail-on.");
    }
    Ok(Answer::No)
}

/// An inventory that cannot be read, in the form asked for.
fn malformed(args: &CheckArgs, error: ops::Error, out: &mut Ui) -> Result<Answer, Failure> {
    let Kind::Malformed { sources, findings } = error.kind() else {
        return Err(error.into());
    };
    match args.format {
        CheckFormat::Text => {
            out.stderr(view::findings::text(sources, findings, out.stderr_color()).trim_end());
        }
        _ => machine(args, false, (sources, findings), Answers::default(), out)?,
    }
    Ok(Answer::Unusable)
}

/// What the vault says of certificates: the one that is named, or the one beside the inventory, if there is one.
fn expiring(args: &CheckArgs, loaded: &Loaded, today: time::Date, out: &Ui) -> Result<Vec<Finding>, Failure> {
    let (inventory, analysis) = (&loaded.inventory, &loaded.analysis);
    let path = args
        .vault
        .clone()
        .unwrap_or_else(|| Vault::beside(&loaded.paths[0]));
    if args.vault.is_none() && !path.exists() {
        return Ok(Vec::new());
    }
    let certificates = match open_unverified(&path, out).and_then(|vault| vault.certificates()) {
        Ok(certificates) => certificates,
        Err(error) if args.vault.is_some() => {
            return Err(Failure::vault("cannot read the vault", &error));
        }
        // The inventory can be judged without it.
        Err(error) => {
            out.stderr(&format!(
                "warning: nothing is said of certificates that end: {error}"
            ));
            return Ok(Vec::new());
        }
    };
    let ends = |host| {
        let ends = certificates.get(&*inventory.host(host).name)?;
        analysis.needs(host).autokey.then_some(Ends {
            standing: ends.standing,
            latest: ends.latest,
        })
    };
    Ok(trail::expiring_findings(
        inventory,
        &ends,
        ops::now(),
        args.expiring.unwrap_or_else(|| soon(inventory)),
        today,
    ))
}

fn severity(fail_on: FailOn) -> Severity {
    match fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Note => Severity::Note,
    }
}

fn what_if(inventory: &Inventory, analysis: &Analysis, failures: WhatIf) -> failure::WhatIf {
    let mut what_if = failure::single(inventory, &analysis.graph, &analysis.proof);
    if failures == WhatIf::Double {
        what_if.failures.extend(failure::double(&analysis.graph));
        what_if
            .failures
            .sort_by(|a, b| b.loses.cmp(&a.loses).then_with(|| a.parts.cmp(&b.parts)));
        what_if.left_out = failure::left_out_of_double(&analysis.graph);
    }
    what_if
}

/// The answer for people: what was found, the ranking if asked for, and what is proven of how many hosts.
fn text(
    inventory: &Inventory,
    analysis: &Analysis,
    findings: &[Finding],
    ranking: Option<&Ranking<'_>>,
    out: &mut Ui,
) -> Result<(), Failure> {
    if !findings.is_empty() {
        out.text(&view::findings::text(&inventory.sources, findings, out.color()))?;
    }
    if let Some(ranking) = ranking {
        let gap = if findings.is_empty() { "" } else { "\n" };
        out.text(&format!("{gap}{}", ranking.text(ROWS, out.screen())))?;
    }
    if inventory.hosts.is_empty() {
        return out.line("The inventory has no hosts: there is nothing to prove.");
    }
    let above = match analysis.tally.unauthenticated {
        0 => "",
        // The inventory waives what is wrong with them.
        _ if findings.is_empty() => ": waived",
        _ => ": see above",
    };
    out.line(&format!("{}{above}", analysis.tally))
}

/// The formats that programs read.
fn machine(
    args: &CheckArgs,
    readable: bool,
    (sources, findings): (&[Source], &[Finding]),
    answers: Answers<'_>,
    out: &mut Ui,
) -> Result<(), Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::new("the current directory is gone").because(&error))?;
    let root = checkout(&here);
    let checked = Checked {
        sources,
        findings,
        readable,
        what_if: answers.ranking.is_some(),
        fail_on: severity(args.fail_on),
        roots: Roots {
            here: &here,
            root: &root,
        },
    };
    let text = match args.format {
        CheckFormat::Sarif => report::sarif(&checked),
        CheckFormat::Junit => report::junit(&checked),
        CheckFormat::Github => report::github(&checked),
        CheckFormat::Json | CheckFormat::Text => report::json_with(sources, findings, answers),
    };
    out.bytes(text.as_bytes())
}

/// The root of the checkout, if a CI system says so and this directory is inside it; else this directory.
fn checkout(here: &std::path::Path) -> PathBuf {
    ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from)
        .find(|root| root.is_absolute() && here.starts_with(root))
        .unwrap_or_else(|| here.to_owned())
}
