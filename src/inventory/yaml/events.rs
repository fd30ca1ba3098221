//! The events of a text: those of [`Plain`] as far as it goes, then those of the parser.

use super::plain::Plain;
use super::span::Span;
use crate::finding::{Finding, SourceId};
use saphyr_parser::{Event, Parser, ScanError, StrInput};

/// An event with its place.
pub type Spanned<'a> = (Event<'a>, saphyr_parser::Span);

/// Reads a text.
pub struct Events<'a> {
    text: &'a str,
    from: From<'a>,
    /// Events read so far.
    read: usize,
}

enum From<'a> {
    Plain(Plain<'a>),
    Parser(Box<Parser<'a, StrInput<'a>>>),
}

impl<'a> Events<'a> {
    /// At the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            from: From::Plain(Plain::new(text)),
            read: 0,
        }
    }

    /// The next event; `None` when the stream has ended.
    pub fn next(&mut self) -> Option<Result<Spanned<'a>, ScanError>> {
        match &mut self.from {
            From::Plain(plain) => {
                if let Some(event) = plain.next() {
                    self.read += 1;
                    return Some(Ok(event));
                }
                if plain.ended() {
                    return None;
                }
            }
            From::Parser(parser) => return parser.next_event(),
        }
        let mut parser = Box::new(Parser::new_from_str(self.text));
        for _ in 0..self.read {
            // The same events once more.
            if let error @ Some(Err(_)) = parser.next_event() {
                return error;
            }
        }
        let next = parser.next_event();
        self.from = From::Parser(parser);
        next
    }
}

/// The next event. The parser ends its stream with an event of its own, so there always is one before that.
pub fn next<'a>(events: &mut Events<'a>, source: SourceId) -> Result<Spanned<'a>, Box<Finding>> {
    match events.next() {
        Some(Ok(event)) => Ok(event),
        Some(Err(error)) => Err(Box::new(syntax(&error, source))),
        None => Ok((Event::StreamEnd, saphyr_parser::Span::default())),
    }
}

/// A syntax error in words.
fn syntax(error: &ScanError, source: SourceId) -> Finding {
    let mark = error.marker();
    let span = Span::of(saphyr_parser::Span::empty(*mark));
    let finding = Finding::error("yaml-syntax", format!("this is not YAML: {}", error.info()))
        .at(span.place(source), "");
    let info = error.info();
    if info.contains("tab") {
        finding.help("indent with blanks, YAML does not take tabs")
    } else if info.contains("anchor") {
        finding.help("an alias (*name) needs its anchor (&name) earlier in the same file")
    } else {
        finding.help("look for a missing colon, quote or bracket, or an indentation that differs, here or on the lines above")
    }
}
