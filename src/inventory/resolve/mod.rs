//! From what was written to the model: defaults applied, ranges expanded, references looked up.

mod associations;
mod check;
mod directory;
mod groups;
mod layer;
mod rules;
mod settings;

use super::draft::{Draft, DraftHost};
use super::model::{EntryId, GroupId, Host, HostEntry, HostId, Inventory, Source};
use super::range::{MAX_HOSTS, Pattern};
use super::raw::{OneOrMany, RawClock, RawHost};
use super::suggest::closest;
use crate::finding::{Finding, Place, Step};
use associations::Associations;
use hashbrown::HashMap;
use settings::Layers;

/// Resolves a draft; all problems, the draft's own included, if there are any.
pub fn resolve(draft: Draft, sources: &[Source]) -> Result<Inventory, Vec<Finding>> {
    let mut resolver = Resolver::new(draft, sources);
    resolver.hosts();
    if !resolver.draft.incomplete {
        resolver.groups();
        resolver.entries();
        resolver.keys();
        resolver.rules();
    }
    if resolver.draft.problems.is_empty() {
        Ok(resolver.inventory)
    } else {
        Err(resolver.draft.problems)
    }
}

/// The work in progress.
struct Resolver<'s> {
    draft: Draft,
    sources: &'s [Source],
    inventory: Inventory,
    /// Groups by name.
    by_group: HashMap<Box<str>, GroupId>,
    /// Servers of external groups by name.
    external: HashMap<Box<str>, (GroupId, u32)>,
    /// Names that were looked for and not found, with what was suggested: looking is slow among many hosts.
    suggested: HashMap<Box<str>, Option<String>>,
}

impl<'s> Resolver<'s> {
    fn new(mut draft: Draft, sources: &'s [Source]) -> Self {
        if !draft.version && !draft.incomplete {
            let place = Place::Line {
                source: crate::finding::SourceId(0),
                line: 1,
                column: 1,
                len: 1,
            };
            draft.problems.push(
                Finding::error("missing-field", "the inventory does not say its version")
                    .at(place, "")
                    .help("begin it with `version: 1`"),
            );
        }
        Self {
            draft,
            sources,
            inventory: Inventory::default(),
            by_group: HashMap::new(),
            external: HashMap::new(),
            suggested: HashMap::new(),
        }
    }

    fn problem(&mut self, finding: Finding) {
        self.draft.problems.push(finding);
    }

    /// Expands the names of all entries. An entry that is wrong gets no hosts.
    fn hosts(&mut self) {
        let mut hosts = std::mem::take(&mut self.draft.hosts);
        let mut total = 0_u64;
        hosts.retain(|host| self.plausible(host, &mut total));
        if total > MAX_HOSTS {
            return;
        }
        let total = usize::try_from(total).unwrap_or_default();
        self.inventory.hosts.reserve_exact(total);
        self.inventory.entries.reserve_exact(hosts.len());
        // Where no entry is a range, and all are of one file, the entries' names are the hosts'. A range may be of one host.
        let known = std::mem::take(&mut self.draft.patterns);
        let is_known =
            [hosts.len(), total] == [known.len(); 2] && !hosts.iter().any(|host| host.pattern.contains('['));
        if is_known {
            self.inventory.by_name = known;
        } else {
            self.inventory.by_name.reserve(total, |_| "");
        }
        for host in &mut hosts {
            self.expand(host, is_known);
        }
        self.draft.hosts = hosts;
    }

    /// Checks a name without expanding it, and counts its hosts.
    fn plausible(&mut self, host: &DraftHost, total: &mut u64) -> bool {
        let place = || {
            let path = vec![Step::from("hosts"), Step::Key(host.pattern.clone())];
            Place::key(host.source, path)
        };
        let finding = match Pattern::parse(&host.pattern) {
            Err(error) => Finding::error("range-invalid", error.to_string())
                .at(place(), "")
                .help("a range is written `leaf[001-250]`; as a key put it in quotes"),
            Ok(pattern) if !check::is_name(pattern.literals(), pattern.ranges()) => {
                check::bad_name("host", &host.pattern).at(place(), "")
            }
            Ok(pattern) => {
                let before = *total;
                *total = total.saturating_add(pattern.count());
                if *total <= MAX_HOSTS || before > MAX_HOSTS {
                    return *total <= MAX_HOSTS;
                }
                let message = format!("with this an inventory has more than {MAX_HOSTS} hosts");
                Finding::error("range-too-large", message)
                    .at(
                        place(),
                        if pattern.count() == 1 {
                            "one host more".to_owned()
                        } else {
                            format!("{} hosts", pattern.count())
                        },
                    )
                    .help("check the numbers of the range, or split the fleet into several inventories")
            }
        };
        self.problem(finding);
        self.draft.incomplete = true;
        false
    }

    /// Makes an entry and its hosts; their names are all different where they are `known`. The pattern moves to the entry.
    fn expand(&mut self, host: &mut DraftHost, known: bool) {
        let entry = EntryId(number(self.inventory.entries.len()));
        let first = number(self.inventory.hosts.len());
        let mut twice = None;
        let pattern = Pattern::parse(&host.pattern).expect("only plausible patterns are expanded");
        pattern.for_each(|name| {
            let id = HostId(number(self.inventory.hosts.len()));
            let Inventory { hosts, by_name, .. } = &mut self.inventory;
            hosts.push(Host {
                name: name.into(),
                entry,
            });
            if known {
                return;
            }
            if let Some(other) = by_name.insert(id.0, |host| &hosts[host as usize].name) {
                twice.get_or_insert((Box::<str>::from(name), HostId(other)));
            }
        });
        let resolved = HostEntry {
            pattern: std::mem::take(&mut host.pattern),
            source: host.source,
            first: HostId(first),
            count: number(self.inventory.hosts.len()) - first,
            group: None,
            address: None,
            associations: Vec::new(),
            broadcast_client: false,
            reference_clock: None,
            tags: Vec::new(),
            settings: Layers::none(),
        };
        if let Some((name, other)) = twice {
            let finding = Finding::error("duplicate-host", format!("host '{name}' is defined twice"))
                .at(resolved.place(&[]), "defined again here")
                .at(self.inventory.entry(other).place(&[]), "first defined here")
                .help("remove one of them, or narrow the range");
            self.problem(finding);
        }
        self.inventory.entries.push(resolved);
    }

    /// Fills in the entries, now that every name is known.
    fn entries(&mut self) {
        let mut layers = Layers::new(&mut self.draft, self.sources);
        for (at, host) in std::mem::take(&mut self.draft.hosts).into_iter().enumerate() {
            let DraftHost {
                pattern: _,
                source,
                host,
                settings,
                span: _,
            } = host;
            let RawHost {
                group,
                address,
                servers,
                peers,
                broadcast,
                broadcastclient,
                reference_clock,
                tags,
            } = host;
            let pattern = &self.inventory.entries[at].pattern;
            let base = [Step::from("hosts"), Step::Key(pattern.clone())];
            let group =
                group.and_then(|name| self.group_named(&name, source, &[&base[..], &[Step::from("group")]]));
            let resolved = layers.of_host(&mut self.draft.problems, group, source, &base, settings);
            let lists = Associations {
                servers,
                peers,
                broadcast,
                defaults: resolved.association,
            };
            let associations = self.associations(lists, group, source, &base);
            if let Some(address) = &address
                && !check::is_address(address)
            {
                self.problem(check::bad_value(
                    "an address",
                    address,
                    source,
                    &base,
                    &["address"],
                ));
            }
            let reference_clock = match reference_clock {
                Some(RawClock::Lines(lines)) => Some(self.lines(lines, source, &base, "reference_clock")),
                Some(RawClock::Present) => Some(Vec::new()),
                Some(RawClock::Absent) | None => None,
            };
            let entry = &mut self.inventory.entries[at];
            entry.group = group;
            entry.address = address;
            entry.associations = associations;
            entry.broadcast_client = broadcastclient.unwrap_or_default();
            entry.reference_clock = reference_clock;
            entry.tags = tags.map(|OneOrMany(tags)| tags).unwrap_or_default();
            entry.settings = resolved.settings;
        }
    }

    /// Configuration lines, each of which must be one.
    fn lines(
        &mut self,
        lines: Vec<String>,
        source: crate::finding::SourceId,
        base: &[Step],
        field: &str,
    ) -> Vec<String> {
        if let Some(bad) = lines.iter().find(|line| !check::is_line(line)) {
            self.problem(check::bad_value(
                "one line of the configuration",
                bad,
                source,
                base,
                &[field],
            ));
        }
        lines
    }

    /// Looks a group up; what does not exist is a problem.
    fn group_named(
        &mut self,
        name: &str,
        source: crate::finding::SourceId,
        path: &[&[Step]],
    ) -> Option<GroupId> {
        if let Some(&id) = self.by_group.get(name) {
            return Some(id);
        }
        let mut finding = Finding::error(
            "unknown-group",
            format!("there is no group '{}'", super::yaml::clip(name)),
        )
        .at(Place::value(source, path.concat()), "");
        let groups: Vec<_> = self.inventory.groups.iter().map(|group| &*group.name).collect();
        finding = match closest(name, groups.iter().copied()) {
            Some(near) => finding.help(format!("did you mean '{near}'?")),
            None if groups.is_empty() => finding.help("define it under `groups`"),
            None => finding.help(format!(
                "define it under `groups`, or use {}",
                super::yaml::one_of(&groups)
            )),
        };
        self.problem(finding);
        None
    }

    /// Looks a host up; what does not exist is a problem.
    fn host_named(&mut self, name: &str, place: impl FnOnce() -> Place) -> Option<HostId> {
        let found = self.inventory.find(name);
        if found.is_none() {
            let finding = self.unknown_host(name, place());
            self.problem(finding);
        }
        found
    }

    fn unknown_host(&mut self, name: &str, place: Place) -> Finding {
        /// Beyond so many different names nobody reads suggestions, and each costs a pass over all hosts.
        const SUGGESTIONS: usize = 20;
        let shown = super::yaml::clip(name);
        let finding = Finding::error("unknown-host", format!("there is no host '{shown}'")).at(place, "");
        if !self.suggested.contains_key(name) {
            let near = if self.suggested.len() < SUGGESTIONS {
                let hosts = self.inventory.hosts.iter().map(|host| &*host.name);
                closest(name, hosts.chain(self.external.keys().map(|name| &**name)))
            } else {
                None
            };
            self.suggested.insert(name.into(), near.map(str::to_owned));
        }
        match self.suggested.get(name).and_then(Option::as_ref) {
            Some(near) => finding.help(format!("did you mean '{near}'?")),
            None => finding
                .help("define it under `hosts`; for a server outside the inventory write `{ address: … }`"),
        }
    }
}

/// A count as the number of a host, entry or group; the loader keeps all of them under four billion.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
