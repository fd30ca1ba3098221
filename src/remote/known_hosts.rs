//! Where `ssh` keeps the host keys it knows, under which name, and how a line gets there.

use super::Unreachable;
use super::ssh::SshOptions;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// What `ssh -G` says of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The name a line for it begins with, before it is hashed.
    pub(super) name: String,
    /// The file ssh adds to.
    pub(super) file: PathBuf,
}

/// Asks ssh. No connection is made.
pub(super) async fn place(options: &SshOptions) -> Result<Place, Unreachable> {
    let mut command = Command::new("ssh");
    // A `Match exec` of the configuration runs programs.
    for name in options.withheld.iter() {
        command.env_remove(&**name);
    }
    let output = command
        .arg("-G")
        .args(options.place())
        .args(["--", &options.host])
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|err| Unreachable::Connect(format!("cannot run ssh: {err}")))?;
    let said = String::from_utf8_lossy(&output.stdout);
    read(&said).ok_or_else(|| {
        let why = String::from_utf8_lossy(&output.stderr);
        Unreachable::Connect(format!("the ssh configuration cannot be read: {}", why.trim()))
    })
}

fn read(said: &str) -> Option<Place> {
    let value = |key: &str| {
        said.lines()
            .find_map(|line| line.split_once(' ').filter(|(word, _)| *word == key))
            .map(|(_, value)| value)
    };
    let name = match value("hostkeyalias") {
        Some(alias) => alias.to_owned(),
        None => match (value("hostname")?, value("port")?) {
            (host, "22") => host.to_owned(),
            (host, port) => format!("[{host}]:{port}"),
        },
    };
    Some(Place {
        name,
        file: first_file(value("userknownhostsfile")?)?,
    })
}

/// `ssh -G` shows names without the quotes they were written in: one with a space in it is known by being there.
fn first_file(value: &str) -> Option<PathBuf> {
    if value.contains(' ') && Path::new(value).exists() {
        return Some(value.into());
    }
    value
        .split(' ')
        .find(|word| !word.is_empty() && *word != "none")
        .map(PathBuf::from)
}

/// Adds lines to a known_hosts file, made with its directory where they are missing. Nothing that is there is changed.
pub fn append(file: &Path, lines: &[&str]) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut open = OpenOptions::new();
    let mut opened = open.read(true).append(true).create(true).mode(0o600).open(file)?;
    let mut text = String::new();
    // A last line without its end must not run into ours.
    if opened.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        opened.seek(SeekFrom::End(-1))?;
        opened.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push('\n');
        }
    }
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    // One write: ssh may add lines of its own at the same time.
    opened.write_all(text.as_bytes())?;
    opened.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn names_are_those_of_ssh() {
        let said = |more: &str| {
            format!(
                "host x\nhostname h.example\nuserknownhostsfile /a/k /a/k2\nglobalknownhostsfile none\n{more}"
            )
        };
        let place = read(&said("port 22\n")).unwrap();
        assert_eq!(
            (place.name.as_str(), place.file.to_str()),
            ("h.example", Some("/a/k"))
        );
        assert_eq!(read(&said("port 2222\n")).unwrap().name, "[h.example]:2222");
        assert_eq!(read(&said("port 2222\nhostkeyalias h\n")).unwrap().name, "h");
        assert_eq!(read(""), None);
    }

    #[test]
    fn appending_keeps_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ssh/known_hosts");
        append(&file, &["one"]).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        std::fs::write(&file, "by hand").unwrap();
        append(&file, &["two", "three"]).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "by hand\ntwo\nthree\n");
    }
}
