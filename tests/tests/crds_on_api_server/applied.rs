//! What is applied: taken whole, filled in as the Rust types fill it in, unchanged by a second time.

use std::path::Path;

use drover_api::Object;
use drover_tests::manifests::{self, Document};
use serde_json::{Value, json};

use crate::cluster::{alone, cluster, fixture};

/// The object as Rust reads it.
fn native(value: &Value) -> Object {
    let kind = value["kind"].as_str().unwrap();
    let object = Object::deserialize_kind(kind, value.clone()).unwrap();
    object.unwrap_or_else(|error| panic!("{}: {error}", value["metadata"]["name"]))
}

/// An object as JSON has it, its spec alone: the metadata is the server's.
fn spec(object: &Object) -> Value {
    serde_json::to_value(object).unwrap()["spec"].take()
}

/// What the server has of these documents, in their order.
fn stored(documents: &[Document]) -> Vec<Value> {
    let text = join(documents);
    let answer = cluster().kubectl_with_input(&["get", "--output=json", "--filename=-"], &text);
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    match answer["items"].take() {
        Value::Array(items) => items,
        // One object comes without a list around it.
        _ => vec![answer],
    }
}

fn join(documents: &[Document]) -> String {
    let texts: Vec<&str> = documents.iter().map(|document| &*document.text).collect();
    texts.join("---\n")
}

#[test]
fn every_example_is_taken_and_comes_back_as_rust_reads_it() {
    // SPEC: KU-2
    let repository = manifests::repository();
    let mut files = manifests::files(&repository.join("examples")).unwrap();
    files.push(repository.join("tests/fixtures/example.yaml"));
    for path in &files {
        let documents = manifests::documents(&manifests::read(path).unwrap()).unwrap();
        // An example may have a Secret beside Drover's objects, or values for the chart.
        let ours: Vec<Document> = documents.into_iter().filter(Document::is_ours).collect();
        if !ours.is_empty() {
            check_example(path, &ours);
        }
    }
}

fn check_example(path: &Path, documents: &[Document]) {
    let path = path.display();
    let text = join(documents);

    let _alone = alone();

    // When it is applied
    cluster().apply(&text);

    // Then the server holds what Rust reads from the same text, defaults included
    let stored = stored(documents);
    assert_eq!(stored.len(), documents.len(), "{path}");
    for (document, stored) in documents.iter().zip(&stored) {
        let name = format!("{path}: {} {}", document.kind(), document.name());
        assert_eq!(
            native(stored).metadata().name.as_deref(),
            Some(document.name()),
            "{name}"
        );
        assert_eq!(
            spec(&native(stored)),
            spec(&native(&document.value)),
            "{name}"
        );
    }

    // and a second time changes nothing.
    assert_eq!(
        cluster().kubectl_with_input(&["diff", "--filename=-"], &text),
        "",
        "{path}"
    );
    // Other examples may declare the same names.
    cluster().kubectl_with_input(&["delete", "--filename=-"], &text);
}

#[test]
fn the_defaults_of_the_server_are_those_of_the_types() {
    // SPEC: KU-1
    for (file, name, used) in [
        ("only-required.yaml", "only-required", "defaults"),
        ("every-field.yaml", "every-", "written-"),
    ] {
        let text = fixture(file, name, used);
        let documents = manifests::documents(&text).unwrap();
        cluster().apply(&text);
        for (document, stored) in documents.iter().zip(stored(&documents)) {
            // Field by field, not only as Rust reads them: what one side leaves out and the other
            // fills in is a difference that every GitOps tool reports.
            let name = format!("{} {}", document.kind(), document.name());
            assert_eq!(stored["spec"], spec(&native(&document.value)), "{name}");
        }
        assert_eq!(
            cluster().kubectl_with_input(&["diff", "--filename=-"], &text),
            ""
        );
    }
}

#[test]
fn a_null_is_a_field_that_is_not_set() {
    // SPEC: KU-2
    let text = "
        apiVersion: drover.dev/v1alpha1
        kind: Site
        metadata: { name: nulls }
        spec:
          fabric: { simulator: {}, libvirt: null }
          tenants: null
          limits: null
          timeZone: null
          maintenance: null";
    cluster().apply(text);
    let stored = cluster().get(&["site", "nulls"]);
    let fabric = json!({ "fabric": { "simulator": {} } });
    let least = json!({ "apiVersion": drover_api::API_VERSION, "kind": "Site", "metadata": { "name": "nulls" }, "spec": fabric });
    assert_eq!(stored["spec"], spec(&native(&least)));
}

#[test]
fn a_gitops_tool_has_nobody_to_fight_with() {
    // SPEC: KU-2
    // Given objects that a tool applies on the server's side
    let text = fixture("example.yaml", "shop", "gitops")
        .replace("seoul", "seoul-gitops")
        .replace("busan", "busan-gitops");
    cluster().ensure_namespaces(&manifests::documents(&text).unwrap());
    let apply = [
        "apply",
        "--server-side",
        "--field-manager=gitops",
        "--filename=-",
    ];
    cluster().kubectl_with_input(&apply, &text);
    let plan = ["recoveryplan", "gitops", "--namespace=gitops"];
    let before = cluster().get(&plan);

    // When something else adds to the status and to the metadata, as a controller does
    let patch = json!({ "status": { "activeSite": "primary" }, "metadata": { "finalizers": ["drover.dev/plan"] } }).to_string();
    for part in ["--subresource=status", "--subresource="] {
        let patch = format!("--patch={patch}");
        cluster().kubectl(&[&["patch", "--type=merge", part, &patch], &plan[..]].concat());
    }

    // Then the tool applies the same again without a conflict, and changes nothing.
    let between = cluster().get(&plan);
    assert_ne!(
        between["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    cluster().kubectl_with_input(&apply, &text);
    let after = cluster().get(&plan);
    assert_eq!(
        after["metadata"]["resourceVersion"],
        between["metadata"]["resourceVersion"]
    );
    assert_eq!(
        after["metadata"]["generation"],
        before["metadata"]["generation"]
    );
    assert_eq!(after["status"]["activeSite"], "primary");
    let diff = [
        "diff",
        "--server-side",
        "--field-manager=gitops",
        "--filename=-",
    ];
    assert_eq!(cluster().kubectl_with_input(&diff, &text), "");
}
