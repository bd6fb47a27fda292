//! Types, and what is checked of texts and numbers.

use serde_json::{Number, Value};

use crate::schema::{
    equal::equal,
    error::{FieldError, FieldReason},
    go,
    node::{Kind, Node},
    path::Path,
};

/// The largest whole number that every float up to it can hold.
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;

/// The type of a value, and what the real server thinks its format is.
fn type_of(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if number.is_i64() => ("integer", "int64"),
        Value::Number(_) => ("number", "float64"),
        Value::String(_) => ("string", ""),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    }
}

pub(super) fn kind(node: &Node, value: &Value, path: &Path<'_>, out: &mut Vec<FieldError>) {
    let is_text = value.is_string();
    let is_right = match (node.kind, value) {
        (_, Value::Null) => node.nullable || node.kind == Kind::Any,
        (Kind::Any, _) => is_text || node.format_name.is_none(),
        (Kind::Object, Value::Object(_))
        | (Kind::Array, Value::Array(_))
        | (Kind::String | Kind::IntOrString, Value::String(_))
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Number, Value::Number(_)) => true,
        (Kind::Integer | Kind::IntOrString, Value::Number(number)) => is_whole(number),
        _ => false,
    };
    if is_right {
        return;
    }
    let (given, given_format) = type_of(value);
    // Where there is a format, the real server compares formats, of what can have one.
    let (expected, given) = match &node.format_name {
        Some(format) if !is_text && !value.is_array() && !value.is_null() => {
            (format.as_str(), given_format)
        }
        _ => (node.kind.name(), given),
    };
    out.push(wrong_type(path, expected, given));
}

fn wrong_type(path: &Path<'_>, expected: &str, given: &str) -> FieldError {
    let field = path.dotted();
    let shown = go::quoted(given);
    let detail = format!("{field} in body must be of type {expected}: {shown}");
    FieldError::shown(field, FieldReason::TypeInvalid, Some(&shown), &detail)
}

fn is_whole(number: &Number) -> bool {
    number.is_i64()
        || number
            .as_f64()
            .is_some_and(|float| float.fract() == 0.0 && float.abs() <= LARGEST_EXACT)
}

/// Length, pattern and format; of length and pattern only what comes first.
pub(super) fn text(node: &Node, text: &str, path: &Path<'_>, out: &mut Vec<FieldError>) {
    if let Some(error) = length_and_pattern(node, text, path) {
        out.push(error);
    }
    if let (Some(format), Some(name)) = (node.format, &node.format_name)
        && !format.takes(text)
    {
        out.push(wrong_type(path, name, text));
    }
}

fn length_and_pattern(node: &Node, text: &str, path: &Path<'_>) -> Option<FieldError> {
    let (least, most) = (node.length.least, node.length.most);
    if least.is_some() || most.is_some() {
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if let Some(most) = most.filter(|most| length > *most) {
            // It counts characters and says bytes.
            let bytes = if most == 1 { "byte" } else { "bytes" };
            let detail = format!("may not be more than {most} {bytes}");
            return Some(FieldError::shown(
                path.dotted(),
                FieldReason::TooLong,
                None,
                &detail,
            ));
        }
        if let Some(least) = least.filter(|least| length < *least) {
            return Some(invalid(
                path,
                text,
                &format!("should be at least {least} chars long"),
            ));
        }
    }
    let pattern = node
        .pattern
        .as_ref()
        .filter(|pattern| !pattern.matches(text))?;
    Some(invalid(
        path,
        text,
        &format!("should match '{}'", pattern.text),
    ))
}

fn invalid(path: &Path<'_>, value: impl Into<Value>, what: &str) -> FieldError {
    let field = path.dotted();
    let detail = format!("{field} in body {what}");
    FieldError::about(field, FieldReason::Invalid, &value.into(), &detail)
}

pub(super) fn number(node: &Node, number: &Number, path: &Path<'_>, out: &mut Vec<FieldError>) {
    let bounds = &node.bounds;
    if let Some(error) = out_of_range(node, number, path) {
        out.push(error);
    }
    let Some(value) = number.as_f64() else { return };
    let shown = || Value::Number(number.clone());
    if let Some(factor) = bounds.multiple_of {
        let is_multiple = match (number.as_i64(), whole(factor)) {
            (Some(value), Some(factor)) => factor > 0 && value % factor == 0,
            _ if factor < 1.0 => (1.0 / factor * value).fract() == 0.0,
            _ => (value / factor).fract() == 0.0,
        };
        if !is_multiple {
            let what = format!("should be a multiple of {}", limit(number, factor));
            out.push(invalid(path, shown(), &what));
        }
    }
    if let Some(most) = bounds.maximum {
        let (fits, than) = if bounds.exclusive_maximum {
            (is_less(number, value, most), "less than")
        } else {
            (!is_greater(number, value, most), "less than or equal to")
        };
        if !fits {
            out.push(invalid(
                path,
                shown(),
                &format!("should be {than} {}", limit(number, most)),
            ));
        }
    }
    if let Some(least) = bounds.minimum {
        let (fits, than) = if bounds.exclusive_minimum {
            (is_greater(number, value, least), "greater than")
        } else {
            (!is_less(number, value, least), "greater than or equal to")
        };
        if !fits {
            out.push(invalid(
                path,
                shown(),
                &format!("should be {than} {}", limit(number, least)),
            ));
        }
    }
}

/// A limit as a whole number, where it is one.
fn whole(limit: f64) -> Option<i64> {
    // The comparison makes sure that nothing is cut off.
    #[allow(clippy::cast_possible_truncation)]
    (limit.fract() == 0.0 && limit.abs() <= LARGEST_EXACT).then_some(limit as i64)
}

/// Whole numbers are compared as such: a float cannot tell large ones apart.
fn is_less(number: &Number, value: f64, limit: f64) -> bool {
    match (number.as_i64(), whole(limit)) {
        (Some(number), Some(limit)) => number < limit,
        _ => value < limit,
    }
}

fn is_greater(number: &Number, value: f64, limit: f64) -> bool {
    match (number.as_i64(), whole(limit)) {
        (Some(number), Some(limit)) => number > limit,
        _ => value > limit,
    }
}

/// A limit as it is printed beside a whole number, or beside another.
fn limit(number: &Number, limit: f64) -> String {
    match whole(limit) {
        Some(whole) if number.is_i64() => whole.to_string(),
        _ => go::float(limit),
    }
}

/// Whether the number fits into the type that the schema names. It is an error about no field.
fn out_of_range(node: &Node, number: &Number, path: &Path<'_>) -> Option<FieldError> {
    let fits = match node.kind {
        Kind::Integer if node.bounds.is_int32 => match number.as_i64() {
            Some(number) => i32::try_from(number).is_ok(),
            None => {
                is_whole(number)
                    && number
                        .as_f64()
                        .is_some_and(|value| value.abs() <= f64::from(i32::MAX))
            }
        },
        Kind::Integer => is_whole(number),
        Kind::Number if node.bounds.is_float32 => number
            .as_f64()
            .is_some_and(|value| value.abs() <= f64::from(f32::MAX)),
        _ => true,
    };
    if fits {
        return None;
    }
    let (kind, path) = (node.kind.name(), path.dotted());
    let format = match &node.format_name {
        Some(format) => format!("with format {format}"),
        None => "(default format)".to_owned(),
    };
    let detail = format!("Checked value must be of type {kind} {format} in {path}");
    Some(FieldError::shown(
        String::new(),
        FieldReason::Invalid,
        Some("\"\""),
        &detail,
    ))
}

pub(super) fn choice(node: &Node, value: &Value, path: &Path<'_>, out: &mut Vec<FieldError>) {
    let choices = &node.choices;
    if choices.is_empty() || choices.iter().any(|choice| equal(None, choice, value)) {
        return;
    }
    let named = |choice: &Value| match choice {
        Value::String(text) => go::quoted(text),
        other => go::quoted(&go::json(other)),
    };
    let named: Vec<String> = choices.iter().map(named).collect();
    let detail = format!("supported values: {}", named.join(", "));
    out.push(FieldError::about(
        path.dotted(),
        FieldReason::NotSupported,
        value,
        &detail,
    ));
}
