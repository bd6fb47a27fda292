//! Built-in kinds.

use serde_json::{Value, json};

use super::*;

pub fn plain_kinds() -> Vec<Step> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "stringData": { "a": "b" }, "data": { "c": "ZA==" },
    });
    vec![
        ask(
            "a secret",
            "POST",
            "/api/v1/namespaces/shop/secrets",
            &secret,
        ),
        ask(
            "its type stays",
            "PATCH",
            "/api/v1/namespaces/shop/secrets/s",
            &json!({ "type": "other" }),
        ),
        ask(
            "no base64",
            "PATCH",
            "/api/v1/namespaces/shop/secrets/s",
            &json!({ "data": { "a": "?" } }),
        )
        .wordless(),
        ask("a map", "POST", MAPS, &map("m", &json!({ "a": "b" }))),
        ask(
            "numbers are no text",
            "POST",
            MAPS,
            &map("n", &json!({ "a": 1 })),
        )
        .wordless(),
        ask(
            "strictly",
            "POST",
            "/api/v1/namespaces/shop/configmaps?fieldValidation=Strict",
            &{
                let mut map = map("n", &json!({}));
                map["datta"] = json!({});
                map
            },
        )
        .wordless(),
        ask(
            "with a warning",
            "POST",
            "/api/v1/namespaces/shop/configmaps?fieldValidation=Warn",
            &{
                let mut map = map("warned", &json!({}));
                map["extra"] = json!("x");
                map
            },
        ),
        ask(
            "without a version",
            "PUT",
            "/api/v1/namespaces/shop/configmaps/m",
            &map("m", &json!({ "a": "c" })),
        ),
        ask(
            "strategically",
            "PATCH",
            "/api/v1/namespaces/shop/configmaps/m",
            &json!({ "data": { "d": "e" } }),
        )
        .typed("application/strategic-merge-patch+json"),
    ]
}

pub fn leases_and_events() -> Vec<Step> {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "l" },
        "spec": { "holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-02T03:04:05.000006Z" },
    });
    let mut wrong_lease = lease.clone();
    wrong_lease["metadata"]["name"] = json!("wrong");
    wrong_lease["spec"]["leaseDurationSeconds"] = json!(0);
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "e" },
        "eventTime": "2026-01-02T03:04:05.000006Z", "reason": "Tested", "note": "a note", "type": "Normal", "action": "Test",
        "reportingController": "drover.dev/test", "reportingInstance": "one",
        "regarding": { "apiVersion": "example.com/v1", "kind": "Widget", "name": "one", "namespace": "shop" },
    });
    vec![
        ask(
            "a lease",
            "POST",
            "/apis/coordination.k8s.io/v1/namespaces/shop/leases",
            &lease,
        ),
        ask(
            "a wrong lease",
            "POST",
            "/apis/coordination.k8s.io/v1/namespaces/shop/leases",
            &wrong_lease,
        ),
        ask(
            "an event",
            "POST",
            "/apis/events.k8s.io/v1/namespaces/shop/events",
            &event,
        ),
        ask(
            "in its other shape",
            "GET",
            "/api/v1/namespaces/shop/events/e",
            &Value::Null,
        ),
        ask(
            "found by its object",
            "GET",
            "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%3Done",
            &Value::Null,
        )
        .accepting(METADATA_LIST),
        ask(
            "may I",
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            &json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": { "resourceAttributes": { "verb": "get", "resource": "secrets" } },
            }),
        )
        .accepting("application/json")
        .wordless(),
    ]
}
