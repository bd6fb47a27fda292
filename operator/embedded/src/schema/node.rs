//! One place of a schema, ready for use: everything compiled, names sorted, and for each subtree
//! what it holds, so that a walk goes only where it must.

use serde_json::Value;

use super::{cel::Rule, format::Format, pattern::Pattern};

/// The type that a schema asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// None is asked for: inside `anyOf` and its like, or where anything goes.
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

impl Kind {
    /// As messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::IntOrString => "integer,string",
        }
    }
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListKind {
    Atomic,
    Set,
    /// By the values of these fields.
    Map(Vec<String>),
}

/// What becomes of fields that are no property.
#[derive(Debug)]
pub(super) enum Others {
    /// They are unknown.
    Unknown,
    /// They may be anything.
    Any,
    /// They are entries of a map.
    Entries(Box<Node>),
    /// They are an error, inside `anyOf` and its like.
    Forbidden,
}

/// Bounds of a number.
// They are keywords of schemas, each of which stands for itself.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub exclusive_minimum: bool,
    pub exclusive_maximum: bool,
    pub multiple_of: Option<f64>,
    pub is_int32: bool,
    pub is_float32: bool,
}

/// The least and the most of something.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Span {
    pub least: Option<i64>,
    pub most: Option<i64>,
}

/// What holds beside the node's own rules.
#[derive(Debug, Default)]
pub(super) struct Logic {
    pub all_of: Vec<Node>,
    pub any_of: Vec<Node>,
    pub one_of: Vec<Node>,
    pub not: Option<Box<Node>>,
}

/// What a subtree holds anywhere.
// They are independent facts, each of which spares one walk.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Inside {
    pub rules: bool,
    pub defaults: bool,
    /// Lists whose items must differ.
    pub lists: bool,
}

impl Inside {
    pub fn and(self, other: Self) -> Self {
        Self {
            rules: self.rules || other.rules,
            defaults: self.defaults || other.defaults,
            lists: self.lists || other.lists,
        }
    }
}

/// One place of a schema.
// They are keywords of schemas, each of which stands for itself.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub nullable: bool,
    /// The format by its name, for messages, where it is one that is checked.
    pub format_name: Option<String>,
    pub format: Option<Format>,
    pub choices: Vec<Value>,
    pub length: Span,
    pub pattern: Option<Pattern>,
    pub bounds: Bounds,
    pub items: Option<Box<Node>>,
    pub item_count: Span,
    pub unique_items: bool,
    pub list: ListKind,
    /// Sorted by name.
    pub properties: Vec<(String, Node)>,
    pub others: Others,
    pub required: Vec<String>,
    pub property_count: Span,
    pub preserves_unknown: bool,
    pub embedded: bool,
    pub default: Option<Value>,
    pub logic: Option<Box<Logic>>,
    pub rules: Vec<Rule>,
    pub inside: Inside,
}

impl Node {
    /// The property of that name.
    pub fn property(&self, name: &str) -> Option<&Self> {
        let found = self
            .properties
            .binary_search_by(|(known, _)| known.as_str().cmp(name));
        found.ok().map(|index| &self.properties[index].1)
    }

    /// The node of a field, whether property or entry.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.property(name).or(match &self.others {
            Others::Entries(node) => Some(node),
            Others::Unknown | Others::Any | Others::Forbidden => None,
        })
    }
}
