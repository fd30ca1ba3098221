//! The `servers`, `peers` and `broadcast` lists.

use super::{Resolver, check};
use crate::finding::{Finding, Place, SourceId, Step};
use crate::inventory::model::{Association, Auth, GroupId, Mode, Target};
use crate::inventory::range::Pattern;
use crate::inventory::raw::{
    OneOrMany, RawAssociation, RawAssociationDefaults, RawAssociationFields, RawAuth, RawTarget,
};

/// The lists of one entry.
pub struct Associations {
    pub servers: Option<OneOrMany<RawAssociation>>,
    pub peers: Option<OneOrMany<RawAssociation>>,
    pub broadcast: Option<OneOrMany<RawAssociation>>,
    pub defaults: RawAssociationDefaults,
}

/// More servers than this on one line are a slip of the pen.
const MOST_OF_A_RANGE: u64 = 1000;

impl Resolver<'_> {
    /// Resolves the lists of an entry.
    pub fn associations(
        &mut self,
        lists: Associations,
        group: Option<GroupId>,
        source: SourceId,
        base: &[Step],
    ) -> Vec<Association> {
        let Associations {
            servers,
            peers,
            broadcast,
            defaults,
        } = lists;
        let list =
            |list: Option<OneOrMany<RawAssociation>>| list.map(|OneOrMany(items)| items).unwrap_or_default();
        let lists = [
            (Mode::Server, list(servers)),
            (Mode::Peer, list(peers)),
            (Mode::Broadcast, list(broadcast)),
        ];
        let mut found = Vec::with_capacity(lists.iter().map(|(_, items)| items.len()).sum());
        for (mode, items) in lists {
            for (index, raw) in items.into_iter().enumerate() {
                let line = Line {
                    mode,
                    index: super::number(index),
                    group,
                    defaults: &defaults,
                    source,
                    base,
                };
                self.association(&line, raw, &mut found);
            }
        }
        found
    }

    fn association(&mut self, line: &Line<'_>, raw: RawAssociation, found: &mut Vec<Association>) {
        let fields = raw.more.map(|fields| *fields).unwrap_or_default();
        self.check_fields(line, &fields);
        match raw.target {
            RawTarget::Address(address) => {
                if !check::is_address(&address) {
                    self.problem(line.bad_value("an address", &address, &["address"]));
                }
                found.push(line.association(Target::Address(address), fields));
            }
            RawTarget::Host(name) if line.mode == Mode::Broadcast => {
                if !check::is_address(&name) {
                    self.problem(line.bad_value("a broadcast address", &name, &[]));
                }
                found.push(line.association(Target::Address(name), fields));
            }
            RawTarget::Host(name) => self.hosts_of(line, &name, &fields, found),
        }
    }

    /// A host, an external server, or a range of hosts.
    fn hosts_of(
        &mut self,
        line: &Line<'_>,
        name: &str,
        fields: &RawAssociationFields,
        found: &mut Vec<Association>,
    ) {
        // A mapping that says nothing but `host` is located just as well at the item.
        let bare = *fields == RawAssociationFields::default();
        let below: &[&str] = if bare { &[] } else { &["host"] };
        let pattern = match Pattern::parse(name) {
            Ok(pattern) if pattern.count() <= MOST_OF_A_RANGE => pattern,
            Ok(pattern) => {
                let finding = Finding::error(
                    "range-too-large",
                    format!(
                        "{} associations in one range; {MOST_OF_A_RANGE} is the most",
                        pattern.count()
                    ),
                );
                self.problem(
                    finding
                        .at(line.place(below), "")
                        .help("a daemon needs a handful of servers"),
                );
                return;
            }
            Err(error) => {
                let finding = Finding::error("range-invalid", error.to_string());
                self.problem(
                    finding
                        .at(line.place(below), "")
                        .help("a range is written `core[1-4]`"),
                );
                return;
            }
        };
        let mut all_known = true;
        pattern.for_each(|name| {
            if !all_known {
                return;
            }
            let target = match self.external.get(name) {
                Some(&(group, server)) => Some(Target::External(group, server)),
                None => self.host_named(name, || line.place(below)).map(Target::Host),
            };
            match target {
                Some(target) => found.push(line.association(target, fields.clone())),
                None => all_known = false,
            }
        });
    }

    fn check_fields(&mut self, line: &Line<'_>, fields: &RawAssociationFields) {
        for (field, exponent) in [("minpoll", fields.minpoll), ("maxpoll", fields.maxpoll)] {
            if let Some(exponent) = exponent.filter(|exponent| !check::POLL.contains(exponent)) {
                self.problem(line.bad_value(check::POLL_WORDS, &exponent.to_string(), &[field]));
            }
        }
        if let (Some(min), Some(max)) = (fields.minpoll, fields.maxpoll)
            && min > max
        {
            let expected = format!("a maxpoll of at least the minpoll {min}");
            self.problem(line.bad_value(&expected, &max.to_string(), &["maxpoll"]));
        }
        if let Some(ident) = fields.ident.as_ref().filter(|ident| !check::is_word(ident)) {
            self.problem(line.bad_value("the name of a group", ident, &["ident"]));
        }
        if let Some(OneOrMany(options)) = &fields.options
            && let Some(bad) = options
                .iter()
                .find(|option| option.split(' ').any(|word| !check::is_word(word)))
        {
            self.problem(line.bad_value("words of an association line", bad, &["options"]));
        }
    }
}

/// What the associations of one list item have in common.
struct Line<'a> {
    mode: Mode,
    index: u32,
    group: Option<GroupId>,
    defaults: &'a RawAssociationDefaults,
    source: SourceId,
    base: &'a [Step],
}

impl Line<'_> {
    fn path(&self) -> Vec<Step> {
        let mut path = self.base.to_vec();
        path.extend([Step::from(self.mode.list()), Step::Index(self.index)]);
        path
    }

    fn place(&self, below: &[&str]) -> Place {
        let mut path = self.path();
        path.extend(below.iter().map(|&key| Step::from(key)));
        Place::value(self.source, path)
    }

    fn bad_value(&self, expected: &str, found: &str, below: &[&str]) -> Finding {
        check::bad_value(expected, found, self.source, &self.path(), below)
    }

    fn association(&self, target: Target, fields: RawAssociationFields) -> Association {
        let autokey = match target {
            Target::Host(_) | Target::External(..) => self.group.is_some(),
            // A broadcast of a group's member is never silently unauthenticated.
            Target::Address(_) => {
                fields.ident.is_some() || self.mode == Mode::Broadcast && self.group.is_some()
            }
        };
        let plain_on_purpose = fields.key.is_none() && fields.auth == Some(RawAuth::None);
        let auth = match (fields.key, fields.auth, self.defaults.key) {
            (Some(key), ..) | (None, None, Some(key)) => Auth::Key(key),
            (None, Some(RawAuth::Autokey), _) => Auth::Autokey,
            (None, None, None) if autokey => Auth::Autokey,
            (None, Some(RawAuth::None), _) | (None, None, None) => Auth::None,
        };
        // A volley is for clients; on other lines it has to be asked for.
        let client = self.mode == Mode::Server;
        let usual = RawAssociationDefaults {
            iburst: self.defaults.iburst.filter(|_| client),
            ..self.defaults.clone()
        };
        Association {
            mode: self.mode,
            target,
            auth,
            plain_on_purpose,
            iburst: fields.iburst.or(usual.iburst).unwrap_or_default(),
            minpoll: fields.minpoll.or(usual.minpoll),
            maxpoll: fields.maxpoll.or(usual.maxpoll),
            prefer: fields.prefer.unwrap_or_default(),
            ident: fields.ident,
            options: fields
                .options
                .map(|OneOrMany(options)| options)
                .unwrap_or_default(),
            index: self.index,
        }
    }
}
