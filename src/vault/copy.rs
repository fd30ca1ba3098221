//! Backups, and putting one back.

use super::error::{Error, Result};
use super::generation_id::GenerationId;
use super::key::{self, KeySource};
use super::lock::Lock;
use super::{Vault, schema};
use rusqlite::OpenFlags;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A backup that was put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its latest generation.
    pub generation: Option<GenerationId>,
    /// Where the vault from before is now, if there was one.
    pub before: Option<PathBuf>,
}

impl Vault {
    /// Writes a copy to `to`, which must not exist, mode 0600: the vault as of one moment, also while somebody
    /// else writes to it. Needs no key; the copy opens with the vault's. On disk when this returns.
    pub fn backup(&self, to: &Path) -> Result<()> {
        if to.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: to.into() });
        }
        let aside = aside(to)?;
        let name = aside.to_str().ok_or_else(|| {
            let why = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the name is not UTF-8");
            Error::io(to)(why)
        })?;
        // One read transaction. The pages that nothing uses are left out.
        self.db
            .execute("VACUUM INTO ?1", [name])
            .map_err(|error| self.sqlite(error))?;
        let copy = schema::connect(&aside, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|copy| copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0)))
            .map_err(|error| schema::sqlite(&aside, error))?;
        if copy != "ok" {
            return Err(Error::Corrupt {
                path: self.path.clone(),
                why: copy,
            });
        }
        sync(&aside)?;
        key::persist(aside, to)
    }
}

/// Puts the copy at `from` in the place of the vault at `vault`, after having opened every value in it with `key`.
/// What was there before stays beside it. `from` is not changed. `now` in Unix seconds.
///
/// # Errors
/// All that [`Vault::open`] and [`Vault::check`] say of the copy; nothing is changed then.
pub fn restore(from: &Path, vault: &Path, key: &KeySource, lock: &Lock, now: i64) -> Result<Restored> {
    restore_if(from, vault, key, lock, now, &|_| Ok(()))
}

/// The same for a copy that `accept` does not refuse.
pub fn restore_if(
    from: &Path,
    vault: &Path,
    key: &KeySource,
    lock: &Lock,
    now: i64,
    accept: &dyn Fn(&Vault) -> Result<()>,
) -> Result<Restored> {
    schema::look_at_header(from)?;
    // Through a symbolic link: the file it leads to is replaced, where its lock and its journal are, too.
    let real = if vault.is_symlink() {
        vault.canonicalize().map_err(Error::io(vault))?
    } else {
        vault.to_owned()
    };
    let vault = &*real;
    let new = aside(vault)?;
    fs::copy(from, &new).map_err(Error::io(from))?;
    // A backup may have come back from somewhere with any mode.
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).map_err(Error::io(&new))?;
    // A copy made by `cp` in the middle of a commit has a journal, and is whole only with it.
    let journal = with_ending(&new, "-journal");
    let _journal_goes_too = tempfile::TempPath::try_from_path(&journal).map_err(Error::io(&journal))?;
    match fs::copy(with_ending(from, "-journal"), &journal) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io(from)(error)),
    }
    let named = |error| named(error, &new, from);
    let copy = Vault::open(&new, key).map_err(named)?;
    accept(&copy)?;
    let generation = copy.latest().map_err(named)?;
    drop(copy);
    sync(&new)?;
    let before = set_aside(vault, lock, now)?;
    fs::rename(&new, vault).map_err(Error::io(vault))?;
    sync_dir(vault)?;
    Ok(Restored { generation, before })
}

/// Gives the vault at `path` a second name and takes its journal away, so that another file can be renamed over it.
/// At every moment there is a whole vault under one of the names.
pub(super) fn set_aside(path: &Path, _held: &Lock, now: i64) -> Result<Option<PathBuf>> {
    let io = Error::io(path);
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    // A commit that was cut off is completed or taken back here, where that is possible at all.
    let _ = Vault::open_locked(path);
    let stamp = time::OffsetDateTime::from_unix_timestamp(now).map_or_else(
        |_| now.to_string(),
        |now| {
            let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
            now.format(format)
                .unwrap_or_else(|_| now.unix_timestamp().to_string())
        },
    );
    // Twice in a second: what was set aside first stays.
    let mut before = with_ending(path, &format!(".before-{stamp}"));
    let mut count = 1;
    while before.symlink_metadata().is_ok() {
        count += 1;
        before = with_ending(path, &format!(".before-{stamp}-{count}"));
    }
    let keep = |from: &Path, to: &Path| match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        // A file system without hard links.
        Err(_) => fs::copy(from, to).and_then(|_| fs::File::open(to)?.sync_all()),
    };
    let journal = with_ending(path, "-journal");
    keep(&journal, &with_ending(&before, "-journal")).map_err(io)?;
    keep(path, &before).map_err(io)?;
    sync_dir(path)?;
    match fs::remove_file(&journal) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(error)),
        _ => Ok(Some(before)),
    }
}

/// An empty file beside `path`, mode 0600, that goes away unless it is put in place.
pub(super) fn aside(path: &Path) -> Result<tempfile::TempPath> {
    tempfile::Builder::new()
        .prefix(".keytrail-")
        .suffix(".vault")
        .tempfile_in(key::parent(path))
        .map(tempfile::NamedTempFile::into_temp_path)
        .map_err(Error::io(path))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

pub(super) fn sync(path: &Path) -> Result<()> {
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(Error::io(path))
}

pub(super) fn sync_dir(path: &Path) -> Result<()> {
    sync(key::parent(path))
}

/// The error about the copy made of `from`, said of `from` itself.
pub(super) fn named(mut error: Error, copy: &Path, from: &Path) -> Error {
    if let Error::Foreign { path, .. }
    | Error::Newer { path, .. }
    | Error::Outdated { path, .. }
    | Error::Corrupt { path, .. }
    | Error::Tampered { path, .. }
    | Error::WrongKey { path, .. }
    | Error::Io { path, .. }
    | Error::Sqlite { path, .. } = &mut error
        && path == copy
    {
        from.clone_into(path);
    }
    error
}
