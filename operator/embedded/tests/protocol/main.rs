//! The protocol as a client in the same process sees it.
#![cfg(test)]

mod collector;
mod objects;
mod store;
mod watches;

use std::sync::Arc;

use drover_embedded::{Api, Options};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Client,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};

/// A kind with everything that a definition can say here.
fn definition() -> CustomResourceDefinition {
    serde_json::from_value(json!({
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": { "plural": "widgets", "kind": "Widget", "singular": "widget", "shortNames": ["wd"] },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "selectableFields": [{ "jsonPath": ".spec.color" }],
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object",
                            "properties": {
                                "size": { "type": "integer", "minimum": 1 },
                                "color": { "type": "string", "default": "red" },
                            },
                        },
                        "status": {
                            "type": "object",
                            "properties": { "count": { "type": "integer" } },
                        },
                    },
                }},
            }],
        },
    }))
    .unwrap()
}

fn options() -> Options {
    Options {
        crds: vec![definition()],
        now: Arc::new(|| "2026-01-02T03:04:05Z".parse().unwrap()),
        uid_seed: Some(1),
        ..Options::default()
    }
}

async fn open() -> Api {
    Api::open(options()).await.unwrap()
}

fn kind() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Widget"))
}

fn widgets(client: Client) -> kube::Api<DynamicObject> {
    kube::Api::default_namespaced_with(client, &kind())
}

fn widget(name: &str, spec: &Value) -> DynamicObject {
    DynamicObject::new(name, &kind()).data(json!({ "spec": spec }))
}
