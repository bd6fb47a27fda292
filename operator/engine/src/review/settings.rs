//! What is the same for several kinds: objects that come, go or get another name, and settings that are
//! shown as they are written.

use serde::Serialize;
use serde_json::Value;

use super::codes::{OBJECT_ADDED, OBJECT_REMOVED, OBJECT_RENAMED};
use super::meaning::{Class, Meaning};
use super::sheet::Sheet;
use super::sides::{Key, Pair};
use crate::problem::FieldPath;

/// Objects that only others refer to come and go without more; one that goes and one that comes with the
/// same content is one that got another name.
pub(super) fn come_and_go<'a, T, S: PartialEq + 'a>(
    kind: &'static str,
    all: &[(Key<'a>, Pair<'a, T>)],
    spec: impl Fn(&'a T) -> &'a S,
    out: &mut Vec<Meaning>,
) {
    let mut renamed: Vec<Key<'_>> = Vec::new();
    for (key, pair) in all {
        let Pair::Removed(old) = pair else {
            continue;
        };
        let same = all.iter().find(|(other, new)| match new {
            Pair::Added(new) => {
                other.0 == key.0 && !renamed.contains(other) && spec(new.object) == spec(old.object)
            }
            _ => false,
        });
        if let Some((other, new)) = same {
            renamed.push(*other);
            let message = format!("is called {} and was called {}", other.1, key.1);
            Sheet::new(out, new.subject(kind, *other))
                .say(OBJECT_RENAMED, Class::Harmless, FieldPath::name(), message)
                .values(Some(key.1), Some(other.1));
        } else {
            Sheet::new(out, pair.subject(kind, *key)).say(
                OBJECT_REMOVED,
                Class::Harmless,
                FieldPath::name(),
                "is deleted",
            );
        }
    }
    for (key, pair) in all {
        if matches!(pair, Pair::Added(_)) && !renamed.contains(key) {
            Sheet::new(out, pair.subject(kind, *key)).say(
                OBJECT_ADDED,
                Class::Harmless,
                FieldPath::name(),
                "is new",
            );
        }
    }
}

/// Settings as they are written, on one line; nothing where they cannot be. None of them is a secret:
/// manifests refer to those (BI-3).
pub(super) fn of<T: Serialize>(settings: &T) -> Option<String> {
    serde_json::to_value(settings)
        .ok()
        .map(|value| line(&value))
}

fn line(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", line(value)))
                .collect();
            format!("{{ {} }}", fields.join(", ")).replace("{  }", "{}")
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(line).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where values are not shown: they are not for secrets, and people put some there.
const HIDDEN: [&str; 2] = ["env", "config"];

/// What is different between two settings, leaf by leaf: `pool: fast -> slow`. Entries of lists that have
/// names are told apart by them, so that their order means nothing.
pub(super) fn differences<T: Serialize>(before: &T, after: &T) -> Vec<String> {
    let (Ok(before), Ok(after)) = (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    compare("", &before, &after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    let null = Value::Null;
    let (old, new) = (fields(before), fields(after));
    let (Some(old), Some(new)) = (old, new) else {
        found.push(changed(path, before, after));
        return;
    };
    let names = old.iter().chain(&new).map(|(name, _)| name.as_str());
    let names: std::collections::BTreeSet<&str> = names.collect();
    for name in names {
        let find = |fields: &[(String, &Value)]| {
            let found = fields.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| (*value).clone())
        };
        let (one, other) = (find(&old), find(&new));
        let below = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        compare(
            &below,
            one.as_ref().unwrap_or(&null),
            other.as_ref().unwrap_or(&null),
            found,
        );
    }
}

/// The parts that are compared each for itself: fields, and entries with names.
fn fields(value: &Value) -> Option<Vec<(String, &Value)>> {
    match value {
        Value::Object(fields) => Some(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), value))
                .collect(),
        ),
        Value::Array(items) => {
            let named = |item| -> Option<(String, &Value)> {
                let item: &Value = item;
                Some((item.get("name")?.as_str()?.to_owned(), item))
            };
            let named: Option<Vec<_>> = items.iter().map(named).collect();
            named.filter(|named| !named.is_empty())
        }
        _ => None,
    }
}

fn changed(path: &str, before: &Value, after: &Value) -> String {
    let hidden = path.split('.').any(|step| HIDDEN.contains(&step));
    let secret = |value: &Value| value.as_str().is_some_and(has_user);
    if hidden || secret(before) || secret(after) {
        return format!("{path} changes");
    }
    match (before, after) {
        (Value::Null, after) => format!("{path}: {}", line(after)),
        (before, Value::Null) => format!("{path}: no longer {}", line(before)),
        _ => format!("{path}: {} → {}", line(before), line(after)),
    }
}

/// A URL with a user in it may have a password in it too.
fn has_user(text: &str) -> bool {
    let after_scheme = text.split_once("://").map(|(_, rest)| rest);
    let authority = after_scheme.and_then(|rest| rest.split('/').next());
    authority.is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_different_is_named() {
        let before =
            json!({ "pool": "fast", "hosts": [{ "name": "a", "uri": "x" }, { "name": "b" }] });
        let after =
            json!({ "pool": "slow", "hosts": [{ "name": "b" }, { "name": "a", "uri": "y" }] });
        assert_eq!(
            differences(&before, &after),
            ["hosts.a.uri: x → y", "pool: fast → slow"]
        );
        assert_eq!(differences(&json!({}), &json!({ "cpus": 2 })), ["cpus: 2"]);
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        // SPEC: BI-3
        let before = json!({ "env": { "TOKEN": "a" }, "url": "https://u:p@h/" });
        let after = json!({ "env": { "TOKEN": "b" }, "url": "https://u:q@h/" });
        assert_eq!(
            differences(&before, &after),
            ["env.TOKEN changes", "url changes"]
        );
    }
}
