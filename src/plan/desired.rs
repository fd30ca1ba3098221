//! What a host should look like: its media, its links, and its configuration as keytrail's lines make it.

use super::{ConfLines, Desired, FileSpec, HostPlan, Observed, diff};
use crate::digest::Digest;
use crate::inventory::{Association, ConfMode, GroupId, HostId, IdentityScheme, Inventory, Settings};
use crate::media::{GroupScheme, MediaKind};
use crate::ntpconf::{self, ConfContext, ConfError, ConfFile, Conflict, Existing, HostFacts, Templates};
use crate::secret::Secret;
use crate::trail::needs::{self, Needs};
use crate::vault::{Artifact, ArtifactKind, PlacedFile, Placement};
use std::collections::{BTreeMap, BTreeSet};

/// What the desired state of a host follows from, besides what is on it.
#[derive(Debug, Clone, Copy)]
pub struct HostInput<'a> {
    /// The inventory.
    pub inventory: &'a Inventory,
    /// Which host.
    pub host: HostId,
    /// What it must hold.
    pub needs: &'a Needs,
    /// Hops from the trusted hosts.
    pub depth: u32,
    /// What was looked up for the whole inventory.
    pub fleet: &'a ConfContext<'a>,
    /// Its media in the generation to reach.
    pub media: &'a [PlacedFile],
    /// Password of its private files.
    pub password: Option<&'a Secret>,
    /// Content of its symmetric key file, if it holds any keys.
    pub key_file: Option<&'a Secret>,
}

/// The desired state of a host with what it takes to reach and to show it.
#[derive(Debug, Clone)]
pub struct DesiredHost {
    /// The state.
    pub desired: Desired,
    /// Contents of [`Desired::conf`], by absolute path.
    pub contents: BTreeMap<String, Secret>,
    /// The same line by line, redacted.
    pub lines: ConfLines,
    /// What a person should look at.
    pub warnings: Vec<String>,
    /// The range it was written as, if any.
    pub range: Option<String>,
}

/// What to look at on a host before [`desired`] and [`diff`] can say anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Directory whose `ntpkey_*` files and links count.
    pub keysdir: String,
    /// Files of which the content is needed: what keytrail's lines are put into, and what a running daemon has read.
    pub contents: Vec<String>,
}

/// What to look at on a host with these settings.
pub fn watched(settings: &Settings) -> Watched {
    let mut contents = vec![settings.conf.to_string()];
    if settings.conf_mode == ConfMode::Include {
        contents.push(settings.include_file.to_string());
    }
    contents.push(settings.keys_file.to_string());
    Watched {
        keysdir: settings.keysdir.to_string(),
        contents,
    }
}

/// The desired state of a host. It depends on `observed` only in what keytrail's lines are put between. All problems
/// of the host at once.
pub fn desired(
    input: &HostInput<'_>,
    templates: &Templates,
    observed: &Observed,
) -> Result<DesiredHost, Vec<ConfError>> {
    let entry = input.inventory.entry(input.host);
    let settings = &*entry.settings;
    let name = &*input.inventory.host(input.host).name;
    let owner = owner(input.media).unwrap_or(name);
    let facts = HostFacts {
        inventory: input.inventory,
        host: input.host,
        needs: input.needs,
        fleet: input.fleet,
        password: input.password,
        owner,
    };
    let ours = ntpconf::render(templates, &facts)?;
    let existing = existing(name, settings, observed).map_err(|error| vec![error])?;
    let composed = ntpconf::compose(name, settings, &ours, existing).map_err(|error| vec![error])?;
    let links = links(settings, input.media);
    let mut made = DesiredHost {
        desired: Desired {
            host: name.to_owned(),
            keysdir: settings.keysdir.to_string(),
            media: input.media.iter().map(|file| placed(settings, file)).collect(),
            absent: absent(input, settings, owner, &links),
            links,
            unread: unread(input, settings),
            former: BTreeMap::new(),
            former_links: BTreeSet::new(),
            conf: BTreeMap::new(),
            owner: settings.owner.as_deref().map(str::to_owned),
            group: settings.file_group.as_deref().map(str::to_owned),
            restart: settings.restart.as_deref().map(str::to_owned),
            wave: input.depth,
        },
        contents: BTreeMap::new(),
        lines: BTreeMap::new(),
        warnings: composed
            .conflicts
            .iter()
            .map(|conflict| warning(settings, conflict))
            .collect(),
        range: (entry.count > 1).then(|| entry.pattern.to_string()),
    };
    for file in composed.files {
        made.add(file);
    }
    made.warnings.extend(unserved(input, settings));
    if let Some(content) = input.key_file {
        made.add(ConfFile {
            path: settings.keys_file.to_string(),
            content: content.clone(),
            lines: Vec::new(),
            // A daemon that reads the file again has dropped its privileges: it needs the group (chrony loses all
            // keys at a `rekey` that cannot read the file; measured).
            mode: if settings.file_group.is_some() {
                0o640
            } else {
                0o600
            },
            secret: true,
        });
    }
    Ok(made)
}

impl DesiredHost {
    fn add(&mut self, file: ConfFile) {
        let spec = FileSpec {
            digest: Digest::of(file.content.expose()),
            size: file.content.len() as u64,
            mode: file.mode,
            secret: file.secret,
        };
        self.desired.conf.insert(file.path.clone(), spec);
        self.contents.insert(file.path.clone(), file.content);
        if !file.lines.is_empty() {
            self.lines.insert(file.path, file.lines);
        }
    }

    /// Says what the host held in any generation of the vault: what of it is no longer wanted may be retired, and links to
    /// media of groups go with it.
    pub fn once_held<'a>(
        &mut self,
        keysdir: &str,
        files: impl IntoIterator<Item = (&'a Placement, &'a Artifact)>,
    ) {
        let desired = &mut self.desired;
        for (placement, artifact) in files {
            let path = inside(keysdir, &placement.name);
            if !desired.media.contains_key(&path) {
                desired.former.insert(path, artifact.digest);
            }
            if matches!(
                artifact.kind,
                ArtifactKind::ServerKey(_) | ArtifactKind::ClientParameters(_)
            ) {
                let links = placement.links().map(|link| inside(keysdir, link));
                desired
                    .former_links
                    .extend(links.filter(|link| !desired.links.contains_key(link)));
            }
        }
    }

    /// What has to be done on the host.
    pub fn plan(&self, observed: &Observed) -> HostPlan {
        let mut plan = diff(&self.desired, observed, &self.lines);
        plan.warnings.splice(0..0, self.warnings.iter().cloned());
        plan.range.clone_from(&self.range);
        plan
    }
}

fn existing<'a>(
    host: &str,
    settings: &Settings,
    observed: &'a Observed,
) -> Result<Option<Existing<'a>>, ConfError> {
    let Some(file) = observed.files.get(&*settings.conf) else {
        return Ok(None);
    };
    let content = observed
        .conf
        .get(&*settings.conf)
        .ok_or_else(|| ConfError::Unread {
            host: host.to_owned(),
            file: settings.conf.to_string(),
        })?;
    Ok(Some(Existing {
        content,
        mode: file.mode & 0o7777,
    }))
}

fn placed(settings: &Settings, file: &PlacedFile) -> (String, FileSpec) {
    let spec = FileSpec {
        digest: file.digest,
        size: file.size,
        mode: file.mode,
        secret: file.secret,
    };
    (inside(&settings.keysdir, &file.name), spec)
}

fn links(settings: &Settings, media: &[PlacedFile]) -> BTreeMap<String, String> {
    media
        .iter()
        .flat_map(|file| file.links.iter().map(move |link| (link, &file.name)))
        .map(|(link, name)| (inside(&settings.keysdir, link), name.clone()))
        .collect()
}

/// Whose name the host key's link carries: PC members hold the trusted host's.
fn owner(media: &[PlacedFile]) -> Option<&str> {
    media
        .iter()
        .flat_map(|file| &file.links)
        .find_map(|link| link.strip_prefix("ntpkey_host_"))
}

/// Links to keys under names that no line of this host says yet, or no longer says, while a group changes to another name.
fn unread(input: &HostInput<'_>, settings: &Settings) -> BTreeSet<String> {
    let entry = input.inventory.entry(input.host);
    let mut links = BTreeSet::new();
    let mut add =
        |group: GroupId, kind: &dyn Fn(IdentityScheme) -> Option<MediaKind>, used: &dyn Fn(&str) -> bool| {
            let group = input.inventory.group(group);
            if group.next_ident().is_none() {
                return;
            }
            for ident in group.held_idents().filter(|ident| !used(ident)) {
                let kinds = group.identity.iter().filter_map(|&scheme| kind(scheme));
                links.extend(kinds.map(|kind| inside(&settings.keysdir, &kind.link_name(ident))));
            }
        };
    if let Some(group) = entry.group.filter(|_| !input.needs.server_keys.is_empty()) {
        let own = input.needs.crypto_ident.map(|group| input.inventory.group(group));
        let own = own.map(|group| group.ident_of(input.host));
        add(
            group,
            &|scheme| GroupScheme::of(scheme).map(MediaKind::ServerKey),
            &|ident| own == Some(ident),
        );
    }
    for &(group, _) in &input.needs.client_parameters {
        let asks = |line: &Association, ident: &str| {
            needs::line_ident(input.inventory, line).is_some_and(|line| line.group == group)
                && needs::ident(input.inventory.group(group), &line.target) == ident
        };
        add(
            group,
            &|scheme| GroupScheme::of(scheme).map(MediaKind::ClientParameters),
            &|ident| entry.associations.iter().any(|line| asks(line, ident)),
        );
    }
    links
}

/// The names a daemon opens at its start, with the lines it gets, that are not among `links`: left over from a sign key or a
/// role this host no longer has. A left-over server key would make it serve a scheme it must not.
fn absent(
    input: &HostInput<'_>,
    settings: &Settings,
    owner: &str,
    links: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    if !input.needs.autokey {
        return BTreeSet::new();
    }
    // Without `crypto ident` the daemon looks for server keys under the name of `crypto host`.
    let group = input
        .needs
        .crypto_ident
        .map_or(owner, |group| input.inventory.group(group).ident_of(input.host));
    [
        ("host", owner),
        ("sign", owner),
        ("cert", owner),
        ("iffkey", group),
        ("gqkey", group),
        ("mvkey", group),
    ]
    .into_iter()
    .map(|(kind, name)| inside(&settings.keysdir, &format!("ntpkey_{kind}_{name}")))
    .filter(|path| !links.contains_key(path))
    .collect()
}

fn warning(settings: &Settings, conflict: &Conflict) -> String {
    format!(
        "{}:{}: '{}' stands outside keytrail's lines too: {}; remove it, or put what it says into the inventory",
        settings.conf, conflict.line, conflict.command, conflict.effect
    )
}

/// chrony serves nobody it was not told to, and names cannot be told ([`ntpconf::Clients::names`]).
fn unserved(input: &HostInput<'_>, settings: &Settings) -> Option<String> {
    let allows = |line: &str| line.split_ascii_whitespace().next() == Some("allow");
    let clients = input.fleet.clients(input.inventory, input.host).names;
    let first = clients.first()?;
    if settings.extra.iter().any(|line| allows(line)) {
        return None;
    }
    let others = match clients.len() {
        1 => String::new(),
        more => format!(" and {} more", more - 1),
    };
    Some(format!(
        "chrony answers only clients it was told to, and {first}{others} have no address in the inventory; give them one, or this host an `allow` line under ntp_conf"
    ))
}

/// A file of a directory. OpenVMS directories end in `]` or `:` and need no separator.
fn inside(directory: &str, name: &str) -> String {
    if directory.ends_with([']', ':', '/']) {
        format!("{directory}{name}")
    } else {
        format!("{directory}/{name}")
    }
}
