//! Changes of an object, as a merge patch or as a JSON patch.

use http::StatusCode;
use serde_json::{Value, json};

use super::update;
use crate::{
    admission,
    answer::{self, Answer},
    call::Call,
    error::Refusal,
    negotiate,
};

/// Steps of one JSON patch, as the real API server bounds them.
const MOST_STEPS: usize = 10_000;

/// A patch that was read.
enum Patch {
    Merge(Value),
    Steps(json_patch::Patch),
}

pub(crate) async fn patch(call: &Call) -> Result<Answer, Refusal> {
    let patch = match read(call) {
        // Whether it can be read matters only where there is something to patch.
        Err(refusal) if refusal.code == StatusCode::BAD_REQUEST && !exists(call) => {
            return Err(call.not_found());
        }
        patch => patch?,
    };
    update::repeatedly(call, |stored| {
        let mut object = answer::full_value(call, stored);
        if let Patch::Merge(patch) = &patch {
            json_patch::merge(&mut object, patch);
        } else if let Patch::Steps(steps) = &patch {
            json_patch::patch(&mut object, steps)
                .map_err(|error| Refusal::unprocessable(&error.to_string()))?;
        }
        check_name(call, &object)?;
        admission::identify(call, &mut object)?;
        // The stored version is in there unless the patch says another.
        Ok(object)
    })
    .await
}

fn exists(call: &Call) -> bool {
    call.core.store.get(&call.resource, &call.key()).is_some()
}

fn check_name(call: &Call, object: &Value) -> Result<(), Refusal> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if name == call.name() {
        return Ok(());
    }
    Err(Refusal::bad_request(format!(
        "the name of the object ({name}) does not match the name on the URL ({})",
        call.name()
    )))
}

fn read(call: &Call) -> Result<Patch, Refusal> {
    let kind = negotiate::content_type(&call.headers);
    let merge = || -> Result<Value, Refusal> {
        let patch: Value = serde_json::from_slice(&call.body)
            .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
        if patch.is_object() {
            Ok(patch)
        } else {
            Err(Refusal::bad_request("error decoding patch: not an object"))
        }
    };
    match kind {
        "application/merge-patch+json" => merge().map(Patch::Merge),
        "application/json-patch+json" => {
            let steps: json_patch::Patch = serde_json::from_slice(&call.body)
                .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
            if steps.0.len() > MOST_STEPS {
                return Err(Refusal::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    format!(
                        "The allowed maximum operations in a JSON patch is {MOST_STEPS}, got {}",
                        steps.0.len()
                    ),
                ));
            }
            Ok(Patch::Steps(steps))
        }
        "application/strategic-merge-patch+json" if call.resource.traits.strategic_merge => {
            let patch = merge()?;
            match unsupported(&patch, "") {
                Some(path) => Err(Refusal::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "UnsupportedMediaType",
                    format!(
                        "strategic merge of \"{path}\" is not supported here, use a merge patch or a JSON patch"
                    ),
                )),
                None => Ok(Patch::Merge(patch)),
            }
        }
        "application/apply-patch+yaml"
        | "application/apply-patch+json"
        | "application/apply-patch+cbor" => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "server-side apply is not supported by this API, use kubectl apply without --server-side",
        )),
        _ if !call.resource.traits.bare_items => Err(Refusal::unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json",
        )),
        _ => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "415: Unsupported Media Type",
        )
        .with(json!({}))),
    }
}

/// Where a strategic merge patch means something else than a merge patch: directives, and the lists
/// that are merged by key or by value in the built-in kinds.
fn unsupported(patch: &Value, path: &str) -> Option<String> {
    const MERGED: &[&str] = &[
        "metadata.finalizers",
        "metadata.ownerReferences",
        "status.conditions",
    ];
    if MERGED.contains(&path) && !patch.is_null() && *patch != json!([]) {
        return Some(path.to_owned());
    }
    match patch {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            if key.starts_with('$') {
                Some(path)
            } else {
                unsupported(value, &path)
            }
        }),
        Value::Array(items) => items.iter().find_map(|item| unsupported(item, path)),
        _ => None,
    }
}
