//! Version 2, which says less: no alternatives, no null, nothing that is of several types. What it
//! cannot say it leaves open, so that whoever checks by it takes what the server would take.

use serde_json::{Map, Value, json};

use super::components::GVK;

/// What is kept as it stands.
const KEPT: &[&str] = &[
    "description",
    "format",
    "required",
    "type",
    GVK,
    "x-kubernetes-preserve-unknown-fields",
];

pub(super) fn document(info: &Value, definitions: &Map<String, Value>) -> Value {
    json!({ "swagger": "2.0", "info": info, "paths": {}, "definitions": definitions })
}

/// Schemas of version 3 as definitions of version 2.
pub(super) fn definitions(schemas: &Map<String, Value>) -> Map<String, Value> {
    schemas
        .iter()
        .map(|(name, schema)| (name.clone(), reduced(schema)))
        .collect()
}

fn reduced(schema: &Value) -> Value {
    let Value::Object(fields) = schema else {
        return json!({});
    };
    if let Some(reference) = reference(fields) {
        let mut out = json!({ "$ref": reference });
        if let Some(description) = fields.get("description") {
            out["description"] = description.clone();
        }
        return out;
    }
    let mut out = Map::new();
    for name in KEPT {
        if let Some(value) = fields.get(*name) {
            out.insert((*name).to_owned(), value.clone());
        }
    }
    let is = |name: &str| fields.get(name) == Some(&Value::Bool(true));
    if is("nullable") || is("x-kubernetes-int-or-string") {
        for name in ["type", "format"] {
            out.remove(name);
        }
        return Value::Object(out);
    }
    if is("x-kubernetes-preserve-unknown-fields") {
        return Value::Object(out);
    }
    if let Some(Value::Object(properties)) = fields.get("properties") {
        out.insert(
            "properties".to_owned(),
            Value::Object(definitions(properties)),
        );
    }
    if let Some(items) = fields.get("items") {
        out.insert("items".to_owned(), reduced(items));
    }
    match fields.get("additionalProperties") {
        Some(entry @ Value::Object(_)) => {
            out.insert("additionalProperties".to_owned(), reduced(entry));
        }
        Some(flag @ Value::Bool(_)) => {
            out.insert("additionalProperties".to_owned(), flag.clone());
        }
        _ => {}
    }
    Value::Object(out)
}

/// The schema that this one is, wherever it says so.
fn reference(fields: &Map<String, Value>) -> Option<String> {
    let direct = fields.get("$ref");
    let wrapped = || fields.get("allOf")?.as_array()?.first()?.get("$ref");
    let name = direct
        .or_else(wrapped)?
        .as_str()?
        .strip_prefix("#/components/schemas/")?;
    Some(format!("#/definitions/{name}"))
}
