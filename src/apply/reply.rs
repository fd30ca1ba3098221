//! Reading what a script answers: lines from `keytrail-reply 1` to `end`, with counted bytes in between.

use crate::foreign;

/// A position in an answer.
pub(super) struct Reply<'a> {
    rest: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Finds the beginning: shell start-up files may have written before it.
    pub(super) fn open(stdout: &'a [u8]) -> Result<Self, String> {
        let mut reply = Self { rest: stdout };
        while let Ok(line) = reply.raw() {
            if line == b"keytrail-reply 1" {
                return Ok(reply);
            }
        }
        Err("it has no beginning".into())
    }

    /// The next line. `Err`: the answer was cut off, or it is no text that can be shown.
    pub(super) fn line(&mut self) -> Result<&'a str, String> {
        let line = std::str::from_utf8(self.raw()?).map_err(|_| "a line is not UTF-8")?;
        // Names and words of a host are shown and recorded; none of ours holds such a character.
        if line.contains(|c| foreign::is_hidden(c) && c != '\t') {
            let line = foreign::short(line, 200);
            return Err(format!("there are control or invisible characters in '{line}'"));
        }
        Ok(line)
    }

    fn raw(&mut self) -> Result<&'a [u8], String> {
        let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else {
            return Err("it was cut off".into());
        };
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Ok(line)
    }

    /// The next `count` bytes and the line break after them.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], String> {
        if self.rest.len() <= count || self.rest[count] != b'\n' {
            return Err("a file's content changed while it was read".into());
        }
        let (bytes, rest) = self.rest.split_at(count);
        self.rest = &rest[1..];
        Ok(bytes)
    }
}

/// A number in an answer.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("'{}' is no number", text.escape_debug()))
}

/// A time in an answer, Unix seconds: of a year with four digits, so that nothing overflows that is reckoned from it.
pub(super) fn moment(text: &str) -> Result<i64, String> {
    const YEAR_10_000: i64 = 253_402_300_800;
    number(text).and_then(|seconds| match seconds {
        0..YEAR_10_000 => Ok(seconds),
        _ => Err(format!("{seconds} is no time")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_bytes() {
        let text = b"Welcome!\nkeytrail-reply 1\ncontent 3\na\nb\nend\n";
        let mut reply = Reply::open(text).unwrap();
        assert_eq!(reply.line().unwrap(), "content 3");
        assert_eq!(reply.bytes(3).unwrap(), b"a\nb");
        assert_eq!(reply.line().unwrap(), "end");
        assert!(reply.line().is_err());
        assert!(Reply::open(b"Welcome!\nkeytrail-reply").is_err());
        let greeted = b"\x1b[31mWelcome\xff\nkeytrail-reply 1\nname \xe2\x80\xae\nend\n";
        let mut reply = Reply::open(greeted).unwrap();
        let why = reply.line().unwrap_err();
        assert!(why.ends_with("'name \\u{202e}'"), "{why}");
    }

    #[test]
    fn times_are_such_as_can_be_reckoned_with() {
        assert_eq!(moment("1795192905"), Ok(1_795_192_905));
        for text in [
            "-1",
            "253402300800",
            "9223372036854775807",
            "-9223372036854775808",
            "now\u{1b}[2J",
        ] {
            let why = moment(text).unwrap_err();
            assert!(!why.contains('\u{1b}'), "{why}");
        }
    }
}
