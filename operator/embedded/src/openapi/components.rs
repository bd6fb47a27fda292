//! The schemas of a document, by name. A defined kind gets what its definition leaves out: kind,
//! version, metadata, and a list of its own.

use serde_json::{Map, Value, json};

use super::{Published, builtin::Schemas};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
/// What a schema says which kind it is of.
pub(super) const GVK: &str = "x-kubernetes-group-version-kind";

const ABOUT_API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an \
    object. Servers should convert recognized schemas to the latest internal value, and may reject \
    unrecognized values. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const ABOUT_KIND: &str = "Kind is a string value representing the REST resource this object represents. \
    Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In \
    CamelCase. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const ABOUT_METADATA: &str = "Standard object's metadata. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const ABOUT_LIST_METADATA: &str = "Standard list metadata. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

pub(super) fn of(kinds: &[&Published]) -> Map<String, Value> {
    let mut builtin = Schemas::new();
    let mut named = Vec::new();
    for kind in kinds {
        if kind.schema.is_none()
            && let Some(name) = builtin.add_kind(&kind.group, &kind.kind)
        {
            named.push((name, *kind));
        }
    }
    let mut schemas = builtin.into_map();
    for (name, kind) in named {
        schemas[&name][GVK] = json!([kind.gvk(&kind.kind)]);
        schemas.insert(format!("{name}List"), list(kind, &name));
    }
    for kind in kinds {
        if let Some(schema) = &kind.schema {
            let name = name(kind, &kind.kind);
            schemas.insert(self::name(kind, &kind.list_kind), list(kind, &name));
            schemas.insert(name, defined(kind, schema));
        }
    }
    schemas
}

/// `dev.drover.v1alpha1.RecoveryPlan`: the group is spelled backwards, as package names are.
fn name(of: &Published, kind: &str) -> String {
    let mut parts: Vec<&str> = of.group.split('.').rev().collect();
    parts.extend([of.version.as_str(), kind]);
    parts.join(".")
}

/// A reference to another schema of the document.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The name of the schema of a kind.
pub(super) fn name_of(kind: &Published) -> Option<String> {
    match kind.schema {
        Some(_) => Some(name(kind, &kind.kind)),
        None => Schemas::new().add_kind(&kind.group, &kind.kind),
    }
}

fn defined(kind: &Published, schema: &Value) -> Value {
    let mut schema = schema.clone();
    schema[GVK] = json!([kind.gvk(&kind.kind)]);
    head(&mut schema["properties"], OBJECT_META, ABOUT_METADATA);
    schema
}

fn list(kind: &Published, item: &str) -> Value {
    let mut properties = json!({
        "items": {
            "description": format!("List of {}.", kind.plural),
            "type": "array",
            "items": reference(item),
        },
    });
    head(&mut properties, LIST_META, ABOUT_LIST_METADATA);
    json!({
        "description": format!("{} is a list of {}", kind.list_kind, kind.kind),
        "type": "object",
        "required": ["items"],
        "properties": properties,
        GVK: [kind.gvk(&kind.list_kind)],
    })
}

/// The fields that every object has.
fn head(properties: &mut Value, metadata: &str, about: &str) {
    properties["apiVersion"] = json!({ "description": ABOUT_API_VERSION, "type": "string" });
    properties["kind"] = json!({ "description": ABOUT_KIND, "type": "string" });
    properties["metadata"] = json!({ "description": about, "allOf": [reference(metadata)] });
}
