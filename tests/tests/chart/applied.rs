//! What a real API server makes of what the chart prints.

use std::{collections::BTreeSet, fs};

use drover_tests::{
    chart::{self, NAMESPACE},
    manifests::Document,
};
use serde_json::{Map, Value, json};

use crate::{cluster::cluster, matrix};

#[test]
fn a_server_takes_it_and_warns_of_nothing() {
    // SPEC: KU-2
    let cluster = cluster();
    for (name, documents) in matrix::rendered() {
        let text: Vec<&str> = documents
            .iter()
            .map(|document| document.text.as_str())
            .collect();
        let apply = [
            "apply",
            "--server-side",
            // What the shared cluster holds already belongs to helm.
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "--filename=-",
        ];
        let input = text.join("---\n");
        let output = cluster
            .control_plane
            .kubectl_with_input(&apply, &input)
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {words}");
        assert!(!words.contains("Warning"), "{name}: {words}");
    }
}

#[test]
fn the_policies_compile_against_the_definitions() {
    // SPEC: PL-10
    let policies = cluster().get(&["validatingadmissionpolicies"]);
    let items = policies["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    for policy in items {
        let warnings = &policy["status"]["typeChecking"]["expressionWarnings"];
        assert!(
            warnings.is_null(),
            "{}: {warnings}",
            policy["metadata"]["name"]
        );
    }
}

#[test]
fn an_upgrade_upgrades_definitions_and_an_uninstall_leaves_them() {
    // SPEC: KU-3
    // Given a cluster of its own with an older definition, and a plan
    let cluster = crate::cluster::Cluster {
        control_plane: drover_tests::controlplane::ControlPlane::start().unwrap(),
    };
    let folder = chart::folder();
    let chart = folder.to_str().unwrap();
    let release = [
        "drover",
        chart,
        "--namespace",
        NAMESPACE,
        "--create-namespace",
    ];
    cluster.helm(&[&["install"], &release[..]].concat());
    let crd = ["crd", "failbackpolicies.drover.dev"];
    let wait = ["wait", "--for=condition=Established", "--timeout=60s"];
    cluster.kubectl(&[&wait[..], &crd[..]].concat());
    let older = json!([{ "op": "remove", "path": "/spec/names/shortNames" }]).to_string();
    let patch = ["patch", "--type=json", "--patch", &older];
    cluster.kubectl(&[&patch[..], &crd[..]].concat());
    let policy =
        "{apiVersion: drover.dev/v1alpha1, kind: FailbackPolicy, metadata: {name: kept}, spec: {}}";
    cluster.kubectl_with_input(&["create", "--namespace=default", "--filename=-"], policy);

    // When the chart is upgraded
    cluster.helm(&[&["upgrade", "--force-conflicts"], &release[..4]].concat());

    // Then the definition is that of the chart again
    let upgraded = cluster.get(&crd);
    assert!(upgraded["spec"]["names"]["shortNames"].is_array());

    // And when it is uninstalled, the definitions and what people declared are still there
    cluster.helm(&["uninstall", "drover", "--namespace", NAMESPACE]);
    let left = cluster.get(&["crd"]);
    assert_eq!(
        left["items"].as_array().unwrap().len(),
        drover_api::KINDS.len()
    );
    cluster.kubectl(&["get", "failbackpolicy", "kept", "--namespace=default"]);
    let gone = cluster.get(&["validatingadmissionpolicies"]);
    assert_eq!(gone["items"].as_array().unwrap().len(), 0);

    // And it can be installed again
    cluster.helm(&[&["install"], &release[..]].concat());
}

#[test]
fn kubeconform_finds_it_as_the_servers_schemas_say() {
    // SPEC: KU-2
    let folder = tempfile::tempdir().unwrap();
    let rendered = matrix::rendered();
    write_schemas(
        folder.path(),
        rendered.iter().flat_map(|(_, documents)| documents),
    );
    let schemas = format!("{}/{{{{ .ResourceKind }}}}.json", folder.path().display());
    let check = |text: &str| {
        let file = folder.path().join("manifests.yaml");
        fs::write(&file, text).unwrap();
        let args = [
            "-strict",
            "-output=json",
            "-schema-location",
            &schemas,
            file.to_str().unwrap(),
        ];
        chart::kubeconform(&args).unwrap()
    };
    for (name, documents) in &rendered {
        let texts: Vec<&str> = documents
            .iter()
            .map(|document| document.text.as_str())
            .collect();
        let output = check(&texts.join("---\n"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{name}: {said}");
    }
    // And it is no idle check.
    let service = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {potrs: []}}";
    assert!(!check(service).status.success());
}

/// Writes a schema for each kind among these, as the server describes it, and strict: what it does not
/// describe is refused.
fn write_schemas<'a>(folder: &std::path::Path, documents: impl Iterator<Item = &'a Document>) {
    let kinds: BTreeSet<(String, String)> = documents
        .map(|document| {
            let version = document.value["apiVersion"].as_str().unwrap();
            (version.to_owned(), document.kind().to_owned())
        })
        .collect();
    for (version, kind) in kinds {
        let path = match version.split_once('/') {
            Some((group, version)) => format!("/openapi/v3/apis/{group}/{version}"),
            None => format!("/openapi/v3/api/{version}"),
        };
        let text = cluster().kubectl(&["get", "--raw", &path]);
        let mut described: Value = serde_json::from_str(&text).unwrap();
        let schemas = described["components"]["schemas"].as_object_mut().unwrap();
        let (group, number) = version.split_once('/').unwrap_or(("", &version));
        let this = json!({ "group": group, "kind": kind, "version": number });
        let is_it = |schema: &Value| {
            let named = schema["x-kubernetes-group-version-kind"].as_array();
            named.is_some_and(|named| named.contains(&this))
        };
        let found = schemas.iter().find(|(_, schema)| is_it(schema));
        let name = found.map(|(name, _)| name.clone());
        let name = name.unwrap_or_else(|| panic!("the server does not describe {version} {kind}"));
        schemas.values_mut().for_each(close);
        let whole = json!({
            "$ref": format!("#/components/schemas/{name}"),
            "components": { "schemas": schemas },
        });
        let file = folder.join(format!("{}.json", kind.to_lowercase()));
        fs::write(file, whole.to_string()).unwrap();
    }
}

/// Makes a schema refuse what it does not describe, and leaves out what JSON Schema has no use for.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let has = |object: &Map<String, Value>, key: &str| object.contains_key(key);
    let open =
        has(object, "additionalProperties") || has(object, "x-kubernetes-preserve-unknown-fields");
    if has(object, "properties") && !open {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    // Neither of them says more about a value that is there.
    object.remove("default");
    object.remove("format");
    if object.remove("x-kubernetes-int-or-string").is_some() {
        object.remove("type");
    }
    for key in ["items", "additionalProperties"] {
        object.get_mut(key).into_iter().for_each(close);
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        let list = object.get_mut(key).and_then(Value::as_array_mut);
        list.into_iter().flatten().for_each(close);
    }
    let properties = object.get_mut("properties").and_then(Value::as_object_mut);
    properties
        .into_iter()
        .flat_map(Map::values_mut)
        .for_each(close);
}
