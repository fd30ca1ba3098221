//! `keytrail graph`: a picture of the trails.

use crate::cli::args::InventoryArgs;
use crate::cli::exit::{Answer, Failure};
use crate::cli::setup;
use crate::cli::ui::Ui;
use crate::ops::atomic_file;
use crate::report::Counts;
use crate::trail::draw::{self, Options};
use crate::trail::failure;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// `graph`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  keytrail graph fleet.yaml                          a tree, for the terminal
  keytrail graph fleet.yaml -o trails.svg            a picture by itself; Graphviz is not needed
  keytrail graph --format mermaid fleet.yaml         for Markdown

Cycles and single points of failure are red. Large fleets are folded: hosts with the same servers \
first.")]
pub struct GraphArgs {
    /// The inventory
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// What to draw [default: by the name of the file, else text]
    #[arg(long, value_enum)]
    pub format: Option<Picture>,
    /// Write the picture to a file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Boxes at most; beyond that hosts are folded together
    #[arg(long, value_name = "BOXES", default_value_t = 60)]
    pub most: usize,
}

/// How trails are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Picture {
    /// A tree, by stratum
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// For people to look at
    Svg,
}

pub fn run(args: &GraphArgs, out: &mut Ui) -> Result<Answer, Failure> {
    let format = match (args.format, &args.output) {
        (Some(format), _) => format,
        (None, Some(path)) => by_name(path)?,
        (None, None) => Picture::Text,
    };
    let loaded = setup::load(&args.inventory)?;
    let (inventory, analysis) = (&loaded.inventory, &loaded.analysis);
    let what_if = failure::single(inventory, &analysis.graph, &analysis.proof);
    let options = Options {
        most: args.most,
        ..Options::default()
    };
    let picture = draw::picture(inventory, analysis, &what_if, options);
    let drawn = match format {
        Picture::Text => draw::text(&picture),
        Picture::Dot => draw::dot(&picture),
        Picture::Mermaid => draw::mermaid(&picture),
        Picture::Svg => draw::svg(&picture),
    };
    match &args.output {
        Some(path) => {
            atomic_file::replace(path, atomic_file::Mode::Usual, drawn.as_bytes())
                .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error))?;
            out.note(&format!("Drawn: {}", path.display()));
        }
        None => out.bytes(drawn.as_bytes())?,
    }
    // What is wrong is red in the picture; this says why.
    if analysis.has_errors() {
        out.note(&format!(
            "{}: keytrail check tells what is wrong.",
            Counts::of(&analysis.findings)
        ));
    }
    Ok(Answer::Yes)
}

/// The format that a file's name asks for; text if it has no extension.
fn by_name(path: &Path) -> Result<Picture, Failure> {
    let extension = path.extension().map(|extension| extension.to_string_lossy());
    match extension.as_deref() {
        None | Some("txt") => Ok(Picture::Text),
        Some("dot" | "gv") => Ok(Picture::Dot),
        Some("mmd" | "mermaid") => Ok(Picture::Mermaid),
        Some("svg") => Ok(Picture::Svg),
        Some(_) => Err(
            Failure::new(format!("the name {} does not tell what to draw", path.display()))
                .help("end it in .svg, .dot, .mmd or .txt, or say --format"),
        ),
    }
}
