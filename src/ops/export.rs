//! Exporting: hosts' files as directories or tar files, a group's client parameters, a host's group media by mail. Reaches no
//! host.

use crate::digest::Digest;
use crate::export::{self, Entry, WriteError};
use crate::inventory::{HostId, Implementation, closest};
use crate::media::{Dialect, GroupKey, GroupScheme, MediaFile, MediaKind, MediaName};
use crate::ntpconf;
use crate::ops::desired::{artifacts, desired};
use crate::ops::error::{Error, Result};
use crate::ops::now;
use crate::ops::session::Session;
use crate::plan::Observed;
use crate::secret::Secret;
use crate::vault::SecretKind;
use std::path::Path;

/// What was exported.
#[derive(Debug)]
pub struct Exported {
    /// Hosts with their number of files and links, in the order asked for.
    pub hosts: Vec<(String, usize)>,
    /// Some of them run OpenVMS.
    pub openvms: bool,
}

/// In which form hosts' files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A directory for each host.
    Directories,
    /// A tar file for each host.
    Archives,
}

/// Where files are written.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The directory; new or empty.
    pub directory: &'a Path,
    /// Replace what was exported there before.
    pub force: bool,
}

/// Hosts' files as they would be on hosts that had no NTP configuration before.
pub struct Trees {
    hosts: Vec<(String, Vec<Entry>)>,
    openvms: bool,
    /// What to mind, by host.
    pub warnings: Vec<(String, String)>,
}

impl Session {
    /// What belongs on every host, or everything that stands against it.
    pub fn trees(&self, hosts: &[HostId]) -> Result<Trees> {
        self.with_contents(|content| self.trees_of(hosts, content))
    }

    fn trees_of(&self, wanted: &[HostId], content: export::Contents<'_>) -> Result<Trees> {
        let shared = ntpconf::ConfContext::new(self.inventory());
        let trusted = |group: &str| -> Vec<String> {
            let groups = self.inventory().groups.iter().filter(|of| &*of.name == group);
            groups
                .flat_map(|of| &of.trusted)
                .map(|&host| self.inventory().host(host).name.to_string())
                .collect()
        };
        let mut trees = Trees {
            hosts: Vec::with_capacity(wanted.len()),
            openvms: false,
            warnings: Vec::new(),
        };
        let mut problems: Vec<String> = Vec::new();
        for &host in wanted {
            let made = match desired(self, &shared, host, &Observed::default()) {
                Ok(made) => made,
                Err(whys) => {
                    problems.extend(whys.words());
                    continue;
                }
            };
            let name = &made.desired.host;
            let warnings = made
                .warnings
                .iter()
                .map(|warning| (name.clone(), warning.clone()));
            trees.warnings.extend(warnings);
            let openvms = self.inventory().entry(host).settings.ntpd == Implementation::Openvms;
            trees.openvms |= openvms;
            let entries = if openvms {
                export::openvms(&made, &trusted, content)
            } else {
                export::tree(&made, content)
            };
            match entries {
                Ok(entries) => trees.hosts.push((made.desired.host, entries)),
                Err(errors) => problems.extend(errors.iter().map(ToString::to_string)),
            }
        }
        if problems.is_empty() {
            return Ok(trees);
        }
        problems.dedup();
        Err(Error::new("these hosts cannot be exported; nothing was written").whys(problems))
    }

    /// Does something with a way to the vault's contents.
    fn with_contents<T>(&self, job: impl FnOnce(export::Contents<'_>) -> T) -> T {
        let artifacts = artifacts(self);
        let vault = self.vault();
        job(&|digest: &Digest| -> Result<Secret, String> {
            let id = artifacts.get(digest).ok_or("it is not in the vault")?;
            vault.content(*id).map_err(|error| error.to_string())
        })
    }

    /// Writes a group's client parameters with an index. The paths that were written, below the directory.
    pub fn export_parameters(&self, group: &str, to: Destination<'_>) -> Result<Vec<String>> {
        let files = [(String::new(), self.parameters(group)?)];
        write(&files, to)?;
        Ok(files[0].1.iter().map(|entry| entry.path.clone()).collect())
    }

    fn parameters(&self, group: &str) -> Result<Vec<Entry>> {
        let inventory = self.inventory();
        let Some(declared) = inventory.group_named(group).map(|id| inventory.group(id)) else {
            let names = inventory.groups.iter().map(|known| &*known.name);
            let failed = Error::new(format!("the inventory has no group {group}; nothing was written"));
            return Err(match closest(group, names) {
                Some(near) => failed.help(format!("did you mean {near}?")),
                None => failed,
            });
        };
        if declared.is_external() {
            return Err(Error::new(format!(
                "{group} is not your group: its client parameters are its operator's to hand out"
            )));
        }
        let unusable = |error: crate::media::Error| Error::new("nothing was written").because(&error);
        let snapshot = &self.state().snapshot;
        let mut files = Vec::new();
        let held = |ident| [GroupScheme::Iff, GroupScheme::Gq].map(|scheme| (ident, scheme));
        for (ident, scheme) in declared.held_idents().flat_map(held) {
            let Some(version) = snapshot.secret(SecretKind::Group(scheme), ident) else {
                continue;
            };
            let Some(stamp) = version.filestamp else { continue };
            let secret = self
                .vault()
                .secret(version.id)
                .map_err(|error| Error::vault("nothing was written", &error))?;
            let key = GroupKey::from_vault_bytes(&secret).map_err(unusable)?;
            let name = MediaName::new(MediaKind::ClientParameters(scheme), ident, stamp).map_err(unusable)?;
            let block = key.client_block(Dialect::Current, 1).map_err(unusable)?;
            files.push(export::Parameters {
                scheme,
                stamp,
                content: MediaFile::pem(name, stamp.unix(), vec![block]).render(),
            });
        }
        if files.is_empty() {
            let failed = Error::new(format!(
                "group {group} has no client parameters to hand out; nothing was written"
            ));
            let mv = snapshot.secret(SecretKind::Group(GroupScheme::Mv), declared.ident());
            return Err(if mv.is_some() {
                failed.help("with MV each client has parameters of its own: keytrail export --mail HOST")
            } else {
                failed.help("IFF and GQ have some, once a host of the group is a server or a client")
            });
        }
        export::parameters(group, &files).map_err(unusable)
    }

    /// A host's group media as text for a mail.
    pub fn mail(&self, host: HostId) -> Result<String> {
        let name = &self.inventory().host(host).name;
        if self.inventory().entry(host).settings.ntpd == Implementation::Openvms {
            return Err(Error::new(format!(
                "{name} runs OpenVMS, where nobody takes files out of a text"
            ))
            .help(format!("export its bundle: keytrail export {name} -o DIR")));
        }
        let cannot = |whys: Vec<String>| Error::new("there is nothing to mail").whys(whys);
        let shared = ntpconf::ConfContext::new(self.inventory());
        let made = desired(self, &shared, host, &Observed::default()).map_err(|whys| cannot(whys.words()))?;
        let text = self
            .with_contents(|content| export::mail(&made, content))
            .map_err(|errors| cannot(errors.iter().map(ToString::to_string).collect()))?;
        text.ok_or_else(|| {
            Error::new(format!(
                "there is nothing to mail: {name} needs no media of a group"
            ))
        })
    }
}

impl Trees {
    /// Writes them.
    pub fn write(&self, form: Form, to: Destination<'_>) -> Result<Exported> {
        match form {
            Form::Directories => write(&self.hosts, to)?,
            Form::Archives => write(&[(String::new(), self.archives()?)], to)?,
        }
        let hosts = self.hosts.iter();
        Ok(Exported {
            hosts: hosts
                .map(|(host, entries)| (host.clone(), entries.len()))
                .collect(),
            openvms: self.openvms,
        })
    }

    fn archives(&self) -> Result<Vec<Entry>> {
        let now = now();
        let packed = self.hosts.iter().map(|(host, entries)| {
            let content = export::archive(entries, now).map_err(|error| {
                Error::new(format!("the files of {host} cannot be packed")).because(&error)
            })?;
            Ok(Entry {
                path: format!("{host}.tar"),
                what: export::What::File { mode: 0o600, content },
            })
        });
        packed.collect()
    }
}

fn write(files: &[(String, Vec<Entry>)], to: Destination<'_>) -> Result<()> {
    export::write(to.directory, files, to.force).map_err(|error| {
        let failed =
            Error::new(format!("nothing was exported to {}", to.directory.display())).because(&error);
        match error {
            WriteError::NotEmpty(_) => failed
                .help("name a new directory")
                .help("or replace an earlier export: --force"),
            WriteError::Foreign(_) => {
                failed.help("name a new directory: --force replaces only what keytrail itself exported")
            }
            WriteError::Io { .. } => failed,
        }
    })
}
