//! Files that are written whole or not at all: whoever reads one sees the old text or the new one.

use rustix::fs::Access;
use std::fs::{Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Its owner: 0600.
    Private,
    /// Everybody, whatever the umask says: 0644.
    Public,
    /// Who may read the file it replaces; a new one as the umask says.
    Usual,
}

/// Puts `content` in the place of the file at `path`, on disk when this returns. What is there and is no file (`/dev/null`,
/// `/dev/stdout`, a pipe) is written to and stays what it is; of a symbolic link the file it leads to is replaced.
pub fn replace(path: &Path, mode: Mode, content: &[u8]) -> io::Result<()> {
    let real;
    let mut before = None;
    let path = match std::fs::metadata(path) {
        Ok(there) if there.is_file() => {
            before = Some(there);
            real = path.canonicalize()?;
            &real
        }
        Ok(_) => return OpenOptions::new().write(true).open(path)?.write_all(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path,
        Err(error) => return Err(error),
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    // Otherwise the error would name the temporary file.
    rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK)?;
    let mut builder = tempfile::Builder::new();
    if mode == Mode::Usual {
        // The umask takes its part.
        builder.permissions(Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(content)?;
    let exactly = match mode {
        Mode::Private => None,
        Mode::Public => Some(Permissions::from_mode(0o644)),
        Mode::Usual => before.as_ref().map(Metadata::permissions),
    };
    if let Some(exactly) = exactly {
        file.as_file().set_permissions(exactly)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    #[test]
    fn what_is_no_file_is_written_to_and_stays() {
        replace(Path::new("/dev/null"), Mode::Public, b"text").expect("swallowed");
        let null = fs::symlink_metadata("/dev/null").expect("still there");
        assert!(null.file_type().is_char_device());
        let dir = tempfile::tempdir().expect("a directory");
        assert!(replace(dir.path(), Mode::Private, b"text").is_err());
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        let mode = || fs::metadata(&file).expect("a file").permissions().mode() & 0o777;
        replace(&file, Mode::Private, b"one").expect("written");
        assert_eq!(mode(), 0o600);
        replace(&file, Mode::Public, b"one").expect("written");
        assert_eq!(mode(), 0o644);
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("its own");
        replace(&file, Mode::Usual, b"one").expect("written");
        assert_eq!(mode(), 0o640);
        symlink("file", &link).expect("a link");
        replace(&link, Mode::Usual, b"two").expect("written");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(fs::read(&file).expect("the file"), b"two");
    }
}
