//! Hand-written lines outside the managed block that say what keytrail's lines say too.

use super::block::Block;
use super::lex;
use super::rendered::Rendered;
use crate::inventory::Implementation;
use std::collections::BTreeSet;

/// A line of the host's file that contradicts or repeats one of keytrail's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Its line number in the file as it is on the host, from 1.
    pub line: usize,
    /// What both say (`crypto`, `server mort.example`). Never a value that could be secret.
    pub command: String,
    /// What the daemon makes of it.
    pub effect: &'static str,
}

/// Conflicts of `ours` with what stands in `content` outside `block`. `include_file`: keytrail's own file, which must be
/// named nowhere else.
pub fn conflicts(
    implementation: Implementation,
    content: &[u8],
    block: Option<&Block>,
    ours: &Rendered,
    include_file: Option<&str>,
) -> Vec<Conflict> {
    let said: BTreeSet<String> = ours
        .redacted()
        .lines()
        .filter_map(|line| topic(&lex::words(implementation, line)))
        .collect();
    let mut found = Vec::new();
    for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        if block.is_some_and(|block| (block.first_line..=block.last_line).contains(&number)) {
            continue;
        }
        let words = lex::words(implementation, &String::from_utf8_lossy(line));
        if include_file.is_some_and(|file| includes(&words, file)) {
            found.push(Conflict {
                line: number,
                command: words.join(" "),
                effect: "every line of that file is read twice",
            });
        } else if let Some(topic) = topic(&words).filter(|topic| said.contains(topic)) {
            found.push(Conflict {
                line: number,
                effect: effect(implementation, &topic),
                command: topic,
            });
        }
    }
    found
}

/// Whether a line makes the daemon read `file`: by its name, or by its directory (`confdir /etc/chrony/conf.d`).
fn includes(words: &[String], file: &str) -> bool {
    let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
    let Some((command, named)) = words.split_first() else {
        return false;
    };
    matches!(
        command.as_str(),
        "include" | "includefile" | "confdir" | "sourcedir"
    ) && named.iter().any(|path| {
        let path = path.trim_end_matches('/');
        path == file || path == directory || path.strip_suffix("/*.conf") == Some(directory)
    })
}

/// What a line is about, where a second line about the same is a conflict.
fn topic(words: &[String]) -> Option<String> {
    let command = words.first()?;
    match command.as_str() {
        "crypto" | "keysdir" | "keys" | "trustedkey" | "controlkey" | "requestkey" | "ident" | "automax"
        | "revoke" | "keyfile" => Some(command.clone()),
        "server" | "peer" | "pool" | "broadcast" => {
            let address = words[1..].iter().find(|word| *word != "-4" && *word != "-6")?;
            // One association per address, whatever the command.
            Some(format!("server {}", address.to_ascii_lowercase()))
        }
        _ => None,
    }
}

fn effect(implementation: Implementation, topic: &str) -> &'static str {
    match topic {
        "crypto" => "the daemon merges both lines, and of an option given twice the last one counts",
        "trustedkey" if implementation == Implementation::Ntpsec => "NTPsec adds the ids of both lines up",
        "trustedkey" => "only the last line counts: keys of the other one are not trusted",
        topic if topic.starts_with("server ") => {
            "one of the two lines is dropped, and it may be the authenticated one"
        }
        _ => "only the last one counts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntpconf::block;

    #[test]
    fn names_the_lines_outside_the_block() {
        let ours = Rendered::plain("keysdir /k\ncrypto pw x\nserver mort autokey\ntrustedkey 1\n");
        let file = b"driftfile /d\ncrypto pw old # mine\nserver -4 MORT iburst\nserver other\n#keysdir /x\n";
        let spliced = block::splice(file, ours.redacted().as_bytes()).expect("no markers");
        let place = block::find(&spliced).expect("sound");
        let found = conflicts(Implementation::NtpOrg, &spliced, place.as_ref(), &ours, None);
        let lines: Vec<_> = found.iter().map(|c| (c.line, c.command.as_str())).collect();
        assert_eq!(lines, [(2, "crypto"), (3, "server mort")]);
    }

    #[test]
    fn a_second_include_of_our_file_is_one() {
        let found = conflicts(
            Implementation::NtpOrg,
            b"includefile \"/etc/ntp.keytrail.conf\"\n",
            None,
            &Rendered::plain(""),
            Some("/etc/ntp.keytrail.conf"),
        );
        assert_eq!(found[0].line, 1);
        for (line, twice) in [
            ("confdir /etc/chrony/conf.d", true),
            ("include /etc/chrony/conf.d/*.conf", true),
            ("confdir /etc/chrony/other.d", false),
            ("#confdir /etc/chrony/conf.d", false),
        ] {
            let words = lex::words(Implementation::Chrony, line);
            assert_eq!(
                includes(&words, "/etc/chrony/conf.d/keytrail.conf"),
                twice,
                "{line}"
            );
        }
    }
}
