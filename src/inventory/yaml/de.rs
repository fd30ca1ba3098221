//! serde on the tree: a scalar is what the field asks for, so `yes`, `123` and `1.10` stay text where text is
//! wanted. Errors say what was expected and where.

use super::problem::{Problem, clip, did_you_mean, one_of};
use super::span::Span;
use super::tree::{Content, NodeId, Tree};
use crate::finding::Finding;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::fmt::Display;

/// Reads a node as a `T`. Unknown fields of structs are reported to the tree and passed over, so that one run
/// finds them all; `Err` is the first thing that cannot be read at all.
pub fn read<T: DeserializeOwned>(tree: &Tree<'_>, id: NodeId) -> Result<T, Finding> {
    finish(
        tree,
        id,
        T::deserialize(De {
            tree,
            id,
            others: Others::None,
        }),
    )
}

/// Makes sure that a node is a mapping (or nothing, which is an empty one).
pub fn mapping(tree: &Tree<'_>, id: NodeId) -> Result<(), Finding> {
    let de = De {
        tree,
        id,
        others: Others::None,
    };
    match de.peek() {
        Content::Mapping { .. } => Ok(()),
        _ if de.is_null() => Ok(()),
        _ => finish(tree, id, Err(de.no_mapping())),
    }
}

/// Reads a mapping whose fields are those of two structs. The second is `None` where none of its fields is
/// there; it is large and mostly not, hence the box.
pub fn read_both<A, B>(tree: &Tree<'_>, id: NodeId) -> Result<(A, Option<Box<B>>), Finding>
where
    A: DeserializeOwned,
    B: DeserializeOwned,
{
    let seconds = fields_of::<B>();
    let others = Others::These(seconds);
    let first = finish(tree, id, A::deserialize(De { tree, id, others }))?;
    let entries = tree.entries(id);
    let mut keys = entries.iter().step_by(2);
    if !keys.any(|&key| tree.text(key).is_some_and(|name| seconds.contains(&name))) {
        return Ok((first, None));
    }
    let others = Others::All;
    let second = finish(tree, id, B::deserialize(De { tree, id, others }))?;
    Ok((first, Some(Box::new(second))))
}

fn finish<T>(tree: &Tree<'_>, id: NodeId, read: Result<T, Problem>) -> Result<T, Finding> {
    read.map_err(|problem| problem.finding(tree.source, tree.node(id).span))
}

/// Fields of a mapping that are not for the struct at hand but no mistake either.
#[derive(Clone, Copy)]
enum Others {
    None,
    These(&'static [&'static str]),
    All,
}

/// The field names of a struct, as serde knows them.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Probe<'f>(&'f mut &'static [&'static str]);
    impl<'de> de::Deserializer<'de> for Probe<'_> {
        type Error = de::value::Error;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("only the field names are wanted"))
        }
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }
        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut fields: &'static [&'static str] = &[];
    // Always the probe's own error: it hands out no values.
    let _ = T::deserialize(Probe(&mut fields));
    fields
}

#[derive(Clone, Copy)]
struct De<'t, 'a> {
    tree: &'t Tree<'a>,
    id: NodeId,
    others: Others,
}

impl<'t, 'a> De<'t, 'a> {
    fn child(self, id: NodeId) -> Self {
        Self {
            id,
            others: Others::None,
            ..self
        }
    }

    /// Where the node stands: for an alias, where it points, for that is what has to be changed.
    fn span(&self) -> Span {
        self.tree.node(self.tree.resolve(self.id)).span
    }

    fn content(&self) -> &'t Content<'a> {
        self.tree.take(self.id);
        self.peek()
    }

    /// The same, not taken: it may be shown to nobody.
    fn peek(&self) -> &'t Content<'a> {
        &self.tree.node(self.tree.resolve(self.id)).content
    }

    fn is_null(&self) -> bool {
        matches!(self.peek(), Content::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null"))
    }

    fn found(&self) -> String {
        match self.content() {
            _ if self.is_null() => "nothing".into(),
            Content::Scalar { text, plain: true } => format!("`{}`", clip(text)),
            Content::Scalar { text, plain: false } => format!("the text `{}` in quotes", clip(text)),
            Content::Sequence(_) => "a list".into(),
            Content::Mapping { .. } | Content::Alias(_) => "a mapping".into(),
        }
    }

    /// A scalar where many fields belong may be anything, a secret too: it is not quoted.
    fn no_mapping(&self) -> Problem {
        let found = match self.peek() {
            Content::Scalar { .. } if !self.is_null() => "text".into(),
            _ => self.found(),
        };
        Problem::new("wrong-type", format!("expected a mapping, found {found}")).at(self.span())
    }

    fn wrong(&self, expected: impl Display) -> Problem {
        Problem::new(
            "wrong-type",
            format!("expected {expected}, found {}", self.found()),
        )
        .at(self.span())
    }

    fn text(&self) -> Result<&'t str, Problem> {
        match self.content() {
            Content::Scalar { text, .. } if !self.is_null() => Ok(text),
            _ => Err(self.wrong("text")),
        }
    }

    fn number(&self, max: u64) -> Result<u64, Problem> {
        let expected = if max < u64::from(u32::MAX) {
            format!("a whole number up to {max}")
        } else {
            "a whole number".into()
        };
        match self.content() {
            Content::Scalar { text, plain: true }
                if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                match text.parse() {
                    Ok(number) if number <= max => Ok(number),
                    _ => Err(Problem::new(
                        "value-invalid",
                        format!("expected {expected}, found `{}`", clip(text)),
                    )
                    .at(self.span())),
                }
            }
            _ => Err(self.wrong(expected)),
        }
    }

    fn map<V: Visitor<'t>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.peek() {
            Content::Mapping { .. } => {
                let map = Map {
                    entries: self.tree.entries(self.id),
                    at: 0,
                    fields,
                    de: self,
                };
                visitor.visit_map(map).map_err(|problem| problem.at(self.span()))
            }
            _ if self.is_null() => visitor
                .visit_map(Map {
                    entries: Cow::Borrowed(&[]),
                    at: 0,
                    fields,
                    de: self,
                })
                .map_err(|problem| problem.at(self.span())),
            _ => Err(self.no_mapping()),
        }
    }

    fn list<V: Visitor<'t>>(self, items: &'t [NodeId], visitor: V) -> Result<V::Value, Problem> {
        let list = List {
            items: items.iter(),
            de: self,
        };
        visitor.visit_seq(list).map_err(|problem| problem.at(self.span()))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ident,)*) => {$(
        fn $method<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
            let number = self.number($type::MAX.into())?;
            visitor.visit_u64(number).map_err(|problem: Problem| problem.at(self.span()))
        }
    )*};
}

impl<'t> de::Deserializer<'t> for De<'t, '_> {
    type Error = Problem;

    /// For visitors of our own, which take text and look at it themselves.
    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.content() {
            _ if self.is_null() => visitor.visit_unit(),
            Content::Scalar { text, .. } => visitor.visit_borrowed_str(text),
            Content::Sequence(items) => self.list(self.tree.items(items), visitor),
            Content::Mapping { .. } | Content::Alias(_) => self.map(None, visitor),
        }
        .map_err(|problem| problem.at(self.span()))
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.content() {
            Content::Scalar { text, plain: true } if matches!(&**text, "true" | "false") => {
                visitor.visit_bool(text == "true")
            }
            _ => Err(self.wrong("`true` or `false`")),
        }
    }

    numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor
            .visit_borrowed_str(self.text()?)
            .map_err(|problem: Problem| problem.at(self.span()))
    }

    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.content() {
            Content::Sequence(items) => self.list(self.tree.items(items), visitor),
            _ => Err(self.wrong("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.map(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.map(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let Ok(text) = self.text() else {
            return Err(self.wrong(one_of(variants)));
        };
        visitor
            .visit_enum(text.into_deserializer())
            .map_err(|problem: Problem| problem.at(self.span()))
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <W: Visitor<'t>>
        i8 i16 i32 i64 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

struct List<'t, 'a> {
    items: std::slice::Iter<'t, NodeId>,
    de: De<'t, 'a>,
}

impl<'t> de::SeqAccess<'t> for List<'t, '_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let Some(&id) = self.items.next() else {
            return Ok(None);
        };
        let de = self.de.child(id);
        seed.deserialize(de)
            .map(Some)
            .map_err(|problem| problem.at(de.span()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Map<'t, 'a> {
    /// Keys and values in turn.
    entries: Cow<'t, [NodeId]>,
    at: usize,
    /// The fields of the struct that is read, if it is one.
    fields: Option<&'static [&'static str]>,
    de: De<'t, 'a>,
}

impl Map<'_, '_> {
    /// Whether the struct has this field; if nobody has it, that is reported.
    fn takes(&self, key: NodeId) -> bool {
        let Some(fields) = self.fields else { return true };
        let tree = self.de.tree;
        let name = tree.text(key).unwrap_or_default();
        if fields.contains(&name) {
            return true;
        }
        // Said by its name; what stands below it is shown to nobody.
        tree.take(key);
        let others = match self.de.others {
            Others::All => return false,
            Others::These(others) => others,
            Others::None => &[],
        };
        if !others.contains(&name) && tree.is_news(key) {
            let known: Vec<_> = fields.iter().chain(others).copied().collect();
            tree.report(
                Finding::error(
                    "unknown-field",
                    format!("there is no field '{}' here", clip(name)),
                )
                .at(tree.node(key).span.place(tree.source), "")
                .help(did_you_mean(name, &known)),
            );
        }
        false
    }
}

impl<'t> de::MapAccess<'t> for Map<'t, '_> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        while let Some(&key) = self.entries.get(self.at) {
            if self.takes(key) {
                return seed.deserialize(self.de.child(key)).map(Some);
            }
            self.at += 2;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let value = self.entries[self.at + 1];
        self.at += 2;
        let de = self.de.child(value);
        seed.deserialize(de).map_err(|problem| problem.at(de.span()))
    }
}
