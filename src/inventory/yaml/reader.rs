//! Walks a file section by section, and `hosts` host by host, so that a large inventory never is in memory
//! as a whole.

use super::events::{Events, Spanned, next};
use super::span::Span;
use super::tree::{NodeId, Tree, duplicate_key};
use crate::finding::{Finding, SourceId};
use saphyr_parser::Event;
use std::collections::HashMap;

/// Whoever wants to see a file.
pub trait Visit {
    /// A top-level key and its value; for `hosts` with an alias or something that is no mapping, too.
    fn section(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId);
    /// One entry of `hosts`. The nodes are gone after the call (unless they hold anchors).
    fn host(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId);
    /// The key `hosts` itself, before its entries.
    fn hosts(&mut self, _key: Span) {}
    /// An entry that a merge key of `hosts` adds, unless an entry of that key stands there itself. Comes after
    /// those that do.
    fn merged_host(&mut self, tree: &Tree<'_>, key: NodeId, value: NodeId) {
        self.host(tree, key, value);
    }
    /// Whether what no field takes is wanted among the secrets.
    fn masks(&self) -> bool {
        false
    }
}

/// What was found out about a file besides what the visitor saw.
#[derive(Debug, Default)]
pub struct Walked {
    /// Problems that did not stop the reading.
    pub problems: Vec<Finding>,
    /// The problem that did, if any.
    pub fatal: Option<Finding>,
    /// Where literal passwords stand, in characters.
    pub secrets: Vec<std::ops::Range<usize>>,
}

/// Shows the sections and hosts of one YAML document to `visitor`.
pub fn walk(text: &str, source: SourceId, visitor: &mut dyn Visit) -> Walked {
    let mut walk = Walk {
        events: Events::new_from_str(text),
        tree: Tree::new(source),
        read: 0,
    };
    walk.tree.masks = visitor.masks();
    let fatal = walk.document(visitor).err().map(|finding| *finding);
    let (problems, secrets) = walk.tree.into_secrets();
    Walked {
        problems,
        fatal,
        secrets,
    }
}

struct Walk<'a> {
    events: Events<'a>,
    tree: Tree<'a>,
    /// Nodes seen so far with aliases followed, to tell a file that grows out of proportion.
    read: u64,
}

type Fallible<T> = Result<T, Box<Finding>>;

impl<'a> Walk<'a> {
    fn next(&mut self) -> Fallible<Spanned<'a>> {
        next(&mut self.events, self.tree.source)
    }

    fn document(&mut self, visitor: &mut dyn Visit) -> Fallible<()> {
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return self.stop(
                            "yaml-syntax",
                            "a second document begins here",
                            span,
                            "put it into a file of its own, several files are merged",
                        );
                    }
                }
                Event::MappingStart(..) => self.sections(visitor)?,
                Event::Scalar(ref text, saphyr_parser::ScalarStyle::Plain, ..)
                    if matches!(&**text, "" | "~" | "null") => {}
                Event::Scalar(..) | Event::SequenceStart(..) | Event::Alias(_) => {
                    return self.stop(
                        "wrong-type",
                        "expected the sections of an inventory (version, defaults, groups, hosts …)",
                        span,
                        "`keytrail init` writes an inventory to start from",
                    );
                }
                _ => {}
            }
        }
    }

    fn stop(&self, code: &'static str, message: &str, span: saphyr_parser::Span, help: &str) -> Fallible<()> {
        let at = Span::of(span).place(self.tree.source);
        Err(Box::new(Finding::error(code, message).at(at, "").help(help)))
    }

    fn sections(&mut self, visitor: &mut dyn Visit) -> Fallible<()> {
        let mut seen: HashMap<Box<str>, Span> = HashMap::new();
        loop {
            let event = self.next()?;
            if event.0 == Event::MappingEnd {
                return Ok(());
            }
            let key = self.tree.build(&mut self.events, event)?;
            let span = self.tree.node(key).span;
            self.tree.take(key);
            let name = self.tree.text(key).unwrap_or_default().to_owned();
            if let Some(first) = seen.insert(name.as_str().into(), span) {
                let source = self.tree.source;
                self.tree
                    .report(duplicate_key(&name, first.place(source), span.place(source)));
            }
            let event = self.next()?;
            if name == "hosts" && matches!(event.0, Event::MappingStart(0, _)) {
                visitor.hosts(span);
                self.hosts(visitor)?;
            } else {
                let value = self.tree.build(&mut self.events, event)?;
                visitor.section(&self.tree, key, value);
            }
        }
    }

    fn hosts(&mut self, visitor: &mut dyn Visit) -> Fallible<()> {
        /// A file whose aliases multiply it beyond this and [`OUT_OF_PROPORTION`] is refused.
        const ALWAYS_FINE: u64 = 5_000_000;
        /// Followed aliases per character of the file.
        const OUT_OF_PROPORTION: u64 = 4;
        let mut merges = Vec::new();
        loop {
            let before = self.tree.mark();
            let event = self.next()?;
            if event.0 == Event::MappingEnd {
                break;
            }
            let key = self.tree.build(&mut self.events, event)?;
            self.tree.take(key);
            let event = self.next()?;
            let (start, value) = (event.1, self.tree.build(&mut self.events, event)?);
            if self.tree.is_merge_key(key) {
                merges.push(value);
                continue;
            }
            self.read += u64::from(self.tree.weight(value));
            let position = start.start.index() as u64;
            if self.read > ALWAYS_FINE && self.read > position * OUT_OF_PROPORTION {
                return self.stop(
                    "alias-bomb",
                    "the aliases of this file multiply it out of all proportion",
                    start,
                    "write a range of hosts in place of many aliases",
                );
            }
            visitor.host(&self.tree, key, value);
            self.tree.truncate(before);
        }
        for value in merges {
            for pair in self.tree.entries(value).chunks_exact(2) {
                visitor.merged_host(&self.tree, pair[0], pair[1]);
            }
        }
        Ok(())
    }
}
