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

/// What differs from run to run: names and keys, times, filestamps. Counts and generations do not; runs of blanks are one.
fn steady(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        if word.contains("age1") || word.contains("SHA256:") || word.contains('@') {
            return "…".to_owned();
        }
        let is_of = |marks: char| word.len() >= 8 && word.chars().all(|c| c.is_ascii_digit() || c == marks);
        if is_of(':') || is_of('-') {
            return "…".to_owned();
        }
        without_stamps(word)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Numbers of six digits or more are filestamps and times.
fn without_stamps(word: &str) -> String {
    let (mut steady, mut digits) = (String::new(), String::new());
    for c in word.chars().map(Some).chain([None]) {
        if let Some(digit) = c.filter(char::is_ascii_digit) {
            digits.push(digit);
            continue;
        }
        steady += if digits.len() < 6 { &digits } else { "…" };
        digits.clear();
        steady.extend(c);
    }
    steady
}

#[test]
fn only_what_differs_is_left_out() {
    let line = "run 12: 8 hosts by root@vm, 2026-11-26 16:12:29 UTC  ntpkey_RSAhost_a.4004698345-g2 a-20261126T161233Z";
    assert_eq!(
        steady(line),
        "run 12: 8 hosts by … … … UTC ntpkey_RSAhost_a.…-g2 a-…T…Z"
    );
    assert_ne!(steady("8 hosts: 8 applied"), steady("8 hosts: 80 applied"));
    assert_ne!(steady("generation 1"), steady("generation 2"));
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
