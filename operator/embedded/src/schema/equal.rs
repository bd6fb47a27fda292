//! When two values of a place are the same: as rules see it, the order of a set does not count, nor
//! does that of a list whose items have keys, nor how a time is spelled.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    format::Format,
    node::{ListKind, Node},
};

/// Whether two values are equal, by what is known about them.
pub(super) fn equal(node: Option<&Node>, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, a)| {
                    let node = node.and_then(|node| node.field(name));
                    b.get(name).is_some_and(|b| equal(node, a, b))
                })
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && items_equal(node, a, b),
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) => {
            a == b
                || node.is_some_and(|node| node.format == Some(Format::DateTime))
                    && instant(a).is_some_and(|a| instant(b) == Some(a))
        }
        _ => a == b,
    }
}

fn items_equal(node: Option<&Node>, a: &[Value], b: &[Value]) -> bool {
    let item = node.and_then(|node| node.items.as_deref());
    match node.map(|node| &node.list) {
        Some(ListKind::Set) => a.iter().all(|a| b.iter().any(|b| equal(item, a, b))),
        Some(ListKind::Map(keys)) => a
            .iter()
            .all(|a| counterpart(keys, a, b).is_some_and(|b| equal(item, a, b))),
        Some(ListKind::Atomic) | None => a.iter().zip(b).all(|(a, b)| equal(item, a, b)),
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The item of a list with the same keys.
pub(super) fn counterpart<'v>(
    keys: &[String],
    item: &Value,
    others: &'v [Value],
) -> Option<&'v Value> {
    others
        .iter()
        .find(|other| keys.iter().all(|key| item.get(key) == other.get(key)))
}

/// Where the old value of a field or an item is, if there is one to compare with: items are only
/// known again by their keys.
pub(super) fn old_item<'v>(
    list: &ListKind,
    item: &Value,
    old: Option<&'v Value>,
) -> Option<&'v Value> {
    match list {
        ListKind::Map(keys) => counterpart(keys, item, old?.as_array()?),
        ListKind::Atomic | ListKind::Set => None,
    }
}
