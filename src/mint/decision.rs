//! What has to be made: what there should be, compared with what there is.

use super::error::{Error, Problem};
use super::spec::difference;
use super::work::{FileTask, Make, Place, Recipe, SecretTask, Source, Unit, Why, Work};
use super::{Request, State};
use crate::inventory::HostId;
use crate::media::{Filestamp, MediaKind, MediaName};
use crate::vault::{Artifact, ArtifactId, ArtifactKind, GenerationId, Placement, SecretKind, SecretVersion};
use std::collections::HashMap;

/// How far (seconds) a filestamp may lie ahead of this machine's clock: runs that follow each other within a second
/// each take the next one. More means that the clock is, or was, wrong.
const AHEAD: i64 = 60;

/// A version of a secret that is in force after the work: from the vault, or made by it.
pub(super) struct Version {
    pub(super) since: GenerationId,
    pub(super) stamp: Filestamp,
    pub(super) source: Source,
}

/// A secret as it should be.
pub(super) struct DesiredSecret {
    pub(super) kind: SecretKind,
    pub(super) owner: Box<str>,
    pub(super) spec: Box<str>,
    pub(super) make: Make,
    /// The host it belongs to; `None`: to no single one.
    pub(super) host: Option<HostId>,
}

/// A file a host should hold.
pub(super) struct DesiredFile {
    pub(super) kind: ArtifactKind,
    pub(super) media: MediaKind,
    pub(super) owner: Box<str>,
    pub(super) stamp: Filestamp,
    pub(super) spec: Box<str>,
    pub(super) links: Vec<String>,
    pub(super) recipe: Recipe,
    /// The host it is made with; `None`: made once for all.
    pub(super) maker: Option<HostId>,
}

type FileKey = (ArtifactKind, Box<str>, Box<str>);

/// What has been decided so far.
pub(super) struct Decision<'r, 's> {
    request: Request<'r>,
    state: &'s State,
    pub(super) problems: Vec<Problem>,
    pub(super) stamp: Filestamp,
    next: GenerationId,
    /// Every secret that is needed: the version in the vault, or `None` for one that is made.
    secrets: HashMap<(SecretKind, Box<str>), Option<&'s SecretVersion>>,
    /// Files some host holds that are still good.
    held: HashMap<(ArtifactKind, &'s str, &'s str), &'s Artifact>,
    /// Names of the files that hosts held which are not in the inventory: the machine may be there under another name.
    former: HashMap<&'s str, Vec<ArtifactId>>,
    /// Files to be made: number in `shared`, or unit and number in its files.
    made: HashMap<FileKey, (Option<usize>, usize)>,
    units: HashMap<Box<str>, usize>,
    work: Work,
}

impl<'r, 's> Decision<'r, 's> {
    pub(super) fn new(request: Request<'r>, state: &'s State) -> Result<Self, Error> {
        let snapshot = &state.snapshot;
        let clock = |what: String| {
            Error::Impossible(vec![Problem::new(
                "this machine's clock",
                what,
                "set the clock; if it was wrong when the vault was written, restore the vault from before that",
            )])
        };
        let now = Filestamp::from_unix(request.now).map_err(|error| clock(error.to_string()))?;
        let stamp = match snapshot.last_filestamp {
            // Stays below 2^32: stamps further ahead than AHEAD are refused next.
            Some(last) if last >= now => Filestamp(last.0.saturating_add(1)),
            _ => now,
        };
        if stamp.unix() > request.now.saturating_add(AHEAD) {
            return Err(clock(format!(
                "the vault has media stamped {}, which is in the future; new media must be later than those, and would not be valid yet",
                stamp.date()
            )));
        }
        let mut held = HashMap::new();
        let mut former: HashMap<&str, Vec<ArtifactId>> = HashMap::new();
        for host in snapshot.hosts() {
            if request.inventory.find(host).is_none() {
                for (placement, artifact) in snapshot.ever(host) {
                    former.entry(&placement.name).or_default().push(artifact.id);
                }
            }
            for (_, artifact) in snapshot.files(host) {
                if still_valid(&request, artifact) {
                    held.insert((artifact.kind, &*artifact.owner, &*artifact.spec), artifact);
                }
            }
        }
        Ok(Self {
            request,
            state,
            problems: Vec::new(),
            stamp,
            next: GenerationId(snapshot.generation.map_or(1, |last| last.0 + 1)),
            secrets: HashMap::new(),
            held,
            former,
            made: HashMap::new(),
            units: HashMap::new(),
            work: Work {
                base: snapshot.generation,
                stamp,
                now: request.now,
                common: Vec::new(),
                shared: Vec::new(),
                units: Vec::new(),
                moved: Vec::new(),
                ended: Vec::new(),
                ended_secrets: Vec::new(),
            },
        })
    }

    pub(super) fn is_decided(&self, kind: SecretKind, owner: &str) -> bool {
        self.secrets.contains_key(&(kind, owner.into()))
    }

    /// The version of a secret that fits: the one in force, if it does, else a new one.
    pub(super) fn secret(&mut self, want: DesiredSecret) -> Version {
        let kept = self.state.snapshot.secret(want.kind, &want.owner);
        let asked = self.request.anew.contains(&(want.kind, want.owner.clone()));
        let fits = kept.filter(|version| !asked && self.fits(&want, version));
        let name = (want.kind, want.owner.clone());
        let first = self.secrets.insert(name, fits).is_none();
        let version = Version {
            since: fits.map_or(self.next, |version| version.since),
            stamp: fits.and_then(|version| version.filestamp).unwrap_or(self.stamp),
            source: Source {
                kind: want.kind,
                owner: want.owner.clone(),
                kept: fits.map(|version| version.id),
            },
        };
        if first && fits.is_none() {
            let why = match kept {
                None => Why::Missing,
                Some(_) if asked => Why::Asked,
                Some(kept) => changed(&kept.spec, &want.spec),
            };
            let has_stamp = !matches!(want.kind, SecretKind::Password | SecretKind::Symmetric);
            let task = SecretTask {
                kind: want.kind,
                owner: want.owner,
                filestamp: has_stamp.then_some(self.stamp),
                spec: want.spec,
                make: want.make,
                why,
            };
            match want.host {
                Some(host) => {
                    let unit = self.unit(&self.request.inventory.host(host).name);
                    self.work.units[unit].secrets.push(task);
                }
                None => self.work.common.push(task),
            }
        }
        version
    }

    /// Given values fit if they are the same value, whatever was said of where they come from.
    fn fits(&self, want: &DesiredSecret, version: &SecretVersion) -> bool {
        let same = |values: &HashMap<Box<str>, _>, given| values.get(&want.owner) == Some(given);
        match (&want.make, want.kind) {
            (Make::Given(given), SecretKind::Password) => same(&self.state.passwords, given),
            (Make::Given(given), SecretKind::Symmetric) => {
                same(&self.state.symmetric, given) && version.spec == want.spec
            }
            _ => version.spec == want.spec,
        }
    }

    /// Compares what a host should hold with what it holds.
    pub(super) fn compare(&mut self, host: &str, wants: Vec<DesiredFile>) {
        let mut current: Vec<_> = self.state.snapshot.files(host).collect();
        for want in wants {
            let same = current
                .iter()
                .position(|(_, artifact)| artifact.kind == want.kind && artifact.owner == want.owner);
            let held = same.map(|at| current.swap_remove(at));
            let fits = held
                .filter(|(_, artifact)| artifact.spec == want.spec && still_valid(&self.request, artifact));
            if let Some((placement, artifact)) = fits {
                if placement.links().eq(want.links.iter().map(String::as_str)) {
                    continue;
                }
                self.work.ended.push(placement.id);
                let place = Place {
                    host: host.into(),
                    name: placement.name.to_string(),
                    links: want.links,
                };
                self.work.moved.push((place, artifact.id));
                continue;
            }
            self.work.ended.extend(held.map(|(placement, _)| placement.id));
            self.place(host, want, held);
        }
        let gone = current.into_iter().map(|(placement, _)| placement.id);
        self.work.ended.extend(gone);
    }

    /// Puts a file on a host: one that somebody holds, one that is made already, or a new one.
    fn place(&mut self, host: &str, want: DesiredFile, before: Option<(&Placement, &Artifact)>) {
        let existing = self.held.get(&(want.kind, &*want.owner, &*want.spec)).copied();
        let stamp = existing.map_or(want.stamp, |artifact| artifact.filestamp);
        let base = match MediaName::new(want.media, &*want.owner, stamp) {
            Ok(name) => name.to_string(),
            Err(error) => {
                self.problems.push(Problem::media(host, &error));
                return;
            }
        };
        let place = Place {
            host: host.into(),
            name: self.free_name(host, base, existing.map(|artifact| artifact.id)),
            links: want.links,
        };
        if let Some(artifact) = existing {
            self.work.moved.push((place, artifact.id));
            return;
        }
        let key = (want.kind, want.owner, want.spec);
        if let Some(&(unit, at)) = self.made.get(&key) {
            let files = match unit {
                Some(unit) => &mut self.work.units[unit].files,
                None => &mut self.work.shared,
            };
            files[at].places.push(place);
            return;
        }
        let why = match before {
            None => Why::Missing,
            Some((_, artifact)) if *artifact.spec != *key.2 => changed(&artifact.spec, &key.2),
            Some((_, artifact)) => Why::Expires(artifact.not_after.unwrap_or_default()),
        };
        let unit = want
            .maker
            .map(|maker| self.unit(&self.request.inventory.host(maker).name));
        let files = match unit {
            Some(unit) => &mut self.work.units[unit].files,
            None => &mut self.work.shared,
        };
        files.push(FileTask {
            kind: want.kind,
            media: want.media,
            owner: key.1.clone(),
            stamp,
            spec: key.2.clone(),
            recipe: want.recipe,
            places: vec![place],
            why,
        });
        let at = files.len() - 1;
        self.made.insert(key, (unit, at));
    }

    /// A name that never stood for another content on this host, whatever it was called then: files there are never overwritten.
    fn free_name(&self, host: &str, base: String, artifact: Option<ArtifactId>) -> String {
        let mut ever = self.state.snapshot.ever(host);
        let former = self.former.get(&*base);
        if ever.any(|(placement, _)| *placement.name == *base && Some(placement.artifact) != artifact)
            || former.is_some_and(|former| former.iter().any(|&id| Some(id) != artifact))
        {
            format!("{base}-g{}", self.next)
        } else {
            base
        }
    }

    fn unit(&mut self, host: &str) -> usize {
        let units = &mut self.work.units;
        *self.units.entry(host.into()).or_insert_with(|| {
            units.push(Unit {
                host: host.into(),
                secrets: Vec::new(),
                files: Vec::new(),
            });
            units.len() - 1
        })
    }

    pub(super) fn finish(mut self) -> Result<Work, Error> {
        if !self.problems.is_empty() {
            return Err(Error::Impossible(self.problems));
        }
        for kind in SecretKind::ALL {
            let mut gone: Vec<Box<str>> = self
                .state
                .snapshot
                .owners(kind)
                .filter(|owner| !self.secrets.contains_key(&(kind, (*owner).into())))
                .map(Into::into)
                .collect();
            gone.sort_unstable();
            let gone = gone.into_iter().map(|owner| (kind, owner));
            self.work.ended_secrets.extend(gone);
        }
        Ok(self.work)
    }
}

fn still_valid(request: &Request<'_>, artifact: &Artifact) -> bool {
    let asked = request
        .renewing
        .is_none_or(|owners| owners.contains(&artifact.owner));
    let until = if asked { request.renew_until } else { request.now };
    artifact.not_after.is_none_or(|end| end > until)
}

fn changed(old: &str, new: &str) -> Why {
    let words = difference(old, new);
    // A given value has changed, of which nothing is shown.
    Why::Changed(if words.is_empty() {
        "another value".into()
    } else {
        words
    })
}
