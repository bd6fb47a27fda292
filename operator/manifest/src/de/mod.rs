//! A node as input of `serde`, strictly: a number is no text and text is no number.
//!
//! One pass gives the typed value or the first error with its place, and counts the keys that the
//! type does not know. A field that is null counts as not written, as the API server drops nulls of
//! fields that are not nullable.

mod access;
mod error;

use std::cell::Cell;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::node::{Key, Node, Value};
use crate::position::Span;

use access::{Entries, Items, Variant, present};
pub use error::{DecodeError, Decoded};

/// Decodes a document. At its root `apiVersion` and `kind` are known to everybody.
///
/// # Errors
/// When the node does not fit the type.
pub fn from_node<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<Decoded<T>, DecodeError> {
    from_node_with(node, |input| T::deserialize(input))
}

/// Decodes a document with a function that chooses the type.
///
/// # Errors
/// When the node does not fit the type.
pub fn from_node_with<'de, T>(
    node: &'de Node,
    decode: impl FnOnce(NodeDeserializer<'de, '_>) -> Result<T, DecodeError>,
) -> Result<Decoded<T>, DecodeError> {
    let ignored = Cell::new(None);
    let root = NodeDeserializer {
        node,
        ignored: &ignored,
        level: Level::Root,
    };
    let value = decode(root)?;
    Ok(Decoded {
        value,
        ignored: ignored.get(),
    })
}

/// A node as a [`Deserializer`].
#[derive(Clone, Copy, Debug)]
pub struct NodeDeserializer<'de, 'c> {
    node: &'de Node,
    ignored: &'c Cell<Option<Span>>,
    level: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// The object: its `apiVersion` and `kind` are known, whether its type has such fields or not.
    Root,
    /// The value of one of these two.
    Type,
    Inner,
}

impl<'de> NodeDeserializer<'de, '_> {
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
        visitor
            .visit_seq(access)
            .map_err(|error| error.at(self.node.span))
    }

    fn map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Value::Map(entries) = &self.node.value else {
            return Err(self.wrong_type("a map"));
        };
        let access = Entries {
            rest: entries.iter(),
            value: None,
            parent: self,
        };
        visitor
            .visit_map(access)
            .map_err(|error| error.at(self.node.span))
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
        visitor
            .visit_newtype_struct(self)
            .map_err(|error: DecodeError| error.at(self.node.span))
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

#[cfg(test)]
#[path = "../de_tests.rs"]
mod tests;
