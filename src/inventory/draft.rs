//! What the files say, read but not yet resolved. Everything that is wrong so far is in `problems`.

use super::model::{Policy, Source};
use super::names::Names;
use super::raw::{RawFindingRule, RawGroup, RawHost, RawPolicy, RawSettings, RawSymmetricKey, RawThresholds};
use super::yaml::{self, NodeId, Span, Tree, Visit, Walked};
use crate::finding::{Finding, Place, SourceId, Step};
use indexmap::IndexMap;
use std::sync::Arc;
use zeroize::Zeroize as _;

/// Sections of an inventory.
pub const SECTIONS: [&str; 8] = [
    "version",
    "defaults",
    "groups",
    "hosts",
    "symmetric_keys",
    "findings",
    "policy",
    "x-…",
];

/// The sections of all files together.
#[derive(Debug, Default)]
pub struct Draft {
    /// Whether some file says a version.
    pub version: bool,
    /// `defaults`, with where it stands.
    pub defaults: Option<Defaults>,
    /// `groups` by name.
    pub groups: IndexMap<Box<str>, DraftGroup>,
    /// `hosts` in the order written.
    pub hosts: Vec<DraftHost>,
    /// `symmetric_keys` of the top level by id.
    pub keys: Vec<(SourceId, Box<str>, RawSymmetricKey)>,
    /// `findings`, with their number in the list.
    pub findings: Vec<(SourceId, usize, RawFindingRule)>,
    /// `policy`.
    pub policies: Vec<(Policy, Place)>,
    /// The threshold of `expiring` in `policy`, days.
    pub expiring: Option<(u16, Place)>,
    /// What is wrong so far.
    pub problems: Vec<Finding>,
    /// Something could not be read, so that a name that is not there may be no mistake.
    pub incomplete: bool,
    /// Entries of `hosts` in the file being read: numbers in `hosts`.
    pub patterns: Names,
}

/// `defaults`.
#[derive(Debug)]
pub struct Defaults {
    /// Where it stands.
    pub source: SourceId,
    /// Its key.
    pub span: Span,
    /// What it says.
    pub settings: Box<RawSettings>,
}

/// A group.
#[derive(Debug)]
pub struct DraftGroup {
    /// Where it stands.
    pub source: SourceId,
    /// Its key.
    pub span: Span,
    /// Its own fields.
    pub group: RawGroup,
    /// What it sets for its hosts.
    pub settings: Option<Box<RawSettings>>,
}

/// An entry of `hosts`.
#[derive(Debug)]
pub struct DraftHost {
    /// Its key: a name or a range.
    pub pattern: Box<str>,
    /// Where it stands.
    pub source: SourceId,
    /// Its key.
    pub span: Span,
    /// Its own fields.
    pub host: RawHost,
    /// What it sets for itself.
    pub settings: Option<Box<RawSettings>>,
}

impl Draft {
    /// Adds a file. What is left of it for later is the positions of its secrets.
    pub fn add(&mut self, source: SourceId, text: &str) -> (Vec<std::ops::Range<usize>>, bool) {
        /// A short host written out. Room that is not needed is hardly touched and costs next to nothing, while lists
        /// that grow by copying take half as much memory again.
        const CHARACTERS_OF_A_HOST: usize = 80;
        self.patterns.clear();
        self.hosts.reserve(text.len() / CHARACTERS_OF_A_HOST);
        self.patterns.reserve(text.len() / CHARACTERS_OF_A_HOST, |_| "");
        let Walked {
            problems,
            fatal,
            secrets,
        } = yaml::walk(text, source, self);
        let whole = fatal.is_none();
        self.incomplete |= !whole;
        self.problems.extend(problems);
        self.problems.extend(fatal);
        (secrets, whole)
    }

    /// Keeps what could be read; what could not is a problem.
    fn keep<T>(&mut self, read: Result<T, Finding>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(finding) => {
                self.problems.push(finding);
                self.incomplete = true;
                None
            }
        }
    }

    /// Whether `hosts` has this key in the file being read.
    fn is_written(&self, pattern: &str) -> bool {
        let name_of = |host: u32| &*self.hosts[host as usize].pattern;
        self.patterns.find(pattern, name_of).is_some()
    }

    fn version(&mut self, tree: &Tree<'_>, value: NodeId) {
        self.version = true;
        match yaml::read::<u32>(tree, value) {
            Ok(1) => {}
            Ok(other) => self.problems.push(
                Finding::error(
                    "version-unsupported",
                    format!("this keytrail reads version 1, not {other}"),
                )
                .at(tree.node(value).span.place(tree.source), "")
                .help("write `version: 1`, or use a newer keytrail"),
            ),
            Err(finding) => self.problems.push(finding),
        }
    }

    fn defaults(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId) {
        let Some(settings) = self.keep(yaml::read::<RawSettings>(tree, value)) else {
            return;
        };
        let span = tree.node(key).span;
        match &self.defaults {
            None => {
                self.defaults = Some(Defaults {
                    source: tree.source,
                    span,
                    settings: Box::new(settings),
                });
            }
            Some(first) if *first.settings == settings => {}
            Some(first) => self.problems.push(
                Finding::error(
                    "duplicate-defaults",
                    "'defaults' is given in two files, and they differ",
                )
                .at(span.place(tree.source), "given again here")
                .at(first.span.place(first.source), "first given here")
                .help("keep one of them, or move the difference to groups and hosts"),
            ),
        }
    }

    fn groups(&mut self, tree: &Tree<'_>, value: NodeId) {
        if !self.is_mapping(tree, value) {
            return;
        }
        for pair in tree.entries(value).chunks_exact(2) {
            let Some(name) = self.keep(yaml::read::<Box<str>>(tree, pair[0])) else {
                continue;
            };
            let span = tree.node(pair[0]).span;
            if let Some(first) = self.groups.get(&name) {
                // In one file it is a duplicate key, which the tree has reported.
                if first.source != tree.source {
                    self.problems.push(
                        Finding::error(
                            "duplicate-group",
                            format!("group '{name}' is defined in two files"),
                        )
                        .at(span.place(tree.source), "defined again here")
                        .at(first.span.place(first.source), "first defined here")
                        .help("keep one of them"),
                    );
                }
                continue;
            }
            let read = self.keep(yaml::read_both::<RawGroup, RawSettings>(tree, pair[1]));
            let (group, settings) = read.unwrap_or_default();
            self.groups.insert(
                name,
                DraftGroup {
                    source: tree.source,
                    span,
                    group,
                    settings,
                },
            );
        }
    }

    /// Reports what should be a mapping and is not.
    fn is_mapping(&mut self, tree: &Tree<'_>, value: NodeId) -> bool {
        self.keep(yaml::mapping(tree, value)).is_some()
    }

    fn keys(&mut self, tree: &Tree<'_>, value: NodeId) {
        let read = self.keep(yaml::read::<IndexMap<Box<str>, RawSymmetricKey>>(tree, value));
        for (id, key) in read.unwrap_or_default() {
            self.keys.push((tree.source, id, key));
        }
    }

    fn finding_rules(&mut self, tree: &Tree<'_>, value: NodeId) {
        let yaml::Content::Sequence(items) = &tree.node(tree.resolve(value)).content else {
            self.keep(yaml::read::<Vec<RawFindingRule>>(tree, value));
            return;
        };
        for (i, &item) in tree.items(items).iter().enumerate() {
            if let Some(rule) = self.keep(yaml::read::<RawFindingRule>(tree, item)) {
                self.findings.push((tree.source, i, rule));
            }
        }
    }

    fn policies(&mut self, tree: &Tree<'_>, value: NodeId) {
        let policy = || vec![Step::from("policy")];
        let yaml::Content::Sequence(items) = &tree.node(tree.resolve(value)).content else {
            self.policy(tree, value, policy());
            return;
        };
        for (i, &item) in tree.items(items).iter().enumerate() {
            self.policy(tree, item, [policy(), vec![Step::from(i)]].concat());
        }
    }

    fn policy(&mut self, tree: &Tree<'_>, value: NodeId, path: Vec<Step>) {
        let place = Place::value(tree.source, path);
        match self.keep(yaml::read::<RawPolicy>(tree, value)) {
            None => {}
            Some(RawPolicy::Named(policy)) => self.policies.push((policy, place)),
            Some(RawPolicy::Thresholds(RawThresholds { expiring })) => match &self.expiring {
                None => self.expiring = Some((expiring.0, place)),
                Some((days, first)) => {
                    let again = format!("`expiring` is {days} days already");
                    self.problems.push(
                        Finding::error("value-invalid", again)
                            .at(place, "")
                            .at(first.clone(), "here")
                            .help("say it once: it holds for the whole inventory"),
                    );
                }
            },
        }
    }
}

impl Visit for Draft {
    fn masks(&self) -> bool {
        true
    }

    fn section(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId) {
        match tree.text(key).unwrap_or_default() {
            "version" => self.version(tree, value),
            "defaults" => self.defaults(tree, key, value),
            "groups" => self.groups(tree, value),
            "hosts" => {
                if self.is_mapping(tree, value) {
                    for pair in tree.entries(value).chunks_exact(2) {
                        self.host(tree, pair[0], pair[1]);
                    }
                }
            }
            "symmetric_keys" => self.keys(tree, value),
            "findings" => self.finding_rules(tree, value),
            "policy" => self.policies(tree, value),
            // Free for anchors and other tools.
            name if name.starts_with("x-") => {}
            name => self.problems.push(
                Finding::error(
                    "unknown-field",
                    format!("there is no section '{}'", yaml::clip(name)),
                )
                .at(tree.node(key).span.place(tree.source), "")
                .help(match super::suggest::closest(name, SECTIONS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("expected {}", yaml::one_of(&SECTIONS)),
                }),
            ),
        }
    }

    fn merged_host(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId) {
        if tree.text(key).is_none_or(|key| !self.is_written(key)) {
            self.host(tree, key, value);
        }
    }

    fn host(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId) {
        let Some(pattern) = self.keep(yaml::read::<Box<str>>(tree, key)) else {
            return;
        };
        let span = tree.node(key).span;
        let (hosts, number) = (&self.hosts, u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        let name_of = |host: u32| &*hosts[host as usize].pattern;
        if let Err(first) = self.patterns.add(&pattern, number, name_of) {
            let first = self.hosts[first as usize].span;
            let (first, again) = (first.place(tree.source), span.place(tree.source));
            self.problems.push(yaml::duplicate_key(&pattern, first, again));
            return;
        }
        let (host, settings) = self
            .keep(yaml::read_both::<RawHost, RawSettings>(tree, value))
            .unwrap_or_default();
        self.hosts.push(DraftHost {
            pattern,
            source: tree.source,
            span,
            host,
            settings,
        });
    }
}

/// A source as it is kept: literal passwords made unreadable. A text without any is not copied: it is a large part of what a
/// large inventory takes.
pub fn source(
    path: std::path::PathBuf,
    mut text: String,
    secrets: &[std::ops::Range<usize>],
    whole: bool,
) -> Source {
    if !whole || !secrets.is_empty() {
        let masked = if whole {
            super::redact::mask(&text, secrets)
        } else {
            super::redact::mask_lines(&text)
        };
        std::mem::replace(&mut text, masked).zeroize();
    }
    Source {
        path,
        text: Arc::new(text),
    }
}
