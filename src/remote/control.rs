//! Where the control sockets of SSH masters live for the time of one run.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use tempfile::TempDir;

/// Longest directory: a socket address holds 108 bytes, and ssh adds `/XXXXXX/master.XXXXXXXXXXXXXXXX` and a NUL.
const LONGEST: usize = 108 - 32;
const PREFIX: &str = "keytrail-";

/// A private directory (0700) with a short path, removed when dropped. What runs that were killed have left
/// behind in the same place is removed when a new one is made; their masters end by themselves
/// ([`super::SshOptions::idle`]).
#[derive(Debug)]
pub struct ControlDir(TempDir);

impl ControlDir {
    /// Makes one below `base` (the runtime directory or the system's temporary directory); where that path is
    /// too long for a socket address, below `/tmp`.
    pub fn new(base: &Path) -> io::Result<Self> {
        let name = format!("{PREFIX}{}-", std::process::id());
        let room = LONGEST.saturating_sub(name.len() + 7);
        let base = if base.as_os_str().len() <= room {
            base
        } else {
            Path::new("/tmp")
        };
        sweep(base);
        tempfile::Builder::new()
            .prefix(&name)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map(Self)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Removes our own directories of processes that are no more.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    let own = rustix::process::geteuid().as_raw();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split_once('-'))
            .and_then(|(pid, _)| pid.parse().ok())
            .and_then(rustix::process::Pid::from_raw);
        let gone =
            pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH));
        if gone
            && entry
                .metadata()
                .is_ok_and(|meta| meta.is_dir() && meta.uid() == own)
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_short_and_swept() {
        let base = tempfile::tempdir().unwrap();
        // No process has this number: Linux counts to 2^22.
        let left = base.path().join("keytrail-2000000000-abcdef");
        fs::create_dir(&left).unwrap();
        let alive = base
            .path()
            .join(format!("keytrail-{}-abcdef", std::os::unix::process::parent_id()));
        fs::create_dir(&alive).unwrap();
        let dir = ControlDir::new(base.path()).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o7777, 0o700);
        assert!(dir.path().starts_with(base.path()));
        assert!(!left.exists(), "left by a process that is no more");
        assert!(alive.exists(), "of a process that lives");

        let long = base.path().join("x".repeat(90));
        fs::create_dir(&long).unwrap();
        let dir = ControlDir::new(&long).unwrap();
        assert!(dir.path().starts_with("/tmp"));
    }
}
