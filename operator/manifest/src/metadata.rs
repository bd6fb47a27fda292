//! What is the same for every object: its metadata, its name, where it lives.

use std::fmt;

use serde_json::json;

use crate::code;
use crate::node::{Node, quoted};
use crate::position::Span;
use crate::problem::Problem;
use crate::registry::KindEntry;
use crate::schema::Schema;

/// The longest name of an object (DNS-1123 subdomain).
const MAX_NAME: usize = 253;

/// The longest name of a namespace (DNS-1123 label).
const MAX_NAMESPACE: usize = 63;

/// What makes an object this one and no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace, the default one when it says none; `None` for a kind without namespaces.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Completes the schema of a kind with the fields that the API server adds to every kind.
pub(crate) fn add_to(schema: &mut Schema) {
    let string = json!({ "type": "string" });
    for (name, json) in [
        ("apiVersion", &string),
        ("kind", &string),
        ("metadata", &object_meta()),
    ] {
        schema.set_property(name, Schema::compile(json));
    }
}

/// `metav1.ObjectMeta`, as far as types go. A definition only says `type: object`.
fn object_meta() -> serde_json::Value {
    let string = json!({ "type": "string" });
    let integer = json!({ "type": "integer" });
    let strings = json!({ "type": "object", "additionalProperties": string });
    let any = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "type": "object",
        "properties": {
            "annotations": strings,
            "creationTimestamp": string,
            "deletionGracePeriodSeconds": integer,
            "deletionTimestamp": string,
            "finalizers": { "type": "array", "items": string },
            "generateName": string,
            "generation": integer,
            "labels": strings,
            "managedFields": { "type": "array", "items": any },
            "name": string,
            "namespace": string,
            "ownerReferences": { "type": "array", "items": {
                "type": "object",
                "required": ["apiVersion", "kind", "name", "uid"],
                "properties": {
                    "apiVersion": string,
                    "blockOwnerDeletion": { "type": "boolean" },
                    "controller": { "type": "boolean" },
                    "kind": string,
                    "name": string,
                    "uid": string,
                },
            } },
            "resourceVersion": string,
            "selfLink": string,
            "uid": string,
        },
    })
}

/// Who a document says it is.
pub(crate) struct Identity {
    /// `None` when its name cannot be read.
    pub(crate) id: Option<ObjectId>,
    /// The name, or what stands for the object when it has none.
    pub(crate) span: Span,
    pub(crate) problems: Vec<Problem>,
}

/// Reads and checks name and namespace. Their types are the schema's to check.
pub(crate) fn identify<O>(entry: &KindEntry<O>, root: &Node, default_namespace: &str) -> Identity {
    let mut problems = Vec::new();
    let kind_span = root.get("kind").map_or(root.span, |kind| kind.span);
    let metadata = root.entry("metadata");
    let inner = metadata.map(|(_, value)| value);
    let name = inner
        .and_then(|value| value.get("name"))
        .filter(|name| !name.is_null());
    let Some(name) = name else {
        let at = metadata.map_or(kind_span, |(key, _)| key.span);
        let generated = inner.is_some_and(|value| value.get("generateName").is_some());
        problems.push(missing_name(at, generated));
        return Identity {
            id: None,
            span: at,
            problems,
        };
    };
    if let Some(text) = name.as_str() {
        problems.extend(check_name(text, name.span, "metadata.name", MAX_NAME));
    }
    let namespace = inner
        .and_then(|value| value.get("namespace"))
        .filter(|each| !each.is_null());
    if let Some(node) = namespace {
        if entry.namespaced {
            let text = node.as_str().unwrap_or(default_namespace);
            problems.extend(check_name(
                text,
                node.span,
                "metadata.namespace",
                MAX_NAMESPACE,
            ));
        } else {
            let message = format!("a {} belongs to no namespace", entry.kind);
            let problem = Problem::error(code::UNEXPECTED_NAMESPACE, node.span, message);
            problems.push(problem.hint("remove the line").field("metadata.namespace"));
        }
    }
    let namespace = namespace
        .and_then(Node::as_str)
        .unwrap_or(default_namespace);
    Identity {
        id: name.as_str().map(|name| ObjectId {
            kind: entry.kind,
            namespace: entry.namespaced.then(|| namespace.to_owned()),
            name: name.to_owned(),
        }),
        span: name.span,
        problems,
    }
}

fn missing_name(at: Span, generated: bool) -> Problem {
    let problem = Problem::error(code::MISSING_FIELD, at, "the object has no name")
        .label("`name` belongs in here")
        .field("metadata.name");
    if generated {
        problem.hint("write `name`: `generateName` would make a new object at every apply")
    } else {
        problem.hint("write `metadata: { name: … }`")
    }
}

fn check_name(text: &str, span: Span, field: &str, most: usize) -> Option<Problem> {
    let dots = most > MAX_NAMESPACE;
    let message = if text.is_empty() {
        "the name is empty".to_owned()
    } else if text.len() > most {
        format!(
            "the name is {} characters long, at most {most} are allowed",
            text.chars().count()
        )
    } else if !is_name(text, dots) {
        format!("{} is not a name", quoted(text))
    } else {
        return None;
    };
    let form = if dots {
        "use lower-case letters, digits, `-` and `.`, with a letter or digit at both ends"
    } else {
        "use lower-case letters, digits and `-`, with a letter or digit at both ends"
    };
    let hint = match corrected(text, dots, most) {
        Some(meant) => format!("{form}: `{meant}`"),
        None => form.to_owned(),
    };
    Some(
        Problem::error(code::INVALID_NAME, span, message)
            .hint(hint)
            .field(field),
    )
}

/// RFC 1123 as Kubernetes reads it: a label, or labels with dots between them.
fn is_name(text: &str, dots: bool) -> bool {
    let label = |label: &str| {
        let ends = |each: Option<u8>| {
            each.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        ends(label.bytes().next())
            && ends(label.bytes().last())
            && label.bytes().all(|byte| ends(Some(byte)) || byte == b'-')
    };
    if dots {
        text.split('.').all(label)
    } else {
        label(text)
    }
}

/// The name with capitals and other separators replaced, when that makes it one.
fn corrected(text: &str, dots: bool, most: usize) -> Option<String> {
    if text.len() > most {
        return None;
    }
    let plain = |each: char| match each {
        '_' | ' ' | '/' | ':' => '-',
        '.' if !dots => '-',
        _ => each.to_ascii_lowercase(),
    };
    let name: String = text.chars().map(plain).collect();
    let name = name.trim_matches(['-', '.']);
    (is_name(name, dots) && name != text).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_names() {
        for good in ["a", "shop-1", "a.b-c.d", "0"] {
            assert!(is_name(good, true), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", "가", ".a", "a/b"] {
            assert!(!is_name(bad, true), "{bad}");
        }
        assert!(!is_name("a.b", false));
    }

    #[test]
    fn a_correction_is_offered_when_it_helps() {
        assert_eq!(
            corrected("Shop_Web", true, MAX_NAME).as_deref(),
            Some("shop-web")
        );
        assert_eq!(corrected("가게", true, MAX_NAME), None);
        assert_eq!(corrected(&"A".repeat(254), true, MAX_NAME), None);
    }
}
