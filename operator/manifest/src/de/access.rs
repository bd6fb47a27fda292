//! The inside of lists, maps and arms of enums, as `serde` asks for it.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{DecodeError, NodeDeserializer};
use crate::node::{Key, Node};
use crate::position::Span;

/// The entries that count as written.
pub(super) fn present(entries: &[(Key, Node)]) -> impl Iterator<Item = &(Key, Node)> {
    entries.iter().filter(|(_, value)| !value.is_null())
}

pub(super) struct Items<'de, 'c> {
    pub(super) items: std::slice::Iter<'de, Node>,
    pub(super) parent: NodeDeserializer<'de, 'c>,
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

pub(super) struct Entries<'de, 'c> {
    pub(super) rest: std::slice::Iter<'de, (Key, Node)>,
    pub(super) value: Option<(&'de Key, &'de Node)>,
    pub(super) parent: NodeDeserializer<'de, 'c>,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        for (key, value) in self.rest.by_ref() {
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

pub(super) struct Variant<'de, 'c> {
    pub(super) name: &'de str,
    pub(super) span: Span,
    pub(super) value: Option<NodeDeserializer<'de, 'c>>,
}

impl<'de, 'c> EnumAccess<'de> for Variant<'de, 'c> {
    type Error = DecodeError;
    type Variant = Arm<'de, 'c>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), DecodeError> {
        let name = serde::de::value::BorrowedStrDeserializer::new(self.name);
        let variant = seed
            .deserialize(name)
            .map_err(|error: DecodeError| error.at(self.span))?;
        Ok((
            variant,
            Arm {
                span: self.span,
                value: self.value,
            },
        ))
    }
}

pub(super) struct Arm<'de, 'c> {
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
