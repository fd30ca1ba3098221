//! What nearly every verb begins with: read the inventory, prove it, stop at errors.

use crate::cli::args::{Format, InventoryArgs};
use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::finding::{Finding, Severity};
use crate::inventory::{Inventory, LoadFailure, Source};
use crate::report;
use crate::trail::{self, Analysis};
use std::path::{Path, PathBuf};

/// Findings shown as text before the rest is only counted; JSON always has all.
const SHOWN: usize = 50;

/// The files of an inventory: as given, else `keytrail.yaml` here.
pub fn paths(args: &InventoryArgs) -> Result<Vec<PathBuf>, Failure> {
    if !args.paths.is_empty() {
        return Ok(args.paths.clone());
    }
    let default = Path::new("keytrail.yaml");
    if default.exists() {
        return Ok(vec![default.into()]);
    }
    Err(
        Failure::new("no inventory given, and there is no keytrail.yaml here")
            .help("name one: keytrail check fleet.yaml")
            .help("or start one: keytrail init keytrail.yaml"),
    )
}

/// What came of reading an inventory.
pub enum Loaded {
    /// It is well formed, and analysed.
    Good(Box<Inventory>, Box<Analysis>),
    /// It is not; what is wrong has been printed.
    Malformed,
}

/// Reads and analyses. What is malformed is printed here: text on standard error, JSON on standard output.
pub fn load(paths: &[PathBuf], format: Format, out: &mut Ui) -> Result<Loaded, Failure> {
    match read(paths)? {
        Read::Good(inventory, analysis) => Ok(Loaded::Good(inventory, analysis)),
        Read::Invalid { sources, findings } => {
            match format {
                Format::Json | Format::Yaml => out.bytes(report::json(&sources, &findings).as_bytes())?,
                Format::Text => out.stderr(render(&sources, &findings, out.stderr_color()).trim_end()),
            }
            Ok(Loaded::Malformed)
        }
    }
}

/// What reading an inventory gives, before anything is printed.
pub enum Read {
    /// It is well formed, and analysed.
    Good(Box<Inventory>, Box<Analysis>),
    /// It is not.
    Invalid {
        /// The files.
        sources: Vec<Source>,
        /// What is wrong with them.
        findings: Vec<Finding>,
    },
}

/// Reads and analyses, and leaves it to the caller to say what is wrong.
pub fn read(paths: &[PathBuf]) -> Result<Read, Failure> {
    match crate::inventory::load(paths) {
        Ok(inventory) => {
            let analysis = trail::analyse(&inventory, time::OffsetDateTime::now_utc().date());
            Ok(Read::Good(Box::new(inventory), Box::new(analysis)))
        }
        Err(LoadFailure::Unreadable { path, error }) => {
            Err(Failure::new(format!("cannot read {}", path.display())).because(&error))
        }
        Err(LoadFailure::Invalid { sources, findings }) => Ok(Read::Invalid { sources, findings }),
    }
}

/// Findings as text for this output.
pub fn render(sources: &[Source], findings: &[Finding], color: bool) -> String {
    let style = report::TextStyle {
        color,
        limit: SHOWN,
        ..report::TextStyle::default()
    };
    report::text(sources, findings, style)
}

/// For verbs that act: prints what the analysis found, and answers whether to go on.
pub fn proven(inventory: &Inventory, analysis: &Analysis, out: &Ui) -> Result<(), Answer> {
    let serious: Vec<Finding> = analysis
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .cloned()
        .collect();
    if !serious.is_empty() && (analysis.has_errors() || !out.quiet()) {
        out.stderr(render(&inventory.sources, &serious, out.stderr_color()).trim_end());
    }
    if analysis.has_errors() {
        out.stderr("Nothing was minted or changed: mend the inventory first.");
        return Err(Answer::No);
    }
    Ok(())
}
