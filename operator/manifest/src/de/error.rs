//! What decoding yields: a value, or what is wrong and where.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::position::Span;
use crate::suggest;

/// A typed value, and how well it fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<T> {
    /// The value.
    pub value: T,
    /// The first key that the type does not know.
    pub ignored: Option<Span>,
}

impl<T> Decoded<T> {
    /// The same with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Decoded<U> {
        Decoded {
            value: f(self.value),
            ignored: self.ignored,
        }
    }
}

/// Why a node is no value of the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// What is wrong.
    pub message: String,
    /// Where; `None` is possible only for errors that a type makes up without any node.
    pub span: Option<Span>,
    /// What helps.
    pub hint: Option<String>,
}

impl DecodeError {
    pub(super) fn at(mut self, span: Span) -> Self {
        // The innermost node is the one to point at.
        self.span.get_or_insert(span);
        self
    }
}

impl Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            message: message.to_string(),
            span: None,
            hint: None,
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("{found} is out of range: expected {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut error = Self::custom(format_args!(
            "unknown value {}",
            crate::node::quoted(variant)
        ));
        error.hint = Some(match suggest::nearest(variant, expected.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", suggest::list(expected.iter().copied(), "or")),
        });
        error
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the field `{field}` is missing"))
    }
}
