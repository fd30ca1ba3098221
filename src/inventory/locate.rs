//! From the place of a finding to its line: one walk over each file that findings are about.

use super::model::Source;
use super::yaml::{self, Content, NodeId, Span, Tree, Visit};
use crate::finding::{Part, Place, SourceId, Step};
use std::collections::HashMap;

/// Where something stands. Lines and columns count from 1, columns and length in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// Which file.
    pub source: SourceId,
    /// Line.
    pub line: u32,
    /// Column of its first character.
    pub column: u32,
    /// Characters on that line, at least 1.
    pub len: u32,
}

/// The spots of places, in their order. A path that is not in the file means its nearest ancestor that is.
pub fn locate(sources: &[Source], places: &[&Place]) -> Vec<Spot> {
    let mut spots: Vec<Option<Spot>> = vec![None; places.len()];
    for (number, source) in sources.iter().enumerate() {
        let id = SourceId(u16::try_from(number).unwrap_or(u16::MAX));
        let mut locator = Locator::new(id, places, &mut spots);
        if locator.is_needed() {
            yaml::walk(&source.text, id, &mut locator);
            locator.finish();
        }
    }
    let mut spots: Vec<Spot> = spots
        .iter()
        .zip(places)
        .map(|(spot, place)| spot.unwrap_or(fallback(place)))
        .collect();
    clip(sources, &mut spots);
    spots
}

/// Where a place is if its file does not say: the beginning.
fn fallback(place: &Place) -> Spot {
    match *place {
        Place::Line {
            source,
            line,
            column,
            len,
        } => Spot {
            source,
            line,
            column,
            len,
        },
        Place::Path { source, .. } => Spot {
            source,
            line: 1,
            column: 1,
            len: 1,
        },
    }
}

/// Cuts spots off where their lines end.
fn clip(sources: &[Source], spots: &mut [Spot]) {
    let mut order: Vec<_> = (0..spots.len()).collect();
    order.sort_unstable_by_key(|&at| (spots[at].source, spots[at].line));
    let mut order = order.into_iter().peekable();
    for (number, source) in sources.iter().enumerate() {
        let mut lines = source.text.lines().zip(1_u32..);
        let mut line = lines.next();
        while let Some(at) = order.next_if(|&at| usize::from(spots[at].source.0) == number) {
            let spot = &mut spots[at];
            while line.is_some_and(|(_, n)| n < spot.line) {
                line = lines.next();
            }
            let width = line.map_or(0, |(text, _)| text.chars().count());
            let left = u32::try_from(width)
                .unwrap_or(u32::MAX)
                .saturating_add(1)
                .saturating_sub(spot.column);
            spot.len = spot.len.min(left).max(1);
        }
    }
}

/// Looks for the paths of one file.
struct Locator<'p> {
    source: SourceId,
    places: &'p [&'p Place],
    spots: &'p mut [Option<Spot>],
    /// Places by their first step; those below a host by the second.
    sections: HashMap<&'p str, Vec<usize>>,
    hosts: HashMap<&'p str, Vec<usize>>,
    /// The key `hosts`.
    hosts_key: Option<Span>,
}

impl<'p> Locator<'p> {
    fn new(source: SourceId, places: &'p [&'p Place], spots: &'p mut [Option<Spot>]) -> Self {
        let mut locator = Self {
            source,
            places,
            spots,
            sections: HashMap::new(),
            hosts: HashMap::new(),
            hosts_key: None,
        };
        for (at, place) in places.iter().enumerate() {
            let Place::Path { source: of, path, .. } = place else {
                continue;
            };
            let [Step::Key(section), below @ ..] = path.as_slice() else {
                continue;
            };
            if *of != source {
                continue;
            }
            match below {
                [Step::Key(host), ..] if &**section == "hosts" => {
                    locator.hosts.entry(host).or_default().push(at);
                }
                _ => locator.sections.entry(section).or_default().push(at),
            }
        }
        locator
    }

    fn is_needed(&self) -> bool {
        !self.sections.is_empty() || !self.hosts.is_empty()
    }

    fn found(&mut self, at: usize, span: Span) {
        self.spots[at].get_or_insert(Spot {
            source: self.source,
            line: span.line,
            column: span.column,
            len: span.len,
        });
    }

    /// Hosts that are not there, and `hosts` itself, are at its key.
    fn finish(mut self) {
        if let Some(key) = self.hosts_key {
            let left = self
                .sections
                .remove("hosts")
                .into_iter()
                .chain(std::mem::take(&mut self.hosts).into_values());
            for at in left.flatten() {
                self.found(at, key);
            }
        }
    }

    /// Follows the rest of a path from a key and its value.
    fn follow(&mut self, tree: &Tree<'_>, at: usize, taken: usize, key: NodeId, value: NodeId) {
        let places = self.places;
        if let Place::Path { path, part, .. } = places[at] {
            self.found(at, span_of(tree, key, value, &path[taken..], *part));
        }
    }
}

impl Visit for Locator<'_> {
    fn section(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId) {
        let Some(name) = tree.text(key) else { return };
        for at in self.sections.get(name).cloned().unwrap_or_default() {
            self.follow(tree, at, 1, key, value);
        }
        if name == "hosts" {
            // Not a plain mapping, else its entries come one by one.
            for pair in tree.entries(value).chunks_exact(2) {
                self.host(tree, pair[0], pair[1]);
            }
        }
    }

    fn host(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId) {
        let Some(name) = tree.text(key) else { return };
        for at in self.hosts.get(name).cloned().unwrap_or_default() {
            self.follow(tree, at, 2, key, value);
        }
    }

    fn hosts(&mut self, key: Span) {
        self.hosts_key = Some(key);
    }
}

/// The span of what `steps` lead to from a key and its value.
fn span_of(tree: &Tree<'_>, mut key: NodeId, mut value: NodeId, steps: &[Step], part: Part) -> Span {
    let mut keyed = true;
    for step in steps {
        match (step, &tree.node(tree.resolve(value)).content) {
            (Step::Key(name), Content::Mapping { .. }) => {
                let entries = tree.entries(value);
                let found = entries
                    .chunks_exact(2)
                    .find(|pair| tree.text(pair[0]) == Some(name));
                let Some(pair) = found else {
                    return tree.node(key).span;
                };
                (key, value, keyed) = (pair[0], pair[1], true);
            }
            (Step::Index(at), Content::Sequence(items)) => match tree.items(items).get(*at as usize) {
                Some(&item) => (value, keyed) = (item, false),
                None => return tree.node(key).span,
            },
            // A single item may be written without its list.
            (Step::Index(0), _) => {}
            _ => return tree.node(key).span,
        }
    }
    let node = tree.node(tree.resolve(value));
    let visible = match &node.content {
        Content::Scalar { text, plain } => !(*plain && text.is_empty()),
        // What goes on over several lines is better named by its key.
        _ => node.span.len != Span::TO_LINE_END,
    };
    if keyed && (part == Part::Key || !visible) {
        tree.node(key).span
    } else {
        node.span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
version: 1
x-core: &core [mort, 'two words']
groups:
  grün: { identity: gq }
hosts:
  mort:
    group: grün
    servers: *core
    ssh:
      user: ops
  leaf: { <<: { address: a }, servers: [mort, { host: mort, minpoll: 4 }], tags: }
  <<: { late: { group: x } }
";

    /// The text at a path, as marked.
    fn marked(path: &[&str], part: Part) -> String {
        let steps = path.iter().map(|step| {
            step.parse::<usize>()
                .map_or_else(|_| Step::from(*step), Step::from)
        });
        let place = Place::Path {
            source: SourceId(0),
            path: steps.collect(),
            part,
        };
        let source = Source {
            path: "x.yaml".into(),
            text: std::sync::Arc::new(TEXT.into()),
        };
        let spot = locate(&[source], &[&place])[0];
        let line = TEXT.lines().nth(spot.line as usize - 1).unwrap();
        let text: String = line
            .chars()
            .skip(spot.column as usize - 1)
            .take(spot.len as usize)
            .collect();
        format!("{}:{text}", spot.line)
    }

    #[test]
    fn finds_every_kind_of_node() {
        let value = |path: &[&str]| marked(path, Part::Value);
        let key = |path: &[&str]| marked(path, Part::Key);
        assert_eq!(value(&["version"]), "1:1");
        assert_eq!(key(&["version"]), "1:version");
        assert_eq!(key(&["hosts"]), "5:hosts");
        assert_eq!(value(&["groups", "grün", "identity"]), "4:gq");
        assert_eq!(key(&["groups", "grün"]), "4:grün");
        assert_eq!(value(&["groups", "grün"]), "4:{ identity: gq }");
        assert_eq!(key(&["hosts", "mort"]), "6:mort");
        assert_eq!(value(&["hosts", "mort", "group"]), "7:grün");
        // What goes on over lines is marked at its key.
        assert_eq!(value(&["hosts", "mort", "ssh"]), "9:ssh");
        assert_eq!(value(&["hosts", "mort", "ssh", "user"]), "10:ops");
        // Aliases and merge keys lead to where the text stands.
        assert_eq!(value(&["hosts", "mort", "servers", "1"]), "2:'two words'");
        assert_eq!(value(&["hosts", "leaf", "address"]), "11:a");
        assert_eq!(value(&["hosts", "late", "group"]), "12:x");
        assert_eq!(value(&["hosts", "leaf", "servers", "1", "minpoll"]), "11:4");
        assert_eq!(
            value(&["hosts", "leaf", "servers", "1"]),
            "11:{ host: mort, minpoll: 4 }"
        );
        // A single item may stand without its list; nothing at all is marked at its key.
        assert_eq!(value(&["hosts", "mort", "group", "0"]), "7:grün");
        assert_eq!(value(&["hosts", "leaf", "tags"]), "11:tags");
    }

    #[test]
    fn takes_the_nearest_ancestor_of_what_is_not_there() {
        assert_eq!(marked(&["hosts", "mort", "ssh", "port"], Part::Value), "9:ssh");
        assert_eq!(
            marked(&["hosts", "mort", "servers", "7"], Part::Value),
            "8:servers"
        );
        assert_eq!(marked(&["hosts", "nobody", "group"], Part::Value), "5:hosts");
        assert_eq!(marked(&["nothing"], Part::Key), "1:v");
    }
}
