//! What the formats for CI systems are made from, and what they have in common.

use super::arrange::Located;
use crate::digest::Digest;
use crate::finding::{Finding, Place, Severity, Step};
use crate::inventory::{Source, Spot};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// A checked inventory.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    /// Its files.
    pub sources: &'a [Source],
    /// What is wrong.
    pub findings: &'a [Finding],
    /// Whether it could be read, so that the rules ran.
    pub readable: bool,
    /// Whether it was asked what breaks if something fails.
    pub what_if: bool,
    /// The least severity that fails the check.
    pub fail_on: Severity,
    /// Where its files are.
    pub roots: Roots<'a>,
}

/// The directories that paths are about: both absolute.
#[derive(Debug, Clone, Copy)]
pub struct Roots<'a> {
    /// What relative paths of the inventory start from.
    pub here: &'a Path,
    /// What paths in reports are relative to: the root of the checkout.
    pub root: &'a Path,
}

impl Roots<'_> {
    /// A file as a report names it: relative to the root where it lies below, else absolute.
    pub fn name(&self, file: &Path) -> PathBuf {
        let file = without_dots(&self.here.join(file));
        match file.strip_prefix(without_dots(self.root)) {
            Ok(below) => below.to_owned(),
            Err(_) => file,
        }
    }
}

/// A path without `.` and `..`, by its words alone.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

impl Checked<'_> {
    /// The file of a spot as the report names it.
    pub(super) fn file(&self, spot: Spot) -> PathBuf {
        match self.sources.get(usize::from(spot.source.0)) {
            Some(source) => self.roots.name(&source.path),
            None => PathBuf::new(),
        }
    }
}

/// Text without anything a terminal or a log viewer would obey.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let hidden = crate::foreign::is_hidden;
    if text.contains(hidden) {
        text.replace(hidden, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// Makes fingerprints: names for findings that stay the same when lines are inserted, hosts and servers are
/// added, or a later version words its messages otherwise.
pub(super) struct Fingerprints<'s> {
    lines: Vec<Vec<&'s str>>,
    seen: HashMap<Digest, u32>,
}

impl<'s> Fingerprints<'s> {
    pub fn new(sources: &'s [Source]) -> Self {
        Self {
            lines: sources
                .iter()
                .map(|source| source.text.lines().collect())
                .collect(),
            seen: HashMap::new(),
        }
    }

    /// The next finding's: what it says of whom and where, and a number that tells equal ones apart.
    pub fn next(&mut self, located: &Located<'_>) -> String {
        let mut identity = vec![located.finding.code.to_owned()];
        identity.extend(located.finding.subject.clone());
        for (label, &spot) in located.finding.labels.iter().zip(&located.spots) {
            identity.push(self.place(&label.place, spot));
        }
        let digest = Digest::of(identity.join("\n").as_bytes());
        let count = self.seen.entry(digest).or_default();
        *count += 1;
        format!("{digest}:{count}")
    }

    /// A place by its keys. Items of lists, which move when others are added, are named by their text; so is what
    /// is only known by its line.
    fn place(&self, place: &Place, spot: Spot) -> String {
        let line = || {
            let lines = self.lines.get(usize::from(spot.source.0));
            let line = lines.and_then(|lines| lines.get(spot.line.saturating_sub(1) as usize));
            line.copied().unwrap_or_default()
        };
        let Place::Path { path, .. } = place else {
            return line().trim().to_owned();
        };
        let mut words: Vec<String> = Vec::new();
        let mut item = false;
        for step in path {
            match step {
                Step::Key(key) => words.push(key.to_string()),
                Step::Index(_) => item = true,
            }
        }
        if item {
            let marked = line().chars().skip(spot.column.saturating_sub(1) as usize);
            words.push(marked.take(spot.len as usize).collect());
        }
        words.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::SourceId;
    use crate::report::arrange;

    fn fingerprints(text: &str, findings: &[Finding]) -> Vec<String> {
        let sources = [Source {
            path: "x.yaml".into(),
            text: std::sync::Arc::new(text.into()),
        }];
        let mut fingerprints = Fingerprints::new(&sources);
        let located = arrange(&sources, findings);
        located.iter().map(|one| fingerprints.next(one)).collect()
    }

    fn server(at: usize) -> Finding {
        let path = vec!["hosts".into(), "a".into(), "servers".into(), Step::from(at)];
        Finding::error("trail-cycle", format!("server {at}"))
            .about("a")
            .at(Place::value(SourceId(0), path), "")
    }

    #[test]
    fn fingerprints_stay_when_lines_and_items_are_added() {
        let before = fingerprints("hosts:\n  a: { servers: [b, c] }\n", &[server(1)]);
        let after = fingerprints(
            "# new\nhosts:\n  z: {}\n  a:\n    servers:\n      - new\n      - b\n      - c\n",
            &[server(2)],
        );
        assert_eq!(before, after);
        let other = fingerprints("hosts:\n  a: { servers: [b, d] }\n", &[server(1)]);
        assert_ne!(before, other);
    }

    #[test]
    fn fingerprints_of_lines_follow_their_text() {
        let finding = |line| {
            Finding::error("yaml-syntax", "no").at(
                Place::Line {
                    source: SourceId(0),
                    line,
                    column: 1,
                    len: 1,
                },
                "",
            )
        };
        assert_eq!(
            fingerprints("ok\n  {bad\n", &[finding(2)]),
            fingerprints("ok\nok\nok\n{bad\n", &[finding(4)])
        );
    }

    #[test]
    fn equal_findings_are_told_apart() {
        let made = fingerprints("hosts:\n  a: { servers: [b, b] }\n", &[server(0), server(1)]);
        let [first, second] = made.as_slice() else {
            panic!("two findings: {made:?}")
        };
        assert!(first.ends_with(":1") && second.ends_with(":2"));
        assert_eq!(
            first.split_once(':').unwrap().0,
            second.split_once(':').unwrap().0
        );
    }

    #[test]
    fn files_are_named_from_the_root_of_the_checkout() {
        let roots = Roots {
            here: Path::new("/ci/build/sites"),
            root: Path::new("/ci/build"),
        };
        let name = |file: &str| roots.name(Path::new(file)).to_string_lossy().into_owned();
        assert_eq!(name("a.yaml"), "sites/a.yaml");
        assert_eq!(name("./../b/./a.yaml"), "b/a.yaml");
        assert_eq!(name("/ci/build/c.yaml"), "c.yaml");
        assert_eq!(name("/etc/fleet.yaml"), "/etc/fleet.yaml");
        assert_eq!(name("../../../ci/other.yaml"), "/ci/other.yaml");
    }
}
