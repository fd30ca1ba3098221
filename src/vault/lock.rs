//! One keytrail at a time: a lock beside the vault that only a living process holds.
//!
//! The lock is the kernel's (`flock` on `<vault>.lock`): it is gone with the process, however that ends, so no
//! dead owner holds it and nothing has to be broken by hand. What is written in the file is for people.

use super::error::{Error, Result};
use super::holder::Holder;
use rustix::fs::OFlags;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// How often a waiting process looks.
const PAUSE: Duration = Duration::from_millis(100);

/// A vault held by this process; released when dropped, or when the process ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    // Never read again: the lock lives as long as the open file.
    _file: File,
}

impl Lock {
    /// Takes the lock of the vault at `vault`, which need not exist yet, waiting for it up to `wait`. `why`: the
    /// words of the command line, for whoever meets the lock.
    ///
    /// # Errors
    /// [`Error::Held`] says who has it; [`Error::LockUnsupported`] where the file system has no locks.
    pub fn take(vault: &Path, why: &str, wait: Duration) -> Result<Self> {
        let path = lock_path(vault)?;
        let until = Instant::now() + wait;
        loop {
            let mut file = open(&path)?;
            match file.try_lock() {
                // Who released it has removed the file: what was locked then is no longer what others find.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => {
                    let holder = Holder {
                        owner: operator(),
                        pid: std::process::id(),
                        since: OffsetDateTime::now_utc().unix_timestamp(),
                        why: why.to_owned(),
                    };
                    write(&mut file, &holder).map_err(Error::io(&path))?;
                    return Ok(Self { path, _file: file });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Held {
                        path: vault.into(),
                        holder: read(file),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(refused(&path, error)),
            }
        }
    }

    /// Who holds the vault at this moment, if anybody does; takes nothing.
    pub fn holder(vault: &Path) -> Result<Option<Holder>> {
        let path = lock_path(vault)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        // Shared, and only for this moment: two who look do not see each other.
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read(file)),
            Err(TryLockError::Error(error)) => Err(refused(&path, error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while still locked, so nobody's but our own. Left behind it would do no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// `user@host` of this process, as locks and runs name it.
pub fn operator() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = user_name(&users, uid).unwrap_or_else(|| format!("uid{uid}"));
    format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy())
}

/// The name of `uid` in the lines of a passwd file.
fn user_name(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

/// The lock file of a vault: the same one, whichever links lead to the vault.
fn lock_path(vault: &Path) -> Result<PathBuf> {
    let missing = Error::io(vault);
    let real =
        match vault.canonicalize() {
            Ok(real) => real,
            Err(_) => super::key::parent(vault).canonicalize().map_err(missing)?.join(
                vault.file_name().ok_or_else(|| {
                    missing(std::io::Error::new(
                        std::io::ErrorKind::InvalidInput,
                        "this is no name of a file",
                    ))
                })?,
            ),
        };
    let mut name = OsString::from(real);
    name.push(".lock");
    Ok(name.into())
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(Error::io(path))
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(found)) = (file.metadata(), path.symlink_metadata()) else {
        return false;
    };
    (open.dev(), open.ino()) == (found.dev(), found.ino())
}

fn write(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    // What a killed owner left, with whatever mode.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.set_len(0)?;
    file.rewind()?;
    serde_json::to_writer(&mut *file, holder)?;
    file.write_all(b"\n")
}

/// `None`: it was taken a moment ago, and its holder has not written yet.
fn read(file: File) -> Option<Holder> {
    let mut text = String::new();
    file.take(64 << 10).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn refused(path: &Path, source: std::io::Error) -> Error {
    let unsupported = [
        rustix::io::Errno::NOLCK,
        rustix::io::Errno::OPNOTSUPP,
        rustix::io::Errno::NOSYS,
    ];
    if unsupported
        .iter()
        .any(|errno| source.raw_os_error() == Some(errno.raw_os_error()))
    {
        Error::LockUnsupported {
            path: path.into(),
            source,
        }
    } else {
        Error::io(path)(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn says_who_holds_it_and_leaves_nothing() {
        let dir = dir();
        let vault = dir.path().join("campus.vault");
        assert_eq!(Lock::holder(&vault).unwrap(), None);
        let lock = Lock::take(&vault, "apply campus.yaml", Duration::ZERO).unwrap();
        let file = dir.path().join("campus.vault.lock");
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o600);
        let holder = Lock::holder(&vault).unwrap().expect("held");
        assert_eq!(
            (holder.pid, &*holder.why),
            (std::process::id(), "apply campus.yaml")
        );
        assert_eq!(holder.owner, operator());
        let refused = Lock::take(&vault, "rotate", Duration::ZERO).expect_err("held");
        assert!(matches!(&refused, Error::Held { holder: Some(by), .. } if *by == holder));
        let said = refused.to_string();
        for part in [
            &*holder.owner,
            &holder.pid.to_string(),
            "for 'apply campus.yaml'",
            " UTC",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert!(refused.help().is_some_and(|help| help.contains("--wait")));
        drop(lock);
        assert!(!file.exists());
        assert_eq!(Lock::holder(&vault).unwrap(), None);
    }

    #[test]
    fn is_one_lock_by_whatever_name() {
        let dir = dir();
        let vault = dir.path().join("campus.vault");
        std::fs::write(&vault, "").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&vault, &link).unwrap();
        let _lock = Lock::take(&link, "", Duration::ZERO).unwrap();
        assert!(matches!(
            Lock::take(&vault, "", Duration::ZERO),
            Err(Error::Held { .. })
        ));
    }

    #[test]
    fn one_holder_at_a_time_though_the_file_comes_and_goes() {
        let dir = dir();
        let (vault, count) = (dir.path().join("v"), dir.path().join("count"));
        std::fs::write(&count, "0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..8 {
                        let _lock = Lock::take(&vault, "", Duration::from_secs(60)).unwrap();
                        let read: u32 = std::fs::read_to_string(&count).unwrap().parse().unwrap();
                        std::thread::yield_now();
                        std::fs::write(&count, (read + 1).to_string()).unwrap();
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&count).unwrap(), "32");
    }

    #[test]
    fn what_cannot_be_locked_is_said() {
        let io = std::io::Error::from;
        for errno in [rustix::io::Errno::NOLCK, rustix::io::Errno::OPNOTSUPP] {
            let error = refused(Path::new("/net/v.lock"), io(errno));
            assert!(matches!(&error, Error::LockUnsupported { .. }), "{error}");
            assert!(error.help().is_some_and(|help| help.contains("NFS")));
        }
        let error = refused(Path::new("v.lock"), io(rustix::io::Errno::IO));
        assert!(matches!(error, Error::Io { .. }));
        assert!(matches!(
            Lock::take(Path::new("/nonexistent/v"), "", Duration::ZERO),
            Err(Error::Io { .. })
        ));
        // A link planted there is not followed.
        let dir = dir();
        std::os::unix::fs::symlink("elsewhere", dir.path().join("v.lock")).unwrap();
        assert!(matches!(
            Lock::take(&dir.path().join("v"), "", Duration::ZERO),
            Err(Error::Io { .. })
        ));
        assert!(!dir.path().join("elsewhere").exists());
    }

    #[test]
    fn names_the_user_by_number_where_there_is_no_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(user_name(passwd, 100), None);
        assert!(operator().contains('@'));
    }
}
