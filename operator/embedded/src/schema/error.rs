//! What is wrong with a schema, and what is wrong with an object, in the words of the real server.

use serde_json::Value;

use super::go;

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The definition has no such version.
    #[error("the definition has no version {0:?}")]
    NoVersion(String),
    /// The version has no schema.
    #[error("version {0:?} has no schema")]
    NoSchema(String),
    /// A part of the schema that is not understood here.
    #[error("{at}: {what}")]
    Unsupported {
        /// Where it is, as `spec.groups[].name`.
        at: String,
        /// What it is.
        what: String,
    },
    /// A pattern that is no regular expression.
    #[error("{at}: the pattern {pattern:?} cannot be compiled")]
    Pattern {
        /// Where it is.
        at: String,
        /// The pattern as it is written.
        pattern: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// A rule that cannot be compiled.
    #[error("{at}: the rule {rule:?} cannot be compiled: {why}")]
    Rule {
        /// Where it is.
        at: String,
        /// The expression.
        rule: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The class of a [`FieldError`]: the reason of a cause in a `metav1.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FieldReason {
    /// A value that is not allowed here.
    Invalid,
    /// A field that must be there.
    Required,
    /// A value that is none of those to choose from.
    NotSupported,
    /// Something twice.
    Duplicate,
    /// A text that is too long.
    TooLong,
    /// Too many items or properties.
    TooMany,
    /// A value of another type.
    TypeInvalid,
    /// Something that may not be changed, or not be set.
    Forbidden,
}

impl FieldReason {
    /// As it is written in a cause.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "FieldValueInvalid",
            Self::Required => "FieldValueRequired",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Forbidden => "FieldValueForbidden",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::Required => "Required value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Forbidden => "Forbidden",
        }
    }

    /// Whether rules may no longer count on the shape of the object.
    pub(super) fn blocks_rules(self) -> bool {
        match self {
            Self::NotSupported
            | Self::Required
            | Self::TooLong
            | Self::TooMany
            | Self::TypeInvalid => true,
            Self::Invalid | Self::Duplicate | Self::Forbidden => false,
        }
    }
}

/// One wrong field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Its path, as `spec.groups[0].name`; `<nil>` where the error is about no field, as the real
    /// server has it.
    pub field: String,
    /// Its class.
    pub reason: FieldReason,
    /// What a person reads behind the path.
    pub message: String,
}

/// The path of what has none.
const NO_FIELD: &str = "<nil>";

impl FieldError {
    /// An error that shows the value it is about.
    pub(super) fn about(field: String, reason: FieldReason, value: &Value, detail: &str) -> Self {
        Self::shown(field, reason, Some(&go::shown(value)), detail)
    }

    /// An error that shows a text instead of the value.
    pub(super) fn shown(
        field: String,
        reason: FieldReason,
        shown: Option<&str>,
        detail: &str,
    ) -> Self {
        let mut message = reason.words().to_owned();
        for more in [shown.unwrap_or_default(), detail] {
            if !more.is_empty() {
                message.push_str(": ");
                message.push_str(more);
            }
        }
        let field = if field.is_empty() {
            NO_FIELD.to_owned()
        } else {
            field
        };
        Self {
            field,
            reason,
            message,
        }
    }

    pub(super) fn rules_not_checked() -> Self {
        let detail = "some validation rules were not checked because the object was invalid; \
                      correct the existing errors to complete validation";
        Self::about(String::new(), FieldReason::Invalid, &Value::Null, detail)
    }

    /// Puts the field under a parent; the message stays.
    pub(super) fn within(&mut self, parent: &str) {
        self.field = match &*self.field {
            NO_FIELD => parent.to_owned(),
            field => format!("{parent}.{field}"),
        };
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
