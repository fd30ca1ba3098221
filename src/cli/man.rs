//! `keytrail man DIR`: the manual pages, one for each verb, made from the same words as `--help`. For packagers, so hidden.

use super::args::Cli;
use super::out::{Out, counted};
use super::{Answer, Failure};
use clap::{Command, CommandFactory as _};
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

pub fn run(args: &ManArgs, out: &mut Out) -> Result<Answer, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(format!("cannot write the manual pages to {}", args.dir.display())).because(error)
    };
    let pages = pages().map_err(|error| cannot(&error))?;
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
struct Page {
    /// Name of its file, such as `keytrail-apply.1`.
    file: String,
    /// In roff.
    text: Vec<u8>,
}

/// The program's page and one for every verb that is not hidden.
fn pages() -> io::Result<Vec<Page>> {
    let mut command = Cli::command().disable_help_subcommand(true);
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

    /// Words of every verb that is not hidden, and file names of those that are.
    fn verbs(command: &Command, words: &str, visible: &mut Vec<(String, bool)>, hidden: &mut Vec<String>) {
        for verb in command.get_subcommands() {
            let words = format!("{words} {}", verb.get_name());
            if verb.is_hide_set() {
                hidden.push(words);
            } else {
                verbs(verb, &words, visible, hidden);
                visible.push((words, verb.has_subcommands()));
            }
        }
    }

    #[test]
    fn every_verb_has_a_page_with_examples_and_hidden_ones_have_none() {
        let pages = pages().expect("pages");
        let (mut visible, mut hidden) = (vec![("keytrail".to_owned(), false)], Vec::new());
        verbs(&Cli::command(), "keytrail", &mut visible, &mut hidden);
        assert!(visible.len() > 10 && hidden.contains(&"keytrail man".to_owned()));
        assert_eq!(pages.len(), visible.len());
        let text = |words: &str| {
            let file = words.replace(' ', "-") + ".1";
            let page = pages.iter().find(|page| page.file == file);
            let text = &page.unwrap_or_else(|| panic!("no page {file}")).text;
            String::from_utf8_lossy(text).replace("\\-", "-")
        };
        for (words, has_verbs) in &visible {
            let shows = |of: &str| {
                let text = text(of);
                let examples = text.split_once(".SH \"EXAMPLES\"");
                examples.is_some_and(|(_, after)| after.contains(&format!("\\&{words}")))
            };
            // `vault` leaves it to its own verbs; `vault recipients add` is shown by `vault recipients`.
            let above = words.rsplit_once(' ').map_or("keytrail", |(above, _)| above);
            let found = shows(words) || *has_verbs || (above.contains(' ') && shows(above));
            assert!(found, "`{words} --help` shows no example of it");
        }
    }

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

    /// Clap breaks lines where the terminal ends: what was broken by hand before would be broken twice.
    #[test]
    fn help_is_broken_by_the_terminal_alone() {
        fn look(command: &Command, words: &str) {
            let help = command.get_after_help().map(ToString::to_string);
            for paragraph in help.unwrap_or_default().split("\n\n") {
                let own = paragraph.lines().filter(|line| !line.starts_with(' ')).count();
                assert!(own <= 1, "{words}: a paragraph is one line: {paragraph}");
                let indented = paragraph.lines().filter(|line| line.starts_with(' '));
                for line in indented {
                    assert!(line.chars().count() <= 100, "{words}: too long: {line}");
                }
            }
            for verb in command.get_subcommands() {
                look(verb, &format!("{words} {}", verb.get_name()));
            }
        }
        look(&Cli::command(), "keytrail");
    }
}
