//! Many objects, as they were at one moment.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    answer::{self, Answer},
    body::ApiBody,
    call::Call,
    error::{Cause, Refusal},
    negotiate::{Format, Shape},
    object::{Entry, Key},
    selector::Selector,
    store::{Page, Scope},
};

/// Where a list that was cut off goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    /// The version of the whole list.
    v: u64,
    namespace: String,
    name: String,
}

impl Mark {
    fn read(text: &str) -> Result<Self, Refusal> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| Refusal::bad_request("invalid continue token: cannot be read"))
    }

    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// What the query says about the moment.
struct Moment {
    at: Option<u64>,
    after: Option<Key>,
}

pub(crate) fn selector(call: &Call) -> Result<Selector, Refusal> {
    let (labels, fields) = (
        call.query.text("labelSelector"),
        call.query.text("fieldSelector"),
    );
    Selector::parse(labels, fields, &call.resource, &call.api_version())
}

pub(crate) fn scope(call: &Call) -> Scope<'_> {
    if call.namespace.is_empty() {
        Scope::All
    } else {
        Scope::Namespace(&call.namespace)
    }
}

/// All objects that the query selects, now.
pub(super) fn selected(call: &Call) -> Result<(u64, Vec<Arc<Entry>>), Refusal> {
    let selector = selector(call)?;
    let page = Page {
        scope: scope(call),
        after: None,
        at: None,
    };
    let (version, mut entries) = call
        .core
        .store
        .list(&call.resource, &page)
        .unwrap_or_default();
    entries.retain(|entry| selector.matches(entry));
    Ok((version, entries))
}

pub(crate) fn list(call: &Call) -> Result<Answer, Refusal> {
    let selector = selector(call)?;
    let limit = call
        .query
        .number("limit")?
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    let moment = moment(call, limit.is_some())?;
    let page = Page {
        scope: scope(call),
        after: moment.after.as_ref(),
        at: moment.at,
    };
    let (version, mut entries) = call
        .core
        .store
        .list(&call.resource, &page)
        .ok_or_else(|| too_old(moment.after.is_some()))?;
    if !selector.is_empty() {
        entries.retain(|entry| selector.matches(entry));
    }
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if let Some(limit) = limit.filter(|limit| entries.len() > *limit) {
        let left = entries.len() - limit;
        entries.truncate(limit);
        if let Some(last) = entries.last().map(|entry| entry.key()) {
            let mark = Mark {
                v: version,
                namespace: last.namespace.to_string(),
                name: last.name.to_string(),
            };
            metadata["continue"] = json!(mark.write());
        }
        if selector.is_empty() {
            metadata["remainingItemCount"] = json!(left);
        }
    }
    show(call, &entries, &metadata)
}

fn too_old(continued: bool) -> Refusal {
    Refusal::expired(if continued {
        "The provided continue parameter is too old to display a consistent list result. You must start a new list \
         without the continue parameter."
    } else {
        "The resourceVersion for the provided list is too old."
    })
}

fn moment(call: &Call, limited: bool) -> Result<Moment, Refusal> {
    let forbidden = |field: &str, why: &str| {
        Refusal::invalid_option("ListOptions", &Cause::forbidden(field, why))
    };
    if call.query.text("sendInitialEvents").is_some() {
        return Err(forbidden(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        ));
    }
    let wanted = call.query.version()?;
    let matching = call.query.text("resourceVersionMatch");
    let current = call.core.store.version();
    if let Some(mark) = call.query.text("continue") {
        if matching.is_some() {
            return Err(forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
        if wanted.is_some_and(|wanted| wanted != 0) {
            return Err(Refusal::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let mark = Mark::read(mark)?;
        return Ok(Moment {
            at: Some(mark.v),
            after: Some(Key::new(&mark.namespace, &mark.name)),
        });
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted > current) {
        return Err(Refusal::version_ahead(wanted, current));
    }
    let exact = match (matching, wanted) {
        (None, wanted) => limited && wanted.is_some_and(|wanted| wanted != 0),
        (Some(_), None) => {
            return Err(forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        (Some("Exact"), Some(0)) => {
            return Err(forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
        (Some("Exact"), Some(_)) => true,
        (Some("NotOlderThan"), Some(_)) => false,
        (Some(other), Some(_)) => {
            return Err(Refusal::invalid_option(
                "ListOptions",
                &Cause {
                    field: "resourceVersionMatch".to_owned(),
                    reason: "FieldValueNotSupported".to_owned(),
                    message: format!(
                        "Unsupported value: \"{other}\": supported values: \"Exact\", \"NotOlderThan\""
                    ),
                },
            ));
        }
    };
    Ok(Moment {
        at: wanted.filter(|_| exact),
        after: None,
    })
}

/// Version and kind of a list.
fn heading(call: &Call) -> (String, &str) {
    match call.form.shape {
        Shape::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList"),
        _ => (call.api_version(), call.resource.list_kind.as_str()),
    }
}

fn show(call: &Call, entries: &[Arc<Entry>], metadata: &Value) -> Result<Answer, Refusal> {
    if call.form.shape == Shape::Table {
        let objects: Vec<Value> = entries
            .iter()
            .map(|entry| answer::table_value(call, entry))
            .collect();
        return Ok(answer::value(
            StatusCode::OK,
            call.form.format,
            &answer::table(call, &objects, metadata),
        ));
    }
    let (api_version, kind) = heading(call);
    let head = format!(
        "{{\"apiVersion\":{},\"kind\":{},\"metadata\":{metadata},\"items\":[",
        json!(api_version),
        json!(kind)
    );
    let bare =
        call.resource.traits.bare_items && call.form.shape == Shape::Full && call.is_stored_form();
    let item = |entry: &Entry| {
        if bare {
            entry.without_kind()
        } else {
            answer::item(call, entry)
        }
    };
    let mut chunks = Vec::with_capacity(entries.len() * 2 + 2);
    chunks.push(Bytes::from(head));
    for (index, entry) in entries.iter().enumerate() {
        let between: &'static [u8] = match (index, bare) {
            (0, false) => b"",
            (0, true) => b"{",
            (_, false) => b",",
            (_, true) => b",{",
        };
        chunks.push(Bytes::from_static(between));
        chunks.push(item(entry));
    }
    chunks.push(Bytes::from_static(b"]}"));
    if call.form.format == Format::Yaml {
        let list = serde_json::from_slice(&chunks.concat())
            .map_err(|error| Refusal::internal(error.to_string()))?;
        return Ok(answer::value(StatusCode::OK, Format::Yaml, &list));
    }
    // Streamed as they are: a long list is not copied into one piece.
    let mut answer = Response::new(ApiBody::stream(futures::stream::iter(chunks)));
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(Format::Json.media_type()),
    );
    Ok(answer)
}

/// A list of `items` that are text already.
pub(super) fn of_items(call: &Call, items: &[Bytes], version: u64) -> Result<Answer, Refusal> {
    let items: Result<Vec<Value>, _> = items
        .iter()
        .map(|item| serde_json::from_slice(item))
        .collect();
    let (api_version, kind) = heading(call);
    let list = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": { "resourceVersion": version.to_string() },
        "items": items.map_err(|error| Refusal::internal(error.to_string()))?,
    });
    Ok(answer::value(StatusCode::OK, call.form.format, &list))
}
