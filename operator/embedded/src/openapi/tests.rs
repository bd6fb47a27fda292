#![cfg(test)]

use serde_json::json;

use super::*;

fn kind(group: &str, version: &str, kind: &str, schema: Option<Value>) -> Published {
    Published {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        plural: format!("{}s", kind.to_lowercase()),
        namespaced: kind != "Namespace" && kind != "CustomResourceDefinition",
        status: schema.is_some(),
        schema,
    }
}

fn plan() -> Published {
    let schema = json!({
        "description": "A plan.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "port": { "x-kubernetes-int-or-string": true, "type": "string" },
                    "note": { "type": "string", "nullable": true },
                    "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                },
            },
        },
    });
    kind("drover.dev", "v1alpha1", "Plan", Some(schema))
}

fn everything() -> Documents {
    Documents::of(&[
        plan(),
        kind("", "v1", "Namespace", None),
        kind("", "v1", "Secret", None),
        kind("", "v1", "ConfigMap", None),
        kind("", "v1", "Event", None),
        kind("events.k8s.io", "v1", "Event", None),
        kind("coordination.k8s.io", "v1", "Lease", None),
        kind(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            None,
        ),
    ])
}

fn read(documents: &Documents, root: &str) -> Value {
    serde_json::from_slice(&documents.v3(root).unwrap().json).unwrap()
}

/// All names that something in a document refers to.
fn references(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                assert_eq!(fields.keys().filter(|key| *key != "description").count(), 1);
                out.push(reference.rsplit('/').next().unwrap().to_owned());
            }
            fields.values().for_each(|value| references(value, out));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, out)),
        _ => {}
    }
}

#[test]
fn the_index_leads_to_every_document() {
    let documents = everything();
    let index = documents.index();
    let paths = index["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 5);
    for (root, place) in paths {
        let hash = &documents.v3(root).unwrap().hash;
        assert_eq!(
            place["serverRelativeURL"],
            format!("/openapi/v3/{root}?hash={hash}")
        );
    }
    // It changes when a kind does, and not otherwise.
    assert_eq!(index, everything().index());
    let other = Documents::of(&[Published {
        schema: Some(json!({ "type": "object" })),
        ..plan()
    }]);
    let hash = |documents: &Documents| {
        documents
            .v3("apis/drover.dev/v1alpha1")
            .unwrap()
            .hash
            .clone()
    };
    assert_ne!(hash(&documents), hash(&other));
}

#[test]
fn every_reference_leads_somewhere() {
    let documents = everything();
    for root in documents.index()["paths"].as_object().unwrap().keys() {
        let document = read(&documents, root);
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for name in found {
            assert!(
                document["components"]["schemas"][&name].is_object(),
                "{root}: {name}"
            );
        }
    }
    let v2: Value = serde_json::from_slice(&documents.v2().json).unwrap();
    let mut found = Vec::new();
    references(&v2, &mut found);
    for name in found {
        assert!(v2["definitions"][&name].is_object(), "{name}");
    }
}

#[test]
fn a_client_finds_the_kind_of_a_resource_and_that_fields_are_checked() {
    // SPEC: KU-2
    let document = read(&everything(), "apis/drover.dev/v1alpha1");
    let gvk = json!({ "group": "drover.dev", "version": "v1alpha1", "kind": "Plan" });
    let paths = &document["paths"];
    let home = "/apis/drover.dev/v1alpha1/namespaces/{namespace}/plans";
    assert_eq!(paths[home]["get"]["x-kubernetes-group-version-kind"], gvk);
    let patch = &paths[format!("{home}/{{name}}")]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"], gvk);
    let parameters = patch["parameters"].as_array().unwrap();
    assert!(
        parameters
            .iter()
            .any(|each| each["name"] == "fieldValidation" && each["in"] == "query")
    );
    assert!(paths[format!("{home}/{{name}}/status")]["put"].is_object());

    let plan = &document["components"]["schemas"]["dev.drover.v1alpha1.Plan"];
    assert_eq!(plan["x-kubernetes-group-version-kind"], json!([gvk]));
    assert_eq!(plan["required"], json!(["spec"]));
    let metadata = &plan["properties"]["metadata"]["allOf"][0]["$ref"];
    assert_eq!(
        metadata,
        "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    );
    let list = &document["components"]["schemas"]["dev.drover.v1alpha1.PlanList"];
    assert_eq!(
        list["properties"]["items"]["items"]["$ref"],
        "#/components/schemas/dev.drover.v1alpha1.Plan"
    );
}

#[test]
fn built_in_kinds_are_described_in_full() {
    let document = read(&everything(), "api/v1");
    let secret = &document["components"]["schemas"]["io.k8s.api.core.v1.Secret"];
    assert_eq!(
        secret["x-kubernetes-group-version-kind"][0]["kind"],
        "Secret"
    );
    assert_eq!(
        secret["properties"]["stringData"]["additionalProperties"]["type"],
        "string"
    );
    assert!(document["paths"]["/api/v1/namespaces"]["post"].is_object());
    assert!(document["paths"]["/api/v1/namespaces/{namespace}/secrets"]["post"].is_object());
}

#[test]
fn version_2_leaves_open_what_it_cannot_say() {
    let v2: Value = serde_json::from_slice(&everything().v2().json).unwrap();
    let spec = &v2["definitions"]["dev.drover.v1alpha1.Plan"]["properties"]["spec"]["properties"];
    assert_eq!(spec["port"], json!({}));
    assert_eq!(spec["note"], json!({}));
    assert_eq!(
        spec["labels"]["additionalProperties"],
        json!({ "type": "string" })
    );
}

#[test]
fn protobuf_is_written_as_its_readers_expect() {
    let definitions = json!({ "A": { "type": "object", "required": ["b"], "properties": { "b": { "$ref": "#/definitions/B" } } } });
    let written = protobuf::document(definitions.as_object().unwrap());
    let head = [10, 3, b'2', b'.', b'0', 18];
    assert_eq!(written[..6], head);
    // Definitions > entry > name "A", then the schema of 40 bytes.
    let version = env!("CARGO_PKG_VERSION").len();
    let info = 8 + 2 + version;
    let after_info = &written[7 + info..];
    assert_eq!(after_info[..2], [66, 0]);
    assert_eq!(after_info[2], 74);
    assert_eq!(after_info[4..9], [10, after_info[5], 10, 1, b'A']);
    let schema = &after_info[9..];
    assert_eq!(schema[0], 18);
    assert_eq!(schema[2..7], [0x9a, 1, 1, b'b', 0xb2]);
    // A length above 127 takes two bytes.
    let long = json!({ "A": { "description": "x".repeat(300) } });
    let written = protobuf::document(long.as_object().unwrap());
    let at = written
        .windows(3)
        .position(|window| window == [34, 0xac, 2])
        .unwrap();
    assert_eq!(&written[at + 3..], "x".repeat(300).as_bytes());
}
