//! What happens to an object before it is looked at: unknown fields and meaningless nulls go,
//! defaults come.

use serde_json::Value;

use super::{
    meta,
    node::{Node, Others},
    path::Path,
};

/// Fields that every object has, whatever its schema says.
const OF_EVERY_OBJECT: &[&str] = &["apiVersion", "kind", "metadata"];

pub(super) fn admit(root: &Node, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    let about = About {
        node: Some(root),
        embedded: true,
        keeps: false,
    };
    prune(object, about, &Path::Root, &mut unknown);
    default(object, root);
    unknown.sort();
    unknown
}

/// What a value is measured by.
#[derive(Clone, Copy)]
struct About<'n> {
    /// None: nothing is known about it.
    node: Option<&'n Node>,
    /// It is an object of a kind, the whole or one inside it.
    embedded: bool,
    /// It keeps what is unknown, because the list that it stands in does.
    keeps: bool,
}

impl<'n> About<'n> {
    fn of(node: Option<&'n Node>) -> Self {
        Self {
            node,
            embedded: node.is_some_and(|node| node.embedded),
            keeps: false,
        }
    }
}

fn prune(value: &mut Value, about: About<'_>, path: &Path<'_>, unknown: &mut Vec<String>) {
    let keeps = about.keeps || about.node.is_some_and(|node| node.preserves_unknown);
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let path = Path::Field(path, name);
                if about.embedded && OF_EVERY_OBJECT.contains(&name.as_str()) {
                    if name == "metadata" {
                        meta::prune(value, &path, unknown);
                    }
                    return true;
                }
                match expected(about.node, name) {
                    Expected::Node(node) => {
                        let is_nothing =
                            value.is_null() && !node.nullable && node.default.is_none();
                        if !is_nothing {
                            prune(value, About::of(Some(node)), &path, unknown);
                        }
                        !is_nothing
                    }
                    Expected::Anything => {
                        prune(value, About::of(None), &path, unknown);
                        true
                    }
                    Expected::Nothing => {
                        if !keeps {
                            unknown.push(path.dotted());
                        }
                        keeps
                    }
                }
            });
        }
        Value::Array(items) => {
            let node = about.node.and_then(|node| node.items.as_deref());
            let about = About {
                keeps,
                ..About::of(node)
            };
            for (index, item) in items.iter_mut().enumerate() {
                prune(item, about, &Path::Item(path, index), unknown);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a schema says about a field.
enum Expected<'n> {
    Node(&'n Node),
    Anything,
    Nothing,
}

fn expected<'n>(node: Option<&'n Node>, name: &str) -> Expected<'n> {
    let Some(node) = node else {
        return Expected::Nothing;
    };
    match (node.field(name), &node.others) {
        (Some(node), _) => Expected::Node(node),
        (None, Others::Any) => Expected::Anything,
        (None, Others::Unknown | Others::Entries(_) | Others::Forbidden) => Expected::Nothing,
    }
}

fn default(value: &mut Value, node: &Node) {
    if !node.inside.defaults {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, property) in &node.properties {
                if let Some(default) = &property.default
                    && fields
                        .get(name)
                        .is_none_or(|value| is_no_value(value, property))
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields {
                if let Some(node) = node.field(name) {
                    default_in_place(value, node);
                }
            }
        }
        Value::Array(items) => {
            if let Some(node) = &node.items {
                for item in items {
                    default_in_place(item, node);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn default_in_place(value: &mut Value, node: &Node) {
    if let Some(default) = &node.default
        && is_no_value(value, node)
    {
        *value = default.clone();
    }
    default(value, node);
}

/// A null where null is no value is as good as absent.
fn is_no_value(value: &Value, node: &Node) -> bool {
    value.is_null() && !node.nullable
}
