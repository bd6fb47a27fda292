//! Values as Go writes them into messages.

use std::fmt::Write;

use serde_json::Value;

/// A value as the real server shows it behind the class of an error.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(float)) => self::float(float),
            (None, None) => number.to_string(),
        },
        Value::String(text) => quoted(text),
        Value::Null | Value::Array(_) | Value::Object(_) => json(value),
    }
}

/// JSON as Go marshals it: what could be markup is escaped.
pub(super) fn json(value: &Value) -> String {
    let mut out = String::new();
    for character in value.to_string().chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out
}

/// `strconv.Quote`.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            control if control.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(control));
            }
            // Go prints no space but the plain one.
            strange if strange.is_control() || (strange.is_whitespace() && strange != ' ') => {
                let _ = write!(out, "\\u{:04x}", u32::from(strange));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A float as `%v` prints it: the shortest digits, with an exponent where it is large or small.
pub(super) fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return scientific;
    };
    // `%v` is `%g` with the shortest digits, and that turns to exponents at a million.
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_look_as_go_prints_them() {
        assert_eq!(
            shown(&json!("a\"b\n\u{1}\u{3000}")),
            r#""a\"b\n\x01\u3000""#
        );
        assert_eq!(shown(&json!(1.5)), "1.5");
        assert_eq!(shown(&json!(2.0)), "2");
        assert_eq!(shown(&json!(1_234_567.0)), "1.234567e+06");
        assert_eq!(shown(&json!(1_234_567)), "1234567");
        assert_eq!(shown(&json!(0.000_01)), "1e-05");
        assert_eq!(shown(&json!({"b": "<", "a": 1})), r#"{"a":1,"b":"\u003c"}"#);
        assert_eq!(shown(&Value::Null), "null");
    }
}
