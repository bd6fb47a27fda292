//! Events in their two shapes: `v1`, in which they are stored, and `events.k8s.io/v1`.

use serde_json::{Value, json};

use crate::error::Cause;

const RENAMED: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// From `events.k8s.io/v1` to the stored shape.
pub(crate) fn to_stored(event: &mut Value) {
    rename(event, "v1", |(stored, shown)| (shown, stored));
    // Required in the stored shape, optional in the other.
    if event["involvedObject"].is_null() {
        event["involvedObject"] = json!({});
    }
}

/// From the stored shape to `events.k8s.io/v1`.
pub(crate) fn to_view(event: &mut Value) {
    rename(event, "events.k8s.io/v1", |(stored, shown)| (stored, shown));
    if event["eventTime"].is_null() {
        event["eventTime"] = Value::Null;
    }
    if let Some(fields) = event.as_object_mut() {
        fields.retain(|name, value| !(name.starts_with("reporting") && value == ""));
    }
}

/// What is wrong with an event; `recorded` ones are new, and come through `events.k8s.io`.
pub(crate) fn validate(event: &Value, recorded: bool, causes: &mut Vec<Cause>) {
    let text = |field: &str| event[field].as_str().unwrap_or_default();
    let about = &event["involvedObject"]["namespace"];
    let namespace = event["metadata"]["namespace"].as_str().unwrap_or_default();
    if about.as_str().is_some_and(|about| about != namespace) {
        causes.push(Cause::invalid(
            "involvedObject.namespace",
            &about.to_string(),
            "does not match event.namespace",
        ));
    }
    if !recorded {
        return;
    }
    for field in ["eventTime", "action", "reason"] {
        if text(field).is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let loudness = text("type");
    if !["Normal", "Warning"].contains(&loudness) {
        let why = format!("has invalid value: {loudness}");
        causes.push(Cause::invalid("type", "\"\"", &why));
    }
}

fn rename(
    event: &mut Value,
    api_version: &str,
    direction: fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let Some(fields) = event.as_object_mut() else {
        return;
    };
    fields.insert("apiVersion".to_owned(), json!(api_version));
    for pair in RENAMED {
        let (from, to) = direction(*pair);
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
}
