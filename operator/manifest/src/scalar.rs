//! What a plain scalar means: the core schema of YAML 1.2.2 (section 10.3).
//!
//! `yes`, `no`, `on` and `off` are text. Numbers that YAML 1.1, which `kubectl` still speaks
//! (`sigs.k8s.io/yaml` over `go-yaml` 2), reads differently are [`Value::Unclear`].

use crate::node::Value;

/// Resolves a plain scalar.
pub(crate) fn resolve(text: String) -> Value {
    let Some(first) = text.bytes().next() else {
        return Value::Null;
    };
    match first {
        b'~' if text.len() == 1 => Value::Null,
        b'n' | b'N' if matches!(text.as_str(), "null" | "Null" | "NULL") => Value::Null,
        b't' | b'T' if matches!(text.as_str(), "true" | "True" | "TRUE") => Value::Bool(true),
        b'f' | b'F' if matches!(text.as_str(), "false" | "False" | "FALSE") => Value::Bool(false),
        b'0'..=b'9' | b'-' | b'+' | b'.' => number(&text).unwrap_or_else(|found| match found {
            NotANumber::Text => Value::Str(text),
            NotANumber::Unclear => Value::Unclear(text),
        }),
        _ => Value::Str(text),
    }
}

enum NotANumber {
    Text,
    Unclear,
}

fn number(text: &str) -> Result<Value, NotANumber> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(octal) = text.strip_prefix("0o") {
        return radix(octal, 8);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return radix(hex, 16);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(NotANumber::Unclear);
        }
        return Ok(text.parse().map_or_else(|_| float(text), Value::Int));
    }
    if is_yaml_1_1_number(digits) {
        return Err(NotANumber::Unclear);
    }
    match digits {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => Ok(Value::Float(f64::NEG_INFINITY)),
        ".inf" | ".Inf" | ".INF" => Ok(Value::Float(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if digits.len() == text.len() => Ok(Value::Float(f64::NAN)),
        _ if is_float(digits) => Ok(float(text)),
        _ => Err(NotANumber::Text),
    }
}

fn float(text: &str) -> Value {
    text.parse().map_or(Value::Null, Value::Float)
}

fn radix(digits: &str, radix: u32) -> Result<Value, NotANumber> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(NotANumber::Text);
    }
    i64::from_str_radix(digits, radix)
        .map(Value::Int)
        .map_err(|_| NotANumber::Unclear)
}

/// `[0-9]* ( . [0-9]* )? ( [eE] [-+]? [0-9]+ )?` with a digit before the exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    !(whole.is_empty() && fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
        && exponent_fits
}

/// Digits with `_` between them, and `0b` numbers: text in YAML 1.2, numbers in 1.1.
fn is_yaml_1_1_number(digits: &str) -> bool {
    if let Some(binary) = digits.strip_prefix("0b") {
        return !binary.is_empty()
            && binary
                .bytes()
                .all(|byte| matches!(byte, b'0' | b'1' | b'_'));
    }
    digits.contains('_')
        && digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Value {
        resolve(text.to_owned())
    }

    #[test]
    fn the_core_schema_decides() {
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(text), Value::Null, "{text}");
        }
        assert_eq!(plain("true"), Value::Bool(true));
        assert_eq!(plain("FALSE"), Value::Bool(false));
        assert_eq!(plain("-12"), Value::Int(-12));
        assert_eq!(plain("+12"), Value::Int(12));
        assert_eq!(plain("0"), Value::Int(0));
        assert_eq!(plain("0o17"), Value::Int(15));
        assert_eq!(plain("0xFF"), Value::Int(255));
        assert_eq!(plain("1.5"), Value::Float(1.5));
        assert_eq!(plain(".5"), Value::Float(0.5));
        assert_eq!(plain("12e3"), Value::Float(12e3));
        assert_eq!(plain("-.inf"), Value::Float(f64::NEG_INFINITY));
        assert_eq!(
            plain("18446744073709551616"),
            Value::Float(18_446_744_073_709_551_616.0)
        );
    }

    #[test]
    fn everything_else_is_text() {
        for text in [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "22:00",
            "15m",
            "1.2.3",
            "10.20.0.0/24",
            "-",
            "+",
            ".",
            "e3",
            "1e",
            "1e+",
            "0x",
            "0o8",
            "-0x1",
            "2026-11-20",
            "nullable",
            "tRue",
            ".infinity",
            "1_a",
            "_1",
            "--1",
        ] {
            assert_eq!(plain(text), Value::Str(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_kubectl_reads_differently_is_unclear() {
        for text in [
            "010",
            "-007",
            "08",
            "1_000",
            "0b101",
            "0xFFFFFFFFFFFFFFFFF",
            "1_0.5",
        ] {
            assert_eq!(plain(text), Value::Unclear(text.to_owned()), "{text}");
        }
    }
}
