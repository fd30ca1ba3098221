//! The chapters of docs/guide.md that need nothing but a vault, loopback hosts and stand-ins for daemons, walked through as they are
//! written: every command is run, and every line that is shown must come out.

use crate::common::asked::asked;
use crate::common::site::Site;
use crate::common::{ended, keytrail};
use std::path::Path;
use std::process::Command;

/// One command with what the guide shows of it.
struct Shown {
    command: String,
    lines: Vec<String>,
    status: i32,
}

/// The commands of a chapter, in order: lines that begin with `$ ` in its blocks of text.
fn chapter(title: &str) -> Vec<Shown> {
    let guide = include_str!("../../docs/guide.md");
    let heading = format!("\n## {title}\n");
    let (_, rest) = guide
        .split_once(&heading)
        .unwrap_or_else(|| panic!("no chapter '{title}'"));
    let text = rest.split("\n## ").next().expect("a chapter");
    let mut shown: Vec<Shown> = Vec::new();
    for block in text.split("```text\n").skip(1) {
        let block = block.split("```").next().expect("a block");
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                shown.push(Shown {
                    command: command.to_owned(),
                    lines: Vec::new(),
                    status: 0,
                });
                continue;
            }
            let last = shown.last_mut().expect("a command first");
            match line
                .strip_prefix("[exit status ")
                .and_then(|rest| rest.strip_suffix(']'))
            {
                Some(status) => last.status = status.parse().expect("a number"),
                None => last
                    .lines
                    .extend(Some(line.to_owned()).filter(|line| !line.is_empty())),
            }
        }
    }
    assert!(shown.len() > 2, "{title}");
    shown
}

/// What differs from run to run: numbers, names and keys; runs of blanks are one.
fn steady(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        if word.contains("age1") || word.contains("SHA256:") || word.contains('@') {
            return "…".to_owned();
        }
        let mut steady: String = word
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        while steady.contains("00") {
            steady = steady.replace("00", "0");
        }
        steady
    });
    words.collect::<Vec<_>>().join(" ")
}

fn walk(title: &str, dir: &Path, variables: &[(&str, &str)]) {
    for shown in chapter(title) {
        let mut words = shown.command.split(' ').peekable();
        let mut command = if words.peek() == Some(&"keytrail") {
            words.next();
            keytrail(dir)
        } else {
            Command::new(words.next().expect("a program"))
        };
        let (status, said) = ended(
            command
                .args(words)
                .current_dir(dir)
                .envs(variables.iter().copied()),
        );
        assert_eq!(status, shown.status, "$ {}\n{said}", shown.command);
        let all: Vec<String> = said.lines().map(steady).collect();
        let mut from = 0;
        for line in shown.lines {
            // The rest of a line, or of the whole, may be left out.
            let (line, whole) = match line.trim_end().strip_suffix('…') {
                Some(part) => (part.to_owned(), false),
                None => (line, true),
            };
            let wanted = steady(&line);
            let found = all[from..].iter().position(|said| {
                if whole {
                    *said == wanted
                } else {
                    said.starts_with(wanted.trim())
                }
            });
            let at = found.unwrap_or_else(|| panic!("$ {}\ndoes not say: {line}\n{said}", shown.command));
            from += at;
        }
    }
}

#[test]
fn looking_back_and_backups() {
    let site = Site::new();
    let given = [("MORT_PW", crate::common::site::MARKER)];
    assert_eq!(site.keytrail("apply", &[]).0, 0);
    walk("What was done, and what changed", site.dir(), &given);
    std::fs::create_dir(site.dir().join("backups")).expect("a directory");
    walk("Vault day", site.dir(), &given);
}

#[test]
fn asking_the_daemons() {
    let asked = asked("err-114");
    walk("Do they authenticate?", asked.lab.dir.path(), &[]);
}
