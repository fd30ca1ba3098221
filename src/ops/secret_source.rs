//! Sources and key values from where the inventory says: environment, files, commands.
//!
//! Read once, before anything is minted, and all problems reported together.

use crate::inventory::PasswordSource;
use crate::ops::error::{Error, Result};
use crate::secret::Secret;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Reads sources, each only once however many hosts name it.
pub(crate) struct Sources {
    variable: fn(&str) -> Option<OsString>,
    known: HashMap<String, Result<Secret, String>>,
    withheld: Arc<[Box<str>]>,
}

impl Sources {
    /// Values of variables are those that `variable` gives. Commands do not inherit the variables `withheld`: those are the
    /// other secrets.
    pub(crate) fn new(variable: fn(&str) -> Option<OsString>, withheld: Arc<[Box<str>]>) -> Self {
        Self {
            variable,
            known: HashMap::new(),
            withheld,
        }
    }

    /// The value of a source. `Err`: why there is none, without the value.
    pub(crate) fn read(&mut self, source: &PasswordSource) -> Result<Secret, String> {
        if let PasswordSource::Literal(secret) = source {
            return usable(secret.clone(), "the inventory");
        }
        self.known
            .entry(format!("{source:?}"))
            .or_insert_with(|| fetch(source, self.variable, &self.withheld))
            .clone()
    }
}

fn fetch(
    source: &PasswordSource,
    variable: fn(&str) -> Option<OsString>,
    withheld: &[Box<str>],
) -> Result<Secret, String> {
    match source {
        PasswordSource::Literal(secret) => usable(secret.clone(), "the inventory"),
        PasswordSource::Env(name) => {
            let value = variable(name).ok_or_else(|| format!("the variable {name} is not set"))?;
            usable(Secret::new(value.into_vec()), &format!("the variable {name}"))
        }
        PasswordSource::File(path) => {
            let shown = path.display();
            let content = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
            usable(first_line(content), &shown.to_string())
        }
        PasswordSource::Command(argv) => {
            let Some((program, arguments)) = argv.split_first() else {
                return Err("the command is empty".into());
            };
            let mut command = Command::new(&**program);
            for name in withheld {
                command.env_remove(&**name);
            }
            let output = command
                .args(arguments.iter().map(|argument| &**argument))
                .stdin(Stdio::null())
                .stderr(Stdio::inherit())
                .output()
                .map_err(|error| format!("cannot run '{program}': {error}"))?;
            if !output.status.success() {
                return Err(format!("'{program}' ended with {}", output.status));
            }
            usable(first_line(output.stdout), &format!("'{program}'"))
        }
    }
}

/// The first line without its end; what was read is wiped with the rest.
fn first_line(content: Vec<u8>) -> Secret {
    let content = Secret::new(content);
    let line = content
        .expose()
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    Secret::new(line.strip_suffix(b"\r").unwrap_or(line))
}

fn usable(secret: Secret, from: &str) -> Result<Secret, String> {
    if secret.is_empty() {
        Err(format!("{from} gives an empty value"))
    } else {
        Ok(secret)
    }
}

/// The first line of a file; `what` it is, for people.
pub fn from_file(what: &str, path: &Path) -> Result<Secret> {
    let read = fetch(&PasswordSource::File(path.to_owned()), |_| None, &[]);
    read.map_err(|why| Error::new(format!("there is no {what}")).why(why))
}

/// The first line of standard input, given by the caller; `what` it is, for people.
pub fn from_reader(what: &str, mut input: impl Read) -> Result<Secret> {
    let mut content = Vec::new();
    input
        .read_to_end(&mut content)
        .map_err(|error| format!("cannot read standard input: {error}"))
        .and_then(|_| usable(first_line(content), "standard input"))
        .map_err(|why| Error::new(format!("there is no {what}")).why(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_first_line_of_files_and_commands() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pw");
        std::fs::write(&path, "s3cret\r\nsecond line\n").expect("written");
        let mut passwords = Sources::new(|_| None, Arc::default());
        let read = passwords.read(&PasswordSource::File(path)).expect("readable");
        assert_eq!(read.expose(), b"s3cret");
        let command = PasswordSource::Command(["printf", "abc\\n"].map(Into::into).into());
        assert_eq!(passwords.read(&command).expect("it prints").expose(), b"abc");
    }

    #[test]
    fn says_why_there_is_no_value() {
        let mut passwords = Sources::new(|_| None, Arc::default());
        for (source, why) in [
            (
                PasswordSource::Env("KEYTRAIL_NOT_SET".into()),
                "the variable KEYTRAIL_NOT_SET is not set",
            ),
            (
                PasswordSource::Command(["false".into()].into()),
                "'false' ended with exit status: 1",
            ),
            (
                PasswordSource::Command(["true".into()].into()),
                "'true' gives an empty value",
            ),
            (
                PasswordSource::File("/nonexistent/pw".into()),
                "cannot read /nonexistent/pw",
            ),
        ] {
            let error = passwords.read(&source).expect_err("no value");
            assert!(error.starts_with(why), "{error}");
        }
    }
}
