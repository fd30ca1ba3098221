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

use super::cursor::Cursor;
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
    cursor: Cursor<'a>,
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
            cursor: Cursor::new(text),
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

    fn emit(&mut self, event: Event<'a>, span: Span) {
        self.events.push_back((event, span));
    }

    fn scalar(&mut self, text: &'a str, style: ScalarStyle, span: Span) {
        self.emit(Event::Scalar(Cow::Borrowed(text), style, 0, None), span);
    }

    /// Reads blank lines, comments and one line with something on it, or the end.
    fn line(&mut self) -> Option<()> {
        loop {
            self.cursor.skip_blanks();
            match self.cursor.byte() {
                None if self.cursor.column() == 0 => return self.end(),
                Some(b'\n' | b'#') => self.cursor.line_end(true)?,
                _ => break,
            };
        }
        let column = self.cursor.column();
        if column == 0 && self.cursor.byte() == Some(b'.') {
            // Perhaps the end of the document.
            return None;
        }
        if self.cursor.byte() != Some(b'-') {
            self.place(Kind::Mapping, column, self.cursor.mark())?;
            return self.entry();
        }
        let dash = self.cursor.mark();
        self.cursor.step();
        if self.cursor.byte() != Some(b' ') {
            return None;
        }
        self.cursor.skip_blanks();
        self.place(Kind::Sequence, column, dash)?;
        if self.cursor.is_key() {
            let (column, here) = (self.cursor.column(), Span::empty(self.cursor.mark()));
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
                let item = Span::empty(self.cursor.mark());
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
        let here = Span::empty(self.cursor.mark());
        while !self.levels.is_empty() {
            self.close(here);
        }
        self.emit(Event::DocumentEnd, here);
        self.emit(Event::StreamEnd, here);
        self.ended = true;
        Some(())
    }

    /// A key and its value, if that is on the line.
    fn entry(&mut self) -> Option<()> {
        self.key(false)?;
        let colon = Span::empty(self.cursor.mark());
        self.cursor.step();
        match self.cursor.byte()? {
            b' ' => self.cursor.skip_blanks(),
            b'\n' => {}
            _ => return None,
        }
        if matches!(self.cursor.byte()?, b'\n' | b'#') {
            self.due = Some(colon);
            self.cursor.line_end(true)?;
            return Some(());
        }
        self.value()
    }

    /// A key, up to its colon.
    fn key(&mut self, flow: bool) -> Option<()> {
        let from = self.cursor.mark();
        let (text, style) = match self.cursor.byte()? {
            b'\'' | b'"' => self.cursor.quoted()?,
            _ => (self.cursor.word(flow)?, ScalarStyle::Plain),
        };
        if self.cursor.byte()? != b':' || text.len() > LONGEST_KEY {
            return None;
        }
        self.scalar(text, style, Span::new(from, self.cursor.mark()));
        Some(())
    }

    /// The value of a block entry or item, to the end of the line.
    fn value(&mut self) -> Option<()> {
        let from = self.cursor.mark();
        match self.cursor.byte()? {
            b'\'' | b'"' => {
                let (text, style) = self.cursor.quoted()?;
                let end = self.cursor.line_end(false)?;
                self.scalar(text, style, Span::new(from, end));
            }
            b'[' | b'{' => self.flow(0)?,
            _ => {
                let text = self.cursor.word(false)?;
                let span = Span::new(from, self.cursor.mark());
                self.cursor.line_end(false)?;
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
        let mapping = self.cursor.byte() == Some(b'{');
        let (start, end, closing) = if mapping {
            (Event::MappingStart(0, None), Event::MappingEnd, b'}')
        } else {
            (Event::SequenceStart(0, None), Event::SequenceEnd, b']')
        };
        let from = self.cursor.mark();
        self.cursor.step();
        self.cursor.skip_blanks();
        self.emit(start, Span::new(from, self.cursor.mark()));
        if self.cursor.byte()? != closing {
            loop {
                if mapping {
                    self.key(true)?;
                    self.cursor.step();
                    if self.cursor.byte()? != b' ' {
                        return None;
                    }
                    self.cursor.skip_blanks();
                }
                self.item(depth)?;
                match self.cursor.byte()? {
                    b',' => self.cursor.step(),
                    b if b == closing => break,
                    _ => return None,
                }
                self.cursor.skip_blanks();
            }
        }
        let from = self.cursor.mark();
        self.cursor.step();
        let to = if depth == 0 {
            self.cursor.line_end(false)?
        } else {
            self.cursor.skip_blanks();
            self.cursor.mark()
        };
        self.emit(end, Span::new(from, to));
        Some(())
    }

    /// A value in a flow collection, with the blanks behind it.
    fn item(&mut self, depth: usize) -> Option<()> {
        let from = self.cursor.mark();
        match self.cursor.byte()? {
            b'[' | b'{' => self.flow(depth + 1)?,
            b'\'' | b'"' => {
                let (text, style) = self.cursor.quoted()?;
                self.cursor.skip_blanks();
                self.scalar(text, style, Span::new(from, self.cursor.mark()));
            }
            _ => {
                let text = self.cursor.word(true)?;
                self.scalar(text, ScalarStyle::Plain, Span::new(from, self.cursor.mark()));
                self.cursor.skip_blanks();
            }
        }
        Some(())
    }
}
