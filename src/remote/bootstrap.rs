//! The one command a host is asked to run, and the bytes it then reads.
//!
//! The login shell on the other side may be anything (csh, fish, rc), so it gets to see a single-quoted word and
//! nothing that varies. What that starts is a shell that stands: it runs one script after another, so that a host
//! sees one session however many phases there are. A process costs a host half a millisecond, a session six times
//! that (measured on loopback with OpenSSH 9.2).
//!
//! For every script it reads a line `TAG LENGTH LENGTH`, then the script and what the script is to read on its
//! standard input, which ends there; what comes after that, the script finds on descriptor 3. When it has ended the
//! standing shell writes `TAG STATUS LAST` to standard output and `TAG` to standard error; LAST says that it will
//! run no other one.

use super::{Elevate, Facts};
use std::hash::{BuildHasher, Hasher, RandomState};
use zeroize::Zeroizing;

/// What `sh -c` runs. A block of `dd` is filled to its end, and no byte more is read; where `dd` knows no such thing it
/// fails before it has read any, and bytes are read one by one. No quotes and no backslash: login shells disagree about them.
pub(super) const STANDING: &str = concat!(
    "exec 3<&0;o=;while read -r t s i;do b=\"bs=$i count=1 iflag=fullblock\";",
    "c=$(dd bs=$s count=1 iflag=fullblock 2>/dev/null)||{ o=1;b=\"ibs=1 obs=4096 count=$i\";c=$(dd ibs=1 count=$s 2>/dev/null);};",
    "if [ $i = 0 ];then (eval \"$c\")</dev/null;else dd $b 2>/dev/null|(eval \"$c\");fi;e=$?;echo \"$t $e $o\";echo $t >&2;[ \"$e$o\" = 0 ]||exit $e;done",
);

/// The command line.
pub fn command(elevate: Option<Elevate>) -> String {
    let prefix = match elevate {
        None => "",
        Some(Elevate::Sudo) => "sudo -n ",
        Some(Elevate::Doas) => "doas -n ",
    };
    format!("{prefix}sh -c '{STANDING}'")
}

/// What is written to a standing shell for one script.
pub struct Call {
    /// What marks the end of what the script writes; nobody can know it before.
    pub(super) tag: String,
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// The bytes for a script, without its comments and indentation, with its facts before it and its input after it. The
/// script must define everything in functions and call the last one in its last line, so that a script cut short does
/// nothing.
pub fn call(facts: &Facts, text: &str, input: &[u8]) -> Call {
    let script = facts.text().to_owned() + &lean(text);
    let tag = format!("{:016x}", RandomState::new().build_hasher().finish());
    let head = format!("{tag} {} {}\n", script.len(), input.len());
    // The exact capacity: a growing buffer would leave copies of secrets behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(head.len() + script.len() + input.len()));
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(script.as_bytes());
    bytes.extend_from_slice(input);
    Call { tag, bytes }
}

/// A script without indentation, empty lines and comment lines. Scripts therefore hold no here-documents and no quoted
/// text over several lines.
fn lean(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_one_quoted_word() {
        assert!(!STANDING.contains(['\'', '\\', '!', '\n']), "{STANDING}");
        assert_eq!(
            command(Some(Elevate::Sudo)),
            format!("sudo -n sh -c '{STANDING}'")
        );
        assert_eq!(command(None), format!("sh -c '{STANDING}'"));
    }

    #[test]
    fn scripts_travel_without_comments() {
        let mut facts = Facts::default();
        facts.set("name", "it's");
        let call = call(
            &facts,
            "# why\nmain() {\n    echo '#1'\n\n    # because\n}\nmain\n",
            b"\0data",
        );
        let text = b"name='it'\\''s'\nmain() {\necho '#1'\n}\nmain\n";
        let mut expected = format!("{} {} 5\n", call.tag, text.len()).into_bytes();
        expected.extend_from_slice(text);
        expected.extend_from_slice(b"\0data");
        assert_eq!(*call.bytes, expected);
    }

    #[test]
    fn no_two_calls_have_one_tag() {
        let tag = || call(&Facts::default(), "", b"").tag;
        assert_ne!(tag(), tag());
    }
}
