//! Finds, reads and pairs the files to inspect.

use crate::finding::Severity;
use crate::inventory::Implementation;
use crate::media::file::MAX_SIZE;
use crate::media::inspect::{self, Holds, Inspected, PairReport, Remark, inspect, pair};
use crate::media::{self, GroupScheme};
use crate::ops::error::Error;
use crate::secret::Secret;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// In one word, what there is to say about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Read, and where there are equations, proven.
    Good,
    /// Encrypted, and no password was given: not proven.
    Sealed,
    /// It works, with something to mind.
    Doubtful,
    /// A daemon cannot use it, or it is not safe.
    Bad,
    /// It cannot be read as key media.
    Unreadable,
}

impl Verdict {
    /// The word itself.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Sealed => "sealed",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Why.
    pub what: String,
    /// What to do.
    pub help: Option<String>,
}

/// One file.
#[derive(Debug)]
pub struct Item {
    /// Where it is.
    pub path: PathBuf,
    /// Links in the same directory that lead to it.
    pub links: Vec<String>,
    /// What was found.
    pub found: Result<Inspected, Unreadable>,
}

impl Item {
    fn unreadable(path: &Path, what: impl Into<String>, help: Option<&str>) -> Self {
        Self {
            path: path.to_owned(),
            links: Vec::new(),
            found: Err(Unreadable {
                what: what.into(),
                help: help.map(str::to_owned),
            }),
        }
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        let Ok(found) = &self.found else {
            return Verdict::Unreadable;
        };
        match found.report.worst() {
            Some(Severity::Error) => Verdict::Bad,
            _ if found.material.is_none() && found.report.holds != Some(Holds::Certificate) => {
                Verdict::Sealed
            }
            Some(Severity::Warning) => Verdict::Doubtful,
            _ => Verdict::Good,
        }
    }
}

/// Two files of a directory that a daemon uses together, by their generic names.
#[derive(Debug, Serialize)]
pub struct Pair {
    /// The generic names, below their directory.
    pub files: [PathBuf; 2],
    /// What was tested.
    #[serde(flatten)]
    pub report: PairReport,
}

/// A link to nothing.
#[derive(Debug, Serialize)]
pub struct Dangling {
    /// The link.
    pub link: PathBuf,
    /// What it says.
    pub target: PathBuf,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Files, each once.
    pub items: Vec<Item>,
    /// Files that should belong together.
    pub pairs: Vec<Pair>,
    /// Links whose target is not there.
    pub dangling: Vec<Dangling>,
}

/// How to look.
pub struct Eyes {
    /// Passwords to try on private files.
    pub passwords: Vec<Secret>,
    /// The daemon by whose rules files of symmetric keys are read.
    pub daemon: Implementation,
    /// The present, Unix seconds.
    pub now: i64,
    /// Report private numbers and symmetric keys as well.
    pub show_private: bool,
}

impl Eyes {
    /// Reads one file, trying every password.
    pub fn look(&self, path: &Path) -> Result<Inspected, Unreadable> {
        let unreadable = |error: &media::Error| Unreadable {
            what: error.to_string(),
            help: error.help().map(str::to_owned),
        };
        let bytes = read(path).map_err(|error| Unreadable {
            what: error.to_string(),
            help: None,
        })?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let open = |password| {
            let options = inspect::Options {
                file_name: name.as_deref(),
                password,
                daemon: self.daemon,
                now: self.now,
                show_private: self.show_private,
            };
            inspect(bytes.expose(), &options).map_err(|error| unreadable(&error))
        };
        let mut found = open(self.passwords.first())?;
        for password in self.passwords.iter().skip(1) {
            if found.material.is_some() {
                break;
            }
            found = open(Some(password))?;
        }
        check_mode(&mut found, path);
        Ok(found)
    }

    /// Files and directories; of directories every file of key media, the links among them, and what belongs together.
    pub fn gather(&self, paths: &[PathBuf]) -> Result<Gathered, Error> {
        let mut gathered = Gathered::default();
        for path in paths {
            if path.is_dir() {
                self.directory(path, &mut gathered)?;
            } else {
                gathered.items.push(Item {
                    path: path.clone(),
                    links: Vec::new(),
                    found: self.look(path),
                });
            }
        }
        Ok(gathered)
    }

    fn directory(&self, dir: &Path, gathered: &mut Gathered) -> Result<(), Error> {
        let (files, links) = match list(dir) {
            Ok(listing) => listing,
            Err(error) => {
                gathered
                    .items
                    .push(Item::unreadable(dir, error.to_string(), None));
                return Ok(());
            }
        };
        if files.is_empty() && links.is_empty() {
            let help = "files of key media begin with ntpkey_, or are called ntp.keys";
            let item = Item::unreadable(dir, "there is no key media in this directory", Some(help));
            gathered.items.push(item);
            return Ok(());
        }
        let mut generic: BTreeMap<String, usize> = BTreeMap::new();
        for name in files {
            let leading = links.iter().filter(|(_, target)| **target == *name);
            let links: Vec<String> = leading.map(|(link, _)| link.clone()).collect();
            let place = gathered.items.len();
            generic.extend(
                links
                    .iter()
                    .cloned()
                    .chain([name.clone()])
                    .map(|name| (name, place)),
            );
            let path = dir.join(&name);
            let found = self.look(&path);
            gathered.items.push(Item { path, links, found });
        }
        for (link, target) in links {
            if generic.contains_key(&link) {
                continue;
            }
            let path = dir.join(&link);
            if path.exists() {
                // It leads out of the directory.
                let place = gathered.items.len();
                generic.insert(link, place);
                let found = self.look(&path);
                gathered.items.push(Item {
                    path,
                    links: Vec::new(),
                    found,
                });
            } else {
                let target = target.into();
                gathered.dangling.push(Dangling { link: path, target });
            }
        }
        pairs(dir, &generic, gathered)
    }
}

/// Certificate and key of every host, server key and client parameters of every group, GQ key and the certificate that
/// carries its value: whatever could be opened.
fn pairs(dir: &Path, generic: &BTreeMap<String, usize>, gathered: &mut Gathered) -> Result<(), Error> {
    let mut wanted = Vec::new();
    for name in generic.keys() {
        if let Some(host) = name.strip_prefix("ntpkey_cert_") {
            let sign = format!("ntpkey_sign_{host}");
            let key = if generic.contains_key(&sign) {
                sign
            } else {
                format!("ntpkey_host_{host}")
            };
            wanted.push((name.clone(), key));
            let group = opened(generic, gathered, name).and_then(|found| found.report.certificate.clone());
            if let Some(group) = group.filter(|fields| fields.gq_public_bits.is_some()) {
                let owner = group.group.unwrap_or_else(|| host.to_owned());
                wanted.push((name.clone(), format!("ntpkey_gqkey_{owner}")));
            }
        }
        for scheme in GroupScheme::ALL.map(GroupScheme::lower) {
            if let Some(group) = name.strip_prefix(&format!("ntpkey_{scheme}key_")) {
                wanted.push((name.clone(), format!("ntpkey_{scheme}par_{group}")));
            }
        }
    }
    for (one, other) in wanted {
        let both = opened(generic, gathered, &one).zip(opened(generic, gathered, &other));
        if let Some((first, second)) = both.filter(|(a, b)| a.material.is_some() && b.material.is_some()) {
            let report = tested(first, second)?;
            let files = [dir.join(one), dir.join(other)];
            gathered.pairs.push(Pair { files, report });
        }
    }
    Ok(())
}

/// Tests whether two files belong together.
pub fn tested(one: &Inspected, other: &Inspected) -> Result<PairReport, Error> {
    pair(one, other).map_err(|error| Error::new("cannot test the pair").because(&error))
}

fn opened<'a>(
    generic: &BTreeMap<String, usize>,
    gathered: &'a Gathered,
    name: &str,
) -> Option<&'a Inspected> {
    gathered.items[*generic.get(name)?].found.as_ref().ok()
}

/// Names of files, and links with what they say.
type Listing = (Vec<String>, BTreeMap<String, String>);

fn list(dir: &Path) -> io::Result<Listing> {
    let mut files = Vec::new();
    let mut links = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let media = name.starts_with(media::name::PREFIX) || name.starts_with(media::name::OPENVMS_PREFIX);
        if !media && name != "ntp.keys" {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            let target = fs::read_link(entry.path())?;
            let target = target.strip_prefix(dir).map(Path::to_owned).unwrap_or(target);
            links.insert(name, target.to_string_lossy().into_owned());
        } else if kind.is_file() {
            files.push(name);
        }
    }
    files.sort_unstable();
    Ok((files, links))
}

/// Reads no more of a file than it takes to see that it is too large.
fn read(path: &Path) -> io::Result<Secret> {
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let limit = MAX_SIZE as u64 + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

/// Private files are for the daemon alone; client parameters must be readable for it after it gave up its privileges.
fn check_mode(found: &mut Inspected, path: &Path) {
    let Ok(metadata) = path.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o7777;
    let private = match found.report.holds {
        Some(Holds::Certificate | Holds::ClientParameters(_)) | None => false,
        Some(_) => true,
    };
    if private && mode & 0o007 != 0 {
        found.report.remarks.push(Remark {
            severity: Severity::Warning,
            what: format!("everybody on this machine can get at it (mode {mode:04o})"),
            help: Some("chmod 600".into()),
        });
        found
            .report
            .remarks
            .sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    }
}
