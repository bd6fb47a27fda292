//! The three-way merge of `kubectl apply`, for custom resources.
//!
//! Three objects meet: what was applied last (kept in an annotation), what is to be applied now, and
//! what the cluster holds. Fields that were applied last and are no longer there are removed; fields
//! that are to be applied are set; what others set stays. The result is a JSON merge patch, and the
//! annotation is the one of `kubectl`, so that both tools can be used on the same objects.

use serde_json::{Map, Value};

use crate::canonical;

/// Where what was applied last is kept; the name is that of `kubectl`.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object with itself in its annotation: what is created, or merged into what is there.
#[must_use]
pub fn annotated(object: &Value) -> Value {
    let mut object = map(Some(object));
    let mut metadata = map(object.get("metadata"));
    let mut annotations = map(metadata.get("annotations"));
    annotations.remove(LAST_APPLIED);
    metadata.insert("annotations".to_owned(), Value::Object(annotations.clone()));
    object.insert("metadata".to_owned(), Value::Object(metadata.clone()));
    let text = canonical::as_kubectl(&Value::Object(object.clone()));
    annotations.insert(LAST_APPLIED.to_owned(), text.into());
    metadata.insert("annotations".to_owned(), Value::Object(annotations));
    object.insert("metadata".to_owned(), Value::Object(metadata));
    Value::Object(object)
}

fn map(value: Option<&Value>) -> Map<String, Value> {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// What was applied last, as the object in the cluster remembers it.
pub fn last_applied(current: &Value) -> Option<Value> {
    let text = current
        .get("metadata")?
        .get("annotations")?
        .get(LAST_APPLIED)?;
    serde_json::from_str(text.as_str()?).ok()
}

/// The merge patch that turns `current` into what `modified` says, without touching what neither it nor
/// `original` speaks of. An empty map means that nothing is to be done.
///
/// `original` is what was applied last, nothing where that is not known: then nothing is removed.
#[must_use]
pub fn three_way(original: Option<&Value>, modified: &Value, current: &Value) -> Value {
    let nothing = Value::Object(Map::new());
    let mut patch = without_nulls(&difference(current, modified));
    let removed = only_nulls(&difference(original.unwrap_or(&nothing), modified));
    merge(&mut patch, removed);
    Value::Object(patch)
}

/// What makes `from` into `to`; a null removes.
fn difference(from: &Value, to: &Value) -> Map<String, Value> {
    let mut patch = Map::new();
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return patch;
    };
    for (key, wanted) in to {
        match from.get(key) {
            Some(there @ Value::Object(_)) if wanted.is_object() => {
                let inner = difference(there, wanted);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            Some(there) if there == wanted => {}
            // Lists are replaced whole: a merge patch cannot do otherwise.
            _ => {
                patch.insert(key.clone(), wanted.clone());
            }
        }
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// What is set. A map that was written empty is a value; one that becomes empty is none.
fn without_nulls(patch: &Map<String, Value>) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, value) in patch {
        match value {
            Value::Null => {}
            Value::Object(inner) if !inner.is_empty() => {
                let inner = without_nulls(inner);
                if !inner.is_empty() {
                    kept.insert(key.clone(), Value::Object(inner));
                }
            }
            value => {
                kept.insert(key.clone(), value.clone());
            }
        }
    }
    kept
}

/// What is removed.
fn only_nulls(patch: &Map<String, Value>) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, value) in patch {
        match value {
            Value::Null => {
                kept.insert(key.clone(), Value::Null);
            }
            Value::Object(inner) => {
                let inner = only_nulls(inner);
                if !inner.is_empty() {
                    kept.insert(key.clone(), Value::Object(inner));
                }
            }
            _ => {}
        }
    }
    kept
}

/// Both patches in one. Where they speak of the same field, what is set wins: it is what is declared.
fn merge(patch: &mut Map<String, Value>, removed: Map<String, Value>) {
    for (key, value) in removed {
        match (patch.get_mut(&key), value) {
            (None, value) => {
                patch.insert(key, value);
            }
            (Some(Value::Object(inner)), Value::Object(removed)) => merge(inner, removed),
            (Some(_), _) => {}
        }
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
