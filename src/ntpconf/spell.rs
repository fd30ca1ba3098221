//! How a value is spelled in a daemon's configuration: quoted where it must be, refused where no spelling works.
//!
//! Sources: `ntp_scanner.c` of 4.2.8p15 (one quoting character, no escapes, bytes above 127 dropped without a word,
//! a string that begins with `-4` or `-6` read as an address family even inside quotes, 1024 bytes at most) and
//! chrony's `conf.c` (words split at blanks, no quoting at all).

use crate::inventory::Implementation;

/// Longest word `ntp_scanner.c` takes; a longer one makes the daemon exit.
const LONGEST: usize = 1000;

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unspellable {
    /// Nothing to write.
    #[error("it is empty")]
    Empty,
    /// A line break would begin another command.
    #[error("it holds a line break")]
    LineBreak,
    /// Any other control character.
    #[error("it holds a control character")]
    Control,
    /// There is no way to write a quote inside quotes.
    #[error("it holds a double quote, which the daemon cannot read inside a value")]
    Quote,
    /// The daemon drops such bytes and reads a shorter value.
    #[error("it holds a character outside ASCII, which the daemon drops silently")]
    NotAscii,
    /// chrony and OpenVMS know no quotes.
    #[error("it holds a blank or '#', and this daemon knows no quotes")]
    NeedsQuotes,
    /// `-4` and `-6` are address families wherever they stand.
    #[error("it begins with '-4' or '-6', which the daemon reads as an address family")]
    Family,
    /// Beyond the scanner's buffer.
    #[error("it is longer than {LONGEST} bytes, where the daemon gives up")]
    TooLong,
    /// A free word or line may not hold a comment.
    #[error("it holds '#', which would make the rest of the line a comment")]
    Comment,
    /// It would look like one of the lines that enclose the managed block.
    #[error("it holds keytrail's own marker")]
    Marker,
}

/// Spells one value (a password, path, name or address) as one word of the daemon's configuration.
pub fn word(implementation: Implementation, value: &str) -> Result<String, Unspellable> {
    printable(value)?;
    if value.trim().is_empty() {
        return Err(Unspellable::Empty);
    }
    if value.len() > LONGEST {
        return Err(Unspellable::TooLong);
    }
    let quotes_needed = value.contains([' ', '#', '{', '}', '(', ')', ',', ';', '|', '=']);
    match implementation {
        Implementation::Chrony => {
            if value.contains(' ') || value.starts_with(['!', ';', '#', '%']) {
                return Err(Unspellable::NeedsQuotes);
            }
            return Ok(value.to_owned());
        }
        Implementation::Openvms if value.contains([' ', '#']) => {
            return Err(Unspellable::NeedsQuotes);
        }
        Implementation::NtpOrg | Implementation::Ntpsec | Implementation::Openvms => {}
    }
    if value.contains('"') {
        return Err(Unspellable::Quote);
    }
    if value.starts_with("-4") || value.starts_with("-6") {
        return Err(Unspellable::Family);
    }
    // On OpenVMS a name such as `sys$specific:[tcpip$ntp]` needs none.
    if quotes_needed && implementation != Implementation::Openvms {
        return Ok(format!("\"{value}\""));
    }
    Ok(value.to_owned())
}

/// Lets words through that are written as they are (association options, `restrict` addresses).
pub fn words(value: &str) -> Result<String, Unspellable> {
    printable(value)?;
    if value.trim().is_empty() {
        return Err(Unspellable::Empty);
    }
    if value.contains('#') {
        return Err(Unspellable::Comment);
    }
    if value.contains('"') {
        return Err(Unspellable::Quote);
    }
    Ok(value.trim().to_owned())
}

/// Lets one line through that the user wrote for the daemon, byte for byte.
pub fn line(value: &str) -> Result<String, Unspellable> {
    if value.contains(['\n', '\r']) {
        return Err(Unspellable::LineBreak);
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Unspellable::Control);
    }
    if super::block::is_like_marker(value.as_bytes()) {
        return Err(Unspellable::Marker);
    }
    Ok(value.to_owned())
}

fn printable(value: &str) -> Result<(), Unspellable> {
    if value.contains(['\n', '\r']) {
        return Err(Unspellable::LineBreak);
    }
    if value.chars().any(char::is_control) {
        return Err(Unspellable::Control);
    }
    if !value.is_ascii() {
        return Err(Unspellable::NotAscii);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Implementation::{Chrony, NtpOrg, Openvms};

    #[test]
    fn quotes_where_the_scanner_would_split() {
        assert_eq!(word(NtpOrg, "abc-1.2:3/x$").as_deref(), Ok("abc-1.2:3/x$"));
        assert_eq!(word(NtpOrg, "two words").as_deref(), Ok("\"two words\""));
        assert_eq!(word(NtpOrg, "a#b").as_deref(), Ok("\"a#b\""));
        assert_eq!(word(NtpOrg, "a=b").as_deref(), Ok("\"a=b\""));
        assert_eq!(word(Openvms, "sys$a:[b]").as_deref(), Ok("sys$a:[b]"));
    }

    #[test]
    fn refuses_what_no_spelling_can_save() {
        assert_eq!(word(NtpOrg, ""), Err(Unspellable::Empty));
        assert_eq!(word(NtpOrg, "  "), Err(Unspellable::Empty));
        assert_eq!(word(NtpOrg, "a\nserver evil"), Err(Unspellable::LineBreak));
        assert_eq!(word(NtpOrg, "a\tb"), Err(Unspellable::Control));
        assert_eq!(word(NtpOrg, "a\"b"), Err(Unspellable::Quote));
        assert_eq!(word(NtpOrg, "paß"), Err(Unspellable::NotAscii));
        assert_eq!(word(NtpOrg, "-4secret"), Err(Unspellable::Family));
        assert_eq!(word(NtpOrg, &"a".repeat(1001)), Err(Unspellable::TooLong));
        assert_eq!(word(Chrony, "/a b"), Err(Unspellable::NeedsQuotes));
        assert_eq!(words("iburst # x"), Err(Unspellable::Comment));
        assert_eq!(words("ident \"x"), Err(Unspellable::Quote));
        assert_eq!(line("tos orphan 5\nx"), Err(Unspellable::LineBreak));
        assert_eq!(line("# >>> keytrail >>>"), Err(Unspellable::Marker));
        assert_eq!(line("# grüße").as_deref(), Ok("# grüße"));
    }
}
