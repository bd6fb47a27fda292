#![cfg(test)]

use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn column(name: &str, kind: &str, path: &str) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: kind.to_owned(),
        json_path: path.to_owned(),
        ..Default::default()
    }
}

fn cells(columns: &Columns, object: &Value) -> Value {
    columns.row(object, Include::None, now())["cells"].take()
}

fn names(columns: &Columns) -> Vec<String> {
    let headers = columns.headers();
    headers
        .iter()
        .map(|header| header["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_cell_is_of_the_type_of_its_column() {
    // SPEC: KU-1
    let columns = Columns::of(&[
        column("S", "string", ".s"),
        column("N", "string", ".n"),
        column("L", "string", ".l"),
        column("I", "integer", ".n"),
        column("F", "number", ".n"),
        column("B", "boolean", ".b"),
        column("D", "date", ".metadata.creationTimestamp"),
        column("Wrong", "integer", ".s"),
        column("Missing", "string", ".nothing"),
    ])
    .unwrap();
    let object = json!({
        "metadata": { "name": "a", "creationTimestamp": "2026-02-26T08:00:00Z" },
        "s": "x", "n": 1.5, "l": ["a", 1], "b": true,
    });
    assert_eq!(
        cells(&columns, &object),
        json!([
            "a",
            "x",
            "1.5",
            "[\"a\",1]",
            1,
            1.5,
            true,
            "3d4h",
            null,
            null
        ])
    );
}

#[test]
fn a_kind_without_columns_shows_name_and_age() {
    let columns = Columns::of(&[]).unwrap();
    assert_eq!(names(&columns), ["Name", "Age"]);
    let object =
        json!({ "metadata": { "name": "a", "creationTimestamp": "2026-03-01T11:55:00Z" } });
    assert_eq!(cells(&columns, &object), json!(["a", "5m"]));
    assert_eq!(
        cells(&columns, &json!({ "metadata": { "name": "a" } })),
        json!(["a", "<unknown>"])
    );
}

#[test]
fn a_row_carries_as_much_of_its_object_as_was_asked_for() {
    let columns = Columns::of(&[]).unwrap();
    let object = json!({ "kind": "A", "metadata": { "name": "a" }, "spec": {} });
    let row = |include| columns.row(&object, include, now())["object"].take();
    assert_eq!(row(Include::None), Value::Null);
    assert_eq!(row(Include::Object), object);
    let metadata = json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": { "name": "a" } });
    assert_eq!(row(Include::default()), metadata);
    assert_eq!(Include::named("Everything"), None);
}

#[test]
fn a_watch_names_its_columns_once() {
    let columns = Columns::of(&[]).unwrap();
    let object = json!({ "metadata": { "name": "a", "resourceVersion": "7" } });
    let first = columns.event(&object, true, Include::None, now());
    assert_eq!(first["columnDefinitions"].as_array().unwrap().len(), 2);
    assert_eq!(first["metadata"]["resourceVersion"], "7");
    let next = columns.event(&object, false, Include::None, now());
    assert_eq!(next["columnDefinitions"], Value::Null);
    assert_eq!(next["rows"][0]["cells"][0], "a");
}

#[test]
fn built_in_kinds_have_the_columns_they_always_had() {
    // SPEC: KU-4
    let show = |plural: &str, object: Value| cells(&Columns::builtin(plural), &object);
    let meta = json!({ "name": "a", "creationTimestamp": "2026-03-01T11:00:00Z" });
    assert_eq!(
        show(
            "namespaces",
            json!({ "metadata": meta, "status": { "phase": "Active" } })
        ),
        json!(["a", "Active", "60m"])
    );
    assert_eq!(
        show(
            "secrets",
            json!({ "metadata": meta, "type": "Opaque", "data": { "a": "", "b": "" } })
        ),
        json!(["a", "Opaque", 2, "60m"])
    );
    assert_eq!(
        show(
            "configmaps",
            json!({ "metadata": meta, "data": { "a": "" }, "binaryData": { "b": "" } })
        ),
        json!(["a", 2, "60m"])
    );
    assert_eq!(
        show(
            "leases",
            json!({ "metadata": meta, "spec": { "holderIdentity": "me" } })
        ),
        json!(["a", "me", "60m"])
    );
    assert_eq!(
        show("customresourcedefinitions", json!({ "metadata": meta })),
        json!(["a", "2026-03-01T11:00:00Z"])
    );
}

#[test]
fn an_event_of_either_group_is_shown_alike() {
    let columns = Columns::builtin("events");
    assert_eq!(
        names(&columns)[..4],
        ["Last Seen", "Type", "Reason", "Object"]
    );
    let old = json!({
        "metadata": { "name": "e" }, "type": "Normal", "reason": "Started", "message": " it is up\n",
        "involvedObject": { "kind": "RecoveryRun", "name": "shop-1" }, "count": 3,
        "firstTimestamp": "2026-03-01T11:00:00Z", "lastTimestamp": "2026-03-01T11:59:00Z",
        "source": { "component": "drover" },
    });
    let new = json!({
        "metadata": { "name": "e" }, "type": "Normal", "reason": "Started", "note": "it is up",
        "regarding": { "kind": "RecoveryRun", "name": "shop-1" },
        "eventTime": "2026-03-01T11:00:00.000000Z", "reportingController": "drover",
        "series": { "count": 3, "lastObservedTime": "2026-03-01T11:59:00.000000Z" },
    });
    let shown = json!([
        "60s",
        "Normal",
        "Started",
        "recoveryrun/shop-1",
        "",
        "drover",
        "it is up",
        "60m",
        3,
        "e"
    ]);
    assert_eq!(cells(&columns, &old), shown);
    assert_eq!(cells(&columns, &new), shown);
}

#[test]
fn a_path_that_is_none_is_refused() {
    assert!(Columns::of(&[column("A", "string", "..a")]).is_err());
}
