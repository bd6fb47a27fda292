//! Values as rules see them. The schema decides: a number is a double even where it was written
//! without a point, a text with the format of a time is a time, and names of properties are escaped
//! while keys of maps are not.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Duration, NaiveDate};
use kube_cel::cel::{
    Value as Cel,
    objects::{Key, Map},
};
use serde_json::Value;

use super::{names, scope::Reads};
use crate::schema::{
    format::{Format, duration_nanoseconds},
    node::{Kind, Node, Others},
};

/// The value, as far as an expression reads it.
pub(super) fn of(value: &Value, node: &Node, reads: &Reads) -> Cel {
    match value {
        Value::Object(fields) if !reads.whole => {
            let mut out = HashMap::with_capacity(reads.fields.len());
            for (name, value) in fields {
                let property = node.property(name);
                let Some(written) = written(name, property.is_some()) else {
                    continue;
                };
                let value = match reads.fields.get(&written) {
                    Some(true) => whole(value, property.or_else(|| node.field(name))),
                    // Only its being there is asked for.
                    Some(false) => Cel::Bool(true),
                    None => continue,
                };
                out.insert(Key::String(Arc::new(written)), value);
            }
            Cel::Map(Map { map: Arc::new(out) })
        }
        _ => whole(value, Some(node)),
    }
}

fn written(name: &str, is_property: bool) -> Option<String> {
    if is_property {
        names::escaped(name)
    } else {
        Some(name.to_owned())
    }
}

fn whole(value: &Value, node: Option<&Node>) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => {
            let is_double = node.is_some_and(|node| node.kind == Kind::Number);
            match number.as_i64() {
                Some(whole) if !is_double => Cel::Int(whole),
                _ => {
                    let float = number.as_f64().unwrap_or_default();
                    let is_whole = node.is_some_and(|node| node.kind == Kind::Integer);
                    // It was checked to be whole, and to fit.
                    #[allow(clippy::cast_possible_truncation)]
                    if is_whole {
                        Cel::Int(float as i64)
                    } else {
                        Cel::Float(float)
                    }
                }
            }
        }
        Value::String(text) => formatted(text, node.and_then(|node| node.format)),
        Value::Array(items) => {
            let node = node.and_then(|node| node.items.as_deref());
            Cel::List(Arc::new(
                items.iter().map(|item| whole(item, node)).collect(),
            ))
        }
        Value::Object(fields) => {
            let mut out = HashMap::with_capacity(fields.len());
            for (name, value) in fields {
                let property = node.and_then(|node| node.property(name));
                let Some(written) = written(name, property.is_some()) else {
                    continue;
                };
                let entry = match node.map(|node| &node.others) {
                    Some(Others::Entries(entry)) => Some(&**entry),
                    _ => None,
                };
                out.insert(
                    Key::String(Arc::new(written)),
                    whole(value, property.or(entry)),
                );
            }
            Cel::Map(Map { map: Arc::new(out) })
        }
    }
}

/// A text by its format. What is malformed stays a text: the schema has already complained.
fn formatted(text: &str, format: Option<Format>) -> Cel {
    let found = match format {
        Some(Format::DateTime) => DateTime::parse_from_rfc3339(text).ok().map(Cel::Timestamp),
        Some(Format::Date) => {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
            let midnight = date.and_then(|date| date.and_hms_opt(0, 0, 0));
            midnight.map(|midnight| Cel::Timestamp(midnight.and_utc().fixed_offset()))
        }
        Some(Format::Duration) => {
            duration_nanoseconds(text).map(|length| Cel::Duration(Duration::nanoseconds(length)))
        }
        Some(Format::Byte) => STANDARD
            .decode(text)
            .ok()
            .map(|bytes| Cel::Bytes(Arc::new(bytes))),
        _ => None,
    };
    found.unwrap_or_else(|| Cel::String(Arc::new(text.to_owned())))
}
