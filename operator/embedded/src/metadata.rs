//! The rules that hold for the metadata of every object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::error::Cause;

const NAME_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
    start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_NAME_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
    end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const KEY_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
    start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
/// All annotations together.
const ANNOTATION_BYTES: usize = 256 * 1024;

/// Reads metadata as its type; what is unknown in it is left out.
pub(crate) fn normalise(metadata: &Value) -> Result<Value, String> {
    if metadata.is_null() {
        return Ok(json!({}));
    }
    let typed = ObjectMeta::deserialize(metadata).map_err(|error| error.to_string())?;
    let mut read = serde_json::to_value(typed).map_err(|error| error.to_string())?;
    if let Some(fields) = read.as_object_mut() {
        fields.retain(|_, value| match value {
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::String(text) => !text.is_empty(),
            _ => true,
        });
    }
    Ok(read)
}

/// What is wrong with the metadata of an object.
pub(crate) fn validate(metadata: &Value, is_namespace: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = metadata["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else if is_namespace && !is_label(name) {
        causes.push(Cause::invalid(
            "metadata.name",
            &json!(name).to_string(),
            LABEL_NAME_RULE,
        ));
    } else if !is_subdomain(name) {
        causes.push(Cause::invalid(
            "metadata.name",
            &json!(name).to_string(),
            NAME_RULE,
        ));
    }
    labels(&metadata["labels"], &mut causes);
    annotations(&metadata["annotations"], &mut causes);
    for finalizer in metadata["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if let Some(why) = wrong_key(finalizer) {
            causes.push(Cause::invalid(
                "metadata.finalizers",
                &json!(finalizer).to_string(),
                &why,
            ));
        }
    }
    owners(&metadata["ownerReferences"], &mut causes);
    causes
}

/// What is wrong with finalizers of built-in kinds, which have a domain in front.
pub(crate) fn standard_finalizers(metadata: &Value) -> Vec<Cause> {
    const STANDARD: &[&str] = &["foregroundDeletion", "orphan", "kubernetes"];
    let finalizers = metadata["finalizers"].as_array().into_iter().flatten();
    finalizers
        .filter_map(Value::as_str)
        .enumerate()
        .filter(|(_, finalizer)| !finalizer.contains('/') && !STANDARD.contains(finalizer))
        .map(|(index, finalizer)| {
            Cause::invalid(
                &format!("metadata.finalizers[{index}]"),
                &json!(finalizer).to_string(),
                "name is neither a standard finalizer name nor is it fully qualified",
            )
        })
        .collect()
}

/// Why a key of labels or annotations, or a finalizer, is none; `None` if it is one.
pub(crate) fn wrong_key(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if name.contains('/') {
        let rule = KEY_RULE.trim_start_matches("name part ");
        Some(format!(
            "a valid label key {rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ))
    } else if prefix.is_some_and(|prefix| !is_subdomain(prefix)) {
        Some(format!("prefix part {NAME_RULE}"))
    } else {
        (!is_name_part(name)).then(|| KEY_RULE.to_owned())
    }
}

fn labels(labels: &Value, causes: &mut Vec<Cause>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        if let Some(why) = wrong_key(key) {
            causes.push(Cause::invalid(
                "metadata.labels",
                &json!(key).to_string(),
                &why,
            ));
        }
        let value = value.as_str().unwrap_or_default();
        if value.len() > 63 {
            causes.push(Cause::invalid(
                "metadata.labels",
                &json!(value).to_string(),
                "must be no more than 63 bytes",
            ));
        } else if !value.is_empty() && !is_name_part(value) {
            causes.push(Cause::invalid(
                "metadata.labels",
                &json!(value).to_string(),
                VALUE_RULE,
            ));
        }
    }
}

fn annotations(annotations: &Value, causes: &mut Vec<Cause>) {
    let mut bytes = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        if let Some(why) = wrong_key(&key.to_lowercase()) {
            causes.push(Cause::invalid(
                "metadata.annotations",
                &json!(key).to_string(),
                &why,
            ));
        }
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > ANNOTATION_BYTES {
        causes.push(Cause {
            field: "metadata.annotations".to_owned(),
            reason: "FieldValueTooLong".to_owned(),
            message: format!("Too long: may not be more than {ANNOTATION_BYTES} bytes"),
        });
    }
}

fn owners(owners: &Value, causes: &mut Vec<Cause>) {
    let mut controllers = 0;
    for owner in owners.as_array().into_iter().flatten() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                causes.push(Cause::invalid(
                    &format!("metadata.ownerReferences.{field}"),
                    "\"\"",
                    if field == "apiVersion" {
                        "version must not be empty"
                    } else {
                        "must not be empty"
                    },
                ));
            }
        }
        if owner["apiVersion"] == "v1" && owner["kind"] == "Event" {
            causes.push(Cause::invalid(
                "metadata.ownerReferences",
                &owner.to_string(),
                "/v1, Kind=Event is disallowed from being an owner",
            ));
        }
        controllers += usize::from(owner["controller"] == json!(true));
    }
    if controllers > 1 {
        causes.push(Cause::invalid(
            "metadata.ownerReferences",
            &owners.to_string(),
            "Only one reference can have Controller set to true.",
        ));
    }
}

pub(crate) fn is_label(text: &str) -> bool {
    let inner =
        |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    text.len() <= 63
        && text.bytes().all(inner)
        && !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        is_label(&part[..part.len().min(63)])
            && (part.len() <= 63 || is_label(&part[part.len() - 1..]))
    };
    text.len() <= 253
        && text.is_ascii()
        && text.split('.').all(|label| {
            part(label)
                && label.bytes().all(|letter| {
                    letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-'
                })
        })
}

pub(crate) fn is_name_part(text: &str) -> bool {
    let ends = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().last())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        // SPEC: BI-1
        for name in ["a", "a.b", "a-b.c1", "0"] {
            assert!(is_subdomain(name), "{name}");
        }
        for name in [
            "",
            "A",
            "a_b",
            "-a",
            "a-",
            "a..b",
            ".a",
            "ä",
            "a/b",
            &"a".repeat(254),
        ] {
            assert!(!is_subdomain(name), "{name}");
        }
        assert_eq!(wrong_key("drover.dev/Run_1.x"), None);
        for key in ["a/b/c", "/a", "a/", "A_/b", ""] {
            assert!(wrong_key(key).is_some(), "{key}");
        }
    }
}
