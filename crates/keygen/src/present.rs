//! What is in the directory, as far as a run looks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Result, error::Collector};
use keytrail_media::{
    Filestamp, GroupScheme, MediaKind, MediaName, ReadFile, certificate::Certificate, file,
};
use keytrail_vocabulary::Secret;

/// New files may be this many seconds ahead of the clock, after several runs within a second; more, and no daemon would
/// take the certificate yet.
const MAX_AHEAD: i64 = 60;

/// A symbolic link to be made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The generic name.
    pub name: String,
    /// The file in the same directory.
    pub target: String,
}

/// A file that a generic name (`ntpkey_host_mort`) leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is: what the link says, or the generic name itself if that is a plain file.
    pub file: String,
    /// Whether the generic name is a link.
    pub link: bool,
    /// The content.
    pub bytes: Secret,
}

impl Found {
    /// The name on the first line, which is what the daemon goes by.
    pub fn name(&self) -> Option<MediaName> {
        let text = std::str::from_utf8(self.bytes.expose()).ok()?;
        text.lines().next()?.trim_start_matches('#').trim().parse().ok()
    }

    /// Its filestamp, from the first line.
    pub fn stamp(&self) -> Option<Filestamp> {
        file::filestamp(self.bytes.expose()).ok()
    }
}

/// What is in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Present {
    /// Every name that begins with `ntpkey_`, and `ntp.keys`.
    pub names: BTreeSet<String>,
    /// The files behind the generic names a run looks at.
    pub files: BTreeMap<String, Found>,
    /// Generic names among those that are links to nothing, with what they say.
    pub dangling: BTreeMap<String, String>,
}

impl Present {
    /// The generic names of a host's own media.
    pub fn host_names(host: &str) -> [String; 3] {
        ["host", "sign", "cert"].map(|word| format!("ntpkey_{word}_{host}"))
    }

    /// The generic names of a group's keys, which the stock program links under the host's name only.
    pub fn group_names(group: &str, host: &str) -> Vec<String> {
        let words = ["iffkey", "gqkey", "mvta", "mvkey"];
        let owners = BTreeSet::from([group, host]);
        let name = |word| owners.iter().map(move |owner| format!("ntpkey_{word}_{owner}"));
        words.into_iter().flat_map(name).collect()
    }

    /// The group in the host's present certificate.
    pub fn certified_group(&self, host: &str) -> Option<String> {
        let [_, _, name] = Self::host_names(host);
        let read = ReadFile::parse(self.files.get(&name)?.bytes.expose()).ok()?;
        let certificate = Certificate::from_block(&read.blocks.first()?.1).ok()?;
        certificate.group().map(str::to_owned)
    }

    /// The file of a generic name.
    ///
    /// # Errors
    /// A link to nothing.
    pub fn find(&self, name: &str) -> Result<Option<&Found>, Error> {
        match self.dangling.get(name) {
            Some(target) => Err(Error::refused(
                format!("link {name}"),
                format!("it leads to {target}, which is not there"),
                format!("bring {target} back, or remove the link to start afresh"),
            )),
            None => Ok(self.files.get(name)),
        }
    }

    /// A group key, by the group's link, or by the host's link if what that leads to is this group's: the stock program
    /// makes only the second, and finds only the first.
    ///
    /// # Errors
    /// A link to nothing.
    pub fn find_group_key(
        &self,
        scheme: GroupScheme,
        group: &str,
        host: &str,
    ) -> Result<Option<&Found>, Error> {
        let kind = MediaKind::GroupKey(scheme);
        if let Some(found) = self.find(&kind.link_name(group))? {
            return Ok(Some(found));
        }
        let by_host = self.files.get(&kind.link_name(host));
        Ok(by_host.filter(|found| found.name().is_some_and(|name| name.owner == group)))
    }

    /// The latest filestamp among all files, linked or not, that ever stood behind this generic name.
    pub fn latest(&self, kind: MediaKind, owner: &str) -> Option<(Filestamp, &str)> {
        let link = kind.link_name(owner);
        let named = self.names.iter().filter_map(|name| {
            let parsed: MediaName = name.parse().ok()?;
            (parsed.link() == link).then_some((parsed.stamp, name.as_str()))
        });
        let linked = self.files.get(&link).into_iter();
        let linked = linked.filter_map(|found| Some((found.stamp()?, found.file.as_str())));
        named.chain(linked).max()
    }

    /// The filestamp for new files of these kinds and owners: the present second, or the one after the latest file that
    /// one of them follows. `now` is in Unix seconds.
    ///
    /// # Errors
    /// An older file from the future: a certificate after it would not be valid yet.
    pub fn stamp_after<'a>(
        &self,
        now: i64,
        files: impl IntoIterator<Item = (MediaKind, &'a str)>,
    ) -> Result<Filestamp, Error> {
        let stamp = Filestamp::from_unix(now)?;
        let latest = files
            .into_iter()
            .filter_map(|(kind, owner)| self.latest(kind, owner));
        let Some((latest, file)) = latest.max().filter(|(latest, _)| *latest >= stamp) else {
            return Ok(stamp);
        };
        match latest.0.checked_add(1) {
            Some(next) if latest.unix() < now + MAX_AHEAD => Ok(Filestamp(next)),
            _ => Err(Error::refused(
                format!("a new file after {file}"),
                format!(
                    "that one is from the future ({}): daemons keep the later of two, and take no certificate before its time",
                    latest.date()
                ),
                "check the clock of this machine; if it is right, remove that file",
            )),
        }
    }

    /// Plain files under names that are to become links: each keeps its content under the name on its first line.
    /// Returns generic and own names.
    ///
    /// # Errors
    /// Files whose first line gives no name, or one that is taken.
    pub fn settle(&self, links: &[Link]) -> Result<Vec<(String, String)>> {
        let mut errors = Collector::default();
        let mut settled = Vec::new();
        for link in links {
            let Some(found) = self.files.get(&link.name).filter(|found| !found.link) else {
                continue;
            };
            match found.name().map(|name| name.to_string()) {
                Some(own) if !self.names.contains(&own) => settled.push((link.name.clone(), own)),
                _ => errors.push(Error::refused(
                    format!("link {}", link.name),
                    "a plain file has this name, and its first line gives it no other that is free",
                    "rename that file yourself",
                )),
            }
        }
        errors.finish(settled)
    }
}
