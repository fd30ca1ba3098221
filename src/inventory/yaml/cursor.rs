//! A place in a text of plain YAML, and the words, quotes and line ends there. `None`: not plain.

use saphyr_parser::{Marker, ScalarStyle};

/// Where reading has come to.
pub struct Cursor<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    /// Where the line begins, in bytes.
    begin: usize,
    /// Number of the line, from 1.
    line: usize,
    /// Bytes so far that begin no character.
    wide: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            begin: 0,
            line: 1,
            wide: 0,
        }
    }

    /// The byte here.
    pub fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn byte_after(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at + 1).copied()
    }

    /// Goes on by one byte, which is a character of its own.
    pub fn step(&mut self) {
        self.at += 1;
    }

    /// Bytes of the line before this.
    pub fn column(&self) -> usize {
        self.at - self.begin
    }

    /// Goes on behind blanks.
    pub fn skip_blanks(&mut self) {
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Here, in characters; so far the line is ASCII.
    pub fn mark(&self) -> Marker {
        Marker::new(self.at - self.wide, self.line, self.at - self.begin)
    }

    /// Whether a key begins here rather than a value.
    pub fn is_key(&self) -> bool {
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

    /// Text without quotes, to the blanks, the comment, the colon or the flow indicator that ends it.
    pub fn word(&mut self, flow: bool) -> Option<&'a str> {
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
                        // Blanks before a colon are no part of the key; a dash may not stand before what ends the text.
                        b':' => return None,
                        b'-' if flow => return None,
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
    pub fn quoted(&mut self) -> Option<(&'a str, ScalarStyle)> {
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
    pub fn line_end(&mut self, blank: bool) -> Option<Marker> {
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

/// Whether a byte has a meaning in flow collections.
fn is_flow(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b']' | b'{' | b'}')
}
