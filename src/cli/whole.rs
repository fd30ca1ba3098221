//! Files that are written whole or not at all: whoever reads one sees the old text or the new one.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Puts `content` in the place of the file at `path`, on disk when this returns. Without a `mode` it is 0600. What is there and
/// is no file (`/dev/null`, `/dev/stdout`, a pipe) is written to and stays what it is; of a symbolic link the file it leads to
/// is replaced.
pub fn replace(path: &Path, mode: Option<u32>, content: &[u8]) -> io::Result<()> {
    let real;
    let path = match std::fs::metadata(path) {
        Ok(there) if there.is_file() => {
            real = path.canonicalize()?;
            &real
        }
        Ok(_) => return OpenOptions::new().write(true).open(path)?.write_all(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path,
        Err(error) => return Err(error),
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(dir.unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    if let Some(mode) = mode {
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
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
        replace(Path::new("/dev/null"), Some(0o644), b"text").expect("swallowed");
        let null = fs::symlink_metadata("/dev/null").expect("still there");
        assert!(null.file_type().is_char_device());
        let dir = tempfile::tempdir().expect("a directory");
        assert!(replace(dir.path(), None, b"text").is_err());
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        replace(&file, None, b"one").expect("written");
        assert_eq!(
            fs::metadata(&file).expect("a file").permissions().mode() & 0o777,
            0o600
        );
        symlink("file", &link).expect("a link");
        replace(&link, None, b"two").expect("written");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(fs::read(&file).expect("the file"), b"two");
    }
}
