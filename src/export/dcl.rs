//! Words of DCL, the command language of OpenVMS.

/// A file name as DCL reads it with `SET PROCESS/PARSE_STYLE=EXTENDED`: every dot but the last is escaped, since the
/// last one begins the type; a name without type ends in a dot. `None`: it holds what would need more than that.
///
/// `$`, `_` and `-` are ordinary characters there; quotes would make DCL take the name for another system's.
pub(super) fn file_name(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "$_-.".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    Some(match name.rsplit_once('.') {
        None => format!("{name}."),
        Some((stem, kind)) => format!("{}.{kind}", stem.replace('.', "^.")),
    })
}

/// Whether a directory specification is what may stand before a file name: logical names, devices and directories.
pub(super) fn is_directory(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "$_-.:[]<>^".contains(c);
    text.ends_with([']', ':', '>']) && text.chars().all(plain)
}

/// Whether this is a rights identifier: what an account is called.
pub(super) fn is_identifier(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "$_".contains(c);
    (1..=31).contains(&text.len()) && text.chars().all(plain)
}

/// A string literal. An apostrophe pair would be substituted inside it, so there must be none.
pub(super) fn string(text: &str) -> String {
    debug_assert!(!text.contains("''"));
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_dot_is_the_types() {
        for (name, spec) in [
            (
                "tcpip$ntpkey_RSAhost_mort.4004178813",
                "tcpip$ntpkey_RSAhost_mort.4004178813",
            ),
            ("tcpip$ntpkey_host_mort", "tcpip$ntpkey_host_mort."),
            (
                "tcpip$ntpkey_host_mort.example.org",
                "tcpip$ntpkey_host_mort^.example.org",
            ),
            ("tcpip$ntpkey_RSAhost_a.b.1", "tcpip$ntpkey_RSAhost_a^.b.1"),
        ] {
            assert_eq!(file_name(name).as_deref(), Some(spec));
        }
    }

    #[test]
    fn what_dcl_would_act_upon_is_refused() {
        for bad in [
            "", "a b", "a'b", "a&b", "a!b", "a;1", "a\"b", "a*", "a%b", "a\nb", "é", "a/b", "a,b",
        ] {
            assert_eq!(file_name(bad), None, "{bad:?}");
        }
        assert!(is_directory("SYS$SPECIFIC:[TCPIP$NTP]") && is_directory("NTP$KEYS:"));
        for bad in ["", "/etc/ntp", "A:[B", "A:['B']", "A:[B] "] {
            assert!(!is_directory(bad), "{bad:?}");
        }
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(string("say \"a\""), "\"say \"\"a\"\"\"");
    }
}
