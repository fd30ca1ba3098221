//! The events of the plain YAML that most of an inventory is written in, several times as fast as a parser for
//! all of YAML: keys and list items on lines of their own, with a word, a text in quotes or a flow collection
//! that ends on the line.
//!
//! It knows no errors. What it is not certain of (anchors, tags, text over several lines, escapes, tabs,
//! characters beyond ASCII outside comments, anything wrong) ends it, and the parser takes over. So that an
//! error comes neither sooner nor later than the parser would report it, the events of a line are handed out
//! only when the next line is certain too: the parser looks no further ahead.
//!
//! Places are the parser's, to the character, even where it counts blanks and comments behind a closing quote or
//! bracket as part of the value. `plain_tests.rs` holds both against each other.

use super::events::Spanned;
use saphyr_parser::{Event, Marker, ScalarStyle, Span};
use std::borrow::Cow;
use std::collections::VecDeque;

/// Deeper flow collections are the parser's.
const FLOW_DEPTH: usize = 8;

/// The parser takes no longer key than 1024 characters.
const LONGEST_KEY: usize = 1000;

/// An open block collection.
#[derive(Clone, Copy)]
struct Level {
    kind: Kind,
    column: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mapping,
    Sequence,
    /// A sequence that is not indented below its key.
    Flush,
}

/// Reads a text as long as it is plain.
pub struct Plain<'a> {
    text: &'a str,
    /// Where it reads, in bytes.
    at: usize,
    /// Where the line begins, in bytes.
    begin: usize,
    /// Number of the line, from 1.
    line: usize,
    /// Bytes so far that begin no character.
    wide: usize,
    levels: Vec<Level>,
    /// Where the colon of a key stands that has no value yet.
    due: Option<Span>,
    events: VecDeque<Spanned<'a>>,
    /// How many of `events` may be handed out.
    certain: usize,
    ended: bool,
}

impl<'a> Plain<'a> {
    /// At the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            begin: 0,
            line: 1,
            wide: 0,
            levels: Vec::new(),
            due: None,
            events: VecDeque::new(),
            certain: 0,
            ended: false,
        }
    }

    /// The next event; `None` for ever when what follows is not plain, or nothing follows.
    pub fn next(&mut self) -> Option<Spanned<'a>> {
        while self.certain == 0 {
            let before = self.events.len();
            if self.ended || self.line().is_none() {
                self.events.clear();
                return None;
            }
            self.certain = if self.ended { self.events.len() } else { before };
        }
        self.certain -= 1;
        self.events.pop_front()
    }

    /// Whether the whole text was plain and read.
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn byte_after(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at + 1).copied()
    }

    fn skip_blanks(&mut self) {
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
    }

    fn mark(&self) -> Marker {
        Marker::new(self.at - self.wide, self.line, self.at - self.begin)
    }

    fn emit(&mut self, event: Event<'a>, span: Span) {
        self.events.push_back((event, span));
    }

    fn scalar(&mut self, text: &'a str, style: ScalarStyle, span: Span) {
        self.emit(Event::Scalar(Cow::Borrowed(text), style, 0, None), span);
    }

    /// Reads blank lines, comments and one line with something on it, or the end.
    fn line(&mut self) -> Option<()> {
        loop {
            self.skip_blanks();
            match self.byte() {
                None if self.at == self.begin => return self.end(),
                Some(b'\n' | b'#') => self.line_end(true)?,
                _ => break,
            };
        }
        let column = self.at - self.begin;
        if column == 0 && self.byte() == Some(b'.') {
            // Perhaps the end of the document.
            return None;
        }
        if self.byte() != Some(b'-') {
            self.place(Kind::Mapping, column, self.mark())?;
            return self.entry();
        }
        let dash = self.mark();
        self.at += 1;
        if self.byte() != Some(b' ') {
            return None;
        }
        self.skip_blanks();
        self.place(Kind::Sequence, column, dash)?;
        if self.is_key() {
            let (column, here) = (self.at - self.begin, Span::empty(self.mark()));
            self.open(Kind::Mapping, column, here);
            return self.entry();
        }
        self.value()
    }

    /// Finds the collection to which a key or a list item belongs, closing and opening what is needed.
    fn place(&mut self, kind: Kind, column: usize, mark: Marker) -> Option<()> {
        let here = Span::empty(mark);
        let Some(&innermost) = self.levels.last() else {
            if kind != Kind::Mapping || column != 0 {
                return None;
            }
            self.emit(Event::StreamStart, Span::empty(Marker::new(0, 1, 0)));
            self.emit(Event::DocumentStart(false), here);
            self.open(kind, column, here);
            return Some(());
        };
        if let Some(colon) = self.due.take() {
            if column > innermost.column {
                self.open(kind, column, here);
                return Some(());
            }
            if column == innermost.column && kind == Kind::Sequence {
                let item = Span::empty(self.mark());
                self.open(Kind::Flush, column, item);
                return Some(());
            }
            self.scalar("", ScalarStyle::Plain, colon);
        }
        while let Some(level) = self.levels.last()
            && (level.column > column
                || level.column == column && level.kind == Kind::Flush && kind == Kind::Mapping)
        {
            self.close(here);
        }
        let level = self.levels.last()?;
        let fits = level.column == column && (level.kind == Kind::Mapping) == (kind == Kind::Mapping);
        fits.then_some(())
    }

    fn open(&mut self, kind: Kind, column: usize, span: Span) {
        self.levels.push(Level { kind, column });
        let event = match kind {
            Kind::Mapping => Event::MappingStart(0, None),
            Kind::Sequence | Kind::Flush => Event::SequenceStart(0, None),
        };
        self.emit(event, span);
    }

    fn close(&mut self, span: Span) {
        match self.levels.pop() {
            Some(level) if level.kind == Kind::Mapping => self.emit(Event::MappingEnd, span),
            Some(_) => self.emit(Event::SequenceEnd, span),
            None => {}
        }
    }

    fn end(&mut self) -> Option<()> {
        if self.levels.is_empty() {
            return None;
        }
        if let Some(colon) = self.due.take() {
            self.scalar("", ScalarStyle::Plain, colon);
        }
        let here = Span::empty(self.mark());
        while !self.levels.is_empty() {
            self.close(here);
        }
        self.emit(Event::DocumentEnd, here);
        self.emit(Event::StreamEnd, here);
        self.ended = true;
        Some(())
    }

    /// Whether a key begins here rather than a value.
    fn is_key(&self) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let end = match rest.first() {
            Some(&quote @ (b'\'' | b'"')) => {
                1 + rest[1..]
                    .iter()
                    .position(|&b| b == quote)
                    .unwrap_or(rest.len() - 1)
            }
            Some(b'[' | b'{') => return false,
            _ => 0,
        };
        let mut rest = rest[end..].iter().copied().take_while(|&b| b != b'\n').peekable();
        while let Some(b) = rest.next() {
            if b == b':' && matches!(rest.peek(), None | Some(b' ')) {
                return true;
            }
        }
        false
    }

    /// A key and its value, if that is on the line.
    fn entry(&mut self) -> Option<()> {
        self.key(false)?;
        let colon = Span::empty(self.mark());
        self.at += 1;
        match self.byte()? {
            b' ' => self.skip_blanks(),
            b'\n' => {}
            _ => return None,
        }
        if matches!(self.byte()?, b'\n' | b'#') {
            self.due = Some(colon);
            self.line_end(true)?;
            return Some(());
        }
        self.value()
    }

    /// A key, up to its colon.
    fn key(&mut self, flow: bool) -> Option<()> {
        let from = self.mark();
        let (text, style) = match self.byte()? {
            b'\'' | b'"' => self.quoted()?,
            _ => (self.word(flow)?, ScalarStyle::Plain),
        };
        if self.byte()? != b':' || text.len() > LONGEST_KEY {
            return None;
        }
        self.scalar(text, style, Span::new(from, self.mark()));
        Some(())
    }

    /// The value of a block entry or item, to the end of the line.
    fn value(&mut self) -> Option<()> {
        let from = self.mark();
        match self.byte()? {
            b'\'' | b'"' => {
                let (text, style) = self.quoted()?;
                let end = self.line_end(false)?;
                self.scalar(text, style, Span::new(from, end));
            }
            b'[' | b'{' => self.flow(0)?,
            _ => {
                let text = self.word(false)?;
                let span = Span::new(from, self.mark());
                self.line_end(false)?;
                self.scalar(text, ScalarStyle::Plain, span);
            }
        }
        Some(())
    }

    /// A flow collection; the outermost must end the line.
    fn flow(&mut self, depth: usize) -> Option<()> {
        if depth == FLOW_DEPTH {
            return None;
        }
        let mapping = self.byte() == Some(b'{');
        let (start, end, closing) = if mapping {
            (Event::MappingStart(0, None), Event::MappingEnd, b'}')
        } else {
            (Event::SequenceStart(0, None), Event::SequenceEnd, b']')
        };
        let from = self.mark();
        self.at += 1;
        self.skip_blanks();
        self.emit(start, Span::new(from, self.mark()));
        if self.byte()? != closing {
            loop {
                if mapping {
                    self.key(true)?;
                    self.at += 1;
                    if self.byte()? != b' ' {
                        return None;
                    }
                    self.skip_blanks();
                }
                self.item(depth)?;
                match self.byte()? {
                    b',' => self.at += 1,
                    b if b == closing => break,
                    _ => return None,
                }
                self.skip_blanks();
            }
        }
        let from = self.mark();
        self.at += 1;
        let to = if depth == 0 {
            self.line_end(false)?
        } else {
            self.skip_blanks();
            self.mark()
        };
        self.emit(end, Span::new(from, to));
        Some(())
    }

    /// A value in a flow collection, with the blanks behind it.
    fn item(&mut self, depth: usize) -> Option<()> {
        let from = self.mark();
        match self.byte()? {
            b'[' | b'{' => self.flow(depth + 1)?,
            b'\'' | b'"' => {
                let (text, style) = self.quoted()?;
                self.skip_blanks();
                self.scalar(text, style, Span::new(from, self.mark()));
            }
            _ => {
                let text = self.word(true)?;
                self.scalar(text, ScalarStyle::Plain, Span::new(from, self.mark()));
                self.skip_blanks();
            }
        }
        Some(())
    }

    /// Text without quotes, to the blanks, the comment, the colon or the flow indicator that ends it.
    fn word(&mut self, flow: bool) -> Option<&'a str> {
        let first = self.byte()?;
        if !(first.is_ascii_alphanumeric() || matches!(first, b'_' | b'/' | b'.' | b'~' | b'$' | b'+' | b'('))
        {
            return None;
        }
        let from = self.at;
        loop {
            match self.byte()? {
                b'\n' => break,
                b' ' => {
                    let end = self.at;
                    self.skip_blanks();
                    match self.byte()? {
                        // Blanks before a colon are no part of the key.
                        b':' => return None,
                        b if matches!(b, b'\n' | b'#') || flow && is_flow(b) => {
                            self.at = end;
                            break;
                        }
                        _ => {}
                    }
                }
                b':' => match self.byte_after()? {
                    b' ' | b'\n' => break,
                    // What this is depends on more than the next character.
                    after if flow && is_flow(after) => return None,
                    _ => self.at += 1,
                },
                b if flow && is_flow(b) => break,
                b'!'..=b'~' => self.at += 1,
                _ => return None,
            }
        }
        Some(&self.text[from..self.at])
    }

    /// Text in quotes, without escapes.
    fn quoted(&mut self) -> Option<(&'a str, ScalarStyle)> {
        let quote = self.byte()?;
        self.at += 1;
        let from = self.at;
        loop {
            match self.byte()? {
                b if b == quote => break,
                b'\\' if quote == b'"' => return None,
                b' '..=b'~' => self.at += 1,
                _ => return None,
            }
        }
        let text = &self.text[from..self.at];
        self.at += 1;
        let style = if quote == b'"' {
            ScalarStyle::DoubleQuoted
        } else {
            ScalarStyle::SingleQuoted
        };
        // Two of them are one that is part of the text.
        (quote == b'"' || self.byte()? != quote).then_some((text, style))
    }

    /// Blanks, perhaps a comment, and the line break; where the latter stands. A comment needs a blank before it
    /// (`blank`: there was one).
    fn line_end(&mut self, blank: bool) -> Option<Marker> {
        let from = self.at;
        self.skip_blanks();
        let mut wide = 0;
        if self.byte()? == b'#' && (blank || self.at > from) {
            loop {
                match self.byte()? {
                    b'\n' => break,
                    b'\0' | b'\r' => return None,
                    // The byte order mark.
                    0xEF if self.text[self.at..].starts_with('\u{feff}') => return None,
                    b => wide += usize::from(b & 0xC0 == 0x80),
                }
                self.at += 1;
            }
        }
        if self.byte()? != b'\n' {
            return None;
        }
        self.wide += wide;
        let end = Marker::new(self.at - self.wide, self.line, self.at - self.begin - wide);
        self.at += 1;
        self.begin = self.at;
        self.line += 1;
        Some(end)
    }
}

fn is_flow(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b']' | b'{' | b'}')
}
