//! The document as a tree in which every key and value knows its place. Knows YAML, but nothing about
//! runbooks.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned, alias_limits, budget, options};

use super::diagnostic::Span;
use crate::model::limits;

/// Most text in scalars once aliases are followed, in bytes.
const SCALAR_BYTES: usize = 4 * limits::RUNBOOK_BYTES;

/// How the message about a mapping with too many keys begins; their number follows.
pub(super) const TOO_MANY_KEYS: &str = "a mapping has more keys than";

/// A value and its place.
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

/// A value of the document.
pub(super) enum Kind {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<(String, Span, Node)>),
}

/// Reads a text. Keys that appear twice are an error, or all kept, one after the other.
pub(super) fn read(text: &str, keep_duplicates: bool) -> Result<Node, serde_saphyr::Error> {
    let duplicate_keys =
        if keep_duplicates { DuplicateKeyPolicy::LastWins } else { DuplicateKeyPolicy::Error };
    let options = options! {
        budget: budget! {
            max_nodes: limits::DOCUMENT_NODES,
            max_depth: limits::DOCUMENT_DEPTH,
            max_aliases: limits::DOCUMENT_ALIASES,
            max_documents: 1,
            max_total_scalar_bytes: SCALAR_BYTES,
            // One anchor used by every step is ordinary; the limits above are what stops a bomb.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: alias_limits! { max_total_replayed_events: limits::DOCUMENT_REPLAYED },
        duplicate_keys: duplicate_keys,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// Takes over the place the YAML crate gives.
pub(super) fn span(location: &Location) -> Span {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (start, length) = (location.span().byte_offset(), location.span().byte_len());
    let start = narrow(start.unwrap_or_default());
    let end = start.saturating_add(narrow(length.unwrap_or_default()));
    Span { line: narrow(location.line()), column: narrow(location.column()), start, end }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { span: span(&spanned.referenced), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_none<E: de::Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Signed(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Unsigned(value))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }
    fn visit_str<E: de::Error>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }
    fn visit_string<E: de::Error>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Kind::Sequence(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            if entries.len() == limits::MAPPING_KEYS {
                let (most, line) = (limits::MAPPING_KEYS, key.referenced.line());
                return Err(de::Error::custom(format_args!(
                    "{TOO_MANY_KEYS} {most}; the next is in line {line}"
                )));
            }
            entries.push((key.value, span(&key.referenced), access.next_value()?));
        }
        Ok(Kind::Mapping(entries))
    }
}

/// The places of a document, without its values.
pub(super) struct Places {
    span: Span,
    inner: Inner,
}

enum Inner {
    Scalar,
    Sequence(Vec<Places>),
    Mapping(Vec<(String, Span, Places)>),
}

impl Node {
    /// Takes the document apart: its values as JSON, and their places.
    pub(super) fn split(self) -> (Value, Places) {
        let span = self.span;
        let (value, inner) = match self.kind {
            Kind::Null => (Value::Null, Inner::Scalar),
            Kind::Bool(value) => (value.into(), Inner::Scalar),
            Kind::Signed(value) => (value.into(), Inner::Scalar),
            Kind::Unsigned(value) => (value.into(), Inner::Scalar),
            Kind::Float(value) => (value.into(), Inner::Scalar),
            Kind::Text(value) => (value.into(), Inner::Scalar),
            Kind::Sequence(nodes) => {
                let (values, places): (Vec<_>, Vec<_>) = nodes.into_iter().map(Self::split).unzip();
                (Value::Array(values), Inner::Sequence(places))
            }
            Kind::Mapping(entries) => {
                let mut values = Map::with_capacity(entries.len());
                let mut places = Vec::with_capacity(entries.len());
                for (key, at, node) in entries {
                    let (value, inner) = node.split();
                    places.push((key.clone(), at, inner));
                    values.insert(key, value);
                }
                (Value::Object(values), Inner::Mapping(places))
            }
        };
        (value, Places { span, inner })
    }
}

/// Which part of an entry of a mapping a place is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

impl Places {
    /// A place with nothing inside: all that is looked for in it is there.
    pub(super) fn leaf(span: Span) -> Self {
        Self { span, inner: Inner::Scalar }
    }

    /// The place of a list.
    pub(super) fn sequence(span: Span, items: Vec<Self>) -> Self {
        Self { span, inner: Inner::Sequence(items) }
    }

    /// The places of the entries of a list.
    pub(super) fn into_items(self) -> Vec<Self> {
        match self.inner {
            Inner::Sequence(items) => items,
            Inner::Scalar | Inner::Mapping(_) => Vec::new(),
        }
    }

    /// Puts the place of a key's value.
    pub(super) fn insert(&mut self, key: &str, places: Self) {
        if !matches!(self.inner, Inner::Mapping(_)) {
            self.inner = Inner::Mapping(Vec::new());
        }
        let Inner::Mapping(entries) = &mut self.inner else { return };
        match entries.iter_mut().find(|(name, ..)| name == key) {
            Some((_, _, slot)) => *slot = places,
            None => entries.push((key.to_owned(), places.span, places)),
        }
    }

    /// Puts the place of a value some keys down; `span` is the place of mappings that were not there.
    pub(super) fn put(&mut self, path: &[&str], places: Self, span: Span) {
        match path {
            [] => *self = places,
            [key] => self.insert(key, places),
            [key, rest @ ..] => {
                if self.inner(key).is_none() {
                    self.insert(key, Self { span, inner: Inner::Mapping(Vec::new()) });
                }
                if let Some(inner) = self.inner(key) {
                    inner.put(rest, places, span);
                }
            }
        }
    }

    /// Takes the place of a value some keys down; an empty one stays.
    pub(super) fn take(&mut self, path: &[&str]) -> Option<Self> {
        let Some((key, rest)) = path.split_first() else {
            let empty = Self::leaf(self.span);
            return Some(std::mem::replace(self, empty));
        };
        self.inner(key)?.take(rest)
    }

    fn inner(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.inner {
            Inner::Mapping(entries) => {
                entries.iter_mut().find(|(name, ..)| name == key).map(|(_, _, places)| places)
            }
            Inner::Scalar | Inner::Sequence(_) => None,
        }
    }

    /// The place of what a JSON pointer names; of the nearest thing around it when it names nothing.
    pub(super) fn locate(&self, pointer: &str, part: Part) -> Span {
        let mut here = self;
        let mut key: Option<Span> = None;
        for token in pointer.split('/').skip(1) {
            match &here.inner {
                Inner::Sequence(items) => {
                    let Some(item) = token.parse::<usize>().ok().and_then(|index| items.get(index)) else {
                        break;
                    };
                    (here, key) = (item, None);
                }
                Inner::Mapping(entries) => {
                    let token = unescape(token);
                    let Some((_, at, value)) = entries.iter().find(|(name, ..)| *name == token) else {
                        break;
                    };
                    (here, key) = (value, Some(*at));
                }
                Inner::Scalar => break,
            }
        }
        match (key, &here.inner) {
            (Some(at), _)
                if part == Part::Key || here.is_collection() || here.span.start == here.span.end =>
            {
                at
            }
            (None, Inner::Mapping(entries)) => entries.first().map_or(here.span, |(_, at, _)| *at),
            (None, Inner::Sequence(items)) if part == Part::Key => {
                items.first().map_or(here.span, |item| item.span)
            }
            _ => here.span,
        }
    }

    fn is_collection(&self) -> bool {
        !matches!(self.inner, Inner::Scalar)
    }
}

/// Writes a key as a token of a JSON pointer.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}
