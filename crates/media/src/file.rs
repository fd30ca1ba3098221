//! One media file: three header lines, then PEM blocks or key lines.

use std::fmt::Write as _;

use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};
use zeroize::Zeroizing;

use super::{
    Error, Filestamp, MediaName, Result,
    pem::{self, PemBlock, PlacedBlock},
};
use keytrail_vocabulary::Secret;

/// C's `ctime`: `Fri Nov 20 15:27:59 2026`, the day blank-padded.
const CTIME: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
);

/// Larger files are refused unread: the largest real one, a key file of 65 535 keys, has 3 MB.
pub const MAX_SIZE: usize = 8 << 20;

/// What follows the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// PEM blocks: everything but symmetric keys.
    Pem(Vec<PemBlock>),
    /// Key lines, each with its line end.
    Text(Secret),
}

/// A media file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its name; the first line repeats it, and there the daemon takes the filestamp from.
    pub name: MediaName,
    /// When it was made (exports: exported), Unix seconds; stands on the second line.
    pub made: i64,
    /// The content.
    pub body: Body,
}

impl MediaFile {
    /// A file of PEM blocks.
    pub fn pem(name: MediaName, made: i64, blocks: Vec<PemBlock>) -> Self {
        Self {
            name,
            made,
            body: Body::Pem(blocks),
        }
    }

    /// The file's bytes, with the date in UTC. ntp-keygen uses local time; nothing reads it.
    pub fn render(&self) -> Secret {
        self.render_at(UtcOffset::UTC)
    }

    /// The file's bytes, with the date at this offset from UTC.
    pub fn render_at(&self, offset: UtcOffset) -> Secret {
        let mut out = Zeroizing::new(String::new());
        let _ = write!(out, "# {}\n# {}\n\n", self.name, ctime(self.made, offset));
        match &self.body {
            Body::Pem(blocks) => blocks.iter().for_each(|block| block.render(&mut out)),
            Body::Text(text) => out.push_str(&String::from_utf8_lossy(text.expose())),
        }
        Secret::new(out.as_bytes())
    }
}

/// A moment as C's `ctime` writes it, without the line end. Moments no calendar holds become 1970.
pub fn ctime(unix: i64, offset: UtcOffset) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let moment = moment.checked_to_offset(offset).unwrap_or(moment);
    moment
        .format(CTIME)
        .expect("every part of the format is part of a date")
}

/// A media file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// The first line without `#`: normally the file's name.
    pub title: String,
    /// The filestamp, taken as the daemon takes it: the digits after the last dot of the first line.
    pub stamp: Filestamp,
    /// The second line's date as it stands there, if it is a comment.
    pub date: Option<String>,
    /// Every PEM block, with the line its BEGIN stands on.
    pub blocks: Vec<PlacedBlock>,
}

impl ReadFile {
    /// Reads a file of PEM blocks as ntpd does: of the header only the first line matters, and there only what
    /// follows the last dot.
    ///
    /// # Errors
    /// No media file (too large, binary, empty), no filestamp, damaged blocks, or none at all.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = text(bytes)?;
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if first.starts_with("-----BEGIN") {
            return Err(Error::line(
                1,
                "the file begins with its PEM block; the daemon wants a first line that ends in a \
                 dot and the filestamp, such as `# ntpkey_RSAhost_mort.4004178813`",
            ));
        }
        let stamp = stamp(first)?;
        let second = lines.next().unwrap_or_default();
        let date = second.strip_prefix("# ").map(|date| date.trim_end().to_owned());
        let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
        let blocks = pem::parse(rest, 2)?;
        if blocks.is_empty() {
            return Err(Error::NotMedia(
                "there is no PEM block in the file; ntp-keygen leaves such a file behind where OpenSSL refused the \
                 cipher, and exits 0"
                    .into(),
            ));
        }
        Ok(Self {
            title: title(first),
            stamp,
            date,
            blocks,
        })
    }

    /// The name on the first line, if it is one.
    ///
    /// # Errors
    /// The line says something else, which the daemon does not mind.
    pub fn name(&self) -> Result<MediaName> {
        self.title.parse()
    }
}

pub(super) fn title(first: &str) -> String {
    first.trim_start_matches('#').trim().chars().take(256).collect()
}

/// The file's text, if it can be key media at all.
///
/// # Errors
/// Empty, larger than [`MAX_SIZE`], or not text.
pub(super) fn text(bytes: &[u8]) -> Result<&str> {
    if bytes.is_empty() {
        return Err(Error::NotMedia("the file is empty".into()));
    }
    if bytes.len() > MAX_SIZE {
        let why = format!(
            "{} bytes are too many for key media (at most {MAX_SIZE} are read)",
            bytes.len()
        );
        return Err(Error::NotMedia(why));
    }
    let binary = |line| Error::line(line, "this is binary data, not key media");
    let text =
        std::str::from_utf8(bytes).map_err(|error| binary(1 + newlines(&bytes[..error.valid_up_to()])))?;
    match text.bytes().position(|b| b == 0) {
        Some(zero) => Err(binary(1 + newlines(&bytes[..zero]))),
        None => Ok(text),
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

fn stamp(first: &str) -> Result<Filestamp> {
    let shown: String = first.chars().take(80).collect();
    let after = first.rsplit_once('.').map(|(_, after)| after);
    let after =
        after.ok_or_else(|| Error::line(1, format!("{shown:?} has no filestamp: there is no dot")))?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits
        .parse()
        .map_err(|_| Error::line(1, format!("{shown:?} has no filestamp after its last dot")))
}

/// The filestamp of any file of key media, symmetric keys included.
///
/// # Errors
/// No text, or no filestamp on the first line.
pub fn filestamp(bytes: &[u8]) -> Result<Filestamp> {
    stamp(text(bytes)?.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file() -> MediaFile {
        let name = "ntpkey_iffpar_red.4004178813".parse().unwrap();
        MediaFile::pem(
            name,
            1_795_190_013,
            vec![PemBlock::new("PRIVATE KEY", Secret::new([1, 2, 3]))],
        )
    }

    #[test]
    fn writes_the_header_of_ntp_keygen() {
        let text = String::from_utf8(file().render().expose().to_vec()).unwrap();
        assert!(
            text.starts_with("# ntpkey_iffpar_red.4004178813\n# Fri Nov 20 15:53:33 2026\n\n-----BEGIN"),
            "{text}"
        );
        assert_eq!(ctime(1_793_491_200, UtcOffset::UTC), "Sun Nov  1 00:00:00 2026");
    }

    #[test]
    fn takes_the_stamp_as_the_daemon_does() {
        let block = "-----BEGIN X-----\nAQID\n-----END X-----\n";
        for (first, stamp) in [
            ("#.4004170000", 4_004_170_000),
            ("# a.b.c.12 x", 12),
            ("anything.7", 7),
        ] {
            let read = ReadFile::parse(format!("{first}\n{block}").as_bytes()).unwrap();
            assert_eq!(read.stamp, Filestamp(stamp));
        }
        for first in [
            "# nodot",
            "# dot.",
            "# dot.x1",
            "# a.99999999999",
            "-----BEGIN X-----",
        ] {
            let error = ReadFile::parse(format!("{first}\n{block}").as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("line 1: "), "{error}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_media_early() {
        for (bytes, word) in [
            (vec![], "empty"),
            (vec![b'a'; 10 << 20], "too many"),
            (b"# a.1\n\n\xff\xfe".to_vec(), "line 3: this is binary"),
            (b"# a.1\n\0".to_vec(), "line 2: this is binary"),
            (b"# a.1\n# date\n\n".to_vec(), "no PEM block"),
        ] {
            let error = ReadFile::parse(&bytes).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(content in proptest::collection::vec(any::<u8>(), 1..200), made in 0i64..2_000_000_000) {
            let file = MediaFile { made, body: Body::Pem(vec![PemBlock::new("X", Secret::new(content))]), ..file() };
            let read = ReadFile::parse(file.render().expose()).unwrap();
            prop_assert_eq!(read.name().unwrap(), file.name);
            prop_assert_eq!(read.date.unwrap(), ctime(made, UtcOffset::UTC));
            prop_assert_eq!(Body::Pem(vec![read.blocks[0].1.clone()]), file.body);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ReadFile::parse(&bytes);
        }
    }
}
