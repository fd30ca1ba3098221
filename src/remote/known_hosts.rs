//! Where `ssh` keeps the host keys it knows, under which name, which there are, and how a line gets there.

use super::Unreachable;
use super::ssh_options::SshOptions;
use crate::foreign;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// What `ssh -G` says of a host. No word of it comes from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The name a line for it begins with, before it is hashed.
    pub(super) name: String,
    /// The file ssh adds to.
    pub(super) file: PathBuf,
    /// Every file in which ssh looks.
    pub(super) files: Vec<PathBuf>,
    /// Name or address to connect to.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// There is a jump host or a ProxyCommand on the way.
    pub(super) proxied: bool,
    /// A KnownHostsCommand is set, an option that ssh before 8.5 does not have.
    pub(super) asks_command: bool,
}

/// A line of a known_hosts file that is about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// FILE:LINE.
    pub(super) place: String,
    /// What the line is, where it is not simply a key.
    pub(super) marker: Option<Marker>,
    /// `ssh-ed25519` …
    pub(super) kind: String,
    /// The key, in base64.
    pub(super) key: String,
}

/// `@revoked` and `@cert-authority`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Revoked,
    Authority,
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
        let why = foreign::short(&String::from_utf8_lossy(&output.stderr), 400);
        Unreachable::Connect(format!("{UNREADABLE}: {why}"))
    })
}

/// How the error begins that says so.
pub(super) const UNREADABLE: &str = "the ssh configuration cannot be read";

fn read(said: &str) -> Option<Place> {
    let value = |key: &str| {
        said.lines()
            .find_map(|line| line.split_once(' ').filter(|(word, _)| *word == key))
            .map(|(_, value)| value)
    };
    let (host, port) = (value("hostname")?, value("port")?);
    let name = match value("hostkeyalias") {
        Some(alias) => alias.to_owned(),
        None if port == "22" => host.to_owned(),
        None => format!("[{host}]:{port}"),
    };
    let user = files(value("userknownhostsfile")?);
    let global = value("globalknownhostsfile").map(files).unwrap_or_default();
    let set = |key: &str| value(key).is_some_and(|value| value != "none");
    Some(Place {
        name,
        file: user.first()?.clone(),
        files: user.iter().chain(&global).cloned().collect(),
        host: host.to_owned(),
        port: port.parse().ok()?,
        proxied: set("proxycommand") || set("proxyjump"),
        asks_command: set("knownhostscommand"),
    })
}

/// `ssh -G` shows names without the quotes they were written in: one with a space in it is known by being there.
fn files(value: &str) -> Vec<PathBuf> {
    if value.contains(' ') && Path::new(value).exists() {
        return vec![value.into()];
    }
    value
        .split(' ')
        .filter(|word| !word.is_empty() && *word != "none")
        .map(PathBuf::from)
        .collect()
}

/// The lines about a host in the files in which ssh looks, hashed names and patterns among them, as `ssh-keygen -F` finds
/// them.
pub(super) async fn lines(place: &Place) -> Result<Vec<Known>, Unreachable> {
    let mut lines = Vec::new();
    for file in place.files.iter().filter(|file| file.is_file()) {
        let output = Command::new("ssh-keygen")
            .arg("-F")
            .arg(&place.name)
            .arg("-f")
            .arg(file)
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|err| Unreachable::Connect(format!("cannot run ssh-keygen: {err}")))?;
        // Status 1: nothing there.
        lines.extend(found(&String::from_utf8_lossy(&output.stdout), file));
    }
    Ok(lines)
}

/// What `ssh-keygen -F` prints: before each line a comment with its number.
fn found(said: &str, file: &Path) -> Vec<Known> {
    let mut number = "";
    let mut lines = Vec::new();
    for line in said.lines() {
        if line.starts_with('#') {
            number = line
                .rsplit_once(": line ")
                .map_or("", |(_, rest)| rest.split_whitespace().next().unwrap_or_default());
            continue;
        }
        let mut words = line.split_whitespace().peekable();
        let marker = match words.peek().copied() {
            Some("@revoked") => Some(Marker::Revoked),
            Some("@cert-authority") => Some(Marker::Authority),
            _ => None,
        };
        let mut words = words.skip(usize::from(marker.is_some()) + 1);
        if let (Some(kind), Some(key)) = (words.next(), words.next()) {
            lines.push(Known {
                place: format!("{}:{number}", file.display()),
                marker,
                kind: kind.to_owned(),
                key: key.to_owned(),
            });
        }
    }
    lines
}

/// A word as a POSIX shell reads it back, whatever it holds.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The command that takes the known keys of a name out of the file in which one stands (`FILE:LINE`).
pub fn forget(name: &str, place: &str) -> String {
    let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
    format!("ssh-keygen -R {} -f {}", quote(name), quote(file))
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
        assert_eq!(place.files.len(), 2);
        let jumps = |more: &str| read(&said(&format!("port 22\n{more}"))).unwrap().proxied;
        assert!(
            jumps("proxyjump gate\n") && jumps("proxycommand nc %h %p\n") && !jumps("proxycommand none\n")
        );
    }

    #[test]
    fn lines_are_read_as_ssh_keygen_shows_them() {
        let said = "# Host one found: line 3 \none ssh-ed25519 AAAA comment\n\
                    # Host one found: line 9 CA\n@cert-authority *.one ssh-rsa BBBB\n\
                    # Host one found: line 12 REVOKED\n@revoked * ssh-ed25519 CCCC\n";
        let lines = found(said, Path::new("/k"));
        let seen: Vec<_> = lines
            .iter()
            .map(|known| (&*known.place, known.marker, &*known.kind, &*known.key))
            .collect();
        assert_eq!(
            seen,
            [
                ("/k:3", None, "ssh-ed25519", "AAAA"),
                ("/k:9", Some(Marker::Authority), "ssh-rsa", "BBBB"),
                ("/k:12", Some(Marker::Revoked), "ssh-ed25519", "CCCC"),
            ]
        );
        assert_eq!(quote("a'b"), r"'a'\''b'");
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
