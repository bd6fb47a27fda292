//! What the rules of a definition say, about objects and about changes of them.

use drover_embedded::schema::{Compiled, Part};
use serde_json::{Value, json};

use super::{NONE, a, definition, refused, refused_change, ruled, said};

#[test]
fn a_broken_rule_is_told_in_its_own_words() {
    // SPEC: KU-1
    let object = json!({ "type": "object", "properties": { "min": { "type": "integer" }, "max": { "type": "integer" }, "name": { "type": "string" } } });
    let with = |rule: Value| ruled(object.clone(), json!([rule]));
    let bad = json!({ "min": 2, "max": 1 });
    let test = "self.min <= self.max";
    for (rule, says) in [
        (
            json!({ "rule": test }),
            "spec: Invalid value: failed rule: self.min <= self.max",
        ),
        (
            json!({ "rule": test, "message": " min is above max " }),
            "spec: Invalid value: min is above max",
        ),
        (
            json!({ "rule": test, "messageExpression": "'at most ' + string(self.max)" }),
            "spec: Invalid value: at most 1",
        ),
        (
            json!({ "rule": test, "message": "m", "messageExpression": "self.name" }),
            "spec: Invalid value: m",
        ),
        (
            json!({ "rule": test, "message": "m", "reason": "FieldValueForbidden", "fieldPath": ".min" }),
            "spec.min: Forbidden: m",
        ),
        (
            json!({ "rule": test, "message": "m", "reason": "FieldValueRequired" }),
            "spec: Required value: m",
        ),
        (
            json!({ "rule": "self.name == 'a'", "message": "m" }),
            r#"spec: Invalid value: "object": no such key: name evaluating rule: m"#,
        ),
    ] {
        assert_eq!(refused(&with(rule), bad.clone()), [says]);
    }
    assert_eq!(
        refused(
            &with(json!({ "rule": test })),
            json!({ "min": 1, "max": 1 })
        ),
        NONE
    );
    // A scalar is shown.
    let scalar = a(ruled(
        json!({ "type": "integer" }),
        json!([{ "rule": "self > 3", "message": "m" }]),
    ));
    assert_eq!(
        refused(&scalar, json!({ "a": 2 })),
        ["spec.a: Invalid value: 2: m"]
    );
}

#[test]
fn rules_wait_until_the_object_has_its_shape() {
    let schema = ruled(
        json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } }),
        json!([{ "rule": "self.a == 'b'" }]),
    );
    assert_eq!(
        refused(&schema, json!({})),
        [
            "spec.a: Required value",
            "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
        ]
    );
}

#[test]
fn values_in_rules_are_what_the_schema_says_they_are() {
    let object = json!({
        "type": "object",
        "properties": {
            "at": { "type": "string", "format": "date-time" },
            "for": { "type": "string", "format": "duration" },
            "ratio": { "type": "number" },
            "a-b": { "type": "string" },
            "map": { "type": "object", "additionalProperties": { "type": "integer" } },
            "list": { "type": "array", "items": { "type": "string" } },
            "open": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
        },
    });
    let spec = json!({
        "at": "2026-01-01T00:00:00Z", "for": "90m", "ratio": 2, "a-b": "x",
        "map": { "a-b": 1 }, "list": ["a", "b"], "open": { "x": 1 },
    });
    for rule in [
        "self.at < timestamp('2026-01-02T00:00:00Z')",
        "self.__for__ == duration('1h30m')",
        "self.ratio == 2.0",
        "self.a__dash__b == 'x'",
        "self.map['a-b'] == 1 && self.map.all(k, self.map[k] > 0)",
        "self.list.exists(item, item == 'b') && self.list.size() == 2",
        "self.open.x == 1",
        "has(self.list) && !has(self.open.y)",
        "self.list.map(item, item + '!').join(',') == 'a!,b!'",
        "quantity('1Gi').isGreaterThan(quantity('1M'))",
        "isIP('10.0.0.1') && cidr('10.0.0.0/8').containsIP('10.0.0.1')",
        "'abc'.matches('^a.c$') && sets.contains(self.list, ['a'])",
    ] {
        let schema = ruled(object.clone(), json!([{ "rule": rule }]));
        assert_eq!(refused(&schema, spec.clone()), NONE, "{rule}");
    }
}

#[test]
fn a_rule_about_a_change_needs_something_to_compare_with() {
    let schema = a(ruled(
        json!({ "type": "integer" }),
        json!([{ "rule": "self >= oldSelf", "message": "m" }]),
    ));
    assert_eq!(refused(&schema, json!({ "a": 1 })), NONE);
    assert_eq!(refused_change(&schema, json!({}), json!({ "a": 1 })), NONE);
    assert_eq!(
        refused_change(&schema, json!({ "a": 1 }), json!({ "a": 2 })),
        NONE
    );
    assert_eq!(
        refused_change(&schema, json!({ "a": 2 }), json!({ "a": 1 })),
        ["spec.a: Invalid value: 1: m"]
    );

    let rule = json!([{ "rule": "oldSelf.hasValue() || self == 0", "optionalOldSelf": true, "message": "m" }]);
    let schema = a(ruled(json!({ "type": "integer" }), rule));
    assert_eq!(
        refused(&schema, json!({ "a": 1 })),
        ["spec.a: Invalid value: 1: m"]
    );
    assert_eq!(
        refused_change(&schema, json!({ "a": 1 }), json!({ "a": 2 })),
        NONE
    );
}

#[test]
fn items_are_compared_with_those_of_the_same_key() {
    let item = ruled(
        json!({ "type": "object", "properties": { "k": { "type": "string" }, "v": { "type": "integer" } } }),
        json!([{ "rule": "self.v == oldSelf.v", "message": "v stays" }]),
    );
    let list = |kind: Value| {
        let mut list = json!({ "type": "array", "items": item });
        list.as_object_mut()
            .unwrap()
            .append(&mut kind.as_object().unwrap().clone());
        a(list)
    };
    let old = json!({ "a": [{ "k": "x", "v": 1 }, { "k": "y", "v": 2 }] });
    let swapped = json!({ "a": [{ "k": "y", "v": 2 }, { "k": "x", "v": 1 }] });
    let changed = json!({ "a": [{ "k": "y", "v": 2 }, { "k": "x", "v": 3 }] });
    let keyed =
        list(json!({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"] }));
    assert_eq!(refused_change(&keyed, old.clone(), swapped.clone()), NONE);
    assert_eq!(
        refused_change(&keyed, old.clone(), changed.clone()),
        ["spec.a[1]: Invalid value: v stays"]
    );
    assert_eq!(refused_change(&list(json!({})), old.clone(), changed), NONE);

    // Nor does the order count when the whole is compared.
    let whole = |mut schema: Value| {
        schema["properties"]["a"]["items"]
            .as_object_mut()
            .unwrap()
            .remove("x-kubernetes-validations");
        ruled(
            schema,
            json!([{ "rule": "self == oldSelf", "message": "it stays" }]),
        )
    };
    assert_eq!(
        refused_change(&whole(keyed), old.clone(), swapped.clone()),
        NONE
    );
    assert_eq!(
        refused_change(&whole(list(json!({}))), old, swapped),
        ["spec: Invalid value: it stays"]
    );
}

#[test]
fn what_was_wrong_before_and_is_unchanged_is_forgiven() {
    let schema = json!({
        "type": "object",
        "properties": {
            "a": ruled(json!({ "type": "string", "maxLength": 1 }), json!([{ "rule": "self != 'x'", "message": "m" }])),
            "b": { "type": "string" },
        },
    });
    let (long, rule) = (
        json!({ "a": "long", "b": "1" }),
        json!({ "a": "x", "b": "1" }),
    );
    assert_eq!(
        refused_change(&schema, long.clone(), json!({ "a": "long", "b": "2" })),
        NONE
    );
    assert_eq!(
        refused_change(&schema, long, json!({ "a": "longer", "b": "1" })).len(),
        2
    );
    assert_eq!(
        refused_change(&schema, rule.clone(), json!({ "a": "x", "b": "2" })),
        NONE
    );
    assert_eq!(refused(&schema, rule), [r#"spec.a: Invalid value: "x": m"#]);
}

#[test]
fn a_status_is_judged_alone() {
    let spec = json!({ "type": "object", "required": ["a"] });
    let status = ruled(
        json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer", "minimum": 0 } } }),
        json!([{ "rule": "self.n < 10", "message": "m" }]),
    );
    let kind = Compiled::of(&definition(&spec, &status), "v1").unwrap();
    let judge = |status: Value| {
        said(&kind.validate(&json!({ "spec": {}, "status": status }), None, Part::Status))
    };
    assert_eq!(judge(json!({ "n": 1 })), NONE);
    assert_eq!(judge(json!({ "n": 11 })), ["status: Invalid value: m"]);
    assert_eq!(judge(json!({}))[0], "status.n: Required value");
    assert_eq!(
        judge(json!({ "n": -1 })),
        ["status.n: Invalid value: -1: n in body should be greater than or equal to 0"]
    );
    assert_eq!(
        said(&kind.validate(&json!({ "spec": {} }), None, Part::Status)),
        NONE
    );
}
