//! Where kinds are served and what can be done there. Clients look up two things here: which kind a
//! resource is of, and whether the server checks fields (`fieldValidation`).

use serde_json::{Map, Value, json};

use super::{
    Published,
    components::{GVK, name_of, reference},
};

/// One operation: the method of HTTP, and the verb of Kubernetes.
struct Verb {
    method: &'static str,
    action: &'static str,
    /// It sends an object.
    writes: bool,
}

const LIST: Verb = Verb {
    method: "get",
    action: "list",
    writes: false,
};
const READ: Verb = Verb {
    method: "get",
    action: "get",
    writes: false,
};
const CREATE: Verb = Verb {
    method: "post",
    action: "post",
    writes: true,
};
const REPLACE: Verb = Verb {
    method: "put",
    action: "put",
    writes: true,
};
const PATCH: Verb = Verb {
    method: "patch",
    action: "patch",
    writes: true,
};
const DELETE: Verb = Verb {
    method: "delete",
    action: "delete",
    writes: false,
};
const DELETE_ALL: Verb = Verb {
    method: "delete",
    action: "deletecollection",
    writes: false,
};

const JSON: &str = "application/json";
/// A strategic merge patch is missing on purpose: without it here, `kubectl` takes its rules from its
/// own types, which know how lists are merged.
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];

/// All paths of one group and version, whose root is `apis/drover.dev/v1alpha1`.
pub(super) fn of(root: &str, kinds: &[&Published]) -> Map<String, Value> {
    let mut paths = Map::new();
    for kind in kinds {
        let plural = &kind.plural;
        let everywhere = format!("/{root}/{plural}");
        let home = if kind.namespaced {
            paths.insert(everywhere, item(kind, &[LIST], &[]));
            format!("/{root}/namespaces/{{namespace}}/{plural}")
        } else {
            everywhere
        };
        let outer: &[&str] = if kind.namespaced { &["namespace"] } else { &[] };
        let named = [outer, &["name"]].concat();
        paths.insert(
            format!("{home}/{{name}}"),
            item(kind, &[READ, REPLACE, PATCH, DELETE], &named),
        );
        if kind.status {
            let path = format!("{home}/{{name}}/status");
            paths.insert(path, item(kind, &[READ, REPLACE, PATCH], &named));
        }
        paths.insert(home, item(kind, &[LIST, CREATE, DELETE_ALL], outer));
    }
    paths
}

fn item(kind: &Published, verbs: &[Verb], within: &[&str]) -> Value {
    let mut item = Map::new();
    for verb in verbs {
        item.insert(verb.method.to_owned(), operation(kind, verb));
    }
    if !within.is_empty() {
        let parameters: Vec<Value> = within
            .iter()
            .map(|name| {
                let schema = json!({ "type": "string", "uniqueItems": true });
                json!({ "name": name, "in": "path", "required": true, "schema": schema })
            })
            .collect();
        item.insert("parameters".to_owned(), parameters.into());
    }
    Value::Object(item)
}

fn operation(kind: &Published, verb: &Verb) -> Value {
    let schema = name_of(kind).map_or_else(|| json!({ "type": "object" }), |name| reference(&name));
    let mut operation = json!({
        "responses": {
            "200": { "description": "OK", "content": { JSON: { "schema": schema } } },
        },
        "x-kubernetes-action": verb.action,
        GVK: kind.gvk(&kind.kind),
    });
    if verb.writes {
        let types = if verb.method == "patch" {
            PATCHES
        } else {
            &[JSON]
        };
        let content: Map<String, Value> = types
            .iter()
            .map(|each| ((*each).to_owned(), json!({ "schema": schema })))
            .collect();
        operation["requestBody"] = json!({ "required": true, "content": content });
        operation["parameters"] = ["dryRun", "fieldManager", "fieldValidation"]
            .iter()
            .map(|name| {
                let schema = json!({ "type": "string", "uniqueItems": true });
                json!({ "name": name, "in": "query", "schema": schema })
            })
            .collect();
    }
    operation
}
