//! One object away, or all that a selector matches.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::list;
use crate::{
    answer::{self, Answer},
    call::Call,
    error::{Cause, Refusal},
    negotiate::{self, Shape},
    object::Key,
    store::{Propagation, Write, Written},
};

struct Options {
    uid: Option<String>,
    version: Option<u64>,
    propagation: Propagation,
    dry_run: bool,
}

pub(crate) async fn delete(call: &Call) -> Result<Answer, Refusal> {
    let options = options(call)?;
    let removed = one(call, &options, call.key()).await?;
    Ok(match removed {
        Written::Stands(entry) => answer::object(call, StatusCode::OK, &entry),
        Written::Gone(entry) => {
            let mut details =
                json!({ "name": call.name(), "kind": call.resource.plural, "uid": entry.meta.uid });
            if !call.resource.group.is_empty() {
                details["group"] = json!(call.resource.group);
            }
            answer::success(answer::plain(call.form), &details)
        }
    })
}

async fn one(call: &Call, options: &Options, key: Key) -> Result<Written, Refusal> {
    let name = key.name.clone();
    if options.dry_run {
        let entry = call
            .core
            .store
            .get(&call.resource, &key)
            .ok_or_else(|| Refusal::not_found(call.resource.subject(&name)))?;
        return match call
            .core
            .store
            .may_delete(options.uid.as_deref(), options.version, &entry)
        {
            Ok(()) if entry.meta.finalizers.is_empty() => Ok(Written::Gone(entry)),
            Ok(()) => Ok(Written::Stands(entry)),
            Err(error) => Err(call.refuse(error, &name)),
        };
    }
    let write = Write::Delete {
        resource: Arc::clone(&call.resource),
        key,
        uid: options.uid.clone(),
        version: options.version,
        propagation: options.propagation,
    };
    call.core
        .store
        .write(write)
        .await
        .map_err(|error| call.refuse(error, &name))
}

/// Each object is a deletion of its own; what is gone meanwhile is not missed.
pub(crate) async fn collection(call: &Call) -> Result<Answer, Refusal> {
    let options = options(call)?;
    let (version, mut entries) = list::selected(call)?;
    if let Some(limit) = call.query.number("limit")?.filter(|limit| *limit > 0) {
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let mut deleted = Vec::new();
    for entry in entries {
        match one(call, &options, entry.key().clone()).await {
            Ok(Written::Gone(entry) | Written::Stands(entry)) => deleted.push(entry),
            Err(refusal) if refusal.code == StatusCode::NOT_FOUND => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let items: Vec<Bytes> = deleted
        .iter()
        .map(|entry| {
            if call.form.shape == Shape::Full && call.resource.traits.bare_items {
                [b"{".as_slice(), &entry.without_kind()].concat().into()
            } else {
                answer::item(call, entry)
            }
        })
        .collect();
    list::of_items(call, &items, version)
}

fn options(call: &Call) -> Result<Options, Refusal> {
    let body = if call.body.is_empty() {
        json!({})
    } else {
        negotiate::read(negotiate::content_type(&call.headers), &call.body)?
    };
    if !body.is_object()
        || body["kind"]
            .as_str()
            .is_some_and(|kind| kind != "DeleteOptions")
    {
        return Err(Refusal::bad_request(
            "the body of a deletion must be DeleteOptions",
        ));
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let said = text(&body["propagationPolicy"])
        .or_else(|| call.query.text("propagationPolicy").map(str::to_owned));
    let propagation = match said.as_deref() {
        None if body["orphanDependents"] == json!(true) || call.query.flag("orphanDependents") => {
            Propagation::Orphan
        }
        None | Some("Background") => Propagation::Background,
        Some("Foreground") => Propagation::Foreground,
        Some("Orphan") => Propagation::Orphan,
        Some(other) => {
            return Err(Refusal::invalid_option(
                "DeleteOptions",
                &Cause {
                    field: "propagationPolicy".to_owned(),
                    reason: "FieldValueNotSupported".to_owned(),
                    message: format!(
                        "Unsupported value: \"{other}\": supported values: \"Background\", \"Foreground\", \"Orphan\""
                    ),
                },
            ));
        }
    };
    if said.is_some() && body["orphanDependents"].is_boolean() {
        let shown = json!(said).to_string();
        let why = "orphanDependents and deletionPropagation cannot be both set";
        return Err(Refusal::invalid_option(
            "DeleteOptions",
            &Cause::invalid("propagationPolicy", &shown, why),
        ));
    }
    let preconditions = &body["preconditions"];
    // No object is at version 0.
    let version = preconditions["resourceVersion"]
        .as_str()
        .map(|text| text.parse().unwrap_or(0));
    let dry_runs = body["dryRun"].as_array().map_or(&[][..], Vec::as_slice);
    if dry_runs.iter().any(|each| each != "All") {
        return Err(Refusal::invalid_option(
            "DeleteOptions",
            &Cause {
                field: "dryRun".to_owned(),
                reason: "FieldValueNotSupported".to_owned(),
                message: format!(
                    "Unsupported value: {}: supported values: \"All\"",
                    body["dryRun"]
                ),
            },
        ));
    }
    let dry_run = !dry_runs.is_empty();
    Ok(Options {
        uid: text(&preconditions["uid"]),
        version,
        propagation,
        dry_run: dry_run || call.query.dry_run("DeleteOptions")?,
    })
}
