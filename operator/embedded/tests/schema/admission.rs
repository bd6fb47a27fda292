//! What happens to an object before it is looked at.

use drover_embedded::schema::Part;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{a, admitted, compile};

#[test]
fn unknown_fields_go_unless_they_are_kept() {
    // SPEC: BI-1
    let schema = json!({
        "type": "object",
        "properties": {
            "list": { "type": "array", "items": { "type": "object", "properties": { "x": { "type": "string" } } } },
            "map": { "type": "object", "additionalProperties": { "type": "object", "properties": { "x": { "type": "string" } } } },
            "open": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": true,
                "properties": { "shut": { "type": "object", "properties": { "x": { "type": "string" } } } },
            },
        },
    });
    let given = json!({
        "list": [{ "x": "", "y": 1 }], "map": { "k": { "x": "", "y": 1 } },
        "open": { "any": { "y": 1 }, "shut": { "x": "", "y": 1 } }, "z": null,
    });
    let kept = json!({
        "list": [{ "x": "" }], "map": { "k": { "x": "" } },
        "open": { "any": { "y": 1 }, "shut": { "x": "" } },
    });
    let unknown = [
        "spec.list[0].y",
        "spec.map.k.y",
        "spec.open.shut.y",
        "spec.z",
    ];
    assert_eq!(
        admitted(&schema, given),
        (kept, unknown.map(str::to_owned).to_vec())
    );
}

#[test]
fn metadata_has_the_fields_that_it_always_has() {
    let mut object = json!({
        "apiVersion": "example.org/v1", "kind": "Thing", "more": 1,
        "metadata": { "name": "a", "lables": {}, "ownerReferences": [{ "uid": "1", "owner": true }] },
    });
    let unknown = compile(&json!({ "type": "object" })).admit(&mut object);
    assert_eq!(
        unknown,
        [
            "metadata.lables",
            "metadata.ownerReferences[0].owner",
            "more"
        ]
    );
    assert_eq!(
        object["metadata"],
        json!({ "name": "a", "ownerReferences": [{ "uid": "1" }] })
    );
}

#[test]
fn defaults_reach_everywhere_and_nulls_do_not_stop_them() {
    // SPEC: KU-1
    let inner =
        json!({ "type": "object", "properties": { "x": { "type": "integer", "default": 1 } } });
    let schema = json!({
        "type": "object",
        "properties": {
            "list": { "type": "array", "items": inner },
            "map": { "type": "object", "additionalProperties": inner },
            "made": { "type": "object", "default": {}, "properties": inner["properties"] },
            "absent": inner,
            "nothing": { "type": "string" },
            "null": { "type": "string", "nullable": true, "default": "d" },
        },
    });
    let given = json!({ "list": [{}], "map": { "k": { "x": null } }, "made": null, "nothing": null, "null": null });
    let filled = json!({ "list": [{ "x": 1 }], "map": { "k": { "x": 1 } }, "made": { "x": 1 }, "null": null });
    assert_eq!(admitted(&schema, given), (filled, vec![]));
    let least = json!({ "made": { "x": 1 }, "null": "d" });
    assert_eq!(admitted(&schema, json!({})), (least, vec![]));
}

/// Schemas with all that admission looks at.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "type": "string" })),
        Just(json!({ "type": "string", "default": "d" })),
        Just(json!({ "type": "string", "nullable": true })),
        Just(json!({ "type": "integer", "default": 1, "nullable": true })),
        Just(json!({ "x-kubernetes-int-or-string": true })),
        Just(json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })),
        Just(json!({ "type": "object", "x-kubernetes-embedded-resource": true })),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|items| json!({ "type": "array", "items": items })),
            inner
                .clone()
                .prop_map(|each| json!({ "type": "object", "additionalProperties": each })),
            (
                proptest::collection::btree_map("[a-c]", inner, 0..4),
                any::<bool>()
            )
                .prop_map(|(properties, made)| {
                    let mut schema = json!({ "type": "object", "properties": properties });
                    if made {
                        schema["default"] = json!({});
                    }
                    schema
                }),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    // SPEC: KU-4
    #[test]
    fn admission_twice_is_admission_once(schema in schemas(), value in values()) {
        let kind = compile(&a(schema));
        let mut once = json!({ "spec": { "a": value } });
        kind.admit(&mut once);
        let mut twice = once.clone();
        prop_assert_eq!(kind.admit(&mut twice), Vec::<String>::new());
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn what_was_in_order_is_in_order_after_admission(schema in schemas(), value in values()) {
        let kind = compile(&a(schema));
        let mut object = json!({ "spec": { "a": value } });
        if kind.validate(&object, None, Part::Whole).is_empty() {
            kind.admit(&mut object);
            prop_assert_eq!(kind.validate(&object, None, Part::Whole), vec![]);
        }
    }

    #[test]
    fn nothing_changed_is_nothing_wrong(schema in schemas(), value in values()) {
        let kind = compile(&a(schema));
        let object = json!({ "spec": { "a": value } });
        prop_assert_eq!(kind.validate(&object, Some(&object), Part::Whole), vec![]);
    }
}
