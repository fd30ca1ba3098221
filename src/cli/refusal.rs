//! What is said of a verb that did not come to an answer, and its exit status.

use crate::cli::args::Format;
use crate::cli::ui::Ui;
use crate::cli::view::findings;
use crate::ops::{Error, Kind};
use crate::report;
use std::process::ExitCode;

/// Says why; what is wrong with an inventory is said in the verb's own format.
pub fn say(error: &Error, format: Format, out: &mut Ui) -> ExitCode {
    match error.kind() {
        Kind::Malformed { sources, findings } => {
            match format {
                // Nobody who reads the output needs to hear that it cannot be written.
                Format::Json | Format::Yaml => drop(out.bytes(report::json(sources, findings).as_bytes())),
                Format::Text => {
                    out.stderr(findings::text(sources, findings, out.stderr_color()).trim_end());
                }
            }
            ExitCode::from(2)
        }
        Kind::Unproven { sources, findings } => {
            out.stderr(findings::text(sources, findings, out.stderr_color()).trim_end());
            out.stderr("Nothing was minted or changed: mend the inventory first.");
            ExitCode::from(1)
        }
        Kind::Outdated { differences } => {
            out.stderr("The stored plan is not what would be done now; nothing was changed.");
            for difference in differences {
                out.stderr(&format!("  {difference}"));
            }
            out.stderr("Make the plan again, look at it, and apply that one.");
            ExitCode::from(1)
        }
        _ => {
            out.failure(error);
            ExitCode::from(2)
        }
    }
}
