//! `keytrail check`: prove the trails, show every finding on its line.

use super::args::{Check, Format};
use super::load::{self, Loaded};
use super::out::Out;
use super::{Answer, Failure};
use crate::report;

pub fn run(args: &Check, out: &mut Out) -> Result<Answer, Failure> {
    let paths = load::paths(&args.inventory)?;
    let (inventory, analysis) = match load::load(&paths, args.format, out)? {
        Loaded::Good(inventory, analysis) => (inventory, analysis),
        Loaded::Malformed => return Ok(Answer::Unusable),
    };
    match args.format {
        Format::Json => out.bytes(report::json(&inventory.sources, &analysis.findings).as_bytes())?,
        Format::Text => {
            if !analysis.findings.is_empty() {
                out.bytes(load::render(&inventory.sources, &analysis.findings, out.color()).as_bytes())?;
            }
            if !analysis.has_errors() {
                out.line(&format!(
                    "{}, {}: every trail ends at a trusted host.",
                    counted(inventory.hosts.len(), "host"),
                    counted(inventory.groups.len(), "group"),
                ))?;
            }
        }
    }
    Ok(if analysis.has_errors() {
        Answer::No
    } else {
        Answer::Yes
    })
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
