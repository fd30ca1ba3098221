//! A YAML node tree with places: what the events of one document say, aliases kept as references.

use super::events::{Events, Spanned, next};
use super::span::{Span, chars};
use crate::finding::{Finding, Place, SourceId};
use saphyr_parser::{Event, ScalarStyle};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Deeper nesting is refused, with aliases followed too: an inventory needs about six levels. Everything that
/// recurses over a tree rests on this.
const MAX_DEPTH: u8 = 32;

/// What one node may amount to with its aliases followed; nothing sensible comes near.
const MAX_WEIGHT: u32 = 1_000_000;

/// Number of a node in its [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// A node.
#[derive(Debug)]
pub struct Node<'a> {
    /// What it is.
    pub content: Content<'a>,
    /// Where it stands.
    pub span: Span,
    /// Nodes below it, aliases followed.
    weight: u32,
    /// Levels below it and itself, aliases followed.
    height: u8,
    /// Where it stands, in characters.
    at: (u32, u32),
    /// A field that there is has taken it.
    taken: Cell<bool>,
}

/// What a node is.
#[derive(Debug)]
pub enum Content<'a> {
    /// Text.
    Scalar {
        /// Its value, escapes resolved.
        text: Cow<'a, str>,
        /// Written without quotes, so that `~`, `true` and `12` are not text.
        plain: bool,
    },
    /// A list: its items among [`Tree::items`].
    Sequence(Range<u32>),
    /// Keys and values in turn among [`Tree::items`].
    Mapping {
        /// The keys and values.
        items: Range<u32>,
        /// Has merge keys (`<<`) or keys that stand twice, so that its entries are not simply its items.
        tangled: bool,
    },
    /// Stands for another node.
    Alias(NodeId),
}

/// The nodes of one file (or of as much of it as is needed at a time).
#[derive(Debug)]
pub struct Tree<'a> {
    /// The file.
    pub source: SourceId,
    /// What was wrong but did not stop the reading: duplicate keys, unknown fields.
    pub problems: RefCell<Vec<Finding>>,
    /// Keys that were reported as unknown fields: what is merged into a thousand hosts is wrong once.
    unknown: RefCell<HashSet<NodeId>>,
    /// Where literal passwords stand, in characters: no diagnostic may show them.
    pub secrets: Vec<Range<usize>>,
    /// Scalars that no field takes (below misspelt fields, in `x-` sections, behind a mistake) count as secrets too.
    pub masks: bool,
    /// Reading the value of a password.
    hiding: bool,
    nodes: Vec<Node<'a>>,
    items: Vec<NodeId>,
    /// Node by the parser's anchor number, and where it stands, in characters.
    anchors: HashMap<usize, (NodeId, Range<usize>)>,
}

/// A size of a [`Tree`] to come back to.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    nodes: usize,
    items: usize,
    anchors: usize,
}

impl<'a> Tree<'a> {
    /// An empty tree for a file.
    pub fn new(source: SourceId) -> Self {
        Self {
            source,
            problems: RefCell::default(),
            unknown: RefCell::default(),
            secrets: Vec::new(),
            masks: false,
            hiding: false,
            nodes: Vec::new(),
            items: Vec::new(),
            anchors: HashMap::new(),
        }
    }

    /// A node as written; an alias stays an alias.
    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// A node with an alias followed. Aliases of aliases do not exist: the anchor is on a real node.
    pub fn resolve(&self, id: NodeId) -> NodeId {
        match self.node(id).content {
            Content::Alias(target) => target,
            _ => id,
        }
    }

    /// Says that a field takes this node: what it holds may be shown, unless the field is a secret's.
    pub fn take(&self, id: NodeId) {
        self.node(id).taken.set(true);
        self.node(self.resolve(id)).taken.set(true);
    }

    /// Counts the scalars from `first` on that nobody took among the secrets.
    fn hide_untaken(&mut self, first: usize) {
        if !self.masks {
            return;
        }
        for at in first..self.nodes.len() {
            let node = &self.nodes[at];
            let scalar = match node.content {
                _ if node.taken.get() => continue,
                Content::Alias(target) => &self.nodes[target.0 as usize],
                _ => node,
            };
            match &scalar.content {
                // A merge key is structure.
                Content::Scalar { text, plain: true } if text == "<<" => {}
                Content::Scalar { .. } => {
                    let (from, to) = scalar.at;
                    self.secrets.push(from as usize..to as usize);
                }
                _ => {}
            }
        }
    }

    /// At the end of a file: where its secrets stand.
    pub fn into_secrets(mut self) -> (Vec<Finding>, Vec<Range<usize>>) {
        self.hide_untaken(0);
        (self.problems.into_inner(), self.secrets)
    }

    /// The children of a sequence or mapping.
    pub fn items(&self, range: &Range<u32>) -> &[NodeId] {
        &self.items[range.start as usize..range.end as usize]
    }

    /// The text of a scalar, aliases followed.
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match &self.node(self.resolve(id)).content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// How many nodes a node amounts to, aliases followed.
    pub fn weight(&self, id: NodeId) -> u32 {
        self.node(id).weight
    }

    /// Notes a problem that does not stop the reading.
    pub fn report(&self, finding: Finding) {
        self.problems.borrow_mut().push(finding);
    }

    /// Whether a key was not yet said to be an unknown field; from now on it was.
    pub fn is_news(&self, key: NodeId) -> bool {
        self.unknown.borrow_mut().insert(key)
    }

    /// Keys and values of a mapping with its merge keys applied: own keys first, then those of each merged
    /// mapping that were not there yet; of keys that stand twice the first. Not a mapping: nothing.
    pub fn entries(&self, id: NodeId) -> Cow<'_, [NodeId]> {
        match &self.node(self.resolve(id)).content {
            Content::Mapping {
                items,
                tangled: false,
            } => Cow::Borrowed(self.items(items)),
            Content::Mapping { items, tangled: true } => Cow::Owned(self.merged(items)),
            _ => Cow::Borrowed(&[]),
        }
    }

    fn merged(&self, items: &Range<u32>) -> Vec<NodeId> {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        let mut add = |pair: &[NodeId]| {
            if seen.insert(self.text(pair[0])) {
                all.extend_from_slice(pair);
            }
        };
        let (merges, own): (Vec<_>, Vec<_>) = self
            .items(items)
            .chunks_exact(2)
            .partition(|pair| self.is_merge_key(pair[0]));
        own.into_iter().for_each(&mut add);
        for merge in merges {
            let sources = match &self.node(self.resolve(merge[1])).content {
                Content::Sequence(items) => self.items(items),
                _ => &merge[1..],
            };
            for source in sources {
                self.entries(*source).chunks_exact(2).for_each(&mut add);
            }
        }
        all
    }

    /// Whether a key is the merge key.
    pub fn is_merge_key(&self, key: NodeId) -> bool {
        matches!(&self.node(key).content, Content::Scalar { text, plain: true } if text == "<<")
    }

    /// The size now, for [`Tree::truncate`].
    pub fn mark(&self) -> Mark {
        Mark {
            nodes: self.nodes.len(),
            items: self.items.len(),
            anchors: self.anchors.len(),
        }
    }

    /// Forgets everything read since `mark`, unless an anchor in it may still be referred to.
    pub fn truncate(&mut self, mark: Mark) {
        if self.anchors.len() == mark.anchors {
            self.hide_untaken(mark.nodes);
            self.nodes.truncate(mark.nodes);
            self.items.truncate(mark.items);
            // Their numbers are given out again.
            let unknown = self.unknown.get_mut();
            unknown.retain(|key| (key.0 as usize) < mark.nodes);
        }
    }

    /// Reads the node that begins with `event`.
    pub fn build(&mut self, events: &mut Events<'a>, event: Spanned<'a>) -> Result<NodeId, Box<Finding>> {
        self.node_at(events, event, MAX_DEPTH)
    }

    fn node_at(
        &mut self,
        events: &mut Events<'a>,
        (event, span): Spanned<'a>,
        depth: u8,
    ) -> Result<NodeId, Box<Finding>> {
        let place = Span::of(span);
        if depth == 0 {
            return self.stop(
                "yaml-too-deep",
                format!("nested more than {MAX_DEPTH} levels deep"),
                place,
            );
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                if self.hiding && !names_a_source(&text) {
                    self.secrets.push(chars(span));
                }
                let id = self.add(Content::Scalar { text, plain }, span, 1, 1);
                self.anchor(anchor, id, span);
                Ok(id)
            }
            Event::Alias(anchor) => {
                let Some((target, at)) = self.anchors.get(&anchor).cloned() else {
                    return self.stop(
                        "yaml-syntax",
                        "this alias refers to the value it stands in",
                        place,
                    );
                };
                if self.hiding && !matches!(self.node(target).content, Content::Mapping { .. }) {
                    self.secrets.push(at);
                }
                let (weight, height) = (self.node(target).weight, self.node(target).height);
                Ok(self.add(Content::Alias(target), span, weight, height))
            }
            Event::SequenceStart(anchor, _) => self.collection(events, span, anchor, depth, false),
            Event::MappingStart(anchor, _) => self.collection(events, span, anchor, depth, true),
            _ => self.stop("yaml-syntax", "a value was expected here", place),
        }
    }

    /// What stops the reading, at a place.
    fn stop(&self, code: &'static str, message: impl Into<String>, at: Span) -> Result<NodeId, Box<Finding>> {
        Err(Box::new(
            Finding::error(code, message).at(at.place(self.source), ""),
        ))
    }

    fn collection(
        &mut self,
        events: &mut Events<'a>,
        start: saphyr_parser::Span,
        anchor: usize,
        depth: u8,
        mapping: bool,
    ) -> Result<NodeId, Box<Finding>> {
        let mut children = Vec::new();
        let (mut weight, mut height) = (1_u32, 1_u8);
        let end = loop {
            let event = next(events, self.source)?;
            if matches!(event.0, Event::SequenceEnd | Event::MappingEnd) {
                break event.1;
            }
            let hid = self.hiding;
            if mapping && children.len() % 2 == 1 {
                self.hiding = match children.last().and_then(|&key| self.text(key)) {
                    Some(key) if names_a_secret(key) => true,
                    Some(key) if names_a_source(key) => false,
                    _ => hid,
                };
            }
            let child = self.node_at(events, event, depth - 1);
            self.hiding = hid;
            let child = child?;
            weight = weight.saturating_add(self.weight(child));
            height = height.max(self.node(child).height.saturating_add(1));
            children.push(child);
        };
        let span = Span::of(saphyr_parser::Span::new(start.start, end.end));
        if height > MAX_DEPTH {
            let message =
                format!("with its aliases followed this is nested more than {MAX_DEPTH} levels deep");
            return self.stop("yaml-too-deep", message, span);
        }
        if weight > MAX_WEIGHT {
            let finding = Finding::error(
                "alias-bomb",
                format!("with its aliases followed this is more than {MAX_WEIGHT} values"),
            );
            return Err(Box::new(finding.at(span.place(self.source), "").help(
                "write a range of hosts in place of many aliases, or split the list",
            )));
        }
        let from = self.items.len();
        let merges = mapping && children.chunks(2).any(|pair| self.is_merge_key(pair[0]));
        let tangled = mapping && self.check_keys(&children) || merges;
        self.items.extend_from_slice(&children);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let items = count(from)..count(self.items.len());
        let content = if mapping {
            Content::Mapping { items, tangled }
        } else {
            Content::Sequence(items)
        };
        let whole = saphyr_parser::Span::new(start.start, end.end);
        let id = self.add(content, whole, weight, height);
        self.anchor(anchor, id, whole);
        Ok(id)
    }

    fn add(&mut self, content: Content<'a>, span: saphyr_parser::Span, weight: u32, height: u8) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let chars = chars(span);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.nodes.push(Node {
            content,
            span: Span::of(span),
            weight,
            height,
            at: (count(chars.start), count(chars.end)),
            taken: Cell::new(false),
        });
        id
    }

    /// Remembers a node under its anchor; the parser gives 0 to those that have none.
    fn anchor(&mut self, anchor: usize, id: NodeId, span: saphyr_parser::Span) {
        if anchor != 0 {
            self.anchors.insert(anchor, (id, chars(span)));
        }
    }

    /// Reports every key of a mapping that was there before; whether there was any.
    fn check_keys(&self, children: &[NodeId]) -> bool {
        /// Up to here comparing each with each is faster than hashing.
        const FEW: usize = 16;
        let keys = children.iter().step_by(2).copied();
        let mut any = false;
        if keys.len() <= FEW {
            for (i, key) in keys.clone().enumerate() {
                if let Some(first) = keys
                    .clone()
                    .take(i)
                    .find(|&first| self.text(first) == self.text(key))
                {
                    self.duplicate(first, key);
                    any = true;
                }
            }
            return any;
        }
        let mut seen = HashMap::with_capacity(keys.len());
        for key in keys {
            match seen.entry(self.text(key)) {
                Entry::Occupied(first) => {
                    self.duplicate(*first.get(), key);
                    any = true;
                }
                Entry::Vacant(new) => {
                    new.insert(key);
                }
            }
        }
        any
    }

    /// Reports a key that is in its mapping twice. Below `password` a key may be part of one.
    fn duplicate(&self, first: NodeId, again: NodeId) {
        let key = self.text(again).filter(|_| !self.hiding).unwrap_or("…");
        let (first, again) = (self.node(first).span, self.node(again).span);
        self.report(duplicate_key(
            key,
            first.place(self.source),
            again.place(self.source),
        ));
    }
}

/// A key that stands twice where it may stand once.
pub fn duplicate_key(key: &str, first: Place, again: Place) -> Finding {
    Finding::error("duplicate-key", format!("'{key}' is given twice"))
        .at(again, "given again here")
        .at(first, "first given here")
        .help("keep one of them")
}

/// Whether the value of a key may be a password: `password`, `value` (of a symmetric key), and what a slip of
/// the pen makes of the former.
fn names_a_secret(key: &str) -> bool {
    key == "value"
        || key
            .as_bytes()
            .windows(4)
            .any(|part| part.eq_ignore_ascii_case(b"pass"))
}

/// Whether a key below `password` says where it comes from, rather than being part of it.
fn names_a_source(key: &str) -> bool {
    matches!(key, "env" | "file" | "command")
}
