//! Objects in the form that a client asked for.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    body::ApiBody,
    call::Call,
    error::Refusal,
    event,
    negotiate::{self, Form, Format, Shape},
    object::Entry,
    table::Include,
};

/// What is answered to one request.
pub(crate) type Answer = Response<ApiBody>;

/// Warnings are sent as headers; more than these would not fit there.
const MOST_WARNINGS: usize = 16;

/// Text in JSON or YAML.
pub(crate) fn text(code: StatusCode, format: Format, bytes: Bytes) -> Answer {
    let mut answer = Response::new(ApiBody::from(bytes));
    *answer.status_mut() = code;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(format.media_type()),
    );
    answer
}

pub(crate) fn value(code: StatusCode, format: Format, value: &Value) -> Answer {
    match negotiate::write(format, value) {
        Ok(bytes) => text(code, format, bytes.into()),
        Err(refusal) => self::refusal(&refusal),
    }
}

pub(crate) fn refusal(refusal: &Refusal) -> Answer {
    let mut answer = if refusal.plain {
        let mut answer = Response::new(ApiBody::from(refusal.message.clone().into_bytes()));
        *answer.status_mut() = refusal.code;
        let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(header::CONTENT_TYPE, plain);
        answer
    } else {
        text(
            refusal.code,
            Format::Json,
            refusal.status().to_string().into(),
        )
    };
    if let Some(seconds) = refusal.retry_after_seconds {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

/// Adds warnings, as `kubectl` prints them.
pub(crate) fn warn(answer: &mut Answer, warnings: &[String]) {
    for warning in warnings.iter().take(MOST_WARNINGS) {
        let quoted: String = warning
            .chars()
            .flat_map(|letter| match letter {
                '"' | '\\' => vec!['\\', letter],
                _ if letter.is_control() || !letter.is_ascii() => vec!['?'],
                _ => vec![letter],
            })
            .collect();
        if let Ok(value) = header::HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            answer.headers_mut().append(header::WARNING, value);
        }
    }
}

/// One object.
pub(crate) fn object(call: &Call, code: StatusCode, entry: &Entry) -> Answer {
    match (call.form.shape, call.form.format) {
        (Shape::Full, Format::Json) => text(code, Format::Json, full(call, entry)),
        (Shape::Table, format) => {
            let list = json!({ "resourceVersion": entry.version.to_string() });
            value(
                code,
                format,
                &table(call, &[table_value(call, entry)], &list),
            )
        }
        (shape, format) => {
            let shown = if shape == Shape::Metadata {
                metadata(entry)
            } else {
                full(call, entry)
            };
            match serde_json::from_slice(&shown) {
                Ok(shown) => value(code, format, &shown),
                Err(error) => refusal(&Refusal::internal(error.to_string())),
            }
        }
    }
}

/// An object as JSON in the shape asked for, as lists and watches hold it.
pub(crate) fn item(call: &Call, entry: &Entry) -> Bytes {
    match call.form.shape {
        Shape::Metadata => metadata(entry),
        Shape::Full => full(call, entry),
        Shape::Table => table(call, &[table_value(call, entry)], &json!({}))
            .to_string()
            .into(),
    }
}

/// The whole object in the version asked for.
pub(crate) fn full(call: &Call, entry: &Entry) -> Bytes {
    if call.resource.is_view {
        full_value(call, entry).to_string().into()
    } else if entry.is_under(&call.version().head) {
        entry.bytes.clone()
    } else {
        entry.under(&call.version().head)
    }
}

/// As [`full`], parsed.
pub(crate) fn full_value(call: &Call, entry: &Entry) -> Value {
    let mut value = entry.value();
    if call.resource.is_view {
        event::to_view(&mut value);
    } else {
        value["apiVersion"] = json!(call.api_version());
    }
    value
}

fn metadata(entry: &Entry) -> Bytes {
    const HEAD: &[u8] = br#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","#;
    let metadata = entry.metadata();
    let mut bytes = Vec::with_capacity(HEAD.len() + metadata.len() + 1);
    bytes.extend_from_slice(HEAD);
    bytes.extend_from_slice(metadata);
    bytes.push(b'}');
    bytes.into()
}

/// The table that `kubectl get` prints.
pub(crate) fn table(call: &Call, objects: &[Value], list: &Value) -> Value {
    let include = call
        .query
        .text("includeObject")
        .and_then(Include::named)
        .unwrap_or_default();
    call.version()
        .columns
        .table(objects, list, include, (call.core.now)())
}

/// What a table is made from: the stored shape, of which columns know.
pub(crate) fn table_value(call: &Call, entry: &Entry) -> Value {
    if call.resource.is_view {
        entry.value()
    } else {
        full_value(call, entry)
    }
}

/// `metav1.Status` of something that worked.
pub(crate) fn success(format: Format, details: &Value) -> Answer {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    });
    value(StatusCode::OK, format, &status)
}

/// The form of answers that have only one shape.
pub(crate) fn plain(form: Form) -> Format {
    form.format
}
