//! The bundle for TCP/IP Services for OpenVMS: media under that system's names, the configuration, and a DCL command
//! procedure that puts them into place.
//!
//! Names and steps are those of the manual (TCP/IP Services for OpenVMS Management, 13.9.4 to 13.9.7); nothing of it was
//! run on OpenVMS. Where the manual links a generic name to a file, the procedure copies: the daemon takes
//! the filestamp from the first line of what it reads, and deleting an alias of OpenVMS deletes the file itself.

use super::{Contents, Entry, Error, What, dcl};
use crate::media::name::{OPENVMS_PREFIX, PREFIX};
use crate::plan::DesiredHost;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Name of the command procedure in the bundle.
pub const PROCEDURE: &str = "INSTALL_NTPKEYS.COM";

/// The account of the daemon.
const ACCOUNT: &str = "TCPIP$NTP";

/// The parts of the procedure that are the same for every host.
const SUBROUTINES: &str = include_str!("openvms/subroutines.com");

/// The bundle of a host. `trusted` names the trusted hosts of a group, whose names the manual's generic names carry.
///
/// # Errors
/// All contents that are not to be had, and all names that DCL could not read.
pub fn openvms(
    made: &DesiredHost,
    trusted: &dyn Fn(&str) -> Vec<String>,
    contents: Contents<'_>,
) -> Result<Vec<Entry>, Vec<Error>> {
    let mut bundle = Bundle {
        host: &made.desired.host,
        keysdir: &made.desired.keysdir,
        entries: Vec::new(),
        errors: Vec::new(),
    };
    let placed = bundle.files(made, contents);
    let generic = generic_names(made, trusted);
    let procedure = bundle.procedure(made, &placed, &generic);
    bundle.entries.push(Entry {
        path: PROCEDURE.into(),
        what: What::File {
            mode: 0o644,
            content: procedure.into(),
        },
    });
    bundle.entries.sort_by(|a, b| a.path.cmp(&b.path));
    if bundle.errors.is_empty() {
        Ok(bundle.entries)
    } else {
        Err(bundle.errors)
    }
}

struct Bundle<'a> {
    host: &'a str,
    keysdir: &'a str,
    entries: Vec<Entry>,
    errors: Vec<Error>,
}

/// A file of the bundle and where it goes.
struct Placed {
    /// Name in the bundle.
    name: String,
    /// File specification on the host.
    spec: String,
    /// Readable for the daemon alone.
    private: bool,
    /// Of the daemon's configuration, which people may have written, too.
    configuration: bool,
    /// Replaced in place, and so not before the daemon is stopped.
    replaced: bool,
}

impl Bundle<'_> {
    /// Takes up media and configuration.
    fn files(&mut self, made: &DesiredHost, contents: Contents<'_>) -> Vec<Placed> {
        let mut placed = Vec::new();
        for (path, file) in &made.desired.media {
            let name = vms(base(path));
            match contents(&file.digest) {
                Ok(content) => self.add(&name, file.mode, content),
                Err(why) => self.errors.push(Error::Content {
                    host: self.host.to_owned(),
                    why: format!("{path}: {why}"),
                }),
            }
            placed.push(Placed {
                spec: self.spec(self.keysdir, &name),
                name,
                private: file.secret,
                configuration: false,
                replaced: false,
            });
        }
        for (path, content) in &made.contents {
            let Some(file) = made.desired.conf.get(path) else {
                continue;
            };
            let (directory, own) = path.split_at(path.len() - base(path).len());
            // OpenVMS does not tell upper from lower case; the manual writes lower.
            let name = own.to_ascii_lowercase();
            // There is no group to share it with in the directory of the bundle.
            self.add(
                &name,
                if file.secret { 0o600 } else { file.mode },
                content.clone(),
            );
            placed.push(Placed {
                spec: self.spec(directory, own),
                name,
                private: file.secret,
                configuration: made.lines.contains_key(path),
                replaced: true,
            });
        }
        placed
    }

    fn add(&mut self, name: &str, mode: u32, content: crate::secret::Secret) {
        self.entries.push(Entry {
            path: name.to_owned(),
            what: What::File { mode, content },
        });
    }

    /// A file specification for DCL.
    fn spec(&mut self, directory: &str, name: &str) -> String {
        let mut refuse = |name: &str, why| {
            self.errors.push(Error::Name {
                host: self.host.to_owned(),
                name: name.escape_debug().to_string(),
                why,
            });
            String::new()
        };
        if !dcl::is_directory(directory) {
            return refuse(
                directory,
                "it is no directory of OpenVMS such as SYS$SPECIFIC:[TCPIP$NTP]",
            );
        }
        match dcl::file_name(name) {
            Some(name) => format!("{directory}{name}"),
            None => refuse(
                name,
                "file names on OpenVMS are letters, digits, '$', '_', '-' and dots",
            ),
        }
    }

    /// The command procedure.
    fn procedure(
        &mut self,
        made: &DesiredHost,
        placed: &[Placed],
        generic: &BTreeMap<String, String>,
    ) -> String {
        let mut text = format!(
            "$! {PROCEDURE}: installs the NTP key media of {} on OpenVMS. Written by keytrail.\n$!\n{}",
            self.host,
            include_str!("openvms/head.com")
        );
        comment(
            &mut text,
            "Everything must have arrived before anything is changed.",
        );
        for file in placed {
            set(&mut text, "NAME", &local(&file.name));
            set(&mut text, "TO", &file.spec);
            text.push_str("$ GOSUB CHECK\n");
        }
        text.push_str("$ IF MISSING .NE. 0 THEN GOTO INCOMPLETE\n");
        comment(
            &mut text,
            "A configuration that is there may hold lines of others.",
        );
        for file in placed.iter().filter(|file| file.configuration) {
            set(&mut text, "TO", &file.spec);
            text.push_str("$ GOSUB GUARD\n");
        }
        text.push_str("$ IF GUARDED .NE. 0 THEN GOTO CONFIGURED\n");
        comment(
            &mut text,
            "Files with a filestamp: the daemon opens none of them by these names.",
        );
        for file in placed.iter().filter(|file| !file.replaced) {
            place(&mut text, file);
        }
        comment(&mut text, "From here on NTP is down, until the last step.");
        text.push_str(
            "$ STOPPED = 1\n$ SET NOON\n$ @SYS$STARTUP:TCPIP$NTP_SHUTDOWN\n$ SET ON\n$ ON WARNING THEN GOTO FAILED\n",
        );
        comment(&mut text, "Generic names: what the daemon opens.");
        let media: BTreeMap<&str, &Placed> = placed.iter().map(|file| (&*file.name, file)).collect();
        for (name, target) in generic {
            let Some(file) = media.get(&**target) else {
                continue;
            };
            place(
                &mut text,
                &Placed {
                    name: file.name.clone(),
                    spec: self.spec(self.keysdir, name),
                    ..**file
                },
            );
        }
        let absent = absent_names(made, generic);
        if !absent.is_empty() {
            comment(
                &mut text,
                "Names the daemon must not find: roles this host does not have.",
            );
        }
        for name in absent {
            let spec = self.spec(self.keysdir, &name);
            set(&mut text, "TO", &spec);
            text.push_str("$ GOSUB SET_ASIDE\n");
        }
        comment(&mut text, "Configuration.");
        for file in placed.iter().filter(|file| file.replaced) {
            place(&mut text, file);
        }
        text.push_str(SUBROUTINES);
        let account = made.desired.owner.as_deref().unwrap_or(ACCOUNT);
        if !dcl::is_identifier(account) {
            self.errors.push(Error::Name {
                host: self.host.to_owned(),
                name: account.escape_debug().to_string(),
                why: "the owner of files on OpenVMS is the name of an account such as TCPIP$NTP",
            });
        }
        text.replace("@ACCOUNT@", account)
    }
}

fn comment(text: &mut String, what: &str) {
    let _ = writeln!(text, "$!\n$! {what}");
}

fn set(text: &mut String, symbol: &str, value: &str) {
    let _ = writeln!(text, "$ {symbol} = {}", dcl::string(value));
}

fn place(text: &mut String, file: &Placed) {
    set(text, "NAME", &local(&file.name));
    set(text, "TO", &file.spec);
    let access = if file.private { "PRIVATE" } else { "PUBLIC" };
    let _ = writeln!(text, "$ GOSUB PLACE_{access}");
}

/// A name in the bundle as DCL reads it. What it cannot read was refused as a specification.
fn local(name: &str) -> String {
    dcl::file_name(name).unwrap_or_default()
}

/// The last part of a Unix path or of an OpenVMS file specification.
fn base(path: &str) -> &str {
    path.rsplit([']', '>', ':', '/']).next().unwrap_or(path)
}

/// A name of key media with OpenVMS's prefix.
fn vms(name: &str) -> String {
    match name.strip_prefix(PREFIX) {
        Some(rest) => format!("{OPENVMS_PREFIX}{rest}"),
        None => name.to_owned(),
    }
}

/// Generic names and the files they stand for: those of today's daemon, and for identity media the manual's,
/// which know one word per scheme and carry the trusted host's name.
fn generic_names(made: &DesiredHost, trusted: &dyn Fn(&str) -> Vec<String>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let mut manual: BTreeMap<String, String> = BTreeMap::new();
    for (path, target) in &made.desired.links {
        let link = base(path);
        names.insert(vms(link), vms(target));
        let Some((scheme, serves, group)) = identity(link) else {
            continue;
        };
        let own = serves || scheme != "iff";
        let own = own.then(|| made.desired.host.clone());
        let owners = [group.to_owned()].into_iter().chain(trusted(group)).chain(own);
        for owner in owners.collect::<BTreeSet<_>>() {
            let name = format!("{OPENVMS_PREFIX}{scheme}_{owner}");
            // A server's key holds what a client needs, and more.
            if serves {
                manual.insert(name, vms(target));
            } else {
                manual.entry(name).or_insert_with(|| vms(target));
            }
        }
    }
    names.extend(manual);
    names
}

/// The names to set aside, today's and the manual's.
fn absent_names(made: &DesiredHost, generic: &BTreeMap<String, String>) -> BTreeSet<String> {
    let absent = made.desired.absent.iter().map(|path| base(path));
    absent
        .flat_map(|link| {
            let manual = identity(link).map(|(scheme, _, group)| format!("{OPENVMS_PREFIX}{scheme}_{group}"));
            [Some(vms(link)), manual]
        })
        .flatten()
        .filter(|name| !generic.contains_key(name))
        .collect()
}

/// Scheme, whether it is a server's, and group of the link to an identity medium.
fn identity(link: &str) -> Option<(&'static str, bool, &str)> {
    let (word, group) = link.strip_prefix(PREFIX)?.split_once('_')?;
    let (scheme, serves) = match word {
        "iffkey" => ("iff", true),
        "iffpar" => ("iff", false),
        "gqkey" => ("gq", true),
        "gqpar" => ("gq", false),
        "mvkey" => ("mv", true),
        "mvpar" => ("mv", false),
        _ => return None,
    };
    Some((scheme, serves, group))
}
