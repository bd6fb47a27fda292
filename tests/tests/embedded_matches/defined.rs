//! Objects of a kind that a definition defines: creating and changing them.

use serde_json::{Value, json};

use super::*;

pub fn definitions() -> Vec<Step> {
    let mut misnamed = definition();
    misnamed["metadata"]["name"] = json!("gadgets.example.com");
    let shop = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    vec![
        ask("a definition", "POST", DEFINITIONS, &definition()).only_code(),
        ask("is served", "GET", "/apis/example.com/v1", &Value::Null).until(200),
        ask("its group", "GET", "/apis/example.com", &Value::Null),
        ask("misnamed", "POST", DEFINITIONS, &misnamed).wordless(),
        ask("a namespace", "POST", "/api/v1/namespaces", &shop),
        ask(
            "it is there",
            "GET",
            "/api/v1/namespaces/shop",
            &Value::Null,
        ),
        ask("again", "POST", "/api/v1/namespaces", &shop),
    ]
}

pub fn creating() -> Vec<Step> {
    let full =
        json!({ "size": 1, "parts": [{ "name": "a" }, { "name": "b", "count": 2 }], "unknown": 1 });
    let mut reported = widget("one", &full);
    reported["status"] = json!({ "count": 1 });
    vec![
        ask(
            "defaults, pruning, status left out",
            "POST",
            WIDGETS,
            &reported,
        ),
        ask("as stored", "GET", ONE, &Value::Null),
        ask(
            "again",
            "POST",
            WIDGETS,
            &widget("one", &json!({ "size": 1 })),
        ),
        // One wrong value at a time: the real server lists several in any order.
        ask(
            "too small",
            "POST",
            WIDGETS,
            &widget("bad", &json!({ "size": 0 })),
        ),
        ask(
            "none to choose from",
            "POST",
            WIDGETS,
            &widget("bad", &json!({ "size": 1, "color": "green" })),
        ),
        ask(
            "too many",
            "POST",
            WIDGETS,
            &widget(
                "bad",
                &json!({ "size": 1, "parts": [
            { "name": "a" }, { "name": "b" }, { "name": "c" }, { "name": "d" },
        ] }),
            ),
        ),
        ask(
            "too long",
            "POST",
            WIDGETS,
            &widget(
                "bad",
                &json!({ "size": 1, "parts": [{ "name": "toolong" }] }),
            ),
        ),
        ask(
            "a rule",
            "POST",
            WIDGETS,
            &widget("bad", &json!({ "size": 100 })),
        ),
        ask(
            "nothing required is there",
            "POST",
            WIDGETS,
            &widget("bad", &json!({})),
        ),
        ask(
            "a wrong type",
            "POST",
            WIDGETS,
            &widget("bad", &json!({ "size": "big" })),
        ),
        ask(
            "no spec",
            "POST",
            WIDGETS,
            &json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "x" } }),
        ),
        ask(
            "no name",
            "POST",
            WIDGETS,
            &json!({ "apiVersion": "example.com/v1", "kind": "Widget", "spec": { "size": 1 } }),
        )
        .wordless(),
        ask(
            "a wrong name",
            "POST",
            WIDGETS,
            &widget("Not_A_Name", &json!({ "size": 1 })),
        ),
    ]
}

pub fn misplaced() -> Vec<Step> {
    let mut elsewhere = widget("x", &json!({ "size": 1 }));
    elsewhere["metadata"]["namespace"] = json!("other");
    let mut other_kind = widget("x", &json!({ "size": 1 }));
    other_kind["kind"] = json!("Gadget");
    let mut other_version = widget("x", &json!({ "size": 1 }));
    other_version["apiVersion"] = json!("example.com/v2");
    let full =
        json!({ "size": 1, "parts": [{ "name": "a" }, { "name": "b", "count": 2 }], "unknown": 1 });
    let mut reported = widget("one", &full);
    reported["status"] = json!({ "count": 1 });
    vec![
        ask("another namespace", "POST", WIDGETS, &elsewhere),
        ask(
            "no such namespace",
            "POST",
            "/apis/example.com/v1/namespaces/none/widgets",
            &widget("x", &json!({ "size": 1 })),
        ),
        ask("another kind", "POST", WIDGETS, &other_kind).wordless(),
        ask("another version", "POST", WIDGETS, &other_version).wordless(),
        ask("no object", "POST", WIDGETS, &json!([1])).wordless(),
        ask(
            "a rehearsal",
            "POST",
            "/apis/example.com/v1/namespaces/shop/widgets?dryRun=All",
            &widget("dry", &json!({ "size": 1 })),
        ),
        ask(
            "leaves nothing",
            "GET",
            "/apis/example.com/v1/namespaces/shop/widgets/dry",
            &Value::Null,
        ),
        ask(
            "strictly",
            "POST",
            "/apis/example.com/v1/namespaces/shop/widgets?fieldValidation=Strict",
            &reported,
        )
        .wordless(),
        ask(
            "a wrong option",
            "POST",
            "/apis/example.com/v1/namespaces/shop/widgets?dryRun=Some",
            &reported,
        )
        .wordless(),
        ask(
            "in YAML",
            "POST",
            WIDGETS,
            &widget("yaml", &json!({ "size": 2, "color": "blue" })),
        )
        .typed("application/yaml"),
        ask("in words", "POST", WIDGETS, &reported)
            .typed("text/plain")
            .wordless(),
        ask(
            "a version is not given",
            "POST",
            WIDGETS,
            &json!({
                "apiVersion": "example.com/v1", "kind": "Widget", "spec": { "size": 1 },
                "metadata": { "name": "x", "resourceVersion": "7" },
            }),
        )
        .wordless(),
    ]
}

pub fn updating() -> Vec<Step> {
    let at = |version: &str, size: i64| {
        json!({
            "apiVersion": "example.com/v1", "kind": "Widget", "spec": { "size": size }, "status": { "count": 5 },
            "metadata": { "name": "one", "resourceVersion": version, "labels": { "tier": "web" } },
        })
    };
    let mut other_uid = at("{version:one}", 3);
    other_uid["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000");
    vec![
        ask("the generation counts", "PUT", ONE, &at("{version:one}", 2)),
        ask("the same again", "PUT", ONE, &at("{version:one}", 2)),
        ask("from an old version", "PUT", ONE, &at("1", 3)),
        ask(
            "from no version",
            "PUT",
            ONE,
            &widget("one", &json!({ "size": 3 })),
        ),
        ask("another uid", "PUT", ONE, &other_uid).wordless(),
        ask(
            "another name",
            "PUT",
            ONE,
            &widget("two", &json!({ "size": 3 })),
        ),
        ask(
            "what is not there",
            "PUT",
            "/apis/example.com/v1/namespaces/shop/widgets/none",
            &{
                let mut none = at("1", 1);
                none["metadata"]["name"] = json!("none");
                none
            },
        ),
        ask(
            "the status alone",
            "PUT",
            ONE_STATUS,
            &at("{version:one}", 77),
        ),
        ask("read from there", "GET", ONE_STATUS, &Value::Null),
        ask("a wrong status", "PUT", ONE_STATUS, &{
            let mut wrong = at("{version:one}", 2);
            wrong["status"]["count"] = json!(10);
            wrong
        }),
        ask("an old status", "PUT", ONE_STATUS, &at("1", 2)),
        ask("the status is kept", "PUT", ONE, &{
            let mut bare = at("{version:one}", 4);
            bare["status"] = Value::Null;
            bare
        }),
    ]
}

pub fn patching() -> Vec<Step> {
    let merge = |about, body: &Value| ask(about, "PATCH", ONE, body);
    vec![
        merge(
            "merge",
            &json!({ "spec": { "color": "blue" }, "metadata": { "labels": { "tier": null, "a": "b" } } }),
        ),
        merge("nothing", &json!({})),
        merge("to something wrong", &json!({ "spec": { "size": 0 } })),
        merge(
            "from an old version",
            &json!({ "metadata": { "resourceVersion": "1" } }),
        ),
        merge("the name", &json!({ "metadata": { "name": "two" } })).wordless(),
        merge("no object", &json!([])).wordless(),
        merge(
            "the status is not touched",
            &json!({ "status": { "count": 1 } }),
        ),
        ask(
            "the status",
            "PATCH",
            ONE_STATUS,
            &json!({ "status": { "count": 6 }, "spec": { "size": 50 } }),
        ),
        merge(
            "steps",
            &json!([{ "op": "replace", "path": "/spec/size", "value": 9 }]),
        )
        .typed(JSON_PATCH),
        merge(
            "a test that fails",
            &json!([{ "op": "test", "path": "/spec/size", "value": 1 }]),
        )
        .typed(JSON_PATCH)
        .wordless(),
        merge(
            "a path that is not there",
            &json!([{ "op": "remove", "path": "/spec/none" }]),
        )
        .typed(JSON_PATCH)
        .wordless(),
        merge("no steps", &json!({ "op": "test" }))
            .typed(JSON_PATCH)
            .wordless(),
        merge("strategic", &json!({ "spec": {} }))
            .typed("application/strategic-merge-patch+json")
            .wordless(),
        merge("unheard of", &json!({}))
            .typed("application/octet-stream")
            .wordless(),
        ask(
            "what is not there",
            "PATCH",
            "/apis/example.com/v1/namespaces/shop/widgets/none",
            &json!({}),
        ),
    ]
}
