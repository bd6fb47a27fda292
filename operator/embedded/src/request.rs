//! What a request asks for: its path and its query, read once.

use std::collections::BTreeMap;

use http::{Method, StatusCode};

use crate::error::{Cause, Refusal};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/api`, `/apis`, `/version`, …: the rest is discovery's business.
    Root(Vec<String>),
    /// `/api/v1`, `/apis/GROUP/VERSION`.
    GroupVersion { group: String, version: String },
    /// A resource, all of it or one object.
    Resource(Place),
}

/// Where in the tree of resources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub group: String,
    pub version: String,
    pub plural: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

/// Reads a path; `None`: nobody serves such a path.
pub(crate) fn target(path: &str) -> Option<Target> {
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        parts.push(percent_decode(part)?);
    }
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (group, version, rest) = match words.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Some(Target::Root(parts)),
    };
    let (group, version) = (group.to_owned(), version.to_owned());
    if rest.is_empty() {
        return Some(Target::GroupVersion { group, version });
    }
    let mut place = Place {
        group,
        version,
        ..Place::default()
    };
    let own = |text: &str| Some(text.to_owned());
    let rest = match rest {
        // `namespaces` is a resource itself, and a prefix of those inside.
        ["namespaces", namespace, plural, rest @ ..]
            if !(place.group.is_empty()
                && rest.is_empty()
                && ["status", "finalize"].contains(plural)) =>
        {
            place.namespace = own(namespace);
            (*plural).clone_into(&mut place.plural);
            rest
        }
        [plural, rest @ ..] => {
            (*plural).clone_into(&mut place.plural);
            rest
        }
        [] => rest,
    };
    match rest {
        [] => {}
        [name] => place.name = own(name),
        [name, subresource] => (place.name, place.subresource) = (own(name), own(subresource)),
        _ => return None,
    }
    Some(Target::Resource(place))
}

/// The verb in the words of access rules and messages.
pub(crate) fn verb(method: &Method, named: bool, watch: bool) -> &'static str {
    match *method {
        Method::GET | Method::HEAD if watch => "watch",
        Method::GET | Method::HEAD if named => "get",
        Method::GET | Method::HEAD => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => "unknown",
    }
}

fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The query of a request. A parameter given twice counts once, as it stands first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    pub fn of(query: Option<&str>) -> Self {
        let mut parameters = BTreeMap::new();
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str| percent_decode(&text.replace('+', " "));
            // What cannot be read is left out, as Go's HTTP server does it.
            if pair.contains(';') {
                continue;
            }
            if let (Some(key), Some(value)) = (decoded(key), decoded(value)) {
                parameters.entry(key).or_insert(value);
            }
        }
        Self(parameters)
    }

    /// A parameter that says something.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A bare `?watch` means yes, and so does any word that is not a way to say no.
    pub fn flag(&self, name: &str) -> bool {
        let said = self.0.get(name).map(String::as_str);
        said.is_some_and(|said| !["false", "0", "f", "F", "FALSE", "False"].contains(&said))
    }

    pub fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        // Below zero is as good as not said.
        let number = text.parse::<i64>().map(|number| u64::try_from(number).ok());
        number.map_err(|_| {
            Refusal::bad_request(format!(
                "strconv.ParseInt: parsing \"{text}\": invalid syntax ({name})"
            ))
        })
    }

    /// `resourceVersion`: `None` if it is not given.
    pub fn version(&self) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text("resourceVersion") else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            Refusal::bad_request(format!(
                "Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
            ))
        })
    }

    /// The same of one object, or of a stream: what is no number there is an internal error, as the
    /// real API server has it.
    pub fn version_of_one(&self) -> Result<Option<u64>, Refusal> {
        self.version().map_err(|refusal| {
            let message = format!("resourceVersion: {}", refusal.message);
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
        })
    }

    /// Whether nothing is to be stored.
    pub fn dry_run(&self, kind: &str) -> Result<bool, Refusal> {
        match self.text("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(Refusal::invalid_option(
                kind,
                &Cause {
                    field: "dryRun".to_owned(),
                    reason: "FieldValueNotSupported".to_owned(),
                    message: format!("Unsupported value: \"{other}\": supported values: \"All\""),
                },
            )),
        }
    }

    /// What to do about unknown fields.
    pub fn field_validation(&self, kind: &str) -> Result<FieldValidation, Refusal> {
        match self.text("fieldValidation") {
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => Err(Refusal::invalid_option(
                kind,
                &Cause {
                    field: "fieldValidation".to_owned(),
                    reason: "FieldValueNotSupported".to_owned(),
                    message: format!(
                        "Unsupported value: \"{other}\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                    ),
                },
            )),
        }
    }
}

/// What to do about unknown fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}
