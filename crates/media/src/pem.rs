//! PEM blocks as they stand in media files, with line numbers in every complaint.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::{Error, Result};
use keytrail_vocabulary::Secret;

/// Characters per line of base64.
const COLUMNS: usize = 64;

/// One block between `-----BEGIN LABEL-----` and `-----END LABEL-----`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemBlock {
    /// The label, for example `DSA PRIVATE KEY`.
    pub label: String,
    /// Header fields of RFC 1421 (`Proc-Type`, `DEK-Info`), in order; empty for all newer forms.
    pub headers: Vec<(String, String)>,
    /// The decoded content.
    pub content: Secret,
}

impl PemBlock {
    /// A block without header fields.
    pub fn new(label: &str, content: Secret) -> Self {
        Self {
            label: label.into(),
            headers: Vec::new(),
            content,
        }
    }

    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Appends the block as text.
    pub fn render(&self, out: &mut Zeroizing<String>) {
        let text = Zeroizing::new(openssl::base64::encode_block(self.content.expose()));
        // Reserved at once: a string that grows leaves copies of its content behind in memory.
        out.reserve(text.len() + text.len() / COLUMNS + 2 * self.label.len() + 200);
        let _ = writeln!(out, "-----BEGIN {}-----", self.label);
        for (key, value) in &self.headers {
            let _ = writeln!(out, "{key}: {value}");
        }
        if !self.headers.is_empty() {
            out.push('\n');
        }
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(COLUMNS));
            out.push_str(line);
            out.push('\n');
            rest = more;
        }
        let _ = writeln!(out, "-----END {}-----", self.label);
    }
}

/// A block together with the line (from 1) its BEGIN stands on.
pub type PlacedBlock = (usize, PemBlock);

/// Finds every block of `text`; whatever stands between blocks is passed over, as OpenSSL does.
/// `first_line` is the number of the text's first line in its file.
///
/// # Errors
/// A block without end, with another end, or with content that is not base64.
pub fn parse(text: &str, first_line: usize) -> Result<Vec<PlacedBlock>> {
    let mut lines = (first_line..).zip(text.lines().map(str::trim_end));
    let mut blocks = Vec::new();
    while let Some((begin, line)) = lines.next() {
        if let Some(label) = boundary(line, "BEGIN") {
            blocks.push((begin, block(label, begin, &mut lines)?));
        } else if line.starts_with("-----END ") {
            return Err(Error::line(begin, "an END line without its BEGIN"));
        }
    }
    Ok(blocks)
}

fn boundary<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let label = line
        .strip_prefix("-----")?
        .strip_prefix(word)?
        .strip_prefix(' ')?
        .strip_suffix("-----")?;
    (!label.is_empty() && label.len() <= 64).then_some(label)
}

fn block<'a>(
    label: &str,
    begin: usize,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<PemBlock> {
    let mut headers = Vec::new();
    let mut content = Zeroizing::new(Vec::new());
    let mut base64 = Zeroizing::new(String::new());
    let mut last = begin;
    for (number, line) in lines {
        last = number;
        if line.starts_with("-----") {
            if boundary(line, "END") != Some(label) {
                return Err(Error::line(
                    number,
                    format!("expected -----END {label}-----, found {line:.60}"),
                ));
            }
            content.extend_from_slice(&decode(&base64, begin, last)?);
            return Ok(PemBlock {
                label: label.into(),
                headers,
                content: Secret::new(std::mem::take(&mut *content)),
            });
        }
        match line.split_once(": ") {
            Some((key, value)) if base64.is_empty() => headers.push((key.into(), value.into())),
            _ => {
                let odd = line
                    .chars()
                    .find(|c| !matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' | '='));
                if let Some(odd) = odd {
                    return Err(Error::line(number, format!("{odd:?} is not base64")));
                }
                base64.push_str(line);
            }
        }
    }
    Err(Error::line(
        last,
        format!("the block {label} that begins on line {begin} has no END: the file is cut off"),
    ))
}

fn decode(base64: &str, begin: usize, end: usize) -> Result<Zeroizing<Vec<u8>>> {
    let broken = || {
        Error::line(
            end,
            format!("the base64 of the block that begins on line {begin} is damaged or cut off"),
        )
    };
    // Padding may only stand at the end; OpenSSL's own decoder is lenient about it.
    if base64.is_empty()
        || !base64.len().is_multiple_of(4)
        || base64.trim_end_matches('=').contains('=')
        || base64.ends_with("===")
    {
        return Err(broken());
    }
    openssl::base64::decode_block(base64)
        .map(Zeroizing::new)
        .map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(block: &PemBlock) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::new());
        block.render(&mut out);
        out
    }

    #[test]
    fn places_complaints() {
        let good = text(&PemBlock::new("CERTIFICATE", Secret::new([7; 100])));
        let cut = good.lines().take(2).collect::<Vec<_>>().join("\n");
        for (bad, line, word) in [
            (cut, 11, "no END"),
            (good.replace("END CERTIFICATE", "END KEY"), 14, "expected"),
            (good.replacen("Bw", "B*", 1), 11, "'*'"),
            (good.replacen("Bw", "B", 1), 14, "damaged"),
            ("-----END X-----\n".into(), 10, "without"),
        ] {
            let error = parse(&bad, 10).unwrap_err();
            let shown = error.to_string();
            assert!(
                shown.starts_with(&format!("line {line}: ")) && shown.contains(word),
                "{shown}"
            );
        }
    }

    #[test]
    fn reads_carriage_returns_and_text_between() {
        let block = PemBlock::new("X", Secret::new([1, 2, 3]));
        let messy = format!(
            "hello\r\n{}world\n{}",
            text(&block).replace('\n', " \r\n"),
            *text(&block)
        );
        let found = parse(&messy, 1).unwrap();
        assert_eq!(found, [(2, block.clone()), (6, block)]);
    }

    proptest! {
        #[test]
        fn round_trips(content in proptest::collection::vec(any::<u8>(), 1..300), with_header: bool) {
            let mut block = PemBlock::new("DSA PRIVATE KEY", Secret::new(content));
            if with_header {
                block.headers = vec![("Proc-Type".into(), "4,ENCRYPTED".into())];
            }
            prop_assert_eq!(parse(&text(&block), 1).unwrap(), vec![(1, block)]);
        }

        #[test]
        fn never_panics(text in "(-----BEGIN A-----\n)?[ -~\n]{0,80}(-----END A-----)?") {
            let _ = parse(&text, 1);
        }
    }
}
