//! Where something stands in a file.

use crate::finding::{Place, SourceId};
use std::ops::Range;

/// Where a node stands. Lines and columns count from 1, columns and length in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Line of its first character.
    pub line: u32,
    /// Column of its first character.
    pub column: u32,
    /// Characters on that line; [`Span::TO_LINE_END`] when it goes on behind the line.
    pub len: u32,
}

impl Span {
    /// The length of what does not end on its first line.
    pub const TO_LINE_END: u32 = u32::MAX;

    pub(super) fn of(span: saphyr_parser::Span) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            line: count(span.start.line()),
            column: count(span.start.col() + 1),
            len: if span.start.line() == span.end.line() {
                count(span.end.index().saturating_sub(span.start.index())).max(1)
            } else {
                Self::TO_LINE_END
            },
        }
    }

    /// As the place of a finding.
    pub fn place(self, source: SourceId) -> Place {
        Place::Line {
            source,
            line: self.line,
            column: self.column,
            len: self.len,
        }
    }
}

/// The characters of a place, counted from the beginning of the text.
pub(super) fn chars(span: saphyr_parser::Span) -> Range<usize> {
    span.start.index()..span.end.index()
}
