//! Schemas, keyword by keyword: what is filled in, what is refused, and how it is said.
#![cfg(test)]
// What a case is made of is written where it is used up.
#![allow(clippy::needless_pass_by_value)]

mod admission;
mod compiling;
mod corpus;
mod keywords;
mod rules;

use drover_embedded::schema::{Compiled, FieldError, Part, SchemaError};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

/// A definition whose objects have this specification, and this status.
fn definition(spec: &Value, status: &Value) -> CustomResourceDefinition {
    let schema = json!({
        "type": "object",
        "properties": { "spec": spec, "status": status, "metadata": { "type": "object" } },
    });
    let version = json!({ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } });
    let spec = json!({
        "group": "example.org",
        "names": { "kind": "Thing", "plural": "things" },
        "scope": "Cluster",
        "versions": [version],
    });
    serde_json::from_value(json!({ "metadata": { "name": "things.example.org" }, "spec": spec }))
        .unwrap()
}

fn try_compile(spec: &Value) -> Result<Compiled, SchemaError> {
    Compiled::of(&definition(spec, &json!({ "type": "object" })), "v1")
}

fn compile(spec: &Value) -> Compiled {
    try_compile(spec).unwrap()
}

/// A specification as it is after admission, and the paths of what was unknown.
fn admitted(schema: &Value, spec: Value) -> (Value, Vec<String>) {
    let mut object = json!({ "spec": spec });
    let unknown = compile(schema).admit(&mut object);
    (object["spec"].take(), unknown)
}

fn said(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// What is said about a new specification.
fn refused(schema: &Value, spec: Value) -> Vec<String> {
    said(&compile(schema).validate(&json!({ "spec": spec }), None, Part::Whole))
}

/// What is said about a change.
fn refused_change(schema: &Value, old: Value, new: Value) -> Vec<String> {
    let (old, new) = (json!({ "spec": old }), json!({ "spec": new }));
    said(&compile(schema).validate(&new, Some(&old), Part::Whole))
}

/// A property `a` of this schema.
fn a(schema: Value) -> Value {
    json!({ "type": "object", "properties": { "a": schema } })
}

const NONE: [&str; 0] = [];

/// A schema with these rules.
fn ruled(mut schema: Value, rules: Value) -> Value {
    schema["x-kubernetes-validations"] = rules;
    schema
}
