//! Deletions, and what follows from them.

use serde_json::{Value, json};

use super::*;

pub fn deleting() -> Vec<Step> {
    const HELD: &str = "/apis/example.com/v1/namespaces/shop/widgets/held";
    let mut held = widget("held", &json!({ "size": 1 }));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let options = |preconditions: &Value| json!({ "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions });
    vec![
        ask(
            "another uid",
            "DELETE",
            ONE,
            &options(&json!({ "uid": "00000000-0000-4000-8000-000000000000" })),
        )
        .wordless(),
        ask(
            "another version",
            "DELETE",
            ONE,
            &options(&json!({ "resourceVersion": "1" })),
        )
        .wordless(),
        ask(
            "a rehearsal",
            "DELETE",
            "/apis/example.com/v1/namespaces/shop/widgets/one?dryRun=All",
            &Value::Null,
        ),
        ask(
            "a wrong policy",
            "DELETE",
            "/apis/example.com/v1/namespaces/shop/widgets/one?propagationPolicy=Hope",
            &Value::Null,
        )
        .wordless(),
        ask("one", "DELETE", ONE, &Value::Null),
        ask("is gone", "GET", ONE, &Value::Null),
        ask("again", "DELETE", ONE, &Value::Null),
        ask("a held one", "POST", WIDGETS, &held),
        ask("waits", "DELETE", HELD, &Value::Null),
        ask("still", "DELETE", HELD, &Value::Null),
        ask(
            "takes no more finalizers",
            "PATCH",
            HELD,
            &json!({ "metadata": { "finalizers": ["example.com/hold", "example.com/more"] } }),
        )
        .wordless(),
        ask(
            "is let go",
            "PATCH",
            HELD,
            &json!({ "metadata": { "finalizers": null } }),
        ),
        ask("and is gone", "GET", HELD, &Value::Null),
        ask(
            "with its dependents first",
            "POST",
            MAPS,
            &map("owner", &json!({})),
        ),
        ask("a dependent", "POST", MAPS, &{
            let mut child = map("child", &json!({}));
            child["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "{uid:owner}", "blockOwnerDeletion": true,
            }]);
            child
        }),
        ask(
            "in the foreground",
            "DELETE",
            "/api/v1/namespaces/shop/configmaps/owner?propagationPolicy=Foreground",
            &Value::Null,
        ),
        ask(
            "the owner goes",
            "GET",
            "/api/v1/namespaces/shop/configmaps/owner",
            &Value::Null,
        )
        .until(404),
        ask(
            "the dependent too",
            "GET",
            "/api/v1/namespaces/shop/configmaps/child",
            &Value::Null,
        )
        .until(404),
        ask(
            "all that match",
            "DELETE",
            "/apis/example.com/v1/namespaces/shop/widgets?labelSelector=none%3Dmatch",
            &Value::Null,
        ),
        ask(
            "a table of nothing",
            "GET",
            "/apis/example.com/v1/namespaces/none/widgets",
            &Value::Null,
        )
        .accepting(TABLE),
    ]
}

pub fn ending() -> Vec<Step> {
    vec![
        ask(
            "the namespace default stays",
            "DELETE",
            "/api/v1/namespaces/default",
            &Value::Null,
        ),
        ask(
            "a namespace ends",
            "DELETE",
            "/api/v1/namespaces/shop",
            &Value::Null,
        )
        .wordless(),
        ask(
            "with all in it",
            "GET",
            "/api/v1/namespaces/shop",
            &Value::Null,
        )
        .until(404),
        ask("nothing is left", "GET", WIDGETS, &Value::Null),
        ask("a definition ends", "DELETE", DEFINITION, &Value::Null).wordless(),
        ask("and is gone", "GET", DEFINITION, &Value::Null).until(404),
        ask(
            "nobody serves it",
            "GET",
            "/apis/example.com/v1/widgets",
            &Value::Null,
        )
        .until(404),
    ]
}
