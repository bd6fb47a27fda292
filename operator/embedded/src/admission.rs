//! From what a client sent to what would be stored: the steps that every write goes through.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    builtin::Builtin,
    call::Call,
    definition,
    error::{Cause, Refusal},
    event, metadata, negotiate,
    object::{Draft, Entry},
    request::FieldValidation,
    rules::{Part, Rules},
    time,
};

/// What would be stored, and what the client should be warned of.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub draft: Draft,
    pub warnings: Vec<String>,
}

/// Checks that `object` is of the kind of the request, and turns it to the stored shape.
pub(crate) fn identify(call: &Call, object: &mut Value) -> Result<(), Refusal> {
    if !object.is_object() {
        return Err(Refusal::bad_request(
            "the object provided is unrecognized (must be of type Object)",
        ));
    }
    let (api_version, kind) = (call.api_version(), call.resource.kind.as_str());
    let resource = &call.resource;
    let wrong = |what: &str, given: &Value, expected: &str| {
        Refusal::bad_request(format!(
            "the {what} in the data ({}) does not match the expected {what} ({expected})",
            given.as_str().unwrap_or_default()
        ))
    };
    let given = (&object["apiVersion"], &object["kind"]);
    // Built-in kinds need not be named, others must.
    if given.0.is_null() && given.1.is_null() && resource.traits.bare_items {
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(kind);
    } else if given.1 != kind || given.0 != api_version.as_str() {
        let group = &resource.group;
        let expected = format!(
            "{}/{}",
            if group.is_empty() { "" } else { group },
            call.version().name
        );
        if is_patch(call) && !resource.traits.bare_items && given.1 == kind {
            let version = given.0.as_str().unwrap_or_default();
            let subject = resource.subject(call.name());
            let cause = Cause::invalid(
                "apiVersion",
                &json!(version).to_string(),
                &format!("must be {api_version}"),
            );
            return Err(Refusal::invalid(subject, &[cause]));
        }
        return Err(
            if given.0 == api_version.as_str() && !resource.traits.bare_items {
                let (name, given) = (
                    object["metadata"]["name"].as_str(),
                    given.1.as_str().unwrap_or_default(),
                );
                let subject = crate::error::Subject {
                    kind: given,
                    ..resource.subject(name.unwrap_or_default())
                };
                Refusal::invalid(
                    subject,
                    &[Cause::invalid(
                        "kind",
                        &json!(given).to_string(),
                        &format!("must be {kind}"),
                    )],
                )
            } else if given.0 == api_version.as_str() {
                wrong("kind", given.1, kind)
            } else {
                wrong("API version", given.0, expected.trim_start_matches('/'))
            },
        );
    }
    if resource.is_view {
        event::to_stored(object);
    }
    let read =
        metadata::normalise(&object["metadata"]).map_err(|error| unreadable(call, &error))?;
    object["metadata"] = read;
    place(call, object)
}

/// The namespace of path and object must be the same.
fn place(call: &Call, object: &mut Value) -> Result<(), Refusal> {
    let metadata = &mut object["metadata"];
    let given = metadata["namespace"].as_str().unwrap_or_default();
    if !call.resource.namespaced {
        // Taken as a slip, not as an error, as the real API server does.
        drop_fields(metadata, &["namespace"]);
        return Ok(());
    }
    if !given.is_empty() && given != call.namespace {
        return Err(Refusal::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    metadata["namespace"] = json!(call.namespace);
    Ok(())
}

fn unreadable(call: &Call, why: &str) -> Refusal {
    let (kind, version) = (&call.resource.kind, &call.version().name);
    let words = format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}");
    if is_patch(call) {
        return Refusal::unprocessable(&words);
    }
    Refusal::bad_request(words)
}

fn is_patch(call: &Call) -> bool {
    negotiate::content_type(&call.headers).ends_with("patch+json")
}

/// Prunes, fills in defaults, and tells of unknown fields as the client asked.
fn admit(call: &Call, object: &mut Value) -> Result<Vec<String>, Refusal> {
    let rules = &call.version().rules;
    let unknown = rules
        .admit(object)
        .map_err(|error| unreadable(call, &error))?;
    let words: Vec<String> = unknown
        .iter()
        .map(|path| format!("unknown field \"{path}\""))
        .collect();
    match call.query.field_validation("CreateOptions")? {
        FieldValidation::Strict if !words.is_empty() => Err(unreadable(
            call,
            &format!("strict decoding error: {}", words.join(", ")),
        )),
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Strict | FieldValidation::Warn => Ok(words),
    }
}

/// A new object.
pub(crate) fn create(call: &Call, mut object: Value) -> Result<Admitted, Refusal> {
    let core = &call.core;
    let metadata = &mut object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if !text(&metadata["resourceVersion"]).is_empty() {
        // An internal error, as the real API server has it.
        let why = "resourceVersion should not be set on objects to be created";
        return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "", why));
    }
    let stem = text(&metadata["generateName"]);
    if text(&metadata["name"]).is_empty() && !stem.is_empty() {
        let longest = stem.char_indices().nth(58).map_or(stem.len(), |(at, _)| at);
        metadata["name"] = json!(format!("{}{}", &stem[..longest], core.ids.ending()));
    }
    metadata["uid"] = json!(core.ids.uid());
    metadata["creationTimestamp"] = json!(time::seconds((core.now)()));
    drop_fields(
        metadata,
        &[
            "resourceVersion",
            "selfLink",
            "managedFields",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ],
    );
    if call.resource.traits.generation {
        metadata["generation"] = json!(1);
    }
    if call.version().status {
        drop_fields(&mut object, &["status"]);
    }
    let warnings = admit(call, &mut object)?;
    finish(call, object, None, Part::Whole, warnings)
}

fn drop_fields(object: &mut Value, fields: &[&str]) {
    if let Some(object) = object.as_object_mut() {
        for field in fields {
            object.remove(*field);
        }
    }
}

/// What stands to be stored in place of `stored`, if `object` is taken over it.
pub(crate) fn replace(call: &Call, stored: &Entry, mut object: Value) -> Result<Admitted, Refusal> {
    let subject = call.resource.subject(call.name());
    let given = &object["metadata"];
    let uid = given["uid"].as_str().unwrap_or_default();
    if !uid.is_empty() && uid != &*stored.meta.uid {
        if is_patch(call) {
            let cause = Cause::invalid(
                "metadata.uid",
                &json!(uid).to_string(),
                "field is immutable",
            );
            return Err(Refusal::invalid(subject, &[cause]));
        }
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            stored.meta.uid
        );
        return Err(Refusal::conflict(subject, &why));
    }
    if let Some(time) = given["deletionTimestamp"].as_str()
        && !stored.meta.deleting
        && is_patch(call)
    {
        let cause = Cause::invalid(
            "metadata.deletionTimestamp",
            &json!(time).to_string(),
            "field is immutable",
        );
        return Err(Refusal::invalid(subject, &[cause]));
    }
    let version = given["resourceVersion"].as_str().unwrap_or_default();
    if !version.is_empty() && version.parse::<u64>().is_err() {
        // An internal error, as the real API server has it.
        let why = format!("strconv.ParseUint: parsing \"{version}\": invalid syntax");
        return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "", why));
    }
    if version.is_empty() || version == "0" {
        if !call.resource.traits.unconditional_update {
            let cause = Cause::invalid(
                "metadata.resourceVersion",
                "0",
                "must be specified for an update",
            );
            let plural = crate::error::Subject {
                kind: &call.resource.plural,
                ..subject
            };
            return Err(Refusal::invalid(plural, &[cause]));
        }
    } else if version != stored.version.to_string() {
        return Err(Refusal::modified(subject));
    }
    if call.status {
        return status(call, stored, object);
    }
    let old = stored.value();
    keep_metadata(&mut object["metadata"], &old["metadata"]);
    if call.version().status {
        match old.get("status") {
            Some(status) => object["status"] = status.clone(),
            None => drop_fields(&mut object, &["status"]),
        }
    }
    let warnings = admit(call, &mut object)?;
    finish(call, object, Some((stored, &old)), Part::Whole, warnings)
}

/// What the server alone writes stays as it was.
fn keep_metadata(new: &mut Value, old: &Value) {
    drop_fields(new, &["selfLink", "managedFields", "resourceVersion"]);
    for field in [
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
    ] {
        match old.get(field) {
            Some(value) => new[field] = value.clone(),
            None => drop_fields(new, &[field]),
        }
    }
}

/// The status of `object` over everything else of `stored`.
fn status(call: &Call, stored: &Entry, mut object: Value) -> Result<Admitted, Refusal> {
    let status = object
        .as_object_mut()
        .and_then(|object| object.remove("status"));
    if let Rules::Defined { status_alone, .. } = call.version().rules {
        return status_of_defined(call, stored, status, status_alone);
    }
    let old = stored.value();
    let mut new = old.clone();
    match status {
        Some(status) => new["status"] = status,
        None => drop_fields(&mut new, &["status"]),
    }
    let warnings = admit(call, &mut new)?;
    finish(call, new, Some((stored, &old)), Part::Status, warnings)
}

/// The frequent write: everything but the status is taken over as the bytes that it is, and not even
/// parsed, unless some rule looks at both.
fn status_of_defined(
    call: &Call,
    stored: &Entry,
    status: Option<Value>,
    alone: bool,
) -> Result<Admitted, Refusal> {
    let parse = |bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes).map_err(|error| Refusal::internal(error.to_string()))
    };
    let with = |mut whole: Value, status: Option<Value>| {
        match status {
            Some(status) => whole["status"] = status,
            None => drop_fields(&mut whole, &["status"]),
        }
        whole
    };
    let mut new = with(
        json!({ "apiVersion": call.api_version(), "kind": call.resource.kind }),
        status,
    );
    let warnings = admit(call, &mut new)?;
    let status = new.as_object_mut().and_then(|new| new.remove("status"));
    let old = if alone {
        let status = if stored.status().is_empty() {
            None
        } else {
            Some(parse(stored.status())?)
        };
        with(json!({}), status)
    } else {
        parse(&stored.bytes)?
    };
    let text = match &status {
        Some(status) => {
            serde_json::to_vec(status).map_err(|error| Refusal::internal(error.to_string()))?
        }
        None => Vec::new(),
    };
    let new = with(if alone { json!({}) } else { old.clone() }, status);
    let causes = call
        .version()
        .rules
        .validate(&new, Some(&old), Part::Status);
    if !causes.is_empty() {
        return Err(Refusal::invalid(
            call.resource.subject(call.name()),
            &causes,
        ));
    }
    let draft = Draft::with_status(stored, &text, &call.resource.selectable, &new);
    Ok(Admitted { draft, warnings })
}

/// Validates, counts the generation, and takes the object apart for the store.
fn finish(
    call: &Call,
    mut object: Value,
    before: Option<(&Entry, &Value)>,
    part: Part,
    warnings: Vec<String>,
) -> Result<Admitted, Refusal> {
    let resource = &call.resource;
    let old = before.map(|(_, old)| old);
    if matches!(call.version().rules, Rules::Builtin(Builtin::Definition)) && part == Part::Whole {
        define(call, &mut object, old)?;
    }
    let mut causes = metadata::validate(
        &object["metadata"],
        &*resource.id == crate::registry::NAMESPACES,
    );
    if resource.traits.standard_finalizers {
        causes.extend(metadata::standard_finalizers(&object["metadata"]));
    }
    if let Some((stored, _)) = before.filter(|(stored, _)| stored.meta.deleting) {
        causes.extend(late_finalizers(stored, &object));
    }
    causes.extend(call.version().rules.validate(&object, old, part));
    if !causes.is_empty() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let mut subject = resource.subject(name);
        if resource.is_view {
            // Events are those of the core group, wherever they come from.
            subject.group = "";
        }
        return Err(Refusal::invalid(subject, &causes));
    }
    let mut draft = Draft::of(&object, &resource.selectable);
    if let Some((stored, _)) = before
        && resource.traits.generation
        && part == Part::Whole
        && (draft.rest() != stored.rest() || draft.status() != stored.status())
    {
        object["metadata"]["generation"] = json!(stored.meta.generation + 1);
        draft = Draft::of(&object, &resource.selectable);
    }
    Ok(Admitted { draft, warnings })
}

fn define(call: &Call, object: &mut Value, old: Option<&Value>) -> Result<(), Refusal> {
    definition::complete(object, (call.core.now)());
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let subject = call.resource.subject(name);
    let mut causes = definition::resource(object).err().unwrap_or_default();
    causes.extend(
        old.into_iter()
            .flat_map(|old| definition::immutable(object, old)),
    );
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(subject, &causes))
    }
}

fn late_finalizers(stored: &Entry, object: &Value) -> Option<Cause> {
    let new: Vec<&str> = object["metadata"]["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|finalizer| !stored.meta.has_finalizer(finalizer))
        .collect();
    let shown: Vec<String> = new.iter().map(|each| format!("\"{each}\"")).collect();
    (!new.is_empty()).then(|| {
        Cause::forbidden(
            "metadata.finalizers",
            &format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                shown.join(", ")
            ),
        )
    })
}
