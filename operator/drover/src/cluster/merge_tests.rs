#![cfg(test)]

use serde_json::json;

use super::*;

/// A merge patch (RFC 7386) as an API server applies it.
fn patched(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut target = match target {
        Value::Object(target) => target.clone(),
        _ => Map::new(),
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            let old = target.get(key).cloned().unwrap_or(Value::Null);
            target.insert(key.clone(), patched(&old, value));
        }
    }
    Value::Object(target)
}

fn plan(spec: impl Into<Value>) -> Value {
    let spec: Value = spec.into();
    json!({
        "apiVersion": "drover.dev/v1alpha1", "kind": "RecoveryPlan",
        "metadata": { "name": "shop", "namespace": "shop" }, "spec": spec,
    })
}

/// What the cluster holds after somebody applied this, and a server added its own.
fn applied(manifest: &Value) -> Value {
    let mut object = annotated(manifest);
    object["metadata"]["uid"] = "1".into();
    object["metadata"]["generation"] = 4.into();
    object["spec"]["commit"] = json!({ "policy": "Manual" });
    object["status"] = json!({ "activeSite": "primary" });
    object
}

fn patch(current: &Value, manifest: &Value) -> Value {
    three_way(
        last_applied(current).as_ref(),
        &annotated(manifest),
        current,
    )
}

#[test]
fn applying_again_changes_nothing() {
    // SPEC: KU-2
    let manifest =
        plan(json!({ "activeSite": "primary", "groups": [{ "name": "data" }], "x": {} }));
    assert_eq!(patch(&applied(&manifest), &manifest), json!({}));
}

#[test]
fn the_annotation_is_the_one_of_kubectl() {
    let manifest = plan(json!({ "note": "<a & b>" }));
    let object = annotated(&manifest);
    assert_eq!(
        object["metadata"]["annotations"][LAST_APPLIED],
        "{\"apiVersion\":\"drover.dev/v1alpha1\",\"kind\":\"RecoveryPlan\",\"metadata\":\
         {\"annotations\":{},\"name\":\"shop\",\"namespace\":\"shop\"},\"spec\":{\"note\":\
         \"\\u003ca \\u0026 b\\u003e\"}}\n"
    );
    assert_eq!(
        annotated(&object),
        object,
        "annotating twice is annotating once"
    );
}

#[test]
fn one_changed_line_is_the_whole_patch() {
    let before = plan(json!({ "activeSite": "primary", "concurrency": 5 }));
    let after = plan(json!({ "activeSite": "secondary", "concurrency": 5 }));
    let patch = patch(&applied(&before), &after);
    assert_eq!(patch["spec"], json!({ "activeSite": "secondary" }));
    assert_eq!(patch.as_object().map(Map::len), Some(2), "{patch}");
}

#[test]
fn what_is_no_longer_declared_goes_and_what_others_set_stays() {
    // SPEC: KU-2
    let before = plan(json!({ "request": { "id": "a" }, "guards": { "approvals": 2 } }));
    let after = plan(json!({ "guards": {} }));
    let mut current = applied(&before);
    current["spec"]["guards"]["planDigest"] = "by another tool".into();
    current["metadata"]["labels"] = json!({ "team": "shop" });
    let result = patched(&current, &patch(&current, &after));
    assert_eq!(
        result["spec"],
        json!({ "guards": { "planDigest": "by another tool" }, "commit": { "policy": "Manual" } })
    );
    assert_eq!(result["metadata"]["labels"], json!({ "team": "shop" }));
    assert_eq!(result["status"], json!({ "activeSite": "primary" }));
    assert_eq!(last_applied(&result), last_applied(&annotated(&after)));
}

#[test]
fn what_somebody_changed_by_hand_is_set_back() {
    let manifest = plan(json!({ "activeSite": "primary" }));
    let mut current = applied(&manifest);
    current["spec"]["activeSite"] = "secondary".into();
    assert_eq!(
        patch(&current, &manifest),
        json!({ "spec": { "activeSite": "primary" } })
    );
}

#[test]
fn of_an_object_that_nobody_applied_nothing_is_removed() {
    let manifest = plan(json!({ "activeSite": "primary" }));
    let current = plan(json!({ "activeSite": "primary", "concurrency": 3 }));
    let patch = patch(&current, &manifest);
    assert_eq!(patch.get("spec"), None);
    assert_eq!(patched(&current, &patch)["spec"], current["spec"]);
}

#[test]
fn an_annotation_that_cannot_be_read_is_as_none() {
    let manifest = plan(json!({ "activeSite": "primary" }));
    let mut current = applied(&manifest);
    current["metadata"]["annotations"][LAST_APPLIED] = "{".into();
    let result = patched(&current, &patch(&current, &manifest));
    assert_eq!(last_applied(&result), last_applied(&annotated(&manifest)));
}

#[test]
fn lists_are_replaced_whole_and_kinds_of_values_may_change() {
    let before = plan(json!({ "groups": [{ "name": "a" }, { "name": "b" }], "x": { "y": 1 } }));
    let after = plan(json!({ "groups": [{ "name": "b" }], "x": [1] }));
    let current = applied(&before);
    let result = patched(&current, &patch(&current, &after));
    assert_eq!(result["spec"]["groups"], json!([{ "name": "b" }]));
    assert_eq!(result["spec"]["x"], json!([1]));
}

#[test]
fn an_arm_of_a_union_takes_the_place_of_another() {
    let before = plan(json!({ "fabric": { "simulator": {} } }));
    let after = plan(json!({ "fabric": { "libvirt": { "hosts": [] } } }));
    let current = applied(&before);
    let result = patched(&current, &patch(&current, &after));
    assert_eq!(
        result["spec"]["fabric"],
        json!({ "libvirt": { "hosts": [] } })
    );
}
