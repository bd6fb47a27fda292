//! JSON in one form: the same value is the same bytes, whoever writes it.
//!
//! What was applied last is kept as text in an annotation. If that text differed by a byte from what
//! `kubectl` writes, each of the two tools would find something to change after the other. And what a
//! report says has a digest that others can compute.

use std::fmt::Write as _;

use serde_json::Value;

/// The JSON of a value as Go's encoder writes it: keys in order, no spaces, and escapes that are safe
/// inside HTML; ended by a line break.
pub fn as_kubectl(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text, in_html);
    text.push('\n');
    text
}

/// The JSON of a value with keys in order, no spaces, and no escapes but those that JSON needs: what
/// `jq -cjS .` writes.
pub fn plain(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text, |_| false);
    text
}

/// What Go escapes although JSON does not ask for it.
fn in_html(each: char) -> bool {
    matches!(each, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

fn write(value: &Value, text: &mut String, escapes: fn(char) -> bool) {
    match value {
        Value::Object(map) => {
            // Whether the map of `serde_json` is in order depends on a feature that any crate may set.
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (position, (key, value)) in entries.into_iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                string(key, text, escapes);
                text.push(':');
                write(value, text, escapes);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write(item, text, escapes);
            }
            text.push(']');
        }
        Value::String(value) => string(value, text, escapes),
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
}

fn string(value: &str, text: &mut String, escapes: fn(char) -> bool) {
    text.push('"');
    for each in value.chars() {
        match each {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            each if each < ' ' || escapes(each) => {
                let _ = write!(text, "\\u{:04x}", u32::from(each));
            }
            _ => text.push(each),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_what_go_writes() {
        let value = json!({ "b": [1, true, null], "a": "x<y> & \"z\"\n\u{1}웹", "c": {} });
        assert_eq!(
            as_kubectl(&value),
            "{\"a\":\"x\\u003cy\\u003e \\u0026 \\\"z\\\"\\n\\u0001웹\",\"b\":[1,true,null],\"c\":{}}\n"
        );
        assert_eq!(
            serde_json::from_str::<Value>(&as_kubectl(&value)).unwrap(),
            value
        );
    }

    #[test]
    fn nothing_is_escaped_that_need_not_be() {
        let value = json!({ "b": "x<y> & \"z\"\n\u{1}웹", "a": [{ "d": null, "c": 18_446_744_073_709_551_615_u64 }] });
        assert_eq!(
            plain(&value),
            "{\"a\":[{\"c\":18446744073709551615,\"d\":null}],\"b\":\"x<y> & \\\"z\\\"\\n\\u0001웹\"}"
        );
    }
}
