//! A problem for a person: what, where, and what helps.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::position::Place;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Nothing may be applied.
    Error,
    /// Probably not what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Where.
    pub place: Place,
    /// What is to be seen there.
    pub text: String,
}

/// A problem for a person. Its JSON form is stable:
///
/// ```
/// use drover_manifest::{Diagnostic, Severity, code};
///
/// let diagnostic = Diagnostic::new(Severity::Error, code::UNKNOWN_FIELD, "unknown field `nmae`")
///     .with_hint("did you mean `name`?");
/// assert_eq!(
///     serde_json::to_value(&diagnostic)?,
///     serde_json::json!({
///         "severity": "error",
///         "code": "unknown-field",
///         "message": "unknown field `nmae`",
///         "hint": "did you mean `name`?",
///     }),
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name in kebab-case; those of this crate are in [`code`](crate::code).
    pub code: Cow<'static, str>,
    /// One sentence without a full stop.
    pub message: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// A few words to stand beside the caret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Other places that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The path of the field in its object, such as `spec.groups[1].dependsOn[0]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The object, such as `RecoveryPlan shop/shop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Whether the source lines must not be shown: they may hold a secret.
    #[serde(skip)]
    pub hide_source: bool,
}

impl Diagnostic {
    /// A diagnostic that points nowhere yet.
    pub fn new(
        severity: Severity,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code: code.into(),
            message: message.into(),
            place: None,
            label: None,
            notes: Vec::new(),
            hint: None,
            field: None,
            object: None,
            hide_source: false,
        }
    }

    /// The same, pointing there.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with a few words beside the caret.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The same, with another place that belongs to it.
    #[must_use]
    pub fn with_note(mut self, place: Place, text: impl Into<String>) -> Self {
        self.notes.push(Note {
            place,
            text: text.into(),
        });
        self
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, for this field.
    #[must_use]
    pub fn for_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, for this object.
    #[must_use]
    pub fn for_object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Whether nothing may be applied.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
