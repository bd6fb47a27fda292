//! The requests.

use serde_json::{Value, json};

/// What must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    All,
    /// Messages, their causes and warnings may differ.
    AllButWords,
    Code,
}

/// One request.
pub struct Step {
    pub about: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub body: String,
    pub content_type: &'static str,
    pub accept: &'static str,
    pub compared: Compared,
    /// Asked again until this is the code: something happens by itself.
    pub until: Option<u16>,
}

fn ask(about: &'static str, method: &'static str, path: &'static str, body: &Value) -> Step {
    Step {
        about,
        method,
        path,
        body: if body.is_null() {
            String::new()
        } else {
            body.to_string()
        },
        content_type: if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        },
        accept: "application/json",
        compared: Compared::All,
        until: None,
    }
}

impl Step {
    fn typed(self, content_type: &'static str) -> Self {
        Self {
            content_type,
            ..self
        }
    }

    fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// The two servers say it in other words.
    fn wordless(self) -> Self {
        Self {
            compared: Compared::AllButWords,
            ..self
        }
    }

    /// Controllers of the real server go on with it afterwards.
    fn only_code(self) -> Self {
        Self {
            compared: Compared::Code,
            ..self
        }
    }

    fn until(self, code: u16) -> Self {
        Self {
            until: Some(code),
            ..self
        }
    }
}

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const DEFINITION: &str =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/shop/widgets";
const ONE: &str = "/apis/example.com/v1/namespaces/shop/widgets/one";
const ONE_STATUS: &str = "/apis/example.com/v1/namespaces/shop/widgets/one/status";
const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const JSON_PATCH: &str = "application/json-patch+json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": { "plural": "widgets", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"] },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "selectableFields": [{ "jsonPath": ".spec.color" }],
                "additionalPrinterColumns": [{ "name": "Color", "type": "string", "jsonPath": ".spec.color" }],
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": {
                        "spec": {
                            "type": "object",
                            "required": ["size"],
                            "x-kubernetes-validations": [{ "rule": "self.size < 100", "message": "too large" }],
                            "properties": {
                                "size": { "type": "integer", "minimum": 1 },
                                "color": { "type": "string", "default": "red", "enum": ["red", "blue"] },
                                "parts": {
                                    "type": "array",
                                    "maxItems": 3,
                                    "items": {
                                        "type": "object",
                                        "required": ["name"],
                                        "properties": {
                                            "name": { "type": "string", "maxLength": 5 },
                                            "count": { "type": "integer", "default": 1 },
                                        },
                                    },
                                },
                            },
                        },
                        "status": {
                            "type": "object",
                            "properties": { "count": { "type": "integer", "maximum": 9 } },
                        },
                    },
                }},
            }],
        },
    })
}

fn widget(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": name }, "spec": spec })
}

fn map(name: &str, data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
}

/// All steps, in order.
pub fn script() -> Vec<Step> {
    [
        definitions(),
        creating(),
        updating(),
        patching(),
        listing(),
        built_in(),
        refused(),
        deleting(),
        ending(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn definitions() -> Vec<Step> {
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

fn creating() -> Vec<Step> {
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

fn updating() -> Vec<Step> {
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

fn patching() -> Vec<Step> {
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

fn listing() -> Vec<Step> {
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

fn built_in() -> Vec<Step> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "stringData": { "a": "b" }, "data": { "c": "ZA==" },
    });
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

fn refused() -> Vec<Step> {
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

fn deleting() -> Vec<Step> {
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

fn ending() -> Vec<Step> {
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
