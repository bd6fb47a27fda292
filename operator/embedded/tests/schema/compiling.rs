//! What a schema may not hold.

use drover_embedded::schema::{Compiled, FieldReason, SchemaError};
use serde_json::json;

use super::{a, definition, ruled, try_compile};

#[test]
fn what_cannot_be_checked_is_refused_when_it_is_compiled() {
    // SPEC: KU-4
    let text = json!({ "type": "string" });
    for (schema, says) in [
        (
            a(json!({ "type": "text" })),
            r#"spec.a: there is no type "text""#,
        ),
        (
            a(json!({ "type": "string", "format": "email" })),
            r#"spec.a: the format "email" is not supported"#,
        ),
        (
            a(json!({ "type": "string", "pattern": "(" })),
            r#"spec.a: the pattern "(" cannot be compiled"#,
        ),
        (a(json!({ "$ref": "#/x" })), "spec.a: $ref is not allowed"),
        (
            a(json!({ "type": "array", "x-kubernetes-list-type": "map" })),
            "spec.a: a list-type map without keys",
        ),
        (
            a(
                json!({ "type": "object", "anyOf": [ruled(json!({}), json!([{ "rule": "true" }]))] }),
            ),
            "spec.a<anyOf>: rules inside anyOf, oneOf, allOf or not",
        ),
    ] {
        assert_eq!(try_compile(&schema).unwrap_err().to_string(), says);
    }
    for (rule, says) in [
        ("self.b == 1", "undefined field 'b'"),
        ("self.a.b == 1", "type 'string' has no field 'b'"),
        ("other == 1", "undeclared reference to 'other'"),
        ("frobnicate(self.a)", "undeclared reference to 'frobnicate'"),
        (
            "self.a.frobnicate()",
            "undeclared reference to 'frobnicate'",
        ),
        ("'yes'", "it is no condition"),
        ("self.a.size()", "it is no condition"),
    ] {
        let error = try_compile(&ruled(a(text.clone()), json!([{ "rule": rule }]))).unwrap_err();
        let SchemaError::Rule { at, why, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((&*at, &*why), ("spec", says), "{rule}");
    }
    for rule in ["self.a ==", "self.a.map(", "", "self.a == 'a' &&"] {
        let compiled = try_compile(&ruled(a(text.clone()), json!([{ "rule": rule }])));
        assert_eq!(compiled.is_ok(), rule.is_empty(), "{rule}");
    }
    let no_version = Compiled::of(&definition(&text, &text), "v2").unwrap_err();
    assert!(matches!(no_version, SchemaError::NoVersion(_)));
}

#[test]
fn reasons_are_written_as_clients_know_them() {
    assert_eq!(FieldReason::Required.as_str(), "FieldValueRequired");
    assert_eq!(FieldReason::TypeInvalid.as_str(), "FieldValueTypeInvalid");
}
