//! What a refusal looks like on the wire: `metav1.Status`, word for word where clients read it.

use http::StatusCode;
use serde_json::{Value, json};

/// A refusal, with everything that a client may look at.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub code: StatusCode,
    /// Machine-readable, such as `NotFound`; empty where the real API server has none.
    pub reason: &'static str,
    pub message: String,
    pub details: Option<Value>,
    /// Answered as plain text, as the real API server does for paths that nobody serves.
    pub plain: bool,
    /// Sent as `Retry-After`.
    pub retry_after_seconds: Option<u32>,
}

/// What an error is about: the resource as it stands in messages and details.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub group: &'a str,
    /// The plural for most reasons, the kind for `Invalid`.
    pub plural: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
}

impl Subject<'_> {
    fn qualified(&self) -> String {
        qualified(self.plural, self.group)
    }

    fn details(&self) -> Value {
        let mut details = json!({ "name": self.name, "kind": self.plural });
        if !self.group.is_empty() {
            details["group"] = json!(self.group);
        }
        details
    }
}

/// `sites.drover.dev`, or `secrets` in the core group.
pub(crate) fn qualified(plural: &str, group: &str) -> String {
    if group.is_empty() {
        plural.to_owned()
    } else {
        format!("{plural}.{group}")
    }
}

/// One wrong field, as `Invalid` lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub field: String,
    /// `FieldValueInvalid` and its like.
    pub reason: String,
    pub message: String,
}

impl Cause {
    pub fn invalid(field: &str, value: &str, why: &str) -> Self {
        Self {
            field: field.to_owned(),
            reason: "FieldValueInvalid".to_owned(),
            message: format!("Invalid value: {value}: {why}"),
        }
    }

    pub fn required(field: &str, why: &str) -> Self {
        Self {
            field: field.to_owned(),
            reason: "FieldValueRequired".to_owned(),
            message: if why.is_empty() {
                "Required value".to_owned()
            } else {
                format!("Required value: {why}")
            },
        }
    }

    pub fn forbidden(field: &str, why: &str) -> Self {
        Self {
            field: field.to_owned(),
            reason: "FieldValueForbidden".to_owned(),
            message: format!("Forbidden: {why}"),
        }
    }
}

impl Refusal {
    pub fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            plain: false,
            retry_after_seconds: None,
        }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            format!("Internal error occurred: {}", message.into()),
        )
    }

    /// A path that nobody serves.
    pub fn no_such_path() -> Self {
        Self {
            plain: true,
            ..Self::new(StatusCode::NOT_FOUND, "NotFound", "404 page not found\n")
        }
    }

    /// A path below a group that is served, which leads nowhere.
    pub fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).with(json!({}))
    }

    /// A method that no client uses there.
    pub fn no_such_method() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).with(json!({}))
    }

    pub fn not_found(subject: Subject<'_>) -> Self {
        let message = format!("{} \"{}\" not found", subject.qualified(), subject.name);
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).with(subject.details())
    }

    pub fn already_exists(subject: Subject<'_>) -> Self {
        let message = format!(
            "{} \"{}\" already exists",
            subject.qualified(),
            subject.name
        );
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message).with(subject.details())
    }

    pub fn conflict(subject: Subject<'_>, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": {why}",
            subject.qualified(),
            subject.name
        );
        Self::new(StatusCode::CONFLICT, "Conflict", message).with(subject.details())
    }

    /// The conflict of an update that was made from an older version.
    pub fn modified(subject: Subject<'_>) -> Self {
        Self::conflict(
            subject,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub fn forbidden(subject: Subject<'_>, why: &str) -> Self {
        let message = format!(
            "{} \"{}\" is forbidden: {why}",
            subject.qualified(),
            subject.name
        );
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).with(subject.details())
    }

    pub fn method_not_allowed(subject: Subject<'_>, verb: &str) -> Self {
        let message = format!(
            "{verb} is not supported on resources of kind \"{}\"",
            subject.qualified()
        );
        let mut details = json!({ "kind": subject.plural });
        if !subject.group.is_empty() {
            details["group"] = json!(subject.group);
        }
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).with(details)
    }

    /// Fields that do not hold what they must.
    pub fn invalid(subject: Subject<'_>, causes: &[Cause]) -> Self {
        let kind = qualified(subject.kind, subject.group);
        let mut shown: Vec<String> = causes
            .iter()
            .map(|cause| {
                if cause.field.is_empty() {
                    cause.message.clone()
                } else {
                    format!("{}: {}", cause.field, cause.message)
                }
            })
            .collect();
        let list = if shown.len() == 1 {
            shown.remove(0)
        } else {
            format!("[{}]", shown.join(", "))
        };
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| json!({ "reason": cause.reason, "message": cause.message, "field": cause.field }))
            .collect();
        let mut details = json!({ "kind": subject.kind, "causes": causes });
        if !subject.name.is_empty() {
            details["name"] = json!(subject.name);
        }
        if !subject.group.is_empty() {
            details["group"] = json!(subject.group);
        }
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Invalid",
            format!("{kind} \"{}\" is invalid: {list}", subject.name),
        )
        .with(details)
    }

    /// A patch whose result is no object of the kind, or that cannot be applied.
    pub fn unprocessable(why: &str) -> Self {
        let message =
            format!("the server rejected our request due to an error in our request: {why}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).with(json!({}))
    }

    /// A query parameter that says something impossible.
    pub fn invalid_option(kind: &str, cause: &Cause) -> Self {
        Self::invalid(
            Subject {
                group: "meta.k8s.io",
                plural: kind,
                kind,
                name: "",
            },
            std::slice::from_ref(cause),
        )
    }

    pub fn unsupported_media_type(supported: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format - accepted media types include: {supported}"
            ),
        )
    }

    pub fn not_acceptable() -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "NotAcceptable",
            "only the following media types are accepted: application/json, application/yaml",
        )
    }

    /// History that is no longer kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!(
                "Request entity too large: limit is {}",
                crate::MAX_BODY_BYTES
            ),
        )
    }

    /// A version that this server has not reached.
    pub fn version_ahead(wanted: u64, current: u64) -> Self {
        let mut refusal = Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "Timeout",
            format!("Timeout: Too large resource version: {wanted}, current: {current}"),
        )
        .with(json!({
            "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
            "retryAfterSeconds": 1,
        }));
        refusal.retry_after_seconds = Some(1);
        refusal
    }

    pub fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The `metav1.Status` of this refusal.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code.as_u16(),
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status
    }
}
