//! The schemas and rules of Drover's kinds, as this crate understands them: what a real API server
//! refuses is refused, in its words, and what it takes is taken and filled in as it does.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use drover_api::Object;
use drover_embedded::schema::{Compiled, FieldReason, Part};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The YAML files under a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The objects in a file.
fn objects(text: &str) -> Vec<Value> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            documents.push(String::new());
        } else {
            let last = documents.last_mut().unwrap();
            last.push_str(line);
            last.push('\n');
        }
    }
    let says_something = |text: &String| {
        text.lines()
            .any(|line| !line.trim().is_empty() && !line.starts_with('#'))
    };
    let documents = documents.iter().filter(|text| says_something(text));
    let documents = documents.map(|text| serde_yaml::from_str(text).unwrap());
    documents.flat_map(unpacked).collect()
}

/// The items of a list, as `kubectl` sends them; else the object itself.
fn unpacked(mut object: Value) -> Vec<Value> {
    match object["items"].take() {
        Value::Array(items) if object["kind"] == "List" => items,
        _ => {
            object.as_object_mut().unwrap().remove("items");
            vec![object]
        }
    }
}

/// By kind.
fn kinds() -> BTreeMap<String, Compiled> {
    let mut kinds = BTreeMap::new();
    for path in files("crds") {
        let text = fs::read_to_string(path).unwrap();
        let crd: CustomResourceDefinition = serde_yaml::from_str(&text).unwrap();
        let version = &crd.spec.versions[0].name;
        kinds.insert(
            crd.spec.names.kind.clone(),
            Compiled::of(&crd, version).unwrap(),
        );
    }
    kinds
}

fn is_ours(object: &Value) -> bool {
    object["apiVersion"] == drover_api::API_VERSION
}

/// Admits an object, and says what is wrong with it as a strict server would.
fn problems(kind: &Compiled, object: &mut Value) -> Vec<String> {
    let unknown = kind.admit(object);
    if !unknown.is_empty() {
        return unknown
            .iter()
            .map(|path| format!("unknown field \"{path}\""))
            .collect();
    }
    let errors = kind.validate(object, None, Part::Whole);
    errors.iter().map(ToString::to_string).collect()
}

/// What the real server refuses before it looks at a schema.
const BEFORE_THE_SCHEMA: &[&str] = &[
    "schema-object-name",
    "schema-object-without-name",
    "schema-unknown-kind",
    "schema-unknown-version",
];

/// Here `kubectl` is first to complain: it reads lists by the published schemas itself.
const IN_KUBECTLS_WORDS: &[&str] = &["schema-list-with-a-bad-item"];

#[test]
fn what_a_real_server_refuses_is_refused_and_nothing_else() {
    // SPEC: BI-1
    // SPEC: KU-4
    let kinds = kinds();
    let mut wrong = Vec::new();
    let mut refused = 0;
    for path in files("tests/corpus/broken") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text);
        let header = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_default().to_owned()
        };
        let (class, says) = (header("# expect: "), header("# says: "));
        // What is no YAML is no object to look at.
        if class == "syntax" {
            continue;
        }
        let mut said = Vec::new();
        for mut object in objects(&text).into_iter().filter(is_ours) {
            if let Some(kind) = kinds.get(object["kind"].as_str().unwrap()) {
                said.extend(problems(kind, &mut object));
            }
        }
        let about_schema =
            ["schema", "cel"].contains(&&*class) && !BEFORE_THE_SCHEMA.contains(&name);
        refused += usize::from(about_schema);
        match (about_schema, said.is_empty()) {
            (true, true) => wrong.push(format!("{name}: taken, and should not be: {says}")),
            _ if IN_KUBECTLS_WORDS.contains(&name) => {}
            (true, false) if !said.iter().any(|said| said.contains(&says)) => {
                wrong.push(format!("{name}: should say {says:?}: {said:#?}"));
            }
            (false, false) => wrong.push(format!("{name}: refused: {said:#?}")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(refused > 100, "only {refused} files were refused");
}

#[test]
fn every_example_and_fixture_is_taken() {
    // SPEC: KU-4
    let kinds = kinds();
    let mut paths = files("examples");
    for fixture in ["every-field", "only-required", "example"] {
        paths.push(repository().join(format!("tests/fixtures/{fixture}.yaml")));
    }
    let mut taken = 0;
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        for mut object in objects(&text).into_iter().filter(is_ours) {
            let kind = &kinds[object["kind"].as_str().unwrap()];
            assert_eq!(problems(kind, &mut object), [""; 0], "{}", path.display());
            taken += 1;
        }
    }
    assert!(taken > 50, "only {taken} objects");
}

#[test]
fn defaults_are_those_of_the_types() {
    // SPEC: KU-1
    let kinds = kinds();
    let native = |object: &Value| {
        let kind = object["kind"].as_str().unwrap();
        let object = Object::deserialize_kind(kind, object.clone())
            .unwrap()
            .unwrap();
        serde_json::to_value(&object).unwrap()
    };
    let mut filled_in = 0;
    for fixture in ["only-required", "every-field"] {
        let path = repository().join(format!("tests/fixtures/{fixture}.yaml"));
        for object in objects(&fs::read_to_string(path).unwrap()) {
            let mut admitted = object.clone();
            assert_eq!(
                kinds[object["kind"].as_str().unwrap()].admit(&mut admitted),
                [""; 0]
            );
            // Field by field: what one side leaves out and the other fills in is a difference too.
            assert_eq!(
                admitted["spec"],
                native(&object)["spec"],
                "{}",
                object["kind"]
            );
            assert_eq!(native(&admitted), native(&object));
            filled_in += usize::from(admitted != object);
        }
    }
    assert!(filled_in > 3);
}

#[test]
fn what_may_not_change_is_refused_on_update_only() {
    // SPEC: KU-1
    let kinds = kinds();
    let path = repository().join("tests/fixtures/only-required.yaml");
    let plan = objects(&fs::read_to_string(path).unwrap())
        .into_iter()
        .find(|object| object["kind"] == "RecoveryPlan");
    let (mut old, kind) = (plan.unwrap(), &kinds["RecoveryPlan"]);
    kind.admit(&mut old);
    let mut new = old.clone();
    new["spec"]["sites"]["secondary"] = "jeju".into();
    assert_eq!(kind.validate(&new, None, Part::Whole), []);
    let refused = kind.validate(&new, Some(&old), Part::Whole);
    let [error] = refused.as_slice() else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (&*error.field, error.reason),
        ("spec.sites", FieldReason::Invalid)
    );
    assert_eq!(
        error.message,
        "Invalid value: the sites of a plan cannot be changed: make a new plan"
    );
    // A status update does not look at the specification.
    assert_eq!(kind.validate(&new, Some(&old), Part::Status), []);
}
