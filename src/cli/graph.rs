//! `keytrail graph`: a picture of the trails.

use super::args::{Graph, Picture};
use super::load::{self, Read};
use super::out::Out;
use super::{Answer, Failure};
use crate::report::Counts;
use crate::trail::draw::{self, Options};
use crate::trail::failure;
use std::path::Path;

pub fn run(args: &Graph, out: &mut Out) -> Result<Answer, Failure> {
    let format = args
        .format
        .or_else(|| args.output.as_deref().and_then(by_name))
        .unwrap_or(Picture::Text);
    let paths = load::paths(&args.inventory)?;
    let (inventory, analysis) = match load::read(&paths)? {
        Read::Good(inventory, analysis) => (inventory, analysis),
        Read::Invalid { sources, findings } => {
            out.stderr(load::render(&sources, &findings, out.stderr_color()).trim_end());
            return Ok(Answer::Unusable);
        }
    };
    let what_if = failure::single(&inventory, &analysis.graph, &analysis.proof);
    let options = Options {
        most: args.most,
        ..Options::default()
    };
    let picture = draw::picture(&inventory, &analysis, &what_if, options);
    let drawn = match format {
        Picture::Text => draw::text(&picture),
        Picture::Dot => draw::dot(&picture),
        Picture::Mermaid => draw::mermaid(&picture),
        Picture::Svg => draw::svg(&picture),
    };
    match &args.output {
        Some(path) => {
            std::fs::write(path, &drawn)
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

/// The format that a file's name asks for.
fn by_name(path: &Path) -> Option<Picture> {
    match path.extension()?.to_str()? {
        "txt" => Some(Picture::Text),
        "dot" | "gv" => Some(Picture::Dot),
        "mmd" | "mermaid" => Some(Picture::Mermaid),
        "svg" => Some(Picture::Svg),
        _ => None,
    }
}
