//! `docs/argocd/health.lua`, run with the Lua that Argo CD has, on objects in every phase.

use std::{collections::BTreeSet, fmt::Write as _, fs, process::Command};

use drover_tests::manifests;
use serde_json::{Value, json};

/// What the script says of each of these objects: a status and a message.
pub fn judge(objects: &[Value]) -> Vec<(String, String)> {
    let script = manifests::repository().join("docs/argocd/health.lua");
    // Argo CD gives a script hardly more than this.
    let mut program = format!("judge = loadfile({})\n", lua(&json!(script)));
    program += "setfenv(judge, setmetatable({ ipairs = ipairs, pairs = pairs }, \
                { __index = function(_, name) return name == 'obj' and obj or nil end }))\n";
    for object in objects {
        writeln!(program, "obj = {}\nsaid = judge()", lua(object)).unwrap();
        program += "print(said.status .. '\\t' .. said.message:gsub('%s', ' '))\n";
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), program).unwrap();
    let output = Command::new("lua5.1").arg(file.path()).output();
    let output = output.expect("lua5.1 is a package of Debian's, which tests/run installs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.split_once('\t').unwrap());
    let said: Vec<_> = lines
        .map(|(status, message)| (status.to_owned(), message.to_owned()))
        .collect();
    assert_eq!(said.len(), objects.len());
    said
}

/// A value as Lua writes it.
fn lua(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => {
            let mut quoted = "\"".to_owned();
            for byte in text.bytes() {
                // Writing into memory does not fail.
                write!(quoted, "\\{byte:03}").unwrap();
            }
            quoted + "\""
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(lua).collect();
            format!("{{{}}}", items.join(","))
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<String> = fields
                .map(|(name, value)| format!("[{}]={}", lua(&json!(name)), lua(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}

/// What it should say of an object in a phase.
pub fn expected(kind: &str, phase: &str) -> &'static str {
    match (kind, phase) {
        (_, "CommitPending" | "AwaitingCompleteSync" | "NotProtected") => "Suspended",
        (_, "Halted" | "Failed" | "Inconsistent") => "Degraded",
        ("RecoveryRun", "Committed" | "Cancelled" | "Protected" | "Standing" | "CleanedUp")
        | ("ProtectedMachine", "Protected" | "Migrated")
        | ("RecoveryDrill", "Standing" | "CleanedUp") => "Healthy",
        _ => "Progressing",
    }
}

/// The phases of a kind, by its definition.
fn phases(plural: &str) -> Vec<String> {
    let path = manifests::repository().join(format!("crds/{plural}.yaml"));
    let crd = manifests::documents(&manifests::read(&path).unwrap())
        .unwrap()
        .remove(0);
    let schema = &crd.value["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let phases = schema["properties"]["status"]["properties"]["phase"]["enum"].as_array();
    let phases = phases
        .unwrap()
        .iter()
        .map(|phase| phase.as_str().unwrap().to_owned());
    phases.collect()
}

fn condition(kind: &str, holds: bool, reason: &str) -> Value {
    json!({
        "type": kind,
        "status": if holds { "True" } else { "False" },
        "reason": reason,
        "message": format!("about {reason}"),
        "observedGeneration": 3,
    })
}

fn object(kind: &str, status: &Value) -> Value {
    json!({ "kind": kind, "metadata": { "name": "a", "generation": 3 }, "status": status })
}

#[test]
fn every_phase_has_a_health() {
    // SPEC: KU-1
    let mut seen = BTreeSet::new();
    for (kind, plural) in [
        ("RecoveryRun", "recoveryruns"),
        ("ProtectedMachine", "protectedmachines"),
        ("RecoveryDrill", "recoverydrills"),
    ] {
        let phases = phases(plural);
        assert!(phases.len() >= 5, "{kind}: {phases:?}");
        let objects: Vec<Value> = phases
            .iter()
            .map(|phase| {
                // Conditions as the operator sets them with each.
                let conditions = match expected(kind, phase) {
                    "Progressing" => [
                        condition("Ready", false, phase),
                        condition("Reconciling", true, phase),
                    ]
                    .to_vec(),
                    "Degraded" => [
                        condition("Ready", false, phase),
                        condition("Stalled", true, phase),
                    ]
                    .to_vec(),
                    _ => [condition("Ready", true, phase)].to_vec(),
                };
                object(kind, &json!({ "phase": phase, "conditions": conditions }))
            })
            .collect();
        for (phase, (status, message)) in phases.iter().zip(judge(&objects)) {
            assert_eq!(status, expected(kind, phase), "{kind} {phase}");
            assert_eq!(message, format!("about {phase}"));
            seen.insert(status);
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn what_is_not_known_yet_progresses_and_what_is_wrong_is_said() {
    // SPEC: KU-1
    let ready = condition("Ready", true, "AsDeclared");
    let older = json!({ "type": "Ready", "status": "True", "reason": "AsDeclared", "message": "", "observedGeneration": 2 });
    let cases = [
        (
            json!({ "kind": "Site", "metadata": {} }),
            "Progressing",
            "Drover has not looked at it yet",
        ),
        (
            object("Site", &json!({ "conditions": [older] })),
            "Progressing",
            "Drover has not looked at its newest declaration yet",
        ),
        (
            object("Site", &json!({ "conditions": [ready] })),
            "Healthy",
            "about AsDeclared",
        ),
        (
            object(
                "ProtectedMachine",
                &json!({ "phase": "Protected", "conditions": [ready, condition("RPOExceeded", true, "BehindThreshold")] }),
            ),
            "Degraded",
            "about BehindThreshold",
        ),
        (
            object(
                "ProtectionGroup",
                &json!({ "conditions": [ready, condition("Conflicted", true, "AlreadyProtected")] }),
            ),
            "Degraded",
            "about AlreadyProtected",
        ),
        (
            object(
                "RecoveryPlan",
                &json!({ "conditions": [condition("Ready", true, "CommitPending"), condition("CommitPending", true, "CommitPending")] }),
            ),
            "Suspended",
            "about CommitPending",
        ),
        (
            object(
                "RecoveryPlan",
                &json!({ "conditions": [condition("Ready", false, "Drifted"), condition("Stalled", true, "Drifted")] }),
            ),
            "Degraded",
            "about Drifted",
        ),
        (
            object(
                "RecoveryDrill",
                &json!({ "phase": "CleanedUp", "result": "Failed", "conditions": [condition("Ready", true, "CleanedUp")] }),
            ),
            "Degraded",
            "the drill failed: about CleanedUp",
        ),
        (
            object("MachineRun", &json!({ "leave": { "state": "Done" } })),
            "Healthy",
            "see the run",
        ),
        (
            object(
                "MachineRun",
                &json!({ "enter": { "state": "Failed", "error": "no room" } }),
            ),
            "Degraded",
            "enter: no room",
        ),
        (
            json!({ "kind": "RecoveryPlan", "metadata": { "deletionTimestamp": "2026-11-20T14:00:00Z" }, "status": { "conditions": [ready] } }),
            "Progressing",
            "it is being deleted",
        ),
    ];
    each_is(&cases);
}

#[test]
fn what_is_suspended_is_said_so_unless_work_goes_on() {
    // SPEC: KU-1, KU-2
    let ready = condition("Ready", true, "AsDeclared");
    each_is(&[
        (
            object(
                "RecoveryPlan",
                &json!({ "conditions": [ready, condition("Suspended", true, "Annotation")] }),
            ),
            "Suspended",
            "about Annotation",
        ),
        (
            object(
                "RecoveryPlan",
                &json!({ "conditions": [condition("Reconciling", true, "Leaving"), condition("Ready", false, "Leaving"), condition("Suspended", true, "Annotation")] }),
            ),
            "Progressing",
            "about Leaving",
        ),
    ]);
}

/// Judges objects, and compares with a status and a message for each.
fn each_is(cases: &[(Value, &str, &str)]) {
    let objects: Vec<Value> = cases.iter().map(|(object, _, _)| object.clone()).collect();
    for ((object, status, message), said) in cases.iter().zip(judge(&objects)) {
        assert_eq!(
            (said.0.as_str(), said.1.as_str()),
            (*status, *message),
            "{object}"
        );
    }
}

#[test]
fn what_people_wait_for_exists() {
    // SPEC: KU-2
    let page = manifests::read(&manifests::repository().join("docs/gitops.md")).unwrap();
    let known =
        manifests::read(&manifests::repository().join("operator/api/src/conditions.rs")).unwrap();
    let mut rows = 0;
    for line in page.lines().filter(|line| line.contains("--for=")) {
        let (_, rest) = line.split_once("--for=").unwrap();
        let (what, rest) = rest.split_once(' ').unwrap();
        let (plural, _) = rest.split_once('/').unwrap();
        let file = manifests::repository().join(format!("crds/{}.yaml", plural_of(plural)));
        let crd = manifests::documents(&manifests::read(&file).unwrap())
            .unwrap()
            .remove(0);
        let schema = &crd.value["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let status = &schema["properties"]["status"]["properties"];
        if let Some(condition) = what.strip_prefix("condition=") {
            assert!(known.contains(&format!("= \"{condition}\";")), "{line}");
            assert!(status["conditions"].is_object(), "{line}");
        } else {
            let (path, value) = what.rsplit_once('=').unwrap();
            let field = path
                .trim_start_matches("jsonpath={.status.")
                .trim_end_matches('}');
            let values = status[field]["enum"].as_array().unwrap();
            assert!(values.contains(&json!(value)), "{line}");
        }
        rows += 1;
    }
    assert!(rows >= 12, "{rows}");
}

fn plural_of(kind: &str) -> String {
    let found = drover_api::KINDS
        .iter()
        .find(|info| info.kind.eq_ignore_ascii_case(kind));
    found
        .unwrap_or_else(|| panic!("{kind} is no kind"))
        .plural
        .to_owned()
}
