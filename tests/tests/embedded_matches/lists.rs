//! Lists, and what nobody serves.

use serde_json::{Value, json};

use super::*;

pub fn listing() -> Vec<Step> {
    let list = |about, path| ask(about, "GET", path, &Value::Null);
    vec![
        list("all", WIDGETS),
        list("everywhere", "/apis/example.com/v1/widgets"),
        list(
            "by label",
            "/apis/example.com/v1/widgets?labelSelector=a%3Db",
        ),
        list(
            "by absent label",
            "/apis/example.com/v1/widgets?labelSelector=!a",
        ),
        list(
            "by set",
            "/apis/example.com/v1/widgets?labelSelector=a%20in%20(b%2Cc)",
        ),
        list(
            "by no selector",
            "/apis/example.com/v1/widgets?labelSelector=a%20within%20b",
        )
        .wordless(),
        list(
            "by name",
            "/apis/example.com/v1/widgets?fieldSelector=metadata.name%3Dyaml",
        ),
        list(
            "by field",
            "/apis/example.com/v1/widgets?fieldSelector=spec.color%3Dblue",
        ),
        list(
            "by a field that none is",
            "/apis/example.com/v1/widgets?fieldSelector=spec.size%3D1",
        )
        .wordless(),
        list("one by one", "/apis/example.com/v1/widgets?limit=1"),
        list("a broken mark", "/apis/example.com/v1/widgets?continue=x").wordless(),
        list(
            "no version",
            "/apis/example.com/v1/widgets?resourceVersion=x",
        )
        .wordless(),
        list(
            "match without version",
            "/apis/example.com/v1/widgets?resourceVersionMatch=Exact",
        ),
        list(
            "in between",
            "/apis/example.com/v1/widgets?resourceVersion=1&resourceVersionMatch=Near",
        )
        .wordless(),
        list("metadata", WIDGETS).accepting(METADATA_LIST),
        list("metadata of one", ONE).accepting(METADATA),
        list("in XML", WIDGETS)
            .accepting("application/xml")
            .wordless(),
        list(
            "a watch that wants too much",
            "/apis/example.com/v1/widgets?watch=1&sendInitialEvents=true",
        ),
        list(
            "the definition, when all controllers have seen it",
            DEFINITION,
        ),
        list(
            "initial events of no watch",
            "/apis/example.com/v1/widgets?sendInitialEvents=true",
        )
        .wordless(),
    ]
}

pub fn refused() -> Vec<Step> {
    let get = |about, path| ask(about, "GET", path, &Value::Null);
    vec![
        get("no such group", "/apis/none.example.com/v1/things"),
        get("no such group's resources", "/apis/none.example.com/v1"),
        get("no such resource", "/apis/example.com/v1/things"),
        get("no such version", "/apis/example.com/v9/widgets"),
        get(
            "no such object",
            "/apis/example.com/v1/namespaces/shop/widgets/none",
        ),
        get(
            "no such object in core",
            "/api/v1/namespaces/shop/configmaps/none",
        ),
        get(
            "no such subresource",
            "/apis/example.com/v1/namespaces/shop/widgets/one/scale",
        )
        .wordless(),
        get("no such path", "/nothing/here").wordless(),
        get("ready", "/readyz"),
        ask(
            "a post to one",
            "POST",
            ONE,
            &widget("one", &json!({ "size": 1 })),
        )
        .wordless(),
        ask(
            "a put to all",
            "PUT",
            WIDGETS,
            &widget("one", &json!({ "size": 1 })),
        )
        .wordless(),
        ask("a patch of all", "PATCH", WIDGETS, &json!({})).wordless(),
    ]
}
