//! What every value type shares: its written form, and from it the JSON schema and the serde
//! implementations. Nothing here knows a particular type.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::Deserializer;
use serde::de::{Error, Visitor};

use super::ValueError;

/// How a value is written, said once for the schema, the error messages and the documentation.
pub(super) struct Form {
    /// With its article, as an error says it: `a duration`.
    pub(super) noun: &'static str,
    /// The end of a sentence such as "it is not a duration: …": `write it as 15m, 1h30m or 90d`.
    pub(super) how: &'static str,
    /// The name [`check_format`](super::check_format) knows; `None` where the pattern says all.
    pub(super) format: Option<&'static str>,
    /// An anchored regular expression that RE2, ECMA 262 and Rust's `regex` all read alike. It
    /// accepts whatever the type accepts, and as little else as a pattern can.
    pub(super) pattern: &'static str,
    pub(super) min_length: usize,
    /// In characters, as Kubernetes counts them. CEL rules need the bound to be affordable.
    pub(super) max_length: usize,
    /// What `kubectl explain` shows where a field has nothing better to say.
    pub(super) description: &'static str,
}

impl Form {
    /// The error for a text of the wrong form.
    pub(super) fn refuse(&self, text: &str) -> ValueError {
        ValueError::new(text, self.noun, self.how)
    }

    /// The error for a text that has the right form and cannot be meant.
    pub(super) fn refuse_because(&self, text: &str, reason: impl Into<String>) -> ValueError {
        ValueError::new(text, self.noun, reason.into())
    }

    /// Refuses early what is too long, so that no parser ever works on an unbounded text.
    pub(super) fn check_length(&self, text: &str) -> Result<(), ValueError> {
        if text.chars().nth(self.max_length).is_none() {
            return Ok(());
        }
        let reason = format!("it is longer than {} characters", self.max_length);
        Err(self.refuse_because(text, reason))
    }

    /// The pattern as proptest wants it, to make texts from.
    #[cfg(test)]
    pub(super) fn unanchored(&self) -> &'static str {
        self.pattern.trim_matches(['^', '$'])
    }

    pub(super) fn json_schema(&self) -> schemars::Schema {
        let mut schema = schemars::json_schema!({
            "description": self.description,
            "type": "string",
            "minLength": self.min_length,
            "maxLength": self.max_length,
            "pattern": self.pattern,
        });
        if let Some(format) = self.format {
            schema.insert("format".to_owned(), format.into());
        }
        schema
    }
}

/// Reads a value from text and from nothing else: `15` is not fifteen of something.
pub(super) fn deserialize<'de, T, D>(form: &'static Form, from: D) -> Result<T, D::Error>
where
    T: FromStr<Err = ValueError>,
    D: Deserializer<'de>,
{
    from.deserialize_str(TextVisitor {
        form,
        value: PhantomData,
    })
}

struct TextVisitor<T> {
    form: &'static Form,
    value: PhantomData<T>,
}

impl<T: FromStr<Err = ValueError>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as a string ({})", self.form.noun, self.form.how)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Gives a type that has `Display`, `FromStr` and a [`Form`] its serde and schema implementations.
macro_rules! text_value {
    ($type:ident, $form:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::value::form::deserialize(&$form, from)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($type)).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $form.json_schema()
            }
        }
    };
}
pub(super) use text_value;

/// Equality, order and hash by one field: two ways to write a value are the same value.
macro_rules! compared_by {
    ($type:ident, $field:ident) => {
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.$field == other.$field
            }
        }

        impl Eq for $type {}

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.$field.cmp(&other.$field)
            }
        }

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.$field.hash(state);
            }
        }
    };
}
pub(super) use compared_by;
