//! In which form a client wants its answer, and in which it sent its body.

use http::{HeaderMap, header};
use serde_json::Value;

use crate::{error::Refusal, protobuf};

/// What an answer shows of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shape {
    #[default]
    Full,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `Table`, for people.
    Table,
}

/// The text of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    #[default]
    Json,
    Yaml,
}

impl Format {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
        }
    }
}

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Form {
    pub shape: Shape,
    pub format: Format,
    /// Discovery with everything in one document.
    pub aggregated: bool,
}

/// Chooses among what `Accept` lists, in the client's order.
///
/// # Errors
///
/// Nothing in the list is known.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, Refusal> {
    let mut listed = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    if listed.peek().is_none() {
        return Ok(Form::default());
    }
    listed
        .flat_map(|value| value.split(','))
        .find_map(clause)
        .ok_or_else(Refusal::not_acceptable)
}

fn clause(clause: &str) -> Option<Form> {
    let mut parts = clause.split(';').map(str::trim);
    let format = match parts.next()? {
        "application/json" | "application/*" | "*/*" | "" => Format::Json,
        "application/yaml" => Format::Yaml,
        _ => return None,
    };
    let (mut shape, mut group, mut version) = ("", "", "");
    for part in parts {
        match part.split_once('=') {
            Some(("as", value)) => shape = value,
            Some(("g", value)) => group = value,
            Some(("v", value)) => version = value,
            _ => {}
        }
    }
    let plain = Form {
        format,
        ..Form::default()
    };
    match (shape, group, version) {
        ("", ..) => Some(plain),
        ("Table", "meta.k8s.io", "v1") => Some(Form {
            shape: Shape::Table,
            ..plain
        }),
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => {
            Some(Form {
                shape: Shape::Metadata,
                ..plain
            })
        }
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Some(Form {
            aggregated: true,
            ..plain
        }),
        _ => None,
    }
}

/// The media type of a body, without parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// Reads a body in JSON or YAML.
pub(crate) fn read(content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    let wrong = |error: &dyn std::fmt::Display| {
        Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type Object): {error}"
        ))
    };
    match content_type {
        "" | "application/json" => serde_json::from_slice(body).map_err(|error| wrong(&error)),
        "application/yaml" => {
            let text = std::str::from_utf8(body).map_err(|error| wrong(&error))?;
            serde_yaml::from_str(text).map_err(|error| wrong(&error))
        }
        protobuf::MEDIA_TYPE => protobuf::read(body)
            .ok_or_else(|| Refusal::unsupported_media_type("application/json, application/yaml")),
        _ => Err(Refusal::unsupported_media_type(
            "application/json, application/yaml",
        )),
    }
}

/// Writes an answer.
pub(crate) fn write(format: Format, value: &Value) -> Result<Vec<u8>, Refusal> {
    match format {
        Format::Json => {
            serde_json::to_vec(value).map_err(|error| Refusal::internal(error.to_string()))
        }
        Format::Yaml => serde_yaml::to_string(value)
            .map(String::into_bytes)
            .map_err(|error| Refusal::internal(error.to_string())),
    }
}
