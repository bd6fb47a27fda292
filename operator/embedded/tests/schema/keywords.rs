//! What a schema says about values.

use serde_json::{Value, json};

use super::{NONE, a, refused};

#[test]
fn a_value_of_another_type_is_refused() {
    for (schema, value, says) in [
        (
            json!({ "type": "string" }),
            json!(1),
            r#"Invalid value: "integer": spec.a in body must be of type string: "integer""#,
        ),
        (
            json!({ "type": "string" }),
            Value::Null,
            r#"Invalid value: "null": spec.a in body must be of type string: "null""#,
        ),
        (
            json!({ "type": "string", "format": "date-time" }),
            json!(1),
            r#"Invalid value: "int64": spec.a in body must be of type date-time: "int64""#,
        ),
        (
            json!({ "type": "object" }),
            json!([]),
            r#"Invalid value: "array": spec.a in body must be of type object: "array""#,
        ),
        (
            json!({ "x-kubernetes-int-or-string": true }),
            json!(true),
            r#"Invalid value: "boolean": spec.a in body must be of type integer,string: "boolean""#,
        ),
    ] {
        assert_eq!(
            refused(&a(schema), json!({ "a": value })),
            [format!("spec.a: {says}")]
        );
    }
    for (schema, value) in [
        (json!({ "type": "number" }), json!(1)),
        (json!({ "type": "integer" }), json!(1.0)),
        (json!({ "type": "string", "nullable": true }), Value::Null),
        (json!({ "x-kubernetes-int-or-string": true }), json!("80%")),
        (json!({ "x-kubernetes-int-or-string": true }), json!(80)),
    ] {
        assert_eq!(refused(&a(schema), json!({ "a": value })), NONE);
    }
}

#[test]
fn texts_and_numbers_keep_to_their_bounds() {
    for (schema, good, bad, says) in [
        (
            json!({ "type": "string", "maxLength": 2 }),
            json!("éé"),
            json!("ééé"),
            "Too long: may not be more than 2 bytes",
        ),
        (
            json!({ "type": "string", "minLength": 2 }),
            json!("éé"),
            json!("é"),
            r#"Invalid value: "é": spec.a in body should be at least 2 chars long"#,
        ),
        (
            json!({ "type": "string", "pattern": "^b+$" }),
            json!("bb"),
            json!("a"),
            r#"Invalid value: "a": spec.a in body should match '^b+$'"#,
        ),
        (
            json!({ "type": "string", "enum": ["b", "c"] }),
            json!("c"),
            json!("a"),
            r#"Unsupported value: "a": supported values: "b", "c""#,
        ),
        (
            json!({ "type": "string", "format": "cidr" }),
            json!("10.0.0.0/8"),
            json!("a"),
            r#"Invalid value: "a": spec.a in body must be of type cidr: "a""#,
        ),
        (
            json!({ "type": "integer", "maximum": 3 }),
            json!(3),
            json!(4),
            "Invalid value: 4: spec.a in body should be less than or equal to 3",
        ),
        (
            json!({ "type": "integer", "maximum": 3, "exclusiveMaximum": true }),
            json!(2),
            json!(3),
            "Invalid value: 3: spec.a in body should be less than 3",
        ),
        (
            json!({ "type": "number", "minimum": 1.5 }),
            json!(1.5),
            json!(1.25),
            "Invalid value: 1.25: spec.a in body should be greater than or equal to 1.5",
        ),
        (
            json!({ "type": "number", "minimum": 1, "exclusiveMinimum": true }),
            json!(2),
            json!(1),
            "Invalid value: 1: spec.a in body should be greater than 1",
        ),
        (
            json!({ "type": "integer", "multipleOf": 3 }),
            json!(6),
            json!(7),
            "Invalid value: 7: spec.a in body should be a multiple of 3",
        ),
    ] {
        let schema = a(schema);
        assert_eq!(refused(&schema, json!({ "a": good })), NONE);
        assert_eq!(
            refused(&schema, json!({ "a": bad })),
            [format!("spec.a: {says}")]
        );
    }
    let small = a(json!({ "type": "integer", "format": "int32" }));
    assert_eq!(
        refused(&small, json!({ "a": 3_000_000_000_i64 })),
        [
            r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.a"#
        ]
    );
}

#[test]
fn lists_and_objects_keep_to_their_bounds() {
    let text = json!({ "type": "string" });
    for (schema, bad, says) in [
        (
            json!({ "type": "array", "items": text, "minItems": 1 }),
            json!([]),
            "spec.a: Invalid value: 0: spec.a in body should have at least 1 items",
        ),
        (
            json!({ "type": "array", "items": text, "maxItems": 1 }),
            json!(["a", "b"]),
            "spec.a: Too many: 2: must have at most 1 item",
        ),
        (
            json!({ "type": "array", "items": text, "uniqueItems": true }),
            json!(["a", "a"]),
            r#"spec.a: Invalid value: "": spec.a in body shouldn't contain duplicates"#,
        ),
        (
            json!({ "type": "object", "additionalProperties": text, "minProperties": 1 }),
            json!({}),
            "spec.a: Invalid value: 0: spec.a in body should have at least 1 properties",
        ),
        (
            json!({ "type": "object", "additionalProperties": text, "maxProperties": 1 }),
            json!({ "x": "", "y": "" }),
            "spec.a: Too many: 2: must have at most 1 item",
        ),
        (
            json!({ "type": "object", "additionalProperties": text }),
            json!({ "x": 1 }),
            r#"spec.a.x: Invalid value: "integer": spec.a.x in body must be of type string: "integer""#,
        ),
        (
            json!({ "type": "object", "required": ["x"] }),
            json!({}),
            "spec.a.x: Required value",
        ),
        (
            json!({ "type": "array", "items": text }),
            json!(["a", 1]),
            r#"spec.a[1]: Invalid value: "integer": spec.a[1] in body must be of type string: "integer""#,
        ),
        (
            json!({ "type": "array", "items": text, "x-kubernetes-list-type": "set" }),
            json!(["a", "b", "a", "a"]),
            r#"spec.a[2]: Duplicate value: "a""#,
        ),
    ] {
        assert_eq!(refused(&a(schema), json!({ "a": bad })), [says]);
    }
}

#[test]
fn items_of_a_keyed_list_differ_by_their_keys() {
    let keyed = |keys: Value| {
        let item = json!({ "type": "object", "properties": { "k": { "type": "string" }, "l": { "type": "integer" } } });
        a(
            json!({ "type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys }),
        )
    };
    let items = json!({ "a": [{ "k": "x", "l": 1 }, { "k": "x", "l": 2 }] });
    assert_eq!(
        refused(&keyed(json!(["k"])), items.clone()),
        [r#"spec.a[1]: Duplicate value: {"k":"x"}"#]
    );
    assert_eq!(refused(&keyed(json!(["k", "l"])), items), NONE);
    // Many items are told apart another way than few.
    let many: Vec<Value> = (0..100)
        .map(|index| json!({ "k": format!("{}", index % 99) }))
        .collect();
    assert_eq!(
        refused(&keyed(json!(["k"])), json!({ "a": many })),
        [r#"spec.a[99]: Duplicate value: {"k":"0"}"#]
    );
}

#[test]
fn alternatives_are_tried() {
    let required = |name: &str| json!({ "required": [name] });
    let object = |logic: Value| {
        let mut schema = json!({ "type": "object", "additionalProperties": { "type": "integer" } });
        schema
            .as_object_mut()
            .unwrap()
            .append(&mut logic.as_object().unwrap().clone());
        a(schema)
    };
    let any = object(json!({ "anyOf": [required("x"), required("y")] }));
    let one = object(json!({ "oneOf": [required("x"), required("y")] }));
    let all = object(json!({ "allOf": [required("x"), required("y")] }));
    let not = object(json!({ "not": required("x") }));
    let (x, both) = (
        json!({ "a": { "x": 1 } }),
        json!({ "a": { "x": 1, "y": 1 } }),
    );
    assert_eq!(refused(&any, x.clone()), NONE);
    assert_eq!(refused(&any, both.clone()), NONE);
    assert_eq!(
        refused(&any, json!({ "a": {} }))[0],
        r#"<nil>: Invalid value: "": "spec.a" must validate at least one schema (anyOf)"#
    );
    assert_eq!(refused(&one, x.clone()), NONE);
    assert_eq!(
        refused(&one, both.clone()),
        [
            r#"<nil>: Invalid value: "": "spec.a" must validate one and only one schema (oneOf). Found 2 valid alternatives"#
        ]
    );
    assert_eq!(refused(&all, both), NONE);
    assert_eq!(refused(&all, x.clone())[0], "spec.a.y: Required value");
    assert_eq!(
        refused(&not, x),
        [r#"<nil>: Invalid value: "": "spec.a" must not validate the schema (not)"#]
    );
}
