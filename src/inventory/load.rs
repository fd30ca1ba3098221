//! Reads inventories: one file, several, or a directory of them, merged.

use super::draft::{self, Draft};
use super::model::{Inventory, Source};
use super::{redact, resolve};
use crate::finding::{Finding, Place, SourceId};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no inventory.
#[derive(Debug)]
pub enum LoadFailure {
    /// A file or directory could not be read.
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The files were read and are wrong: everything that could be found out in one run.
    Invalid {
        /// The files, for showing lines.
        sources: Vec<Source>,
        /// What is wrong with them.
        findings: Vec<Finding>,
    },
}

impl fmt::Display for LoadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => write!(f, "cannot read {}: {error}", path.display()),
            Self::Invalid { findings, .. } => {
                let first = findings
                    .first()
                    .map(|finding| finding.message.as_str())
                    .unwrap_or_default();
                match findings.len() {
                    0 | 1 => write!(f, "the inventory is not valid: {first}"),
                    more => write!(f, "the inventory is not valid: {first} (and {} more)", more - 1),
                }
            }
        }
    }
}

impl std::error::Error for LoadFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::Invalid { .. } => None,
        }
    }
}

/// Loads an inventory from files and directories. A directory means its `*.yaml` and `*.yml` files in the order
/// of their names. Groups and hosts of all files together make the inventory.
///
/// # Errors
/// [`LoadFailure::Unreadable`] for the first path that cannot be read, else [`LoadFailure::Invalid`] with all
/// findings.
pub fn load(paths: &[PathBuf]) -> Result<Inventory, LoadFailure> {
    let mut files = Vec::new();
    for path in paths {
        find_files(path, &mut files).map_err(|error| LoadFailure::Unreadable {
            path: path.clone(),
            error,
        })?;
    }
    let mut reading = Reading::default();
    for path in files {
        let bytes = std::fs::read(&path).map_err(|error| LoadFailure::Unreadable {
            path: path.clone(),
            error,
        })?;
        reading.add(path, bytes);
    }
    reading.finish()
}

/// Loads an inventory from a text, as if it stood in `inventory.yaml`: for tests, examples and other programs.
///
/// # Errors
/// [`LoadFailure::Invalid`] with all findings.
///
/// # Examples
/// ```
/// let inventory = keytrail::inventory::load_str("
/// version: 1
/// groups:
///   red: { identity: iff, trusted: [mort] }
/// hosts:
///   mort: { group: red, reference_clock: true }
///   'leaf[01-20]': { group: red, servers: [mort] }
/// ")?;
/// assert_eq!(inventory.hosts.len(), 21);
/// # Ok::<(), keytrail::inventory::LoadFailure>(())
/// ```
pub fn load_str(text: &str) -> Result<Inventory, LoadFailure> {
    let mut reading = Reading::default();
    reading.add(PathBuf::from("inventory.yaml"), text.as_bytes().to_vec());
    reading.finish()
}

/// The files a path stands for.
fn find_files(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let hidden = file
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = file
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden && file.is_file() {
            found.push(file);
        }
    }
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no *.yaml or *.yml file in this directory",
        ));
    }
    found.sort();
    files.append(&mut found);
    Ok(())
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The files read so far.
#[derive(Default)]
struct Reading {
    sources: Vec<Source>,
    draft: Draft,
}

impl Reading {
    fn add(&mut self, path: PathBuf, bytes: Vec<u8>) {
        let source = SourceId(u16::try_from(self.sources.len()).unwrap_or(u16::MAX));
        let mut text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                self.not_utf8(source, path, &error);
                return;
            }
        };
        if text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len_utf8());
        }
        let (secrets, whole) = self.draft.add(source, &text);
        self.sources.push(draft::source(path, text, &secrets, whole));
    }

    fn not_utf8(&mut self, source: SourceId, path: PathBuf, error: &std::string::FromUtf8Error) {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let before = String::from_utf8_lossy(valid);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let place = Place::Line {
            source,
            line: count(before.matches('\n').count() + 1),
            column: count(line.chars().count() + 1),
            len: 1,
        };
        self.draft.incomplete = true;
        self.draft.problems.push(
            Finding::error("yaml-syntax", "this file is not UTF-8 text")
                .at(place, "the first byte that is not")
                .help("convert it, for instance with `iconv -f latin1 -t utf-8`"),
        );
        let text = String::from_utf8_lossy(error.as_bytes());
        let text = Arc::new(redact::mask_lines(&text));
        self.sources.push(Source { path, text });
    }

    fn finish(self) -> Result<Inventory, LoadFailure> {
        let Self { sources, draft } = self;
        match resolve::resolve(draft, &sources) {
            Ok(mut inventory) => {
                inventory.sources = sources;
                Ok(inventory)
            }
            Err(findings) => Err(LoadFailure::Invalid { sources, findings }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_the_sample() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("inventories/red-green-blue.yaml");
        let inventory = load(&[sample]).unwrap();
        assert_eq!(inventory.hosts.len(), 8);
        assert_eq!(inventory.groups.len(), 3);
        let leaf = inventory.find("leaf03").unwrap();
        assert_eq!(inventory.address(leaf), "leaf03.green.example");
        let servers: Vec<_> = inventory
            .entry(leaf)
            .associations
            .iter()
            .map(|a| a.target.clone())
            .collect();
        let server = |name| super::super::Target::Host(inventory.find(name).unwrap());
        assert_eq!(servers, [server("yellow"), server("howland")]);
        assert!(inventory.is_trusted(inventory.find("mort").unwrap()));
    }

    #[test]
    fn a_range_of_one_host_is_known_by_the_hosts_name() {
        let hosts = |names: &str| load_str(&format!("version: 1\nhosts:\n{names}"));
        let inventory = hosts("  \"leaf[01-01]\": {}\n  top: {}\n").unwrap();
        let found = inventory.find("leaf01").expect("the range's only host");
        assert_eq!(&*inventory.host(found).name, "leaf01");
        assert_eq!(inventory.find("leaf[01-01]"), None);
        let twice = hosts("  \"leaf[01-01]\": {}\n  leaf01: {}\n").unwrap_err();
        let LoadFailure::Invalid { findings, .. } = twice else {
            panic!("{twice}")
        };
        assert!(findings.iter().any(|finding| finding.code == "duplicate-host"));
    }
}
