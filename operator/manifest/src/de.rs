//! A node as input of `serde`, strictly: a number is no text and text is no number.
//!
//! One pass gives the typed value or the first error with its place, and counts the keys that the
//! type does not know. A field that is null counts as not written, as the API server drops nulls of
//! fields that are not nullable.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use crate::node::{Key, Node, Value};
use crate::position::Span;
use crate::suggest;

/// A typed value, and how well it fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<T> {
    /// The value.
    pub value: T,
    /// The first key that the type does not know.
    pub ignored: Option<Span>,
}

impl<T> Decoded<T> {
    /// The same with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Decoded<U> {
        Decoded {
            value: f(self.value),
            ignored: self.ignored,
        }
    }
}

/// Why a node is no value of the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// What is wrong.
    pub message: String,
    /// Where; `None` is possible only for errors that a type makes up without any node.
    pub span: Option<Span>,
    /// What helps.
    pub hint: Option<String>,
}

impl DecodeError {
    fn at(mut self, span: Span) -> Self {
        // The innermost node is the one to point at.
        self.span.get_or_insert(span);
        self
    }
}

impl Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            message: message.to_string(),
            span: None,
            hint: None,
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("{found} is out of range: expected {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut error = Self::custom(format_args!("unknown value {}", crate::node::quoted(variant)));
        error.hint = Some(match suggest::nearest(variant, expected.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", suggest::list(expected.iter().copied(), "or")),
        });
        error
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the field `{field}` is missing"))
    }
}

/// Decodes a document. At its root `apiVersion` and `kind` are known to everybody.
///
/// # Errors
/// When the node does not fit the type.
pub fn from_node<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<Decoded<T>, DecodeError> {
    let ignored = Cell::new(None);
    let root = NodeDeserializer {
        node,
        ignored: &ignored,
        level: Level::Root,
    };
    let value = T::deserialize(root)?;
    Ok(Decoded {
        value,
        ignored: ignored.get(),
    })
}

#[derive(Clone, Copy)]
struct NodeDeserializer<'de, 'c> {
    node: &'de Node,
    ignored: &'c Cell<Option<Span>>,
    level: Level,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The object: its `apiVersion` and `kind` are known, whether its type has such fields or not.
    Root,
    /// The value of one of these two.
    Type,
    Inner,
}

impl<'de, 'c> NodeDeserializer<'de, 'c> {
    fn child(&self, node: &'de Node) -> Self {
        Self {
            node,
            ignored: self.ignored,
            level: Level::Inner,
        }
    }

    fn value_of(&self, key: &Key, node: &'de Node) -> Self {
        let mut child = self.child(node);
        if self.level == Level::Root && matches!(key.text.as_str(), "apiVersion" | "kind") {
            child.level = Level::Type;
        }
        child
    }

    fn wrong_type(&self, expected: &str) -> DecodeError {
        let mut error = DecodeError::custom(format_args!(
            "expected {expected}, found {}",
            self.node.describe()
        ));
        error.hint = type_hint(self.node, expected == STRING);
        error.at(self.node.span)
    }

    fn string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Str(text) => visitor.visit_borrowed_str(text),
            _ => return Err(self.wrong_type(STRING)),
        }
        .map_err(|error: DecodeError| error.at(self.node.span))
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node.value {
            Value::Int(value) => visitor.visit_i64(value),
            _ => return Err(self.wrong_type("an integer")),
        }
        .map_err(|error: DecodeError| error.at(self.node.span))
    }

    fn sequence<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Value::Seq(items) = &self.node.value else {
            return Err(self.wrong_type("a list"));
        };
        let access = Items {
            items: items.iter(),
            parent: self,
        };
        visitor.visit_seq(access).map_err(|error| error.at(self.node.span))
    }

    fn map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Value::Map(entries) = &self.node.value else {
            return Err(self.wrong_type("a map"));
        };
        let access = Entries {
            entries: entries.iter(),
            value: None,
            parent: self,
        };
        visitor.visit_map(access).map_err(|error| error.at(self.node.span))
    }
}

/// How a message calls text; [`type_hint`] speaks of quotes when this was expected.
const STRING: &str = "a string";

/// What helps when a value has another type than its field.
pub(crate) fn type_hint(node: &Node, expected_string: bool) -> Option<String> {
    match &node.value {
        Value::Unclear(text) => Some(format!(
            "`{text}` is a number to some tools and text to others: quote it, or write the number \
             in plain decimal digits"
        )),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) if expected_string => {
            Some("quote it".to_owned())
        }
        Value::Str(text) if !expected_string => {
            let bare = crate::scalar::resolve(text.clone());
            let other = matches!(bare, Value::Bool(_) | Value::Int(_) | Value::Float(_));
            other.then(|| "remove the quotes".to_owned())
        }
        _ => None,
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.integer(visitor)
        })*
    };
}

macro_rules! strings {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.string(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for NodeDeserializer<'de, '_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Str(text) => visitor.visit_borrowed_str(text),
            Value::Unclear(_) => return Err(self.wrong_type("a number or text")),
            Value::Seq(_) => return self.sequence(visitor),
            Value::Map(_) => return self.map(visitor),
        }
        .map_err(|error: DecodeError| error.at(self.node.span))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node.value {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.wrong_type("a boolean")),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    strings! { deserialize_str deserialize_string deserialize_char deserialize_identifier }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.node.value {
            Value::Float(value) => visitor.visit_f64(value),
            Value::Int(value) => visitor.visit_i64(value),
            _ => Err(self.wrong_type("a number")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Str(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            _ => Err(self.wrong_type(STRING)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.is_null() {
            visitor.visit_unit()
        } else {
            Err(self.wrong_type("nothing"))
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self).map_err(|error: DecodeError| error.at(self.node.span))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.sequence(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.sequence(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.sequence(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let (name, span, value) = match &self.node.value {
            Value::Str(text) => (text.as_str(), self.node.span, None),
            Value::Map(entries) => match present(entries).collect::<Vec<_>>().as_slice() {
                [(key, value)] => (key.text.as_str(), key.span, Some(self.child(value))),
                _ => return Err(self.wrong_type("a map with exactly one key")),
            },
            _ => return Err(self.wrong_type("a string, or a map with exactly one key")),
        };
        let access = Variant { name, span, value };
        visitor.visit_enum(access).map_err(|error| error.at(span))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.ignored.get().is_none() && self.level != Level::Type {
            self.ignored.set(Some(self.node.span));
        }
        visitor.visit_unit()
    }
}

/// The entries that count as written.
fn present(entries: &[(Key, Node)]) -> impl Iterator<Item = &(Key, Node)> {
    entries.iter().filter(|(_, value)| !value.is_null())
}

struct Items<'de, 'c> {
    items: std::slice::Iter<'de, Node>,
    parent: NodeDeserializer<'de, 'c>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let value = seed.deserialize(self.parent.child(item));
        value.map(Some).map_err(|error| error.at(item.span))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'de, 'c> {
    entries: std::slice::Iter<'de, (Key, Node)>,
    value: Option<(&'de Key, &'de Node)>,
    parent: NodeDeserializer<'de, 'c>,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        for (key, value) in self.entries.by_ref() {
            if value.is_null() {
                continue;
            }
            self.value = Some((key, value));
            let name = seed.deserialize(Name { key });
            return name.map(Some).map_err(|error| error.at(key.span));
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let Some((key, value)) = self.value.take() else {
            return Err(DecodeError::custom("a value was asked for before its key"));
        };
        let before = self.parent.ignored.get();
        let decoded = seed.deserialize(self.parent.value_of(key, value));
        if before.is_none() && self.parent.ignored.get() == Some(value.span) {
            // What is ignored is the key.
            self.parent.ignored.set(Some(key.span));
        }
        decoded.map_err(|error| error.at(value.span))
    }
}

/// A key as input: always text, and a number to types whose keys are numbers.
struct Name<'de> {
    key: &'de Key,
}

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_str(&self.key.text)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_enum(Variant {
            name: &self.key.text,
            span: self.key.span,
            value: None,
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Variant<'de, 'c> {
    name: &'de str,
    span: Span,
    value: Option<NodeDeserializer<'de, 'c>>,
}

impl<'de, 'c> EnumAccess<'de> for Variant<'de, 'c> {
    type Error = DecodeError;
    type Variant = Arm<'de, 'c>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), DecodeError> {
        let name = serde::de::value::BorrowedStrDeserializer::new(self.name);
        let variant = seed.deserialize(name).map_err(|error: DecodeError| error.at(self.span))?;
        Ok((
            variant,
            Arm {
                span: self.span,
                value: self.value,
            },
        ))
    }
}

struct Arm<'de, 'c> {
    span: Span,
    value: Option<NodeDeserializer<'de, 'c>>,
}

impl<'de, 'c> Arm<'de, 'c> {
    fn needs_value(self) -> Result<NodeDeserializer<'de, 'c>, DecodeError> {
        let missing = || DecodeError::custom("this needs a value: write it as a map").at(self.span);
        self.value.ok_or_else(missing)
    }
}

impl<'de> VariantAccess<'de> for Arm<'de, '_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        match self.value {
            // `simulator: {}` names an arm without fields.
            Some(value) if !(value.node.is_map() && value.node.entries().is_empty()) => {
                Err(value.wrong_type("an empty map"))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(self.needs_value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.needs_value()?.sequence(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.needs_value()?.map(visitor)
    }
}

#[cfg(test)]
#[path = "de_tests.rs"]
mod tests;
