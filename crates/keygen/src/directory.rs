//! The directory a run works in: looked at under a lock, written so that nothing is ever half there.

use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{Error, Found, NewFile, Options, Outcome, Present, Result};
use keytrail_media::file::MAX_SIZE;
use keytrail_vocabulary::Secret;

/// Files of a run before they have their names. Only the holder of the lock makes them, so any that are found are left
/// over from a run that was killed.
const ASIDE: &str = ".keytrail-keygen.";

/// A directory, locked against other runs as long as this value lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    // Holds the lock, and is what is synced in the end.
    handle: File,
}

impl Directory {
    /// Opens and locks a directory.
    ///
    /// # Errors
    /// It cannot be read, or another run is at work in it.
    pub fn open(path: &Path) -> Result<Self> {
        let handle = File::open(path).map_err(failed("open", path))?;
        match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            // Some network file systems have no locks; then two runs at once are the user's to avoid.
            Ok(()) | Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::NOLCK | rustix::io::Errno::BADF) => {}
            Err(error) => return Err(failed("lock (another run is at work in)", path)(error.into()).into()),
        }
        Ok(Self {
            path: path.to_owned(),
            handle,
        })
    }

    /// Reads the names, and the files a run with these options looks at.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn observe(&self, options: &Options) -> Result<Present> {
        let mut present = Present {
            names: self.names()?,
            ..Present::default()
        };
        for name in Present::host_names(&options.host) {
            self.follow(&name, &mut present)?;
        }
        let group = options.group.clone();
        let group = group.or_else(|| present.certified_group(&options.host));
        let group = group.as_deref().unwrap_or(&options.host);
        for name in Present::group_names(group, &options.host) {
            self.follow(&name, &mut present)?;
        }
        self.follow("ntp.keys", &mut present)?;
        Ok(present)
    }

    fn names(&self) -> Result<BTreeSet<String>, Error> {
        let listed = || {
            let mut names = BTreeSet::new();
            for entry in fs::read_dir(&self.path)? {
                if let Ok(name) = entry?.file_name().into_string()
                    && (name.starts_with("ntpkey_") || name == "ntp.keys")
                {
                    names.insert(name);
                }
            }
            Ok(names)
        };
        listed().map_err(failed("list", &self.path))
    }

    fn follow(&self, name: &str, present: &mut Present) -> Result<(), Error> {
        if !present.names.contains(name) {
            return Ok(());
        }
        let path = self.path.join(name);
        let target = match fs::read_link(&path) {
            Ok(target) => Some(target.to_string_lossy().into_owned()),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => None,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        match (read_limited(&path), &target) {
            (Ok(bytes), _) => {
                let found = Found {
                    link: target.is_some(),
                    file: target.unwrap_or_else(|| name.to_owned()),
                    bytes,
                };
                present.files.insert(name.to_owned(), found);
                Ok(())
            }
            (Err(error), Some(target)) if error.kind() == io::ErrorKind::NotFound => {
                present.dangling.insert(name.to_owned(), target.clone());
                Ok(())
            }
            (Err(error), _) => Err(failed("read", &path)(error)),
        }
    }

    /// Writes what a run made: all files aside with their modes set before the content, synced; then they get their
    /// names; then plain files under generic names get names of their own; links last.
    ///
    /// # Errors
    /// The file system refuses. Before the links nothing the daemon opens has changed, and what was new is removed again.
    pub fn write(&self, outcome: &Outcome) -> Result<()> {
        self.clear_leftovers()?;
        let mut aside = Vec::new();
        let mut named = Vec::new();
        let done = self.write_files(&outcome.files, &mut aside, &mut named);
        if let Err(error) = done {
            for path in aside.iter().chain(&named) {
                // What could not be removed is named in the error's path or cleared by the next run.
                let _ = fs::remove_file(path);
            }
            return Err(error.into());
        }
        for (generic, own) in &outcome.settle {
            let path = self.path.join(own);
            fs::hard_link(self.path.join(generic), &path).map_err(failed("link", &path))?;
        }
        for link in &outcome.links {
            let path = self.path.join(&link.name);
            let aside = self.path.join(format!("{ASIDE}link"));
            symlink(&link.target, &aside).map_err(failed("link", &path))?;
            fs::rename(&aside, &path).map_err(failed("link", &path))?;
        }
        self.handle.sync_all().map_err(failed("sync", &self.path))?;
        Ok(())
    }

    fn write_files(
        &self,
        files: &[NewFile],
        aside: &mut Vec<PathBuf>,
        named: &mut Vec<PathBuf>,
    ) -> Result<(), Error> {
        for (number, file) in files.iter().enumerate() {
            let path = self.path.join(format!("{ASIDE}{number}"));
            aside.push(path.clone());
            write_aside(&path, file).map_err(failed("write", &self.path.join(&file.path)))?;
        }
        // New names first: nothing leads to them yet. Replacements are single renames and come last.
        let (new, old): (Vec<_>, Vec<_>) = files.iter().zip(&*aside).partition(|(file, _)| !file.replaces);
        for (file, from) in new {
            let path = self.path.join(&file.path);
            if path.symlink_metadata().is_ok() {
                let taken = io::Error::from(io::ErrorKind::AlreadyExists);
                return Err(failed("create", &path)(taken));
            }
            fs::rename(from, &path).map_err(failed("create", &path))?;
            named.push(path);
        }
        for (file, from) in old {
            let path = self.path.join(&file.path);
            fs::rename(from, &path).map_err(failed("replace", &path))?;
        }
        Ok(())
    }

    fn clear_leftovers(&self) -> Result<(), Error> {
        let clear = || {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(ASIDE) {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        clear().map_err(failed("clear leftovers in", &self.path))
    }
}

fn write_aside(path: &Path, file: &NewFile) -> io::Result<()> {
    let mut handle = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    handle.set_permissions(Permissions::from_mode(file.mode))?;
    handle.write_all(file.bytes.expose())?;
    handle.sync_all()
}

/// Reads a file, but not more of it than it takes to see that it is too large.
fn read_limited(path: &Path) -> io::Result<Secret> {
    use io::Read as _;
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    File::open(path)?
        .take(MAX_SIZE as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Error + use<'a> {
    move |source| Error::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}
