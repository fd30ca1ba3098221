//! The one command a host is asked to run, and the bytes it then reads.
//!
//! The login shell on the other side may be anything (csh, fish, rc), so it gets to see a single-quoted word
//! and one number. The script comes first on standard input and is read byte by byte, so that `dd` takes no
//! byte of what follows; `head -c` would be faster, but busybox's reads ahead.

use super::Elevate;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// The command line for a script of `length` bytes on standard input.
pub fn command(length: usize, elevate: Option<Elevate>) -> String {
    let prefix = match elevate {
        None => "",
        Some(Elevate::Sudo) => "sudo -n ",
        Some(Elevate::Doas) => "doas -n ",
    };
    format!("{prefix}{}", shell_words(length).join(" "))
}

/// The same for a login shell that is not there: the words of `sh -c …`, the last one quoted.
fn shell_words(length: usize) -> [String; 3] {
    ["sh".into(), "-c".into(), format!("'{}'", reader(length))]
}

/// What `sh -c` runs: read the script, become it. The script must define everything in functions and call the
/// last one in its last line, so that a script cut short does nothing.
pub(super) fn reader(length: usize) -> String {
    format!(r#"eval "$(dd ibs=1 count={length} 2>/dev/null)""#)
}

/// What is written to standard input: the script without its comments and indentation, then its input.
pub(super) fn stdin(text: &str, input: &[u8]) -> (usize, Zeroizing<Vec<u8>>) {
    let script = lean(text);
    // The exact capacity: a growing buffer would leave copies of secrets behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(script.len() + input.len()));
    bytes.extend_from_slice(script.as_bytes());
    bytes.extend_from_slice(input);
    (script.len(), bytes)
}

/// A script without indentation, empty lines and comment lines: every byte costs a system call on the host.
/// Scripts therefore hold no here-documents and no quoted text over several lines.
fn lean(text: &str) -> Cow<'_, str> {
    let lines = text.lines().map(str::trim_start);
    Cow::Owned(
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .flat_map(|line| [line, "\n"])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_varies() {
        assert_eq!(
            command(4711, Some(Elevate::Sudo)),
            r#"sudo -n sh -c 'eval "$(dd ibs=1 count=4711 2>/dev/null)"'"#
        );
        assert_eq!(
            command(1, None),
            r#"sh -c 'eval "$(dd ibs=1 count=1 2>/dev/null)"'"#
        );
    }

    #[test]
    fn scripts_travel_without_comments() {
        let (length, bytes) = stdin(
            "# why\nmain() {\n    echo '#1'\n\n    # because\n}\nmain\n",
            b"\0data",
        );
        assert_eq!(&bytes[..length], b"main() {\necho '#1'\n}\nmain\n");
        assert_eq!(&bytes[length..], b"\0data");
    }
}
