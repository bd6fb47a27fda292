//! The requests.

#[path = "built_in.rs"]
mod built_in;
#[path = "defined.rs"]
mod defined;
#[path = "endings.rs"]
mod endings;
#[path = "lists.rs"]
mod lists;

use serde_json::{Value, json};

/// What must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    All,
    /// Messages, their causes and warnings may differ.
    AllButWords,
    Code,
}

/// One request.
pub struct Step {
    pub about: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub body: String,
    pub content_type: &'static str,
    pub accept: &'static str,
    pub compared: Compared,
    /// Asked again until this is the code: something happens by itself.
    pub until: Option<u16>,
}

fn ask(about: &'static str, method: &'static str, path: &'static str, body: &Value) -> Step {
    Step {
        about,
        method,
        path,
        body: if body.is_null() {
            String::new()
        } else {
            body.to_string()
        },
        content_type: if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        },
        accept: "application/json",
        compared: Compared::All,
        until: None,
    }
}

impl Step {
    fn typed(self, content_type: &'static str) -> Self {
        Self {
            content_type,
            ..self
        }
    }

    fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// The two servers say it in other words.
    fn wordless(self) -> Self {
        Self {
            compared: Compared::AllButWords,
            ..self
        }
    }

    /// Controllers of the real server go on with it afterwards.
    fn only_code(self) -> Self {
        Self {
            compared: Compared::Code,
            ..self
        }
    }

    fn until(self, code: u16) -> Self {
        Self {
            until: Some(code),
            ..self
        }
    }
}

/// All steps, in order.
pub fn script() -> Vec<Step> {
    let parts = [
        defined::definitions(),
        defined::creating(),
        defined::misplaced(),
        defined::updating(),
        defined::patching(),
        lists::listing(),
        built_in::plain_kinds(),
        built_in::leases_and_events(),
        lists::refused(),
        endings::deleting(),
        endings::ending(),
    ];
    parts.into_iter().flatten().collect()
}

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const DEFINITION: &str =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/shop/widgets";
const ONE: &str = "/apis/example.com/v1/namespaces/shop/widgets/one";
const ONE_STATUS: &str = "/apis/example.com/v1/namespaces/shop/widgets/one/status";
const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const JSON_PATCH: &str = "application/json-patch+json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": { "plural": "widgets", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"] },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "selectableFields": [{ "jsonPath": ".spec.color" }],
                "additionalPrinterColumns": [{ "name": "Color", "type": "string", "jsonPath": ".spec.color" }],
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": {
                        "spec": {
                            "type": "object",
                            "required": ["size"],
                            "x-kubernetes-validations": [{ "rule": "self.size < 100", "message": "too large" }],
                            "properties": {
                                "size": { "type": "integer", "minimum": 1 },
                                "color": { "type": "string", "default": "red", "enum": ["red", "blue"] },
                                "parts": {
                                    "type": "array",
                                    "maxItems": 3,
                                    "items": {
                                        "type": "object",
                                        "required": ["name"],
                                        "properties": {
                                            "name": { "type": "string", "maxLength": 5 },
                                            "count": { "type": "integer", "default": 1 },
                                        },
                                    },
                                },
                            },
                        },
                        "status": {
                            "type": "object",
                            "properties": { "count": { "type": "integer", "maximum": 9 } },
                        },
                    },
                }},
            }],
        },
    })
}

fn widget(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": name }, "spec": spec })
}

fn map(name: &str, data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
}
