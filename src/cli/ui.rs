//! Where output goes: data on standard output, everything else on standard error.

use crate::cli::args::{Color, Format};
use crate::cli::exit::Failure;
use crate::foreign::{self, escape, is_hidden};
use crate::ops::Error;
use crate::report::Screen;
use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd;

/// Standard output and standard error, with what is known about them.
pub struct Ui {
    stdout_color: bool,
    stderr_color: bool,
    quiet: bool,
}

impl Ui {
    /// Decides about colour once: `--color`, then `NO_COLOR`, then whether it is a terminal.
    pub fn new(color: Color, quiet: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let decide = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        Self {
            stdout_color: decide(std::io::stdout().is_terminal()),
            stderr_color: decide(std::io::stderr().is_terminal()),
            quiet,
        }
    }

    /// Whether standard output takes colour.
    pub fn color(&self) -> bool {
        self.stdout_color
    }

    /// Whether standard error takes colour.
    pub fn stderr_color(&self) -> bool {
        self.stderr_color
    }

    /// Standard output, for tables.
    pub fn screen(&self) -> Screen {
        Screen {
            color: self.stdout_color,
            width: columns(&std::io::stdout()),
        }
    }

    /// Standard error, for tables.
    pub fn stderr_screen(&self) -> Screen {
        Screen {
            color: self.stderr_color,
            width: columns(&std::io::stderr()),
        }
    }

    /// Whether progress bars make sense: standard error is a terminal and nobody asked for quiet.
    pub fn bars(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Whether only results and errors are wanted.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// Data, with a newline.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.text(&format!("{text}\n"))
    }

    /// Text for people, as [`tame`] leaves it.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(tame(text, self.stdout_color).as_bytes())
    }

    /// Data for programs, in the form asked for.
    pub fn value(&mut self, value: &impl serde::Serialize, form: Format) -> Result<(), Failure> {
        self.bytes(document(value, form)?.as_bytes())
    }

    /// Data, as it is.
    #[expect(
        clippy::unused_self,
        reason = "nobody should write without having been given the output"
    )]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::Enough),
            Err(error) => Err(Failure::new("cannot write to standard output").because(&error)),
            Ok(()) => Ok(()),
        }
    }

    /// A word on the side, on standard error; silent with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// Why the verb could not run.
    pub fn failure(&self, failure: &Error) {
        let (on, off) = if self.stderr_color {
            ("\u{1b}[1;31m", "\u{1b}[0m")
        } else {
            ("", "")
        };
        self.stderr(&format!("{on}error{off}: {failure}"));
    }

    /// Text on standard error, whatever was asked.
    pub fn stderr(&self, text: &str) {
        // A closed standard error is nothing to die of.
        let _ = writeln!(std::io::stderr().lock(), "{}", tame(text, self.stderr_color));
    }
}

/// A value for programs, serialized, without a character in it that a terminal would obey or hide.
pub fn document(value: &impl serde::Serialize, form: Format) -> Result<String, Failure> {
    let cannot = |error: &dyn std::error::Error| Failure::new("cannot write the result").because(error);
    if let Format::Json | Format::Text = form {
        let text = serde_json::to_string_pretty(value).map_err(|error| cannot(&error))?;
        return Ok(foreign::json(&text).into_owned() + "\n");
    }
    let mut value = serde_json::to_value(value).map_err(|error| cannot(&error))?;
    spell_out(&mut value);
    serde_yaml::to_string(&value).map_err(|error| cannot(&error))
}

/// YAML would show hidden characters as they are.
fn spell_out(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = foreign::lines(text).into_owned(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(spell_out),
        serde_json::Value::Object(fields) => {
            let wild = |key: &String| key.contains(is_hidden);
            for key in fields.keys().filter(|key| wild(key)).cloned().collect::<Vec<_>>() {
                if let Some(value) = fields.remove(&key) {
                    fields.insert(foreign::line(&key).into_owned(), value);
                }
            }
            fields.values_mut().for_each(spell_out);
        }
        _ => {}
    }
}

/// Text in which nothing steers a terminal but the colours that reports use, and these only with `color`: hosts, files of
/// others and journals have their words in it. Every other hidden character is shown as `\x1b`.
pub fn tame(text: &str, color: bool) -> Cow<'_, str> {
    let wild = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t');
    if !text.contains(wild) {
        return Cow::Borrowed(text);
    }
    let mut tamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(wild) {
        let (before, from) = rest.split_at(at);
        tamed.push_str(before);
        if let Some(length) = colour(from).filter(|_| color) {
            tamed.push_str(&from[..length]);
            rest = &from[length..];
        } else {
            let mut after = from.chars();
            tamed.extend(after.next().map(escape));
            rest = after.as_str();
        }
    }
    tamed.push_str(rest);
    Cow::Owned(tamed)
}

/// How long the order to change colours is that `text` begins with: one that makes nothing invisible.
fn colour(text: &str) -> Option<usize> {
    let order = text.strip_prefix("\u{1b}[")?;
    let end = order.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    let (parts, rest) = order.split_at(end);
    let mut parts = parts.split(';').map(|part| part.parse().unwrap_or(0_u16));
    while let Some(part) = parts.next() {
        let seen = match part {
            // Bold, dim, italic, underlined, and their ends; colours of text, but black, and their end.
            0..=4 | 21..=24 | 31..=37 | 39 | 91..=97 => true,
            38 => parts.next() == Some(5) && matches!(parts.next(), Some(1..=15)),
            _ => false,
        };
        if !seen {
            return None;
        }
    }
    rest.starts_with('m').then_some("\u{1b}[".len() + end + 1)
}

/// The width of a terminal. `None`: it is none, or does not know.
fn columns(stream: &impl AsFd) -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(size.ws_col).filter(|&columns| columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_colours_steers_a_terminal() {
        for same in [
            "",
            "plain\n\ttext é\n",
            "\u{1b}[1;31merror\u{1b}[0m\n",
            "\u{1b}[38;5;9mred\u{1b}[39m",
            "\u{1b}[m",
        ] {
            assert_eq!(tame(same, true), same);
        }
        for (wild, tamed) in [
            ("a\u{1b}[2Jb\u{1b}[31mc", "a\\x1b[2Jb\u{1b}[31mc"),
            ("\u{1b}]0;title\u{7}", "\\x1b]0;title\\x07"),
            ("\u{1b}[\u{1b}[1m", "\\x1b[\u{1b}[1m"),
            (
                "once\rtwice\u{8}\u{9b}2J\u{1b}",
                "once\\x0dtwice\\x08\\x9b2J\\x1b",
            ),
            ("\u{1b}[1;3", "\\x1b[1;3"),
            ("\u{1b}[8mhidden\u{1b}[1;8m", "\\x1b[8mhidden\\x1b[1;8m"),
            ("\u{1b}[30;40m\u{1b}[38;5;16m", "\\x1b[30;40m\\x1b[38;5;16m"),
            ("a\u{202e}b\u{2066}c\u{200b}", "a\\u{202e}b\\u{2066}c\\u{200b}"),
        ] {
            assert_eq!(tame(wild, true), tamed);
        }
        assert_eq!(tame("\u{1b}[31mred", false), "\\x1b[31mred");
    }

    #[test]
    fn documents_hold_nothing_a_terminal_obeys() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{9b}2J\u{7f}\u{2066}", "one\ntwo"] });
        let json = document(&value, Format::Json).expect("plain");
        let yaml = document(&value, Format::Yaml).expect("plain");
        for text in [&json, &yaml] {
            assert!(!text.contains(|c| is_hidden(c) && c != '\n'), "{text}");
        }
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json).expect("JSON"),
            value
        );
    }
}
