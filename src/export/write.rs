//! Exported hosts on disk: built in a staging directory, then put into place as a whole.

use super::staging_dir::{self, StagingDir};
use super::{Entry, What};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// File that lists what an export wrote, so that the next one replaces nothing else.
pub const MARKER: &str = ".keytrail-export";

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Something is there already.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// To be replaced, but not, or not only, an export.
    #[error("{} is not what an export wrote; it would be lost", .0.display())]
    Foreign(PathBuf),
    /// Reading or writing failed.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
}

/// Writes hosts below `target`, each into a directory of its name (without a name: `target` itself); whole or not at all. `replace`: an earlier
/// export may give way.
///
/// `target` and the hosts' directories are for their owner alone; files get their own modes, before their content.
pub fn write(target: &Path, hosts: &[(String, Vec<Entry>)], replace: bool) -> Result<(), WriteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| WriteError::Io { path, error }
    };
    // Through a symbolic link: the directory it means is replaced, not the link.
    let target = match fs::canonicalize(target) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::path::absolute(target).map_err(failed(target))?
        }
        Err(error) => return Err(failed(target)(error)),
    };
    staging_dir::sweep(&target);
    let old = occupied(&target, replace)?;
    let parent = target.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(failed(parent))?;
    let staging = StagingDir::new(&target).map_err(failed(parent))?;
    let new = staging.path().join("new");
    private_dir(&new).map_err(failed(&target))?;
    let mut list = String::new();
    for (host, entries) in hosts {
        let base = new.join(host);
        if !host.is_empty() {
            private_dir(&base).map_err(failed(&base))?;
        }
        for entry in entries {
            put(&base, entry).map_err(failed(&target.join(host).join(&entry.path)))?;
            let _ = writeln!(list, "{}", Path::new(host).join(&entry.path).display());
        }
    }
    put_file(&new.join(MARKER), 0o600, list.as_bytes()).map_err(failed(&target))?;
    put_in_place(staging, &target, old).map_err(failed(&target))
}

/// Puts what was made aside in the place of the target, which is there already if it is `old`.
fn put_in_place(staging: StagingDir, target: &Path, old: bool) -> io::Result<()> {
    let new = staging.path().join("new");
    // Where the file system can, there is no moment without the one or the other.
    if !old || renameat_with(CWD, &new, CWD, target, RenameFlags::EXCHANGE).is_ok() {
        return if old { Ok(()) } else { fs::rename(&new, target) };
    }
    let before = staging.path().join("before");
    fs::rename(target, &before)?;
    let put = fs::rename(&new, target);
    if put.is_err() && fs::rename(&before, target).is_err() {
        // What was there is worth more than a clean parent directory.
        let _ = staging.keep();
    }
    put
}

/// Whether an earlier export stands there; an error for anything else.
fn occupied(target: &Path, replace: bool) -> Result<bool, WriteError> {
    let failed = |error| WriteError::Io {
        path: target.to_owned(),
        error,
    };
    let mut entries = match fs::read_dir(target) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    if entries.next().is_none() {
        return Ok(false);
    }
    if !replace {
        return Err(WriteError::NotEmpty(target.to_owned()));
    }
    let list = match fs::read_to_string(target.join(MARKER)) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(WriteError::Foreign(target.to_owned()));
        }
        Err(error) => return Err(failed(error)),
    };
    let known: BTreeSet<&Path> = list.lines().map(Path::new).chain([Path::new(MARKER)]).collect();
    match foreign(target, Path::new(""), &known).map_err(failed)? {
        Some(found) => Err(WriteError::Foreign(target.join(found))),
        None => Ok(true),
    }
}

/// The first file below `base` that is not in `known`.
fn foreign(base: &Path, inside: &Path, known: &BTreeSet<&Path>) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(base.join(inside))? {
        let entry = entry?;
        let path = inside.join(entry.file_name());
        let found = if entry.file_type()?.is_dir() {
            foreign(base, &path, known)?
        } else {
            (!known.contains(&*path)).then_some(path)
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

fn put(base: &Path, entry: &Entry) -> io::Result<()> {
    let path = base.join(&entry.path);
    if let Some((parents, _)) = entry.path.rsplit_once('/') {
        // As an apply makes them: whoever copies the tree to `/` must not close /etc.
        let mut dir = base.to_owned();
        for part in parents.split('/') {
            dir.push(part);
            match fs::create_dir(&dir) {
                Ok(()) => fs::set_permissions(&dir, Permissions::from_mode(0o755))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
    match &entry.what {
        What::File { mode, content } => put_file(&path, *mode, content.expose()),
        What::Link { target } => symlink(target, &path),
    }
}

fn put_file(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // Whatever the umask says.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}
