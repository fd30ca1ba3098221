//! A host's tree as one tar file.

use super::{Entry, What};
use crate::secret::Secret;
use std::io;
use zeroize::Zeroizing;

/// The entries as a tar stream, owned by root, with `made` (Unix seconds) as the time of every file. Directories are
/// not in it: who unpacks it below `/` must not change the modes of those that are there.
///
/// # Errors
/// A path that tar cannot hold.
pub fn archive(entries: &[Entry], made: i64) -> io::Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut tar = tar::Builder::new(&mut *bytes);
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(u64::try_from(made).unwrap_or_default());
        match &entry.what {
            What::File { mode, content } => {
                header.set_size(content.len() as u64);
                header.set_mode(*mode);
                tar.append_data(&mut header, &entry.path, content.expose())?;
            }
            What::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                header.set_mode(0o777);
                tar.append_link(&mut header, &entry.path, target)?;
            }
        }
    }
    tar.finish()?;
    drop(tar);
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}
