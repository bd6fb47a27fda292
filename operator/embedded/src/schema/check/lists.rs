//! Lists whose items must differ: sets, and lists with keys.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::schema::{
    error::{FieldError, FieldReason},
    node::{ListKind, Node},
    path::Path,
};

/// Duplicates anywhere below.
pub(in crate::schema) fn lists(
    node: &Node,
    value: &Value,
    path: &Path<'_>,
    out: &mut Vec<FieldError>,
) {
    if !node.inside.lists {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(property) = node.property(name) {
                    lists(property, value, &Path::Field(path, name), out);
                } else if let Some(entry) = node.field(name) {
                    lists(entry, value, &Path::Key(path, name), out);
                }
            }
        }
        Value::Array(items) => {
            own(node, items, path, out);
            if let Some(node) = &node.items {
                for (index, item) in items.iter().enumerate() {
                    lists(node, item, &Path::Item(path, index), out);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn own(node: &Node, items: &[Value], path: &Path<'_>, out: &mut Vec<FieldError>) {
    match &node.list {
        ListKind::Atomic => {}
        ListKind::Set if plainly_differ(items, |a, b| a == b) => {}
        ListKind::Set => differ(
            items.iter().map(|item| (item.to_string(), item.clone())),
            path,
            out,
        ),
        ListKind::Map(keys) => {
            let stranger = items
                .iter()
                .position(|item| !item.is_object() && !item.is_null());
            if let Some(index) = stranger {
                let detail = "must be an object for an array of list-type map";
                let field = Path::Item(path, index).keyed();
                out.push(FieldError::about(
                    field,
                    FieldReason::Invalid,
                    &items[index],
                    detail,
                ));
                return;
            }
            let same = |a: &Value, b: &Value| keys.iter().all(|key| a.get(key) == b.get(key));
            if plainly_differ(items, same) {
                return;
            }
            let keyed = items.iter().map(|item| {
                let keys = keys
                    .iter()
                    .filter_map(|key| Some((key, item.get(key)?.clone())));
                let keys: BTreeMap<&String, Value> = keys.collect();
                let shown = serde_json::to_value(&keys).unwrap_or_default();
                (shown.to_string(), shown)
            });
            differ(keyed, path, out);
        }
    }
}

/// Up to here comparing each with each is quicker than to sort.
const FEW: usize = 32;

/// Whether few items all differ: nearly every list is so, and to see it costs no memory.
fn plainly_differ(items: &[Value], same: impl Fn(&Value, &Value) -> bool) -> bool {
    let is_new =
        |(index, item): (usize, &Value)| !items[..index].iter().any(|other| same(item, other));
    items.len() <= FEW && items.iter().enumerate().all(is_new)
}

/// Each item comes as what it is told apart by, and as it is shown. The second of equal items is
/// named, and no further one.
fn differ(
    items: impl Iterator<Item = (String, Value)>,
    path: &Path<'_>,
    out: &mut Vec<FieldError>,
) {
    let mut seen = BTreeSet::new();
    let mut named = BTreeSet::new();
    for (index, (identity, shown)) in items.enumerate() {
        if seen.contains(&identity) {
            if named.insert(identity) {
                let field = Path::Item(path, index).keyed();
                out.push(FieldError::about(field, FieldReason::Duplicate, &shown, ""));
            }
        } else {
            seen.insert(identity);
        }
    }
}
