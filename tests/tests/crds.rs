//! The definitions in `crds/`: they are those of the kinds, and each field is explained and bounded.
//!
//! `DROVER_UPDATE=1 cargo test -p drover-tests --test crds` writes them anew.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
};

use drover_api::{KINDS, KindInfo, crd};
use drover_tests::{
    manifests::{self, Document},
    rules,
};
use serde_json::Value;

/// Names of Kubernetes' own resources and of tools that stand beside Drover in a cluster; `kubectl
/// get` with a name that two resources share takes either.
const TAKEN: &[&str] = &[
    "cm", "cs", "crd", "cj", "cr", "csr", "deploy", "ds", "ep", "ev", "hpa", "ing", "limits",
    "netpol", "no", "ns", "pc", "pdb", "po", "pv", "pvc", "quota", "rc", "rs", "sa", "sc", "sts",
    "svc", "vm", "vmi", "dv", "app", "ks",
];

#[test]
fn what_is_checked_in_is_what_the_code_says() {
    // SPEC: KU-1
    let folder = manifests::repository().join("crds");
    let made: BTreeMap<String, String> = KINDS
        .iter()
        .map(|info| (format!("{}.yaml", info.plural), crd::to_yaml(info).unwrap()))
        .collect();
    if env::var_os("DROVER_UPDATE").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &made {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let files = manifests::files(&folder).unwrap();
    let found: BTreeMap<String, String> = files
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, manifests::read(path).unwrap())
        })
        .collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&made), "one file for each kind");
    for (name, text) in &made {
        // Not `assert_eq`: it would print both, thousands of lines.
        assert!(
            found[name] == *text,
            "crds/{name} is not what the code says: run \
             `DROVER_UPDATE=1 cargo test -p drover-tests --test crds` and review the difference"
        );
    }
}

#[test]
fn every_field_is_explained_and_bounded() {
    // SPEC: KU-1
    let mut gaps = Vec::new();
    for info in KINDS {
        for part in ["spec", "status"] {
            let schema = schema(info)["properties"][part].take();
            if !schema.is_null() {
                look_at(&schema, &format!("{}.{part}", info.kind), &mut gaps);
                is_explained(&schema, &format!("{}.{part}", info.kind), &mut gaps);
            }
        }
    }
    assert!(gaps.is_empty(), "{gaps:#?}");
}

/// Collects what the schema of one value lacks. Bounds are needed for the server to afford the rules
/// of an object, and for an object to fit into etcd.
fn look_at(schema: &Value, path: &str, gaps: &mut Vec<String>) {
    let has = |keyword: &str| !schema[keyword].is_null();
    let mut lacks = |what: &str| gaps.push(format!("{path} has no {what}"));
    match schema["type"].as_str().unwrap_or_default() {
        "string" if has("enum") || schema["format"] == "date-time" => {}
        "string" if !has("maxLength") => lacks("maxLength"),
        "array" if !has("maxItems") => lacks("maxItems"),
        "object" if has("additionalProperties") && !has("maxProperties") => lacks("maxProperties"),
        // `observedGeneration` may be anything that `generation` is.
        "integer" if path.ends_with(".status.observedGeneration") => {}
        "integer" if !has("minimum") => lacks("minimum"),
        // An unsigned integer of 64 bits is bounded by its format.
        "integer" if !has("maximum") && schema["format"] != "int64" => lacks("maximum"),
        "string" | "array" | "object" | "integer" | "boolean" => {}
        _ => lacks("type that a definition can be made of"),
    }
    for keyword in ["anyOf", "oneOf", "allOf", "not", "$ref", "nullable"] {
        if has(keyword) {
            gaps.push(format!("{path} has {keyword}"));
        }
    }
    // A condition is Kubernetes' own type, whose schema says less than we ask of ours, and no rule
    // of ours looks at one.
    if path.ends_with(".status.conditions") {
        return;
    }
    if has("items") {
        look_at(&schema["items"], &format!("{path}[]"), gaps);
    }
    if has("additionalProperties") {
        look_at(
            &schema["additionalProperties"],
            &format!("{path}{{}}"),
            gaps,
        );
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        is_explained(property, &path, gaps);
        look_at(property, &path, gaps);
    }
}

fn is_explained(schema: &Value, path: &str, gaps: &mut Vec<String>) {
    let description = schema["description"].as_str().unwrap_or_default();
    if !description.ends_with(['.', '`']) && !description.contains("Example: ") {
        gaps.push(format!(
            "{path} is not explained in a sentence: {description:?}"
        ));
    }
}

#[test]
fn every_field_is_written_in_a_fixture() {
    // SPEC: KU-2
    // What an API server gives back is compared for what the fixtures write; so they write all.
    let text =
        manifests::read(&manifests::repository().join("tests/fixtures/every-field.yaml")).unwrap();
    let documents = manifests::documents(&text).unwrap();
    let mut missing = Vec::new();
    for info in KINDS {
        let specs: Vec<&Value> = documents
            .iter()
            .filter(|document| document.kind() == info.kind)
            .map(|document| &document.value["spec"])
            .collect();
        missing_in(
            &specs,
            &schema(info)["properties"]["spec"],
            info.kind,
            &mut missing,
        );
    }
    assert!(
        missing.is_empty(),
        "write these into tests/fixtures/every-field.yaml: {missing:#?}"
    );
}

fn missing_in(values: &[&Value], schema: &Value, path: &str, missing: &mut Vec<String>) {
    if schema["type"] == "array" {
        let items: Vec<&Value> = values
            .iter()
            .filter_map(|value| value.as_array())
            .flatten()
            .collect();
        return missing_in(&items, &schema["items"], path, missing);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let written: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
        if written.is_empty() {
            missing.push(path);
        } else {
            missing_in(&written, property, &path, missing);
        }
    }
}

#[test]
fn the_fixtures_have_an_object_of_each_kind() {
    // SPEC: KU-2
    for name in ["every-field", "only-required"] {
        let path = manifests::repository().join(format!("tests/fixtures/{name}.yaml"));
        let documents = manifests::documents(&manifests::read(&path).unwrap()).unwrap();
        let found: BTreeSet<&str> = documents.iter().map(Document::kind).collect();
        let kinds: BTreeSet<&str> = KINDS.iter().map(|info| info.kind).collect();
        assert_eq!(found, kinds, "{name}");
    }
}

#[test]
fn names_are_nobody_elses() {
    // SPEC: KU-1
    let mut short_names: Vec<String> = TAKEN.iter().map(ToString::to_string).collect();
    for info in KINDS {
        let crd = crd::definition(info).unwrap();
        let names = &crd["spec"]["names"];
        assert_eq!(
            names["categories"],
            serde_json::json!(["drover"]),
            "{}",
            info.kind
        );
        for name in names["shortNames"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap().to_owned();
            assert!(!short_names.contains(&name), "{name} is taken");
            short_names.push(name);
        }
    }
}

#[test]
fn every_rule_has_words_of_its_own() {
    // SPEC: BI-1
    // Who is refused sees the message and not the rule, so one message is one rule.
    let mut rules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in rules::all().unwrap() {
        assert!(
            !rule.message.is_empty(),
            "{} has a rule without a message",
            rule.at
        );
        rules.entry(rule.message).or_default().insert(rule.rule);
    }
    for (message, rules) in rules {
        assert_eq!(rules.len(), 1, "{message}: {rules:?}");
    }
}

fn schema(info: &KindInfo) -> Value {
    crd::definition(info).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
}
