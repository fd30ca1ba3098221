//! The directory beside an export in which it is built. A run that is killed leaves its own behind; the next one beside it
//! takes it away. The kernel says which are left: a living run holds a lock on its own.

use rustix::fs::{Access, OFlags};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How all of them begin.
const PREFIX: &[u8] = b".keytrail-export-";

/// Random characters at the end of a name.
const RANDOM: usize = 6;

/// Longest name of a file.
const LONGEST: usize = 255;

/// A private directory (0700), removed when it is dropped.
pub(super) struct StagingDir {
    dir: TempDir,
    /// As long as it is open, nobody else takes the directory away. `None`: the file system has no locks.
    _lock: Option<File>,
}

impl StagingDir {
    /// A new one beside `target`, for it alone.
    pub(super) fn new(target: &Path) -> io::Result<Self> {
        let (parent, prefix) = place(target);
        // Else what cannot be is told of a name that nobody gave.
        rustix::fs::access(parent, Access::WRITE_OK | Access::EXEC_OK)?;
        loop {
            let dir = tempfile::Builder::new()
                .prefix(&prefix)
                .rand_bytes(RANDOM)
                .tempdir_in(parent)?;
            let Ok(lock) = locked(dir.path()) else {
                return Ok(Self { dir, _lock: None });
            };
            // Between the two, another run may have found it without a lock, and taken it away.
            if let Some(lock) = lock.filter(|_| dir.path().exists()) {
                return Ok(Self {
                    dir,
                    _lock: Some(lock),
                });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Leaves it where it is.
    pub(super) fn keep(self) -> PathBuf {
        self.dir.keep()
    }
}

/// Takes away what runs beside `target` left behind that are no more, whatever they exported: private keys are in it. What such
/// a run had moved out of the way is put back where nothing has taken its place. What cannot be taken away stays.
pub(super) fn sweep(target: &Path) {
    let parent = target.parent().unwrap_or(Path::new("/"));
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(of) = name_of(&name) else { continue };
        let path = entry.path();
        if let Ok(Some(lock)) = locked(&path)
            && lock.metadata().is_ok_and(|of| of.uid() == own())
        {
            let (before, place) = (path.join("before"), parent.join(of));
            let only = before.exists() && fs::symlink_metadata(&place).is_err();
            // A name that was cut off is not that of the place.
            if only && (name.len() == LONGEST || fs::rename(&before, &place).is_err()) {
                let _ = fs::remove_dir_all(path.join("new"));
                continue;
            }
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// The name of the target that a directory beside it is for.
fn name_of(name: &OsStr) -> Option<&OsStr> {
    let rest = name.as_bytes().strip_prefix(PREFIX)?;
    let (of, random) = rest.split_at_checked(rest.len().checked_sub(RANDOM)?)?;
    let of = of.strip_suffix(b"-").filter(|of| !of.is_empty())?;
    random
        .iter()
        .all(u8::is_ascii_alphanumeric)
        .then_some(OsStr::from_bytes(of))
}

/// The parent of the target, and how the directories beside it begin for it.
fn place(target: &Path) -> (&Path, OsString) {
    let name = target.file_name().unwrap_or(OsStr::new("root"));
    let mut prefix = PREFIX.to_vec();
    prefix.extend_from_slice(name.as_bytes());
    prefix.truncate(LONGEST - 1 - RANDOM);
    prefix.push(b'-');
    (
        target.parent().unwrap_or(Path::new("/")),
        OsString::from_vec(prefix),
    )
}

/// The directory with its lock. `None`: it is somebody else's, or gone.
///
/// # Errors
/// There are no locks here.
fn locked(dir: &Path) -> io::Result<Option<File>> {
    let only = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(only.bits().cast_signed())
        .open(dir);
    let Ok(file) = opened else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_living_build_in_and_what_belongs_to_others_stays() {
        let parent = tempfile::tempdir().expect("a directory");
        let target = parent.path().join("out");
        let dead = StagingDir::new(&target).expect("made").keep();
        fs::write(dead.join("before"), "secret").expect("written");
        let alive = StagingDir::new(&target).expect("made");
        let others = StagingDir::new(&parent.path().join("out-abcdef"))
            .expect("made")
            .keep();
        fs::create_dir_all(others.join("new/h/etc")).expect("made");
        // Killed between the two renames: the former export is nowhere else.
        let moved = StagingDir::new(&parent.path().join("moved"))
            .expect("made")
            .keep();
        fs::create_dir(moved.join("before")).expect("made");
        fs::write(moved.join("before/file"), "whole").expect("written");
        let by_hand = parent.path().join(".keytrail-export-out-mine");
        fs::create_dir(&by_hand).expect("made");
        let link = parent.path().join(".keytrail-export-out-abc123");
        std::os::unix::fs::symlink(&by_hand, &link).expect("made");

        sweep(&target);
        for gone in [&dead, &others, &moved] {
            assert!(!gone.exists(), "{}", gone.display());
        }
        let back = fs::read_to_string(parent.path().join("moved/file")).expect("put back");
        assert_eq!(back, "whole");
        for stays in [alive.path(), &by_hand, &link] {
            assert!(stays.exists(), "{}", stays.display());
        }
        let gone = alive.path().to_owned();
        drop(alive);
        assert!(!gone.exists());
    }

    #[test]
    fn names_are_never_too_long() {
        let parent = tempfile::tempdir().expect("a directory");
        let staging = StagingDir::new(&parent.path().join("x".repeat(LONGEST))).expect("made");
        assert!(staging.path().exists());
    }
}
