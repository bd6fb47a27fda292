//! One value in one cell, by the type of its column.

use jiff::Timestamp;
use serde_json::Value;

use super::age;

pub(super) fn of(value: &Value, kind: &str, now: Timestamp) -> Value {
    match (kind, value) {
        ("string", value) => Value::String(text(value)),
        ("integer", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            // What is cut off is what the column does not want to show.
            #[allow(clippy::cast_possible_truncation)]
            (None, Some(float)) => (float as i64).into(),
            (None, None) => Value::Null,
        },
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(written)) => Value::String(age::since(written, now)),
        _ => Value::Null,
    }
}

/// A value as a text: what has parts is shown as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<no value>".to_owned(),
        other => other.to_string(),
    }
}
