//! What names, addresses and paths may consist of. They become file names, arguments and configuration words,
//! so nothing that could be read as something else is let through.

use crate::finding::{Finding, Place, SourceId, Step};
use crate::inventory::yaml::clip;

/// Whether these literal texts, with counters between them, make a name of a host or group.
pub fn is_name<'a>(literals: impl Iterator<Item = &'a str>, counters: usize) -> bool {
    /// The longest file name of the usual file systems.
    const LONGEST: usize = 255;
    let mut len = 0;
    for (i, literal) in literals.enumerate() {
        let fits = literal
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        let begins = i > 0
            || literal.is_empty() && counters > 0
            || literal.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !fits || !begins {
            return false;
        }
        len += literal.len();
    }
    (1..=LONGEST).contains(&(len + counters))
}

/// The finding for a name that is none; the caller adds the place.
pub fn bad_name(what: &str, name: &str) -> Finding {
    Finding::error(
        "value-invalid",
        format!("'{}' cannot be the name of a {what}", clip(name)),
    )
    .help("letters, digits, dots, dashes and underscores, beginning with a letter or digit")
}

/// Whether this may stand as one word of a configuration line or as an argument of a program.
pub fn is_word(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\'' | '#' | '\\' | '`');
    !text.is_empty() && !text.starts_with('-') && !text.contains(odd)
}

/// Whether this may be an address: a name, IPv4 or IPv6, with placeholders.
pub fn is_address(text: &str) -> bool {
    is_word(text)
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'%' | b'{' | b'}'))
}

/// Whether this may be a login name.
pub fn is_login(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+' | b'@' | b'%');
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(fits)
}

/// Whether this may be a list of jump hosts: `[USER@]HOST[:PORT]` or `ssh://[USER@]HOST[:PORT]`, with commas between them.
/// `ssh` hands them to a shell.
pub fn is_jump(text: &str) -> bool {
    text.split(',').all(|jump| {
        let jump = jump.strip_prefix("ssh://").unwrap_or(jump);
        let (user, place) = match jump.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, jump),
        };
        // An IPv6 address with a port stands in brackets.
        let host = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) if port.is_empty() || is_port(port) => host,
            Some(_) => return false,
            None => place,
        };
        user.is_none_or(is_login) && is_address(host) && !host.contains(['{', '}'])
    })
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':')
        .is_some_and(|port| port.parse::<u16>().is_ok())
}

/// Whether this may be a file of this machine that `ssh` is told of: it hands the name to a shell where there are jump hosts.
pub fn is_ssh_file(text: &str) -> bool {
    let fits = |c: char| {
        c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '~' | '@' | '%' | ':' | ',' | '=')
    };
    !text.is_empty() && !text.starts_with('-') && text.chars().all(fits)
}

/// Whether this is an absolute path of a host: Unix, or a directory specification of OpenVMS.
pub fn is_path(text: &str) -> bool {
    let openvms = text.contains('[') && text.contains(']') || text.contains('$') && text.contains(':');
    is_word(text) && (text.starts_with('/') || openvms)
}

/// Whether this is one line of a configuration.
pub fn is_line(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() && c != '\t')
}

/// Poll exponents the daemons take: 8 s to 36 h.
pub const POLL: std::ops::RangeInclusive<u8> = 3..=17;

/// [`POLL`] in words.
pub const POLL_WORDS: &str = "log2 of a poll interval in seconds, 3 to 17";

/// A value that is not what the field takes.
pub fn bad_value(expected: &str, found: &str, source: SourceId, base: &[Step], below: &[&str]) -> Finding {
    let path = base
        .iter()
        .cloned()
        .chain(below.iter().map(|&key| Step::from(key)))
        .collect();
    let message = format!(
        "expected {expected}, found '{}'",
        clip(&found.escape_debug().to_string())
    );
    Finding::error("value-invalid", message).at(Place::value(source, path), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_be_something_else() {
        for good in ["mort", "ntp-1.example.org", "1", "a_b"] {
            assert!(is_name(std::iter::once(good), 0), "{good}");
        }
        for bad in ["", "-o", ".", "../x", "a/b", "a b", "a@b", "é", "a\n"] {
            assert!(!is_name(std::iter::once(bad), 0), "{bad}");
        }
        assert!(is_name(["", ".x"].into_iter(), 1));
        assert!(
            is_address("192.0.2.1") && is_address("2001:db8::1%eth0") && is_address("leaf{}.example.org")
        );
        assert!(!is_address("-oProxyCommand=x") && !is_address("a b") && !is_address("a;b"));
        assert!(is_path("/etc/ntp") && is_path("SYS$SPECIFIC:[TCPIP$NTP]"));
        assert!(!is_path("etc/ntp") && !is_path("/etc/my ntp") && !is_path("/etc/\"x"));
        assert!(!is_line("a\nb"));
    }

    #[test]
    fn words_for_ssh_hold_nothing_a_shell_would_act_on() {
        for good in [
            "gate",
            "ops@gate.example:2222,inner",
            "ssh://ops@gate:22",
            "[2001:db8::1]:22",
            "2001:db8::1",
            "none",
        ] {
            assert!(is_jump(good), "{good}");
        }
        for bad in [
            "",
            "a,",
            "-oProxyCommand=x",
            "a;b",
            "a$(x)",
            "a`x`",
            "a|b",
            "a b",
            "u;x@gate",
            "-u@gate",
            "u@-gate",
            "a,-b",
            "ssh://-x",
            "[::1]x",
            "[-x]",
            "a/b",
            "a&b",
            "a>b",
            "a\nb",
            "a'b",
            "{host}",
        ] {
            assert!(!is_jump(bad), "{bad}");
        }
        assert!(
            is_login("ops")
                && is_login("a.b@corp")
                && !is_login("-l")
                && !is_login("a;b")
                && !is_login("a$b")
        );
        assert!(is_ssh_file("~/.ssh/fleet_ed25519") && is_ssh_file("ssh/cfg-1"));
        for bad in [
            "-F",
            "a b",
            "$(x)",
            "a;b",
            "${HOME}/x",
            "a'b",
            "a\nb",
            "a\u{202e}b",
            "",
        ] {
            assert!(!is_ssh_file(bad), "{bad}");
        }
    }
}
