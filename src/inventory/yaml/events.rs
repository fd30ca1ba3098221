//! The events of a text, and the parser's errors in words.

use super::span::Span;
use crate::finding::{Finding, SourceId};
use saphyr_parser::{Event, Parser, ScanError, StrInput};

/// An event with its place.
pub type Spanned<'a> = (Event<'a>, saphyr_parser::Span);

/// Reads a text event by event. It holds the text and the collections that are open, never the nodes: what the
/// parser takes does not grow with the file, and it does not recurse.
pub type Events<'a> = Parser<'a, StrInput<'a>>;

/// The next event. The parser ends its stream with an event of its own, so there always is one before that.
pub fn next<'a>(events: &mut Events<'a>, source: SourceId) -> Result<Spanned<'a>, Box<Finding>> {
    match events.next_event() {
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
    } else if info.contains("recursion limit") {
        finding.help("brackets are nested here deeper than in any inventory")
    } else {
        finding.help("look for a missing colon, quote or bracket, or an indentation that differs, here or on the lines above")
    }
}
