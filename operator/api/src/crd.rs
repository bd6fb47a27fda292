//! The definitions of the kinds, as a cluster is given them.
//!
//! What the derive builds is close to what an API server likes, and not the same: it holds formats
//! that only Drover or only Rust knows, and an API server warns of each whenever a definition is
//! written. The files in `crds/`, the Helm chart and the embedded API all come from here, so that
//! they are one and the same.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use kube::CustomResourceExt;
use kube::core::schema::{OptionalEnum, OptionalIntOrString, StructuralSchemaRewriter};
use schemars::generate::SchemaSettings;
use schemars::transform::{AddNullable, RecursiveTransform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Number, Value, json};

use crate::KindInfo;
use crate::value::strip_own_formats;

/// Why a definition could not be written down. Neither is known to happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no JSON.
    #[error("cannot turn the definition of {kind} into JSON")]
    Json {
        /// The kind.
        kind: &'static str,
        /// What the serializer says.
        source: serde_json::Error,
    },
    /// It is no YAML.
    #[error("cannot turn the definition of {kind} into YAML")]
    Yaml {
        /// The kind.
        kind: &'static str,
        /// What the serializer says.
        source: serde_yaml::ser_error::Error,
    },
}

/// The `CustomResourceDefinition` of a kind, as a cluster is given it.
///
/// Keys are in alphabetical order, so that the same code always gives the same bytes. This costs
/// about a millisecond: keep the result.
///
/// ```
/// let info = drover_api::KindInfo::named("Site").unwrap();
/// let crd = drover_api::crd::definition(info)?;
/// assert_eq!(crd["metadata"]["name"], "sites.drover.dev");
/// # Ok::<(), drover_api::crd::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Json`], which is not known to happen.
pub fn definition(info: &KindInfo) -> Result<Value, Error> {
    let mut crd = serde_json::to_value((info.crd)()).map_err(|source| Error::Json {
        kind: info.kind,
        source,
    })?;
    crd["metadata"]["labels"] = json!({ "app.kubernetes.io/part-of": "drover" });
    strip_own_formats(&mut crd);
    tidy(&mut crd);
    // The order of a JSON map is a feature of the crate, and any dependency may switch it.
    crd.sort_all_objects();
    Ok(crd)
}

/// The same as YAML text that ends with a newline: the content of `crds/<plural>.yaml`.
///
/// # Errors
///
/// [`Error`], which is not known to happen.
pub fn to_yaml(info: &KindInfo) -> Result<String, Error> {
    let crd = definition(info)?;
    // A description is prose; more than a screen's width of it on one line is hard to review.
    let options = serde_yaml::ser_options! {
        folded_wrap_chars: 100,
    };
    serde_yaml::to_string_with_options(&crd, options).map_err(|source| Error::Yaml {
        kind: info.kind,
        source,
    })
}

/// The definition of a kind as the derive builds it, but for the descriptions that it loses.
///
/// The settings are those of the derive, with [`keep_words`] between them.
pub(crate) fn derived<K: CustomResourceExt + JsonSchema>() -> CustomResourceDefinition {
    let mut crd = K::crd();
    // The derive did the same with a schema that differs in its words alone; it would have panicked.
    if let Ok(schema) = serde_json::from_value::<JSONSchemaProps>(schema::<K>()) {
        for version in &mut crd.spec.versions {
            if let Some(validation) = &mut version.schema {
                validation.open_api_v3_schema = Some(schema.clone());
            }
        }
    }
    crd
}

/// The schema in it, without the definition around it: most of the time that a definition takes goes
/// into the types that the derive puts it through.
pub(crate) fn schema<K: JsonSchema>() -> Value {
    let generator = SchemaSettings::openapi3()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .with_transform(AddNullable::default())
        .with_transform(RecursiveTransform(keep_words))
        .with_transform(StructuralSchemaRewriter)
        .with_transform(OptionalEnum)
        .with_transform(OptionalIntOrString)
        .into_generator();
    generator.into_root_schema_for::<K>().to_value()
}

/// Where a field may hold a value of an enum, the transform of kube puts what is said of the enum in
/// the place of what is said of the field. What is not there cannot be put.
fn keep_words(schema: &mut Schema) {
    if schema.get("description").is_none() {
        return;
    }
    let choices = schema.get_mut("anyOf").and_then(Value::as_array_mut);
    for choice in choices
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        choice.remove("description");
    }
}

/// Says in an API server's words what the derive says in its own, at any depth.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            // A null is a field that is not set: the server drops it, instead of keeping it where
            // rules and defaults cannot see past it.
            if fields.get("nullable").is_some_and(Value::is_boolean) {
                fields.remove("nullable");
            }
            // A server that finds too many properties checks no rules, and "must have at most 1
            // item" tells a person less than the rule does.
            if is_union(fields) {
                fields.remove("minProperties");
                fields.remove("maxProperties");
            }
            bound_integer(fields);
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Number(number) => {
            if let Some(whole) = whole(number) {
                *value = whole.into();
            }
        }
        _ => {}
    }
}

/// Whether this is the schema of a keyed one-of, with the rule that says so.
fn is_union(schema: &Map<String, Value>) -> bool {
    schema.contains_key("x-kubernetes-validations")
        && schema.get("minProperties") == Some(&json!(1))
        && schema.get("maxProperties") == Some(&json!(1))
}

/// The formats of unsigned integers are Rust's. The server gets the one it knows, and the bound that
/// the format stood for: what the type cannot hold is refused by the schema.
fn bound_integer(schema: &mut Map<String, Value>) {
    let (format, largest) = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => ("int32", Some(u32::from(u8::MAX))),
        Some("uint16") => ("int32", Some(u32::from(u16::MAX))),
        Some("uint32") => ("int64", Some(u32::MAX)),
        // An integer of Kubernetes has 63 bits and a sign, and bounds are floating-point numbers,
        // which do not hold the largest of them: the format alone says it.
        Some("uint64") => ("int64", None),
        _ => return,
    };
    schema.insert("format".into(), json!(format));
    if let Some(largest) = largest {
        schema.entry("maximum").or_insert_with(|| json!(largest));
    }
}

/// `1.0` as `1`: the types hold bounds as floating-point numbers.
fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    // Below 2^53 a floating-point number holds every integer.
    let exact = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
    exact.then(|| format!("{float:.0}").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KINDS;

    fn tidied(mut value: Value) -> Value {
        tidy(&mut value);
        value
    }

    #[test]
    fn a_server_gets_formats_that_it_knows_and_the_bounds_they_stood_for() {
        let port = json!({ "type": "integer", "format": "uint16", "minimum": 0.0 });
        assert_eq!(
            tidied(port),
            json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 65_535 })
        );
        let few = json!({ "type": "integer", "format": "uint32", "minimum": 1.0, "maximum": 16.0 });
        assert_eq!(
            tidied(few),
            json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": 16 })
        );
        let bytes = json!({ "type": "integer", "format": "uint64", "minimum": 0.0 });
        assert_eq!(
            tidied(bytes),
            json!({ "type": "integer", "format": "int64", "minimum": 0 })
        );
    }

    #[test]
    fn a_field_is_described_in_its_own_words() {
        // SPEC: KU-1
        let site = definition(KindInfo::named("RecoveryPlan").unwrap()).unwrap();
        let schema = &site["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let active_site = &schema["properties"]["spec"]["properties"]["activeSite"];
        assert_eq!(active_site["enum"], json!(["primary", "secondary"]));
        let description = active_site["description"].as_str().unwrap();
        assert!(description.starts_with("Where the machines should be active."));
    }

    #[test]
    fn a_null_is_a_field_that_is_not_set() {
        let window = json!({ "type": "object", "nullable": true, "default": null });
        assert_eq!(tidied(window), json!({ "type": "object" }));
        // A property may be called so too; then it is a schema.
        let named = json!({ "properties": { "nullable": { "type": "boolean" } } });
        assert_eq!(tidied(named.clone()), named);
    }

    #[test]
    fn the_rule_of_a_union_is_what_speaks() {
        let rule = json!([{ "rule": "true", "message": "set exactly one of: a, b" }]);
        let union = json!({
            "minProperties": 1, "maxProperties": 1, "x-kubernetes-validations": rule,
        });
        assert_eq!(tidied(union), json!({ "x-kubernetes-validations": rule }));
        let labels = json!({ "maxProperties": 1 });
        assert_eq!(tidied(labels.clone()), labels);
    }

    #[test]
    fn the_same_code_gives_the_same_text() {
        for info in KINDS {
            let text = to_yaml(info).unwrap();
            assert_eq!(text, to_yaml(info).unwrap());
            assert!(text.starts_with("apiVersion: apiextensions.k8s.io/v1\nkind: "));
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
            assert_eq!(
                serde_yaml::from_str::<Value>(&text).unwrap(),
                definition(info).unwrap()
            );
        }
    }
}
