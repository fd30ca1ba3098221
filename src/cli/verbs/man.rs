//! `keytrail man DIR`: the manual pages, one for each verb, made from the same words as `--help`. For packagers, so hidden.

use crate::cli::exit::{Answer, Failure};
use crate::cli::ui::Ui;
use crate::report::counted;
use clap::Command;
use clap_mangen::Man;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;

/// The first line of the part of `after_help` that shows how a verb is used.
const EXAMPLES: [&str; 3] = ["Example:", "Examples:", "Start here:"];

/// `man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keytrail man target/man && man target/man/keytrail-apply.1")]
pub struct ManArgs {
    /// Directory for the pages; made if it is not there
    dir: PathBuf,
}

pub fn run(args: &ManArgs, command: Command, out: &mut Ui) -> Result<Answer, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(format!("cannot write the manual pages to {}", args.dir.display())).because(error)
    };
    let pages = pages(command).map_err(|error| cannot(&error))?;
    fs::create_dir_all(&args.dir).map_err(|error| cannot(&error))?;
    for page in &pages {
        fs::write(args.dir.join(&page.file), &page.text).map_err(|error| cannot(&error))?;
    }
    out.note(&format!(
        "{} in {}",
        counted(pages.len(), "manual page"),
        args.dir.display()
    ));
    Ok(Answer::Yes)
}

/// One manual page.
pub struct Page {
    /// Name of its file, such as `keytrail-apply.1`.
    pub file: String,
    /// In roff.
    pub text: Vec<u8>,
}

/// The program's page and one for every verb that is not hidden.
pub fn pages(command: Command) -> io::Result<Vec<Page>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, pages: &mut Vec<Page>) -> io::Result<()> {
    pages.push(page(command)?);
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        add(verb, pages)?;
    }
    Ok(())
}

fn page(command: &Command) -> io::Result<Page> {
    let man = Man::new(command.clone())
        .source(concat!("keytrail ", env!("CARGO_PKG_VERSION")))
        .manual("keytrail");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|verb| !verb.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    let help = command.get_after_long_help().or_else(|| command.get_after_help());
    let (examples, notes) = parts(&help.map(ToString::to_string).unwrap_or_default());
    text.extend(section("EXAMPLES", &examples).bytes());
    text.extend(paragraphs("NOTES", &notes).bytes());
    text.extend(
        section(
            "EXIT STATUS",
            "0  done, nothing wrong\n1  the answer is no\n2  could not run",
        )
        .bytes(),
    );
    if command.get_name() != "keytrail" {
        text.extend(section("SEE ALSO", "keytrail(1)").bytes());
    }
    Ok(Page {
        file: man.get_filename(),
        text,
    })
}

/// What `after_help` shows, without its indentation, and what else it says. The exit status has a section of its own.
fn parts(help: &str) -> (String, String) {
    let (mut examples, mut notes) = (Vec::new(), Vec::new());
    for paragraph in help.split("\n\n") {
        let mut lines = paragraph.lines();
        match lines.next() {
            Some(first) if EXAMPLES.contains(&first) => {
                examples.push(lines.map(str::trim_start).collect::<Vec<_>>().join("\n"));
            }
            Some(first) if first.starts_with("Exit status:") => {}
            _ => notes.push(paragraph),
        }
    }
    (
        examples.join("\n\n"),
        notes.join("\n\n").trim_matches('\n').to_owned(),
    )
}

/// A section whose lines stay as they are; nothing for an empty text.
fn section(title: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!(".SH \"{title}\"\n.nf\n{}.fi\n", lines(text))
}

/// A section of paragraphs, each as wide as the page; those that are indented keep their lines.
fn paragraphs(title: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut roff = format!(".SH \"{title}\"\n");
    for paragraph in text.split("\n\n") {
        let (before, after) = if paragraph.starts_with(' ') {
            (".nf\n", ".fi\n")
        } else {
            ("", "")
        };
        let _ = write!(roff, ".PP\n{before}{}{after}", lines(paragraph));
    }
    roff
}

/// Lines in which nothing is an order to roff.
fn lines(text: &str) -> String {
    let mut roff = String::new();
    for line in text.lines() {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A line may begin with a dot or an apostrophe, which roff would take for a request.
        let _ = writeln!(roff, "\\&{line}");
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines_and_the_rest_are_notes() {
        let (examples, notes) =
            parts("Examples:\n  keytrail a -x\n  keytrail b\n\nMind this.\nAnd that.\n\nExit status: 0");
        assert_eq!(examples, "keytrail a -x\nkeytrail b");
        assert_eq!(notes, "Mind this.\nAnd that.");
        assert_eq!(section("X", ".so \\n-"), ".SH \"X\"\n.nf\n\\&.so \\en\\-\n.fi\n");
        assert_eq!(section("X", ""), "");
        assert_eq!(
            paragraphs("X", "Of a.\n\n  b  c"),
            ".SH \"X\"\n.PP\n\\&Of a.\n.PP\n.nf\n\\&  b  c\n.fi\n"
        );
    }
}
