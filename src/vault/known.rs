//! Vaults that a person has used on a machine, by path: files of lines `PUBLIC-KEY PATH`, like SSH's known hosts.
//!
//! Who can write a vault could put another whole one in its place, sealed to the same people. It has another identity, and
//! is refused where the first one is known.

use super::error::{Error, Result};
use super::key;
use super::schema;
use super::seal::FORMAT;
use super::vault_id::VaultId;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// What a file of known vaults is called.
pub const FILE: &str = "known-vaults";

/// Which vaults are known.
#[derive(Debug, Clone, Default)]
pub struct Known {
    files: Vec<PathBuf>,
    expected: Option<(VaultId, String)>,
}

impl Known {
    /// From these directories, those that exist or can be made; the first one is where new ones are written.
    pub fn new(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut files: Vec<PathBuf> = Vec::new();
        for directory in directories {
            let file = directory.join(FILE);
            if !files.contains(&file) {
                files.push(file);
            }
        }
        Self {
            files,
            expected: None,
        }
    }

    /// The vault must be this one, whatever files say; `by`: who says so.
    #[must_use]
    pub fn expecting(mut self, vault: VaultId, by: &str) -> Self {
        self.expected = Some((vault, by.to_owned()));
        self
    }

    /// Which vault is expected at `path`, and who says so.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read, [`Error::KnownMalformed`] for a line that is none: a pin that is not read is
    /// none, so nothing goes on without it.
    pub fn expected(&self, path: &Path) -> Result<Option<(VaultId, String)>> {
        if let Some(expected) = &self.expected {
            return Ok(Some(expected.clone()));
        }
        let path = place(path)?;
        for file in &self.files {
            for (number, line) in (1..).zip(lines(file)?) {
                let malformed = |why: String| Error::KnownMalformed {
                    path: file.clone(),
                    line: number,
                    why,
                };
                let Some((id, at)) = parsed(&line).map_err(malformed)? else {
                    continue;
                };
                if at == path {
                    return Ok(Some((id, format!("{} line {number}", file.display()))));
                }
            }
        }
        Ok(None)
    }

    /// Before the vault at `path` is opened: that there is none where one was used, or one of a format without identities, is no
    /// accident.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Downgraded`].
    pub fn before(&self, path: &Path) -> Result<()> {
        let Some((expected, by)) = self.expected(path)? else {
            return Ok(());
        };
        let path = path.to_owned();
        match schema::open_any(&path) {
            Err(Error::NotFound { .. }) => Err(Error::Gone { path, expected, by }),
            Ok((_, found)) if found < FORMAT => Err(Error::Downgraded {
                path,
                found,
                expected,
                by,
            }),
            _ => Ok(()),
        }
    }

    /// Whether the vault at `path`, which has the identity `found`, is known; `false`: none was ever used there.
    ///
    /// # Errors
    /// [`Error::OtherVault`].
    pub fn is_known(&self, path: &Path, found: VaultId) -> Result<bool> {
        match self.expected(path)? {
            None => Ok(false),
            Some((expected, _)) if expected == found => Ok(true),
            Some((expected, by)) => Err(Error::OtherVault {
                path: path.into(),
                found,
                expected,
                by,
            }),
        }
    }

    /// Remembers that the vault at `path` is this one. Gives the file it was written to; `None` where there is nowhere to write it.
    pub fn remember(&self, path: &Path, vault: VaultId) -> Result<Option<PathBuf>> {
        let path = place(path)?;
        let mut failed = None;
        for file in &self.files {
            match write(file, &path, vault) {
                Ok(()) => return Ok(Some(file.clone())),
                Err(error) => failed = Some(Error::io(file)(error)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// The file that comes first.
    pub fn file(&self) -> Option<&Path> {
        self.files.first().map(PathBuf::as_path)
    }
}

/// The vault's own place, whichever links lead there; it need not exist.
fn place(path: &Path) -> Result<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let dir = key::parent(path);
    let dir = dir.canonicalize().or_else(|_| std::path::absolute(dir));
    let dir = dir.map_err(Error::io(path))?;
    Ok(dir.join(path.file_name().unwrap_or_default()))
}

fn lines(file: &Path) -> Result<Vec<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(Vec::new()),
        Err(error) => Err(Error::io(file)(error)),
    }
}

/// The vault and the path of a line; `None` for one that says nothing.
fn parsed(line: &str) -> std::result::Result<Option<(VaultId, PathBuf)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (id, path) = line
        .split_once(' ')
        .ok_or("a line is a vault's public key, a blank and its path")?;
    Ok(Some((id.parse()?, unescaped(path.trim_start()))))
}

/// A path on one line: what is not plain text is written as `%XX`.
fn escaped(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'!'..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

fn unescaped(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(hex.unwrap_or(first));
        rest = if hex.is_some() { &after[2..] } else { after };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

/// Writes the file whole, with one line more, or with the line of that path changed.
fn write(file: &Path, path: &Path, vault: VaultId) -> std::io::Result<()> {
    let dir = key::parent(file);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    // Two who use their first vaults at once do not lose a line.
    let held = std::fs::File::open(dir)?;
    held.lock()?;
    let mut text = String::new();
    let old = match std::fs::read_to_string(file) {
        Ok(old) => old,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "# Vaults that were used here, by keytrail: public key and path. Another vault at such a path is refused.\n".into()
        }
        Err(error) => return Err(error),
    };
    for line in old.lines() {
        if !matches!(parsed(line), Ok(Some((_, at))) if at == path) {
            text.push_str(line);
            text.push('\n');
        }
    }
    let mut new = tempfile::Builder::new().prefix(".keytrail-").tempfile_in(dir)?;
    writeln!(new, "{text}{} {}", vault.hex(), escaped(path))?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    held.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::signature::Signer;
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn a_path_has_one_vault() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (Signer::generate().unwrap().id(), Signer::generate().unwrap().id());
        let known = Known::new([dir.path().join("config")]);
        let odd = dir.path().join("a b%20\n.vault");
        for path in [odd.clone(), dir.path().join("plain.vault")] {
            assert!(!known.is_known(&path, one).unwrap());
            let file = known.remember(&path, one).unwrap().unwrap();
            assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o600);
            assert!(known.is_known(&path, one).unwrap());
            let refused = known.is_known(&path, other).unwrap_err();
            let said = refused.to_string();
            assert!(
                said.contains(&one.to_string()) && said.contains(&other.to_string()),
                "both are named: {said}"
            );
        }
        known.remember(&odd, other).unwrap();
        assert!(known.is_known(&odd, other).unwrap());
        assert!(known.is_known(&dir.path().join("plain.vault"), one).unwrap());
        assert!(matches!(known.before(&odd), Err(Error::Gone { .. })));
        // A line that cannot be read is no reason to go on without.
        std::fs::write(dir.path().join("config").join(FILE), "nonsense /x\n").unwrap();
        assert!(matches!(
            known.is_known(&odd, other),
            Err(Error::KnownMalformed { line: 1, .. })
        ));
        let expecting = Known::default().expecting(one, "KEYTRAIL_VAULT_ID");
        assert!(expecting.is_known(&odd, other).is_err());
        assert!(Known::default().remember(&odd, one).unwrap().is_none());
    }
}
